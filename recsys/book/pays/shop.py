"""The shop: poolings of the target ranker beside counts, on drawn and on whole lists.

Everybody is asked for the basket of the coming visit, whose day is not told: it is taken
to be a usual gap after the newest basket. What is read: `shop_lists`; what the tests
say: `shop_report`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, cached_property, partial
from typing import Any

import numpy as np

from recsys.baselines import PersonalFrequency, Popularity
from recsys.batches.candidates import draw
from recsys.batches.questions import Questions, asked, every_basket
from recsys.book.pays.counts import CommonEASE, Count, LeastPopular, Trees, of_items
from recsys.book.pays.search import at_an_end
from recsys.book.pays.shop_lists import (
    FULL,
    INSIDE,
    PAIRS,
    RECALLS,
    SHORTLIST,
    Asked,
    Model,
    listed,
    ranked,
)
from recsys.book.pieces import After
from recsys.data import Interactions, load
from recsys.evaluation import draws, evaluate, last_basket, timed_fit
from recsys.neural.recommender import config_from
from recsys.torch.target_ranker import TargetRankerConfig, TargetRankerRecommender

POOLINGS = {"softmax": "dot", "softmax and log n": "dot and log n"}
"""What the network calls an arm, where it has another name."""


class Shop:
    """Ta-Feng's customers of three days or more: the last basket, and the one before.

    Products of few rows are left out first, counted once on the whole log.

    Args:
        config: of the study.
    """

    def __init__(self, config: Mapping[str, Any]):
        self.config, self.parts = config, {}
        data = load("ta-feng")
        log = data.interactions
        kept = np.flatnonzero(log.item_counts() >= config["rows a product"])
        log = of_items(log, kept)
        customers = np.unique(last_basket(log).test.users)
        self.split = last_basket(log.of_users(customers))
        subclass = data.items["subclass"].to_numpy()[kept]
        self.groups = np.unique(subclass, return_inverse=True)[1]
        self.prices = data.items["price"].to_numpy()[kept]

    def fitted(self, on: str) -> Interactions:
        """What a model is fitted on, and what it reads, before the part `on` is read."""
        split = self.split
        return split.train if on == "validation" else split.train_and_validation

    def questions(self, on: str) -> Questions:
        """One for each customer: the history, a supposed day, and the basket."""
        fitted, split = self.fitted(on), self.split
        baskets = split.validation if on == "validation" else split.test
        told = asked(fitted, baskets)
        known = every_basket(fitted)
        usual_gap = int(np.median(known.days - known.newest_days(0)))
        return replace(told, days=told.newest_days(0) + usual_gap)

    def some(self, n_customers: int) -> np.ndarray:
        """Customers to search with, always the first of one order, ascending."""
        n_users = self.split.train.n_users
        order = np.random.default_rng(0).permutation(n_users)
        return np.sort(order[:n_customers])

    def part(self, on: str) -> "Part":
        """The lists of candidates of "validation" or "test", made once."""
        if on not in self.parts:
            self.parts[on] = Part(self, on)
        return self.parts[on]

    def full(self, model: Any, on: str) -> dict[str, np.ndarray]:
        """Rank all products for every customer, those bought before among them."""
        history = self.fitted(on)
        found = evaluate(
            model, self.split, on=on, repeats=True, fit=False, history=history
        )
        return {FULL: found["nDCG@10"], RECALLS[FULL]: found["recall@10"]}


class Part:
    """The three lists of candidates of one part of the log, the same for every model.

    Args:
        shop: whose.
        on: "validation" or "test".
    """

    def __init__(self, shop: Shop, on: str):
        self.fitted, self.questions = shop.fitted(on), shop.questions(on)
        self.config, self.on = shop.config, on

    @cached_property
    def drawn(self) -> Asked:
        """The basket of each customer, and products drawn by popularity outside it."""
        n_negatives, seed = self.config["negatives"], self.config["draw seeds"][self.on]
        counts = self.fitted.item_counts()
        return Asked(draw(self.questions, counts, n_negatives, seed))

    @cached_property
    def inside(self) -> Asked:
        """Every product of each history, once."""
        return Asked(listed(self.questions, np.zeros(0, dtype=np.int64)))

    @cached_property
    def shortlist(self) -> Asked:
        """Every product of each history, and the best sellers."""
        return Asked(listed(self.questions, self._best_sellers()))

    def sample(self, customers: np.ndarray) -> Asked:
        """The shortlists of some customers."""
        some = np.flatnonzero(np.isin(self.questions.users, customers))
        return Asked(listed(self.questions.select(some), self._best_sellers()))

    def _best_sellers(self) -> np.ndarray:
        counts = self.fitted.item_counts()
        return np.argsort(-counts, kind="stable")[: self.config["shortlist"]]

    def read(self, model: Model) -> dict[str, np.ndarray]:
        """Every metric of the lists, one number a customer."""
        drawn, inside = self.drawn, self.inside
        scores = model.predict(drawn.candidates)
        found = {"all": drawn.auc(scores, np.ones(len(scores), dtype=bool))}
        for name, (bought, other) in PAIRS.items():
            rows = drawn.again == np.where(drawn.labels, bought, other)
            found[name] = drawn.auc(scores, rows)
        scores = model.log_odds(inside.candidates)
        found[INSIDE] = inside.auc(scores, np.ones(len(scores), dtype=bool))
        return found | ranked(self.shortlist, model)


def build(shop: Shop, arm: str, settings: Mapping[str, Any], seed: int) -> Model:
    """Make a model of an arm's name and its settings.

    Args:
        shop: it is for.
        arm: a pooling of the network, with ", told" where the head is told of repeats;
            or one of the counts.
        settings: drawn from the arm's space.
        seed: of the network.

    Returns:
        The model, not fitted.
    """
    n_rows = shop.config["EASE rows"]
    counts = {
        "popularity": Popularity,
        "minus popularity": LeastPopular,
        "times bought": partial(PersonalFrequency, popularity_weight=0.0),
        "times, then popularity": PersonalFrequency,
        "frequency": PersonalFrequency,
        "EASE": partial(CommonEASE, n_rows),
    }
    if arm in counts:
        return Count(counts[arm](**settings))
    if arm == "trees":
        seed = shop.config["draw seeds"]["trees"]
        return Trees(shop.groups, shop.prices, seed, settings)
    pooling, _, told = arm.partition(", ")
    shape = {"pooling": POOLINGS.get(pooling, pooling), "repeats": bool(told)}
    config = config_from(TargetRankerConfig, {**settings, **shape, "seed": seed})
    return TargetRankerRecommender(shop.groups, config)


def arms_of(config: Mapping[str, Any]) -> list[str]:
    """Every arm, networks first."""
    told = [f"{arm}, told" for arm in config["told"]]
    return [*config["arms"], *told, *config["counts"]]


def space_of(config: Mapping[str, Any], arm: str) -> Mapping[str, Any]:
    """The space of an arm: its own, none for a count without settings, the network's."""
    if arm in config["counts"]:
        return config["spaces"].get(arm, {})
    return config["spaces"]["network"]


def pieces(config: Mapping[str, Any]) -> dict[str, Any]:
    """Two for each arm: its settings, chosen on validation, and its tests with them.

    Arms of the full ranking stand first.
    """
    shop = cache(lambda: Shop(config))  # pieces of one process share it
    made: dict[str, Any] = {}
    full = config["full ranking"]
    for arm in sorted(arms_of(config), key=lambda arm: arm not in full):
        settings = f"{arm}: settings"
        made[settings] = partial(searched, shop, arm)
        made[arm] = After([settings], partial(tested, shop, arm))
    return made


def tested(shop: Callable[[], Shop], arm: str, found: Mapping) -> dict[str, Any]:
    """One arm with the settings chosen, the test read once a seed."""
    world = shop()
    config, part, settings = world.config, world.part("test"), found["settings"]
    seeds = [0] if arm in config["counts"] else config["seeds"]
    tables: dict[str, list] = {}
    seconds = []
    for seed in seeds:
        model = build(world, arm, settings, seed)
        seconds.append(timed_fit(model, part.fitted))
        read = part.read(model)
        if arm in config["full ranking"]:
            read |= world.full(model, "test")
        for name, values in read.items():
            tables.setdefault(name, []).append(kept(name, values))
    space = {"network": space_of(config, arm)}
    return {
        **found,
        "at an end": at_an_end({"spaces": space}, "network", settings),
        "tests": tables,
        "seconds": round(float(np.median(seconds)), 1),
    }


def kept(name: str, values: np.ndarray) -> list[float] | float:
    """A number a customer; of recall, which nothing is tested with, the mean."""
    if name in RECALLS.values():
        return round(float(values.mean()), 5)
    return [round(float(value), 4) for value in values]


def searched(shop: Callable[[], Shop], arm: str) -> dict[str, Any]:
    """Fit every setting on the baskets of some customers, and read their shortlists.

    Returns:
        Under "search" a row for each setting; under "settings" those of the best.
    """
    world = shop()
    config, space = world.config, space_of(world.config, arm)
    if not space:
        return {"search": [], "settings": {}}
    part = world.part("validation")
    customers = world.some(config["customers of search"])
    fitted = part.fitted.select(np.isin(part.fitted.users, customers))
    some = part.sample(world.some(config["customers of validation"]))
    rows = []
    for settings in draws(space, config["settings"], config["draw seed"]):
        model = build(world, arm, settings, seed=0)
        seconds = timed_fit(model, fitted)
        mean = float(ranked(some, model)[SHORTLIST].mean())
        rows.append(
            {
                "settings": settings,
                "validation": round(mean, 5),
                "seconds": round(seconds, 1),
            }
        )
    best = max(rows, key=lambda row: row["validation"])
    return {"search": rows, "settings": best["settings"]}
