"""Slates, as MIND has them: does a candidate that asks the history rank above a mean?

A log of impressions is cut once in time. What was shown before the cut is fitted, what
was shown after it is asked; for validation the same at an earlier cut. The network, its
space and the contrast are those of the Bing sample: "softmax" (the candidate asks the
clicks) minus "mean" (even weights), told clicks alone. The unit is a reader: the mean
AUC of the reader's impressions that have both a click and a skip.

A slate that is fitted has at most "width" articles, its clicks and skips that are
drawn; of a history the newest "most events" clicks are read. A batch is made when it
is asked for, so an epoch's are never held together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from recsys.batches.sequences import pad
from recsys.batches.slates import SlateBatches, Slates, newest_events
from recsys.book.pays.report import compared, row
from recsys.book.pays.search import at_an_end, settings_of
from recsys.book.pieces import processor_seconds
from recsys.data import ImpressionLog, Interactions, load_static_embeddings
from recsys.evaluation import global_temporal
from recsys.evaluation.splits import TEST, VALIDATION
from recsys.neural.news import slate_auc
from recsys.neural.recommender import config_from
from recsys.recommender import chunks
from recsys.torch.nrms import NewsRecommender, NRMSConfig

METRIC = "AUC"
READERS = {"mean": "mean", "softmax": "target"}
"""What the network calls an arm."""

PARTS = {"validation": VALIDATION, "test": TEST}
BATCH = 64
"""Slates of a step, as in the study of the Bing sample."""

AT_ONCE = 500
"""Slates that are scored at one time, all that each showed."""


def title_vectors(log: ImpressionLog) -> np.ndarray:
    """A vector of length 1 for each article's title, zeros where it is blank."""
    vectors = load_static_embeddings("wordllama").vectors(list(log.items["title"]))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


class Newsroom:
    """Impressions cut in time: what is fitted before each part, and what it asks.

    An article that stands among the clicks that are read is not asked again.

    Args:
        log: impressions with a time, and the clicks before each.
        vectors: (n_items, in_dim), of the articles.
        config: "cut" with shares, "most events", "width", "draw seed".

    Raises:
        ValueError: a part is empty, or asks fewer than two readers.
    """

    def __init__(
        self, log: ImpressionLog, vectors: np.ndarray, config: Mapping[str, Any]
    ):
        self.log, self.vectors, self.config = log, vectors, config
        self.past, _ = newest_events(log.histories, config["most events"])  # ids
        self.shown, self.clicked = [], []
        for row, past in enumerate(self.past):
            items, clicked = log.impressions.shown(row)
            new = ~np.isin(items + 1, past)
            self.shown.append(items[new] + 1)
            self.clicked.append(clicked[new])
        self.both = np.array([0 < row.sum() < len(row) for row in self.clicked])
        self.part = parts(log, config["cut"])
        for on in PARTS:
            self._check_readers(on)
        self.fitted = {on: self._fitted(on) for on in PARTS}

    def asked(self, on: str) -> np.ndarray:
        """Rows of the impressions that a part asks: with a click and a skip."""
        return np.flatnonzero(self.both & (self.part == PARTS[on]))

    def slates(
        self, rows: Sequence[int], places: Sequence[np.ndarray | slice]
    ) -> Slates:
        """Impressions as slates, of each the places that are kept."""
        kept = list(zip(rows, places, strict=True))
        longest = max(len(self.past[row]) for row in rows)
        return Slates(
            self.log.impressions.users[rows],
            pad([self.past[row] for row in rows], max(1, longest)),
            pad([self.shown[row][place] for row, place in kept]),
            pad([self.clicked[row][place] for row, place in kept]).astype(bool),
        )

    def read(self, model: NewsRecommender, on: str) -> np.ndarray:
        """AUC, the mean over the impressions of each reader who has some."""
        rows = self.asked(on)
        widths = np.array([len(self.shown[row]) for row in rows])
        rows = rows[np.argsort(widths, kind="stable")]  # like ones are padded together
        auc = np.empty(len(rows))
        for part in chunks(len(rows), AT_ONCE):
            data = self.slates(rows[part], [slice(None)] * len(rows[part]))
            auc[part] = slate_auc(model.score_slates(data)[0], data)
        readers = self.log.impressions.users[rows]
        counts = np.bincount(readers)
        return np.bincount(readers, auc)[counts > 0] / counts[counts > 0]

    def _fitted(self, on: str) -> Slates:
        """All before a part with a click, a skip and a past, in narrow slates."""
        told = np.array([len(past) > 0 for past in self.past])
        rows = np.flatnonzero(self.both & told & (self.part < PARTS[on]))
        if not len(rows):
            raise ValueError(
                f"log: expected an impression with a click, a skip and an earlier click "
                f"to fit before {on}, found none; use a larger log"
            )
        rng, width = np.random.default_rng(self.config["draw seed"]), self.config["width"]
        return self.slates(rows, [drawn(self.clicked[row], width, rng) for row in rows])

    def _check_readers(self, on: str) -> None:
        readers = np.unique(self.log.impressions.users[self.asked(on)])
        if len(readers) < 2:
            raise ValueError(
                f"log: expected at least two readers with a click and a skip in {on}, got "
                f"{len(readers)}; use a larger log"
            )


def parts(log: ImpressionLog, cut: Mapping[str, float]) -> np.ndarray:
    """Train, validation or test, as `recsys.evaluation.splits` numbers them, of each row."""
    shown = log.impressions
    first, taken = shown.items[shown.starts[:-1]], np.ones(len(shown))
    rows = shown.users, first, taken, shown.times, shown.user_ids, shown.item_ids
    return global_temporal(Interactions(*rows), cut["validation"], cut["test"]).part


def drawn(clicked: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
    """Places of at most `width` articles: the clicks, and skips at random, at least one."""
    order = rng.permutation(len(clicked))
    clicks = order[clicked[order]][: width - 1]
    skips = order[~clicked[order]][: width - len(clicks)]
    return np.concatenate([clicks, skips])


@dataclass(frozen=True)
class Batches:
    """The batches of one epoch, each made when it is asked for."""

    data: Slates
    articles: np.ndarray
    order: np.ndarray

    def __len__(self) -> int:
        return -(-len(self.order) // BATCH)

    def __getitem__(self, step: int) -> tuple[np.ndarray, ...]:
        part = self.data.select(self.order[step * BATCH : (step + 1) * BATCH])
        [batch] = SlateBatches(part, self.articles, BATCH)(0)
        return batch


def trained(
    world: Newsroom, arm: str, settings: Mapping[str, Any], seed: int, on: str
) -> NewsRecommender:
    """One arm fitted on what stands before a part."""
    fixed = {"max_history": world.config["most events"], "batch_size": BATCH}
    named = {**settings, **fixed, "reader": READERS[arm], "seed": seed}
    model = NewsRecommender(world.vectors, config_from(NRMSConfig, named))
    data = world.fitted[on]

    def batches(epoch: int) -> Batches:
        order = np.random.default_rng([seed, epoch]).permutation(len(data))
        return Batches(data, model.articles, order)

    return model.train(world.log.histories, batches)


def pieces(
    config: Mapping[str, Any], world: Newsroom, name: str
) -> dict[str, partial[dict[str, Any]]]:
    """One piece for each arm."""
    return {f"{name}: {arm}": partial(of_arm, config, world, name, arm) for arm in READERS}


def of_arm(
    config: Mapping[str, Any], world: Newsroom, name: str, arm: str
) -> dict[str, Any]:
    """One arm: settings chosen on validation with one seed, the test read once a seed."""
    search = []
    for settings in settings_of(config, arm):
        model = trained(world, arm, settings, 0, "validation")
        mean = float(world.read(model, "validation").mean())
        search.append({"settings": settings, "validation": round(mean, 5)})
    chosen = max(search, key=lambda tried: tried["validation"])["settings"]
    start, units = processor_seconds(), []
    for seed in config["seeds"]:
        read = world.read(trained(world, arm, chosen, seed, "test"), "test")
        units.append(read.round(5).tolist())
    seconds = (processor_seconds() - start) / len(units)
    return {
        "search": search,
        "settings": chosen,
        "at an end": at_an_end(config, arm, chosen),
        "tests": {name: {"units": units, "seconds": round(seconds, 1)}},
    }


def told(
    config: Mapping[str, Any], done: Mapping[str, dict], name: str
) -> dict[str, Any]:
    """Levels of both arms, and softmax minus mean; the margin is a share of the mean's."""
    arms = {arm: done[f"{name}: {arm}"] for arm in READERS}
    tables = {arm: np.array(arms[arm]["tests"][name]["units"]) for arm in arms}
    margin = config["margin"] * tables["mean"].mean()
    return {
        "units": tables["mean"].shape[1],
        "margin": round(float(margin), 5),
        "arms": {arm: row(arms[arm], name, tables[arm]) for arm in arms},
        "softmax minus mean": compared(tables["softmax"], tables["mean"], margin),
    }


def protocol(world: Newsroom) -> str:
    """What the numbers of a log of impressions depend on, in words."""
    config, asked = world.config, world.asked("test")
    n_shown = len(world.log)
    n_again = n_shown - sum(map(len, world.shown))
    alone = sum(not len(world.past[row]) for row in asked)
    cut = config["cut"]
    return (
        f"one cut in time, validation {cut['validation']:.0%}, test {cut['test']:.0%} of the "
        f"impressions; fitted on {len(world.fitted['test']):,} with a click, a skip and an "
        f"earlier click, at most {config['width']} articles of each; asked in {len(asked):,} "
        f"with a click and a skip, {alone:,} of them without an earlier click (AUC 0.5); of a "
        f"history the newest {config['most events']} clicks, no skips; {n_again:,} of "
        f"{n_shown:,} shown are among those clicks and not asked; articles are mean word "
        "vectors of their titles; the place on the page is not read (MIND shuffles it); ties "
        "count half"
    )
