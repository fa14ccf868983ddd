"""The shop: poolings of the target ranker beside counts, on drawn and on whole lists.

Everybody is asked for the basket of the coming visit, whose day is not told: it is taken
to be a usual gap after the newest basket. What was bought is read four ways: beside
products drawn by popularity, told apart by whether the two were bought before; among
the products of the customer's own history, where nothing is drawn; on a shortlist, as
the second of two steps would order it; and among all products of the shop.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, cached_property, partial
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from recsys.baselines import PersonalFrequency, Popularity
from recsys.batches.candidates import Candidates, draw
from recsys.batches.questions import Questions, asked, every_basket
from recsys.book.pays.counts import (
    CommonEASE,
    Count,
    LeastPopular,
    Trees,
    of_items,
)
from recsys.book.pays.report import compared
from recsys.book.pays.search import at_an_end
from recsys.book.pieces import After
from recsys.data import Interactions, load
from recsys.evaluation import (
    auc_per_user,
    draws,
    evaluate,
    last_basket,
    ndcg,
    recall,
    rounded,
    timed_fit,
    top_k,
)
from recsys.evaluation.verdicts import holm, two_way_test, verdict
from recsys.neural.recommender import config_from
from recsys.torch.target_ranker import TargetRankerConfig, TargetRankerRecommender

POOLINGS = {"softmax": "dot", "softmax and log n": "dot and log n"}
"""What the network calls an arm, where it has another name."""

PAIRS = {
    "bought again over drawn new": (True, False),
    "bought new over drawn new": (False, False),
    "bought again over drawn again": (True, True),
    "bought new over drawn again": (False, True),
}
"""Whether the bought and the drawn product were in the history."""

INSIDE, SHORTLIST, FULL = "inside the history", "nDCG@10, shortlist", "nDCG@10, full"
RECALLS = {SHORTLIST: "recall@10, shortlist", FULL: "recall@10, full"}


class Model(Protocol):
    """What a shop asks of an arm."""

    def fit(self, interactions: Interactions) -> Any:
        """Learn from earlier baskets."""

    def predict(self, candidates: Candidates) -> np.ndarray:
        """Order drawn candidates: (n_rows,)."""

    def log_odds(self, candidates: Candidates) -> np.ndarray:
        """Order candidates that were not drawn: (n_rows,)."""


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


class Asked:
    """Candidates with what every model is measured against."""

    def __init__(self, candidates: Candidates):
        self.candidates = candidates
        self.labels = candidates.labels == 1

    @cached_property
    def again(self) -> np.ndarray:
        """Whether the product is in the history, bool (n_rows,)."""
        return self.candidates.bought_before

    def auc(self, scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Within each customer, on some rows; NaN without both classes."""
        question = self.candidates.question[rows]
        found = np.full(len(self.candidates.questions), np.nan)
        found[np.unique(question)] = auc_per_user(
            question, self.labels[rows], scores[rows]
        )
        return found

    def lists(self, scores: np.ndarray, k: int = 10) -> np.ndarray:
        """Which of the k best of each customer were bought: bool (n_customers, k)."""
        question = self.candidates.question
        n_customers = len(self.candidates.questions)
        first = np.searchsorted(question, np.arange(n_customers))
        column = np.arange(len(question)) - first[question]
        table = np.full((n_customers, column.max() + 1), -np.inf)
        table[question, column] = scores  # a row's products ascend: ties by item index
        places = top_k(table, k)
        return self.labels[first[:, None] + places] & (places >= 0)


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


def ranked(asked_for: Asked, model: Model) -> dict[str, np.ndarray]:
    """nDCG and recall of the ten best; what no list holds counts as missed."""
    candidates = asked_for.candidates
    hits = asked_for.lists(model.log_odds(candidates))
    n_bought = np.diff(candidates.questions.basket_starts)
    return {
        SHORTLIST: ndcg(hits, n_bought),
        RECALLS[SHORTLIST]: recall(hits, n_bought),
    }


def listed(questions: Questions, items: np.ndarray) -> Candidates:
    """The products of each history, and some for everybody, by customer and product."""
    owners, places = questions.events()
    n_items = questions.n_items
    own = owners * n_items + questions.event_items[places]
    of_all = np.arange(len(questions))[:, None] * n_items + items
    question, product = np.divmod(np.union1d(own, of_all), n_items)
    return Candidates(questions, question, product)


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


def results(config: Mapping[str, Any], done: Mapping[str, dict]) -> dict[str, Any]:
    """What the tests say of every arm, and of the pairs that were registered."""
    shop = Shop(config)
    part, arms = shop.part("test"), arms_of(config)
    tables = {
        arm: {name: np.array(units) for name, units in done[arm]["tests"].items()}
        for arm in arms
    }
    return {
        "protocol": protocol(shop, part),
        "counts": counted(part, tables),
        "arms": {arm: row(done[arm], tables[arm]) for arm in arms},
        "headline": headline(config, tables),
        "headline by events": by_events(config, tables, part.questions.lengths()),
        "contrasts": {
            name: contrasts(config, tables, name)
            for name in ("all", *PAIRS, INSIDE, SHORTLIST)
        },
    }


def protocol(shop: Shop, part: Part) -> str:
    """What the numbers depend on, in words."""
    config, n_sold = shop.config, np.count_nonzero(part.fitted.item_counts())
    return (
        f"Ta-Feng, products of at least {config['rows a product']} rows, "
        f"{len(part.questions):,} customers with at least 3 days; fitted on their "
        f"{len(part.fitted):,} rows before the last basket; settings chosen on the "
        f"basket before it, fitted on {config['customers of search']:,} of the "
        f"customers, by nDCG@10 of the shortlists of "
        f"{config['customers of validation']:,} of these; test: the last basket, its "
        "day not told but a usual gap after the newest one; full ranking of the "
        f"{n_sold:,} products that were fitted, shortlist: the {config['shortlist']} "
        "with most rows and those of the history; bought products allowed; ties by "
        "item-index; nDCG ideal capped at 10, products never sold before missed; "
        f"drawn: {config['negatives']} independent negatives by rows, none in the "
        "basket; AUC within each customer, ties counting half; intervals over seeds "
        "and customers"
    )


def counted(part: Part, tables: Mapping[str, Mapping]) -> dict[str, Any]:
    """Sizes: what is asked, and for how many customers each metric is defined."""
    drawn, first = part.drawn, next(iter(tables.values()))
    return {
        "customers": len(part.questions),
        "baskets to learn from": len(every_basket(part.fitted)),
        "bought": int(drawn.labels.sum()),
        "bought again": int((drawn.labels & drawn.again).sum()),
        "bought, on the shortlist": int(part.shortlist.labels.sum()),
        "never sold before": len(part.questions.basket_items) - int(drawn.labels.sum()),
        "customers of a metric": {
            name: int(np.isfinite(table[0]).sum())
            for name, table in first.items()
            if table.ndim == 2
        },
    }


def row(piece: Mapping[str, Any], tables: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """One arm: its level in every metric, and how it was tuned."""
    levels = {}
    for name, table in tables.items():
        if table.ndim == 2:
            known = np.isfinite(table[0])
            levels[name] = rounded(two_way_test(table[:, known])[:3])
        else:
            levels[name] = round(float(table.mean()), 4)
    return {
        "levels": levels,
        "seeds": rounded(np.nanmean(tables[SHORTLIST], axis=1)),
        "settings": piece["settings"],
        "at an end": piece["at an end"],
        "tried": [tried["validation"] for tried in piece["search"]],
        "seconds": piece["seconds"],
    }


HEADLINE = [
    (f"softmax{told}", f"{other}{told}")
    for told in ("", ", told")
    for other in ("decay", "mean")
]
"""The pairs that are read in the full ranking; the first is the primary contrast."""


def headline(
    config: Mapping[str, Any], tables: Mapping[str, Mapping]
) -> dict[str, dict[str, Any]]:
    """Softmax minus decay and minus mean, full ranking, Holm over the four."""
    found, verdicts = {}, {}
    for ours, theirs in HEADLINE:
        told = ", told" if ours.endswith("told") else ""
        margin = config["margin"] * tables[f"decay{told}"][FULL].mean()
        both = tables[ours][FULL], tables[theirs][FULL]
        name = f"{ours} minus {theirs}"
        verdicts[name] = verdict(*both, margin)
        found[name] = compared(*both, margin) | {"margin": round(float(margin), 5)}
    adjusted = holm(np.array([one.p_value for one in verdicts.values()]))
    for (name, one), p_value in zip(verdicts.items(), adjusted, strict=True):
        found[name]["adjusted p"] = round(float(p_value), 6)
        found[name]["says"] = one.says(p_value)
    return found


def by_events(
    config: Mapping[str, Any], tables: Mapping[str, Mapping], lengths: np.ndarray
) -> dict[str, list]:
    """The same by length of the history: difference, interval, number of customers."""
    found: dict[str, list] = {}
    edges = [*config["events"], lengths.max() + 1]
    for ours, theirs in HEADLINE:
        difference = tables[ours][FULL] - tables[theirs][FULL]
        for low, high in pairwise(edges):
            here = (lengths >= low) & (lengths < high)
            test = two_way_test(difference[:, here])
            name = f"{ours} minus {theirs}, {low} or more"
            found[name] = [*rounded(test[:3]), int(here.sum())]
    return found


def contrasts(
    config: Mapping[str, Any], tables: Mapping[str, Mapping], name: str
) -> dict[str, list[float]]:
    """Every registered pair in one metric, Holm over all of them.

    Returns:
        Difference, its interval, p-value after Holm, and the smallest difference that
        would have been seen four times out of five.
    """
    found = {}
    for ours, theirs in config["contrasts"]:
        a, b = np.broadcast_arrays(tables[ours][name], tables[theirs][name])
        known = np.isfinite(a[0])
        margin = config["margin"] * a[:, known].mean()
        pair = verdict(a[:, known], b[:, known], margin)
        found[f"{ours} minus {theirs}"] = pair
    adjusted = holm(np.array([pair.p_value for pair in found.values()]))
    return {
        name: rounded([pair.difference, pair.low, pair.high, p_value, pair.smallest])
        for (name, pair), p_value in zip(found.items(), adjusted, strict=True)
    }
