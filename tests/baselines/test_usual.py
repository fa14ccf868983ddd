"""The baselines that a new log is read with first."""

from types import SimpleNamespace

import pytest

from recsys.baselines import usual_baselines
from recsys.baselines.usual import EASE_ITEMS
from recsys.evaluation import evaluate, leave_last_out


@pytest.mark.parametrize("repeats", [False, True])
def test_all_of_them_take_a_log_as_it_is(walks, repeats):
    models = usual_baselines(walks, repeats)
    read = {name: evaluate(model, leave_last_out(walks), repeats=repeats).mean("hit@10") for name, model in models.items()}
    assert ("own frequency" in read) == repeats and read["last item"] > 0.7 > 0.6 > read["popularity"]
    assert models["EASE"] is not usual_baselines(walks)["EASE"]


def test_ease_is_left_out_where_its_matrix_would_not_fit():
    assert "EASE" in usual_baselines(SimpleNamespace(n_items=EASE_ITEMS))
    assert "EASE" not in usual_baselines(SimpleNamespace(n_items=EASE_ITEMS + 1))
