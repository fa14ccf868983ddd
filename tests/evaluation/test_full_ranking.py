"""What `evaluate` reads, against a ranking by hand."""

import numpy as np
import pytest

from recsys.data import Interactions
from recsys.evaluation import evaluate
from recsys.evaluation.splits import TEST, TRAIN, VALIDATION, Split

SCORES = np.array([[6.0, 5, 4, 3, 2, 1], [1.0, 2, 3, 4, 5, 6]])


class Fixed:
    """Scores that were written down; it notes what it was fitted on."""

    def fit(self, interactions):
        self.n_fitted = len(interactions)
        return self

    def score(self, users, history=None):
        return SCORES[users]


@pytest.fixture
def split():
    """User 0 took item 0, then 1, then 2 and 5; user 1 took item 5, then 4, then 0."""
    users, items = np.array([0, 0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 5, 5, 4, 0])
    times = np.array([1, 2, 3, 3, 1, 2, 3])
    log = Interactions(users, items, np.ones(7), times, np.arange(2), np.arange(6))
    part = np.array([TRAIN, VALIDATION, TEST, TEST, TRAIN, VALIDATION, TEST])
    return Split(log, part, "by hand", ordered=True)


def test_each_metric_is_that_of_the_list_ranked_by_hand(split):
    model = Fixed()
    result = evaluate(model, split, k=2)
    assert model.n_fitted == 4 and result.ranked.tolist() == [[2, 3], [3, 2]]
    ideal = 1 + 1 / np.log2(3)  # two relevant items in the two places of user 0
    expected = {"nDCG@2": [1 / ideal, 0], "recall@2": [1 / 2, 0], "precision@2": [1 / 2, 0]}
    for name, values in expected.items():
        assert result[name] == pytest.approx(values)


def test_for_validation_the_model_is_fitted_on_train_alone(split):
    model = Fixed()
    result = evaluate(model, split, k=1, on="validation")
    assert model.n_fitted == 2 and result.ranked.tolist() == [[1], [4]] and result["nDCG@1"].tolist() == [1, 1]


def test_where_repeats_count_nothing_is_masked(split):
    assert evaluate(Fixed(), split, k=2, repeats=True).ranked.tolist() == [[0, 1], [5, 4]]
