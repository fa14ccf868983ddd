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

import importlib.util
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(importlib.util.find_spec("paddle") is None, reason="paddle is not installed")
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


def export(*arguments):
    command = [sys.executable, str(ROOT / "tests" / "models" / "export.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("name", SERVED)
def test_a_saved_graph_scores_in_another_process_as_the_network_does(name, tmp_path):
    saved = export("save", name, tmp_path, SERVED[name])
    assert saved.returncode == 0, saved.stderr[-2000:]
    served = export("serve", tmp_path)
    assert served.returncode == 0, served.stderr[-2000:]
    assert float(served.stdout) < 1e-5


@pytest.mark.parametrize("name, how, problem", NOT_STATIC)
def test_what_cannot_be_made_static_still_cannot(name, how, problem, tmp_path):
    saved = export("save", name, tmp_path, how)
    assert saved.returncode == 1 and problem in saved.stderr, saved.stderr[-2000:]


def test_the_weights_of_a_mean_keep_one_row_in_a_graph(tmp_path):
    assert export("save", "ranker, mean", tmp_path, "traced").returncode == 0
    served = export("serve", tmp_path)
    assert served.returncode == 1 and "((1, 1, 20), (1, 30, 20))" in served.stderr, served.stderr[-2000:]
