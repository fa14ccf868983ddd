"""Hand-made features: counted from the history alone, as a loop would count them."""

import numpy as np
import pytest

from recsys.batches.questions import asked, every_basket
from recsys.data import Interactions
from recsys.evaluation import last_basket
from recsys.torch.candidates import draw
from recsys.torch.purchase_features import NAMES, purchase_features

GROUPS, PRICES = np.array([0, 0, 1, 1, 2, 2, 2]), np.array([1.0, 2, 4, 8, 16, 32, 64])


@pytest.fixture(scope="module")
def shop():
    random = np.random.default_rng(2)
    users, days = np.repeat(np.arange(5), 16), np.tile(np.repeat(np.arange(1, 9), 2), 5)
    return Interactions(users, random.integers(0, 6, 80), np.ones(80), days, np.arange(5), np.arange(7), "day")


@pytest.fixture(scope="module")
def told(shop):
    split = last_basket(shop)
    candidates = draw(asked(split.train_and_validation, split.test), np.ones(7), 6)
    return split, candidates, purchase_features(candidates, split.train, GROUPS, PRICES)


def since(known, rows, day):
    """Days from the newest of some rows to the day asked about."""
    return day - known.times[rows].max() if rows.any() else np.nan


def check_rows(candidates, known_of, fitted, found):
    """Each row against a loop; `known_of` is the log of what could be known on a day."""
    for row in range(len(candidates)):
        q, item = candidates.question[row], candidates.items[row]
        day, user = candidates.questions.days[q], candidates.questions.users[q]
        known, sold = known_of(day), fitted.select(fitted.times < day)
        mine = known.users == user
        same, alike = mine & (known.items == item), mine & (GROUPS[known.items] == GROUPS[item])
        buyers = [np.unique(sold.times[(sold.users == other) & (sold.items == item)]).size for other in range(5)]
        expected = {
            "times": same.sum(), "days since": since(known, same, day),
            "times in group": alike.sum(), "days since in group": since(known, alike, day),
            "share": same.sum() / mine.sum(), "share of group": alike.sum() / mine.sum(), "events": mine.sum(),
            "days since last visit": since(known, mine, day), "share of sales": (sold.items == item).mean(),
            "share of sales of group": (GROUPS[sold.items] == GROUPS[item]).mean(),
            "repurchase rate": np.mean([n > 1 for n in buyers if n]) if any(buyers) else np.nan,
            "price": np.log1p(PRICES[item]),
            "price against the usual": np.log1p(PRICES[item]) - np.log1p(PRICES[known.items[mine]]).mean(),
        }  # fmt: skip
        assert list(expected) == list(NAMES)
        assert np.allclose(found[row], list(expected.values()), rtol=1e-5, equal_nan=True), NAMES


def test_features_are_what_a_loop_counts(told):
    split, candidates, found = told
    check_rows(candidates, lambda day: split.train_and_validation, split.train, found)


def test_the_basket_asked_for_and_what_came_later_are_never_counted(shop):
    learnt = draw(every_basket(shop), np.ones(7), 6)
    check_rows(learnt, lambda day: shop.select(shop.times < day), shop, purchase_features(learnt, shop, GROUPS, PRICES))


@pytest.mark.parametrize("groups, prices, match", [
    (GROUPS - 1, PRICES, "groups: expected 7 numbers of at least 0"), (GROUPS[:5], PRICES, "groups: expected 7"),
    (GROUPS, np.where(PRICES == 8, np.nan, PRICES), "prices: expected 7 finite"), (GROUPS, -PRICES, "prices: expected 7 finite"),
])
def test_groups_and_prices_out_of_range_are_named(told, groups, prices, match):
    split, candidates, _ = told
    with pytest.raises(ValueError, match=match):
        purchase_features(candidates, split.train, groups, prices)


def test_an_empty_history_has_features_that_trees_can_read(shop):
    nobody = shop.select(np.zeros(len(shop), dtype=bool))
    candidates = draw(asked(nobody, shop.select(shop.times == 8)), np.ones(7), 3)
    found = dict(zip(NAMES, purchase_features(candidates, shop, GROUPS, PRICES).T))
    assert (found["times"] == 0).all() and (found["events"] == 0).all() and np.isfinite(found["price"]).all()
    assert all(np.isnan(found[name]).all() for name in ("share", "days since last visit", "price against the usual"))
