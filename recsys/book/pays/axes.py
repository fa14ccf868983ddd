"""How the gain moves along one axis at a time: size of the log, history, width."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from recsys.book.pays.arms import build
from recsys.book.pays.logs import METRIC, whole
from recsys.book.pays.report import compared
from recsys.book.pays.text import Articles
from recsys.data import Interactions
from recsys.evaluation import evaluate, leave_last_out
from recsys.recommender import Recommender


class ShareOfUsers:
    """Fitted on some users, asked for the last event of all: the others are strangers.

    Args:
        log: the whole log.
        share: of its users, above 0.
        seed: of which.
    """

    def __init__(self, log: Interactions, share: float, seed: int):
        self.split = leave_last_out(log)
        order = np.random.default_rng(seed).permutation(log.n_users)
        self.users = order[: max(1, round(share * log.n_users))]

    def fitted(self) -> Interactions:
        """Events of these users, but for their last."""
        log = self.split.train_and_validation
        return log.select(np.isin(log.users, self.users))

    def read(self, model: Recommender) -> np.ndarray:
        """nDCG@10 of each user."""
        history = self.split.train_and_validation
        return evaluate(model, self.split, fit=False, history=history)[METRIC]


class ShareOfArticles:
    """Fitted on some of the articles that are not held out.

    Args:
        articles: the whole.
        share: of those.
        seed: of which.
    """

    def __init__(self, articles: Articles, share: float, seed: int):
        rows = articles.parts["train"] + articles.parts["validation"]
        order = np.random.default_rng(seed).permutation(len(rows))
        self.rows = [rows[place] for place in order[: max(1, round(share * len(rows)))]]
        self.articles = articles

    def fitted(self) -> Interactions:
        """The articles drawn."""
        return Interactions.from_sequences(self.rows, np.arange(self.articles.n_tokens))

    def read(self, model: Any) -> np.ndarray:
        """Minus the bits a token of each article held out for the test."""
        return self.articles.read(model, "test")


def pieces(config: Mapping[str, Any]) -> dict[str, Any]:
    """One piece for each world, axis and arm."""
    return {
        f"{world}: {axis}: {arm}": partial(along, config, world, axis, arm)
        for world, axes in config["axes"].items()
        for axis in axes
        for arm in config["arms"]
    }


def along(config: Mapping[str, Any], world: str, axis: str, arm: str) -> dict[str, Any]:
    """One arm at each place of an axis: the test of each seed, under the place's name."""
    told = {}
    for value in config["axes"][world][axis]:
        settings = dict(config["chosen"][world][arm])
        share = 1.0
        if axis == "share":
            share = value
        else:
            settings[axis] = value
        units = []
        for seed in config["seeds"]:
            asked = smaller(config, world, share, seed)
            model = build(arm, settings, seed).fit(asked.fitted())
            units.append([round(float(unit), 5) for unit in asked.read(model)])
        told[str(value)] = units
    return told


def smaller(
    config: Mapping[str, Any], world: str, share: float, seed: int
) -> ShareOfUsers | ShareOfArticles:
    """A share of a world of a name as "movielens-100k, last out"; 1 is the whole of it."""
    data, _, rest = world.partition(", ")
    if data == "lee-news":
        whole_world = Articles(data, rest, config["articles"], config["rare"][rest])
        return ShareOfArticles(whole_world, share, seed)
    return ShareOfUsers(whole(data), share, seed)


def results(config: Mapping[str, Any], done: Mapping[str, dict]) -> dict[str, Any]:
    """Attention minus each other arm at each place of each axis of each world."""
    return {
        world: {
            axis: {
                str(value): at_place(config, done, f"{world}: {axis}", str(value))
                for value in values
            }
            for axis, values in axes.items()
        }
        for world, axes in config["axes"].items()
    }


def at_place(
    config: Mapping[str, Any], done: Mapping[str, dict], axis: str, value: str
) -> dict[str, Any]:
    """Levels, and attention minus each other arm."""
    tables = {arm: np.array(done[f"{axis}: {arm}"][value]) for arm in config["arms"]}
    margin = config["margin"] * abs(tables["decay"].mean())
    return {
        "levels": {arm: round(float(table.mean()), 5) for arm, table in tables.items()},
        "attention minus": {
            arm: compared(tables["attention"], table, margin)
            for arm, table in tables.items()
            if arm != "attention"
        },
    }
