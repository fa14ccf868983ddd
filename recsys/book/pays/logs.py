"""A log under one of two protocols: the last event of each user, or all after one cut."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from recsys.book.pays.report import told
from recsys.book.pays.search import piece
from recsys.data import Interactions, load
from recsys.evaluation import evaluate, global_temporal, leave_last_out, next_events
from recsys.evaluation.splits import TEST, VALIDATION
from recsys.recommender import Recommender

METRIC = "nDCG@10"


class LastOut:
    """Of each user the last event is asked for, from all before it."""

    def __init__(self, log: Interactions, repeats: bool):
        self.split, self.repeats = leave_last_out(log), repeats

    def fitted(self, on: str) -> Interactions:
        """What a model is fitted on before the part `on` is read."""
        split = self.split
        return split.train if on == "validation" else split.train_and_validation

    def read(self, model: Recommender, on: str) -> np.ndarray:
        """nDCG@10 of each user."""
        found = evaluate(model, self.split, on=on, repeats=self.repeats, fit=False)
        return found[METRIC]


class AfterCut:
    """Every event after a cut in time is asked for, of strangers too."""

    def __init__(self, log: Interactions, repeats: bool, cut: Mapping[str, Any]):
        split = global_temporal(log, cut["validation"], cut["test"])
        self.split, self.repeats = split, repeats
        self.questions = {
            on: next_events(log, split.part == part, cut["questions a user"])
            for on, part in (("validation", VALIDATION), ("test", TEST))
        }

    def fitted(self, on: str) -> Interactions:
        """What a model is fitted on before the part `on` is read."""
        split = self.split
        return split.train if on == "validation" else split.train_and_validation

    def read(self, model: Recommender, on: str) -> np.ndarray:
        """nDCG@10, the mean over the questions of each user who has some."""
        split, owners = self.questions[on]
        found = evaluate(
            model, split, repeats=self.repeats, fit=False, history=split.train
        )
        counts = np.bincount(owners)
        sums = np.bincount(owners, found[METRIC])
        return sums[counts > 0] / counts[counts > 0]


Read = Callable[[str], Interactions]


def whole(data: str) -> Interactions:
    """All events of a data set of the catalogue."""
    return load(data).interactions


def world(
    config: Mapping[str, Any], name: str, read: Read = whole
) -> LastOut | AfterCut:
    """The world of a name as "movielens-100k, last out", on the log of its data."""
    data, _, protocol = name.partition(", ")
    if protocol == "last out":
        return LastOut(read(data), config["repeats"])
    return AfterCut(read(data), config["repeats"], config["cut"])


def pieces(config: Mapping[str, Any], read: Read = whole) -> dict[str, Any]:
    """One piece for each group of worlds and each arm; settings are chosen on the first."""
    return {
        f"{group[0]}: {arm}": partial(of_arm, config, group, arm, read)
        for group in config["worlds"]
        for arm in config["arms"]
    }


def of_arm(
    config: Mapping[str, Any], group: list[str], arm: str, read: Read
) -> dict[str, Any]:
    """One arm in a group of worlds."""
    return piece(config, arm, {name: world(config, name, read) for name in group})


def results(
    config: Mapping[str, Any], done: Mapping[str, dict], read: Read = whole
) -> dict[str, Any]:
    """What each world's tests say."""
    return {
        name: told(config, done, group[0], name)
        | {"protocol": protocol(world(config, name, read))}
        for group in config["worlds"]
        for name in group
    }


def protocol(asked: LastOut | AfterCut) -> str:
    """What the numbers of a world depend on, in words."""
    log, seen = asked.fitted("test"), "allowed" if asked.repeats else "masked"
    return (
        f"{asked.split.protocol}; fitted on {len(log):,} events of train and validation; full "
        f"ranking of {log.n_items:,} items; seen items {seen}; score ties by item-index; nDCG "
        "ideal capped at 10"
    )
