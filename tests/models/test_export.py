"""A network of Paddle saved as a graph scores elsewhere as it does itself, whatever the sizes of a batch.

Paddle has two ways to a graph, and no network here takes both: where the source is converted, checks that compare
sizes find tensors; where it is traced, a tensor made of a size that is not told finds -1. So the caller chooses, and
makes the checks of ids itself (`recsys.checks.check_ids`): none of them is in a graph.

What Paddle 3.3.1 can't make static, each with a test that turns red when it can:

- the ranker with max: `max_with_index`, whose gradient goes to one of several equals, has no static kernel on a CPU;
- the ranker with DIN: numbers of customers and of candidates are both unknown where the hidden axis is split off;
- the ranker's weights with none, mean and last: its scores are right, but the weights keep one row for all candidates,
  since `expand` reads a size that is not told as "leave it".
"""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.framework import from_outside

pytestmark = from_outside
SERVED = {
    "SASRec, attention": "converted",
    "SASRec, decay": "converted",
    "ranker, dot": "traced",
    "basket, sum": "traced",
    "history, attention": "traced",
    "history, decay": "traced",
}
NOT_STATIC = [
    ("ranker, max", "traced", "max_with_index"),
    ("ranker, din", "traced", "If your target shape in Reshape represents dynamic shape"),
    ("ranker, dot", "converted", "query and items: expected as many rows in both"),
    ("SASRec, attention", "traced", "must be positive"),
]


MEAN = ("ranker, mean", "traced")


def export(*arguments):
    """What a process says of each directory: a difference, or the error; Paddle loads once for all of one kind."""
    command = [sys.executable, str(ROOT / "tests" / "models" / "export.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What was said as each network was saved, and as another process served it."""
    wanted = [*SERVED.items(), *((name, how) for name, how, _ in NOT_STATIC), MEAN]
    at = {asked: tmp_path_factory.mktemp("graph") for asked in wanted}
    saved = {}
    for way in ("converted", "traced"):
        chosen = {asked: directory for asked, directory in at.items() if asked[1] == way}
        said = export("save", way, *(word for (name, _), directory in chosen.items() for word in (name, directory)))
        saved |= dict(zip(chosen, said, strict=True))
    there = [asked for asked in wanted if saved[asked] == "saved"]
    return saved, dict(zip(there, export("serve", *(at[asked] for asked in there)), strict=True))


@pytest.mark.parametrize("name", SERVED)
def test_a_saved_graph_scores_in_another_process_as_the_network_does(name, told):
    saved, served = told
    asked = (name, SERVED[name])
    assert saved[asked] == "saved"
    assert float(served[asked]) < 1e-5


@pytest.mark.parametrize("name, how, problem", NOT_STATIC)
def test_what_cannot_be_made_static_still_cannot(name, how, problem, told):
    saved, _ = told
    assert problem in saved[name, how]


def test_the_weights_of_a_mean_keep_one_row_in_a_graph(told):
    saved, served = told
    assert saved[MEAN] == "saved" and "((1, 1, 20), (1, 30, 20))" in served[MEAN]
