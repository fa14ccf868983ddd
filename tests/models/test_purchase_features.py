"""Hand-made features: counted from the history alone, as a loop would count them."""

import numpy as np
import pytest

from recsys.data import Interactions
from recsys.evaluation import last_basket
from recsys.torch.candidates import draw
from recsys.torch.purchase_features import NAMES, purchase_features
from recsys.torch.questions import asked

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


def since(known, rows):
    """Days from the newest of some rows to the day asked about, 8."""
    return 8 - known.times[rows].max() if rows.any() else np.nan


def test_features_are_what_a_loop_counts(told):
    split, candidates, found = told
    known, fitted = split.train_and_validation, split.train
    for row in range(len(candidates)):
        q, item = candidates.question[row], candidates.items[row]
        mine = known.users == candidates.questions.users[q]
        same, alike = mine & (known.items == item), mine & (GROUPS[known.items] == GROUPS[item])
        buyers = [np.unique(fitted.times[(fitted.users == user) & (fitted.items == item)]).size for user in range(5)]
        expected = {
            "times": same.sum(), "days since": since(known, same),
            "times in group": alike.sum(), "days since in group": since(known, alike),
            "share": same.sum() / mine.sum(), "share of group": alike.sum() / mine.sum(), "events": mine.sum(),
            "days since last visit": 1, "rows": (fitted.items == item).sum(),
            "rows of group": (GROUPS[fitted.items] == GROUPS[item]).sum(),
            "repurchase rate": np.mean([n > 1 for n in buyers if n]) if any(buyers) else np.nan,
            "price": np.log1p(PRICES[item]),
            "price against the usual": np.log1p(PRICES[item]) - np.log1p(PRICES[known.items[mine]]).mean(),
        }  # fmt: skip
        assert list(expected) == list(NAMES)
        assert np.allclose(found[row], list(expected.values()), rtol=1e-5, equal_nan=True), NAMES


def test_an_empty_history_has_features_that_trees_can_read(shop):
    nobody = shop.select(np.zeros(len(shop), dtype=bool))
    candidates = draw(asked(nobody, shop.select(shop.times == 8)), np.ones(7), 3)
    found = dict(zip(NAMES, purchase_features(candidates, shop, GROUPS, PRICES).T))
    assert (found["times"] == 0).all() and (found["events"] == 0).all() and np.isfinite(found["price"]).all()
    assert all(np.isnan(found[name]).all() for name in ("share", "days since last visit", "price against the usual"))
