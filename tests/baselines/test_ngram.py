"""n-grams: probabilities against the formula written out, and what order and users may change."""

import numpy as np
import pytest

from recsys.baselines import NGram
from recsys.data import Interactions

ROWS = [[0, 1, 2, 0, 1, 3], [1, 2, 0, 1], [3]]


@pytest.fixture
def log():
    return Interactions.from_sequences(ROWS, np.arange(5))


def by_formula(context, item, order, discount):
    """p(item | context), each count by a loop over the rows, from the longest context down."""
    context = tuple(context[len(context) - order + 1 :]) if len(context) >= order else tuple(context)
    if order == 0:
        return 1 / 5
    followers = [row[at + len(context)] for row in ROWS for at in range(len(row) - len(context))
                 if tuple(row[at : at + len(context)]) == context]  # fmt: skip
    shorter = by_formula(context[1:], item, len(context), discount)
    if not followers:
        return shorter
    seen = max(followers.count(item) - discount, 0) / len(followers)
    return seen + discount * len(set(followers)) / len(followers) * shorter


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_are_those_of_the_formula_and_sum_to_one(log, order):
    model = NGram(order, 0.6).fit(log)
    for history in ([], [1], [0, 1], [2, 0, 1], [4, 0, 1], [3, 3, 2, 0, 1], [4]):
        told = model.probabilities(np.array(history, dtype=int))
        assert np.allclose(told, [by_formula(history, item, order, 0.6) for item in range(5)])
        assert np.isclose(told.sum(), 1) and (told > 0).all()


def test_scores_are_logarithms_and_bits_are_what_each_item_but_the_first_costs(log):
    model = NGram(3, 0.6).fit(log)
    scores = model.score([0, 2])
    assert np.allclose(scores, np.log2([model.probabilities(np.array(ROWS[user])) for user in (0, 2)]))
    row = np.array(ROWS[0])
    wanted = [-np.log2(by_formula(ROWS[0][:place], row[place], 3, 0.6)) for place in range(1, 6)]
    assert np.allclose(model.bits(row), wanted)


def test_users_are_apart_and_only_the_newest_items_are_read(log):
    model = NGram(3, 0.6).fit(log)
    other = NGram(3, 0.6).fit(log.select(np.arange(len(log))[::-1]))  # the same events in another order of the file
    asked = Interactions.from_sequences([[4, 4, 2, 0, 1], [0, 1]], log.item_ids)
    assert np.array_equal(model.score([-1, -1], asked), other.score([-1, -1], asked))
    assert np.array_equal(*model.score([-1, -1], asked))


@pytest.mark.parametrize("wrong, message", [({"order": 0}, "order: expected at least 1, got 0"),
                                            ({"discount": 1.0}, "discount: expected above 0 and below 1, got 1.0")])  # fmt: skip
def test_settings_out_of_range_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        NGram(**wrong)
