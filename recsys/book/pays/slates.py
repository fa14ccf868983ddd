"""Slates, as MIND has them: does a candidate that asks the history rank above its control?

A log of impressions is cut once in time: what came before is fitted, what came after is
asked; for validation the same at an earlier cut. Network and space are those of the
Bing sample, told clicks alone. Clicks have an order here, so "softmax" (the candidate
asks them) stands against a learned "decay" and against "mean" (even weights), with
Holm's procedure over the two. The unit is a reader: the mean AUC of the reader's impressions
that have both a click and a skip. A slate that is fitted has at most "width" articles,
clicks first and then skips by a draw; "most events" newest clicks of a history are read.

Batches are made one at a time. On synthetic lines of MIND-small's size (157,000
impressions of 37 articles) 2.4 GB were held at most, while they were parsed, and an
epoch of 114,000 slates took 19 (mean) to 26 seconds (softmax) of a core, 64 numbers
wide. So twelve settings and five seeds would take about an hour an arm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys.batches.sequences import pad
from recsys.batches.slates import SlateBatches, Slates, newest_events
from recsys.book.pays import report
from recsys.book.pays.search import at_an_end, settings_of
from recsys.book.pieces import processor_seconds
from recsys.data import ImpressionLog, Interactions, load_static_embeddings
from recsys.evaluation import global_temporal
from recsys.evaluation.splits import TEST, VALIDATION
from recsys.evaluation.verdicts import holm
from recsys.neural.news import slate_auc
from recsys.neural.recommender import config_from
from recsys.recommender import chunks
from recsys.torch.nrms import NewsRecommender, NRMSConfig

METRIC = "AUC"
READERS = {"mean": "mean", "decay": "decay", "softmax": "target"}
"""What the network calls an arm."""

PARTS = {"validation": VALIDATION, "test": TEST}
BATCH, AT_ONCE = 64, 500
"""Slates of a step, as for the Bing sample; and those that are scored at one time."""


def title_vectors(log: ImpressionLog) -> np.ndarray:
    """A vector of length 1 for each article's title, zeros where it is blank."""
    vectors = load_static_embeddings("wordllama").vectors(list(log.items["title"]))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


class Newsroom:
    """Impressions cut in time; what stands among the clicks that are read is not asked.

    Args:
        log: impressions with a time, and the clicks before each.
        vectors: (n_items, in_dim), of the articles.
        config: "cut" with shares, "most events", "width", "draw seed".
    """

    def __init__(self, log: ImpressionLog, vectors: np.ndarray, config: Mapping):
        self.log, self.vectors, self.config = log, vectors, config
        self.past, _ = newest_events(log.histories, config["most events"])  # ids
        self.shown, self.clicked = [], []
        rng = np.random.default_rng(config["draw seed"])
        for row, past in enumerate(self.past):
            items, clicked = log.impressions.shown(row)
            order = np.lexsort((rng.permutation(len(items)), ~clicked))  # clicks first
            new = order[~np.isin(items[order] + 1, past)]
            self.shown.append(items[new] + 1)
            self.clicked.append(clicked[new])
        self.part = parts(log, config["cut"])
        self.both = np.array([0 < own.sum() < len(own) for own in self.clicked])
        with_past = self.both & [len(past) > 0 for past in self.past]
        self.before = {
            on: np.flatnonzero(with_past & (self.part < part))
            for on, part in PARTS.items()
        }
        self.asked = {on: self._asked(on) for on in PARTS}

    def _asked(self, on: str) -> np.ndarray:
        """Rows of the impressions that a part asks: with a click and a skip."""
        rows = np.flatnonzero(self.both & (self.part == PARTS[on]))
        if len(np.unique(self.log.impressions.users[rows])) < 2:
            said = f"expected two readers with a click and a skip in {on}, got fewer"
            raise ValueError(f"log: {said}; use a larger log")
        return rows

    def slates(self, rows: np.ndarray, width: int | None = None) -> Slates:
        """Impressions as slates, all that each showed or the first `width` of it."""
        past = [self.past[row] for row in rows]
        return Slates(
            self.log.impressions.users[rows],
            pad(past, max([1, *map(len, past)])),
            pad([self.shown[row][:width] for row in rows]),
            pad([self.clicked[row][:width] for row in rows]).astype(bool),
        )

    def read(self, model: NewsRecommender, on: str) -> np.ndarray:
        """AUC, the mean over the impressions of each reader who has some."""
        rows = self.asked[on]
        order = np.argsort([len(self.shown[row]) for row in rows], kind="stable")
        rows = rows[order]  # slates of like width are padded together
        auc = np.empty(len(rows))
        for part in chunks(len(rows), AT_ONCE):
            data = self.slates(rows[part])
            auc[part] = slate_auc(model.score_slates(data)[0], data)
        readers = self.log.impressions.users[rows]
        counts = np.bincount(readers)
        return np.bincount(readers, auc)[counts > 0] / counts[counts > 0]


def parts(log: ImpressionLog, cut: Mapping[str, float]) -> np.ndarray:
    """Train, validation or test of each row, as `recsys.evaluation.splits` numbers them."""
    shown = log.impressions
    first, taken = shown.items[shown.starts[:-1]], np.ones(len(shown))
    rows = shown.users, first, taken, shown.times, shown.user_ids, shown.item_ids
    return global_temporal(Interactions(*rows), cut["validation"], cut["test"]).part


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
    data = world.slates(world.before[on], world.config["width"])

    def batches(epoch: int) -> Batches:
        order = np.random.default_rng([seed, epoch]).permutation(len(data))
        return Batches(data, model.articles, order)

    return model.train(world.log.histories, batches)


def of_arm(config: Mapping[str, Any], world: Newsroom, name: str, arm: str) -> dict:
    """One arm: settings chosen on validation with one seed, the test read once a seed."""
    search, units = [], []
    for settings in settings_of(config, arm):
        model = trained(world, arm, settings, 0, "validation")
        mean = round(float(world.read(model, "validation").mean()), 5)
        search.append({"settings": settings, "validation": mean})
    chosen = max(search, key=lambda tried: tried["validation"])["settings"]
    start = processor_seconds()
    for seed in config["seeds"]:
        model = trained(world, arm, chosen, seed, "test")
        units.append(world.read(model, "test").round(5).tolist())
    seconds = round((processor_seconds() - start) / len(units), 1)
    return {
        "search": search,
        "settings": chosen,
        "at an end": at_an_end(config, arm, chosen),
        "tests": {name: {"units": units, "seconds": seconds}},
    }


def told(config: Mapping[str, Any], done: Mapping[str, dict], name: str) -> dict:
    """Levels of the arms, and softmax minus each other; the margin is a share of decay's."""
    arms = {arm: done[f"{name}: {arm}"] for arm in READERS}
    tables = {arm: np.array(arms[arm]["tests"][name]["units"]) for arm in arms}
    margin = config["margin"] * tables["decay"].mean()
    ours = tables["softmax"]
    minus = {
        arm: report.compared(ours, tables[arm], margin) for arm in ("decay", "mean")
    }
    adjusted = holm(np.array([row["p_value"] for row in minus.values()]))
    for row, p_value in zip(minus.values(), adjusted, strict=True):
        row["p_value"] = float(p_value)
    return {
        "units": tables["mean"].shape[1],
        "arms": {arm: report.row(arms[arm], name, tables[arm]) for arm in arms},
        "softmax minus": minus,
    }


def protocol(world: Newsroom) -> str:
    """What the numbers of a log of impressions depend on, in words."""
    config, asked, n_shown = world.config, world.asked["test"], len(world.log)
    n_again = n_shown - sum(map(len, world.shown))
    n_alone = sum(not len(world.past[row]) for row in asked)
    cut = "validation {validation:.0%}, test {test:.0%}".format(**config["cut"])
    return (
        f"one cut in time, {cut} of the impressions; fitted on {len(world.before['test']):,} "
        f"with a click, a skip and an earlier click, at most {config['width']} articles of "
        f"each; asked in {len(asked):,} with a click and a skip, {n_alone:,} of them without "
        f"an earlier click (AUC 0.5); of a history the newest {config['most events']} clicks, "
        f"no skips; {n_again:,} of {n_shown:,} shown are among those and not asked; articles "
        "are mean word vectors of their titles; the order within an impression is not read "
        "(MIND shuffles it); score ties count half"
    )
