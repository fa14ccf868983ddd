"""Who is asked for which basket of Ta-Feng: the last one, or the first after a cut."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recsys.baselines import BasketRanker
from recsys.batches.visits import visits
from recsys.data import Interactions, load
from recsys.data.taiw import taiw_filter
from recsys.evaluation import Evaluation, Split, evaluate, last_basket
from recsys.evaluation.splits import TEST, TRAIN, UNUSED
from recsys.neural.next_basket import Prepared, prepare
from recsys.recommender import Recommender
from recsys.torch.next_basket import NextBasket, NextBasketConfig

LEAST_BASKETS = 2
"""A customer has so many before a cut, or is not asked."""


class Baskets:
    """Customers who are asked for one basket each, on validation and on the test.

    Args:
        splits: under "validation" and "test" one split each, whose fitted part is what
            is known before, and whose test part are the baskets asked for.
    """

    def __init__(self, splits: Mapping[str, Split]):
        self.splits = splits
        self._fitted = {on: split.train_and_validation for on, split in splits.items()}
        self._prepared: dict[tuple[str, int], Prepared] = {}

    def fitted(self, on: str) -> Interactions:
        """What a model is fitted on before the part `on` is read."""
        return self._fitted[on]

    def prepared(self, on: str, config: NextBasketConfig) -> Prepared:
        """The same log as the network takes it, made once for a number of targets."""
        key = on, config.targets
        if key not in self._prepared:
            self._prepared[key] = prepare(self.fitted(on), config)
        return self._prepared[key]

    def read(self, model: Recommender, on: str) -> Evaluation:
        """Rank all products for each customer asked, for the day of the basket."""
        split = self.splits[on]
        if isinstance(model, (NextBasket, BasketRanker)):
            asked = split.test
            days = np.zeros(asked.n_users, dtype=np.int64)
            days[asked.users] = asked.times
            model = OnTheDay(model, days)
        return evaluate(model, split, repeats=True, fit=False)


class OnTheDay:
    """A fitted model that is told the day of the basket it is asked for.

    Args:
        model: whose `score` takes days.
        days: int (n_users,), of every user who is asked.
    """

    def __init__(self, model: NextBasket | BasketRanker, days: np.ndarray):
        self.model, self.days = model, days
        self.interactions = model.interactions

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """Score all items, (len(users), n_items)."""
        return self.model.score(users, history, days=self.days[users])


def world(config: Mapping[str, Any], name: str) -> Baskets:
    """The world of a name as "ta-feng, last basket".

    In both the TAIW filter is counted over the whole log. After a cut, too, it says who
    is a customer and what is a product; nothing else of what came later is known.
    """
    data, _, protocol = name.partition(", ")
    log = taiw_filter(load(data).interactions)
    if protocol == "last basket":
        return last_baskets(log)
    return after_a_cut(log, int(np.datetime64(config["cut day"], "D").astype(int)))


def last_baskets(log: Interactions) -> Baskets:
    """Of each customer the last basket is the test, the one before it validation."""
    split = last_basket(log)
    labels = np.array([TRAIN, TEST, UNUSED, UNUSED])  # of train, validation, test
    earlier = Split(log, labels[split.part], split.protocol, ordered=True)
    return Baskets({"validation": earlier, "test": split})


def after_a_cut(log: Interactions, cut: int) -> Baskets:
    """The test is each customer's first basket from a cut on, told all before the cut.

    Validation has an earlier cut and the same rule. As many days lie between the cuts
    as after the later one, and it is in those that validation waits for a first basket.

    Args:
        log: times in days.
        cut: the later one, in days since 1970.
    """
    end = int(log.times.max()) + 1
    earlier = cut - (end - cut)
    return Baskets(
        {
            "validation": first_baskets(log, earlier, cut),
            "test": first_baskets(log, cut, end),
        }
    )


def first_baskets(log: Interactions, cut: int, end: int) -> Split:
    """Ask for first baskets of the days from `cut` to before `end`, told all before.

    Customers with fewer than `LEAST_BASKETS` baskets before the cut are not asked.
    """
    before = log.times < cut
    n_baskets = visits(log.select(before)).n_baskets  # (n_users,)
    later = (log.times >= cut) & (log.times < end)
    first = np.full(log.n_users, end)
    np.minimum.at(first, log.users[later], log.times[later])
    asked = later & (log.times == first[log.users])
    asked &= n_baskets[log.users] >= LEAST_BASKETS
    part = np.full(len(log), UNUSED)
    part[before] = TRAIN
    part[asked] = TEST
    protocol = (
        f"first basket in the {end - cut} days from {np.datetime64(cut, 'D')} on, of "
        f"users with at least {LEAST_BASKETS} before"
    )
    return Split(log, part, protocol, ordered=True)
