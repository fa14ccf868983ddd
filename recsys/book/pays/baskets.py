"""Next baskets of Ta-Feng: what pools a history for a candidate, under two protocols.

The arms are the poolings of one network (`recsys.neural.next_basket`), and beside it
controls that count, and trees. A basket's day is told to what reads a day: the network
and the trees. What was bought before may be bought again.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from recsys.baselines import TIFUKNN, UPCF, BasketRanker, PersonalFrequency
from recsys.book.pays.basket_worlds import Baskets, world
from recsys.book.pays.report import compared, row
from recsys.book.pays.search import at_an_end
from recsys.evaluation import draws, rounded, two_way_interval
from recsys.neural.recommender import config_from
from recsys.recommender import Recommender
from recsys.torch.next_basket import NextBasket, NextBasketConfig

METRIC = "nDCG@10"
BESIDE = "recall@10"
"""Kept as well, for the tables of the shop."""

ATTENTION = "softmax"
"""The pooling by content and age, from which the others are subtracted."""

COUNTERS = {
    "personal frequency": PersonalFrequency,
    "TIFU-KNN": TIFUKNN,
    "UP-CF": UPCF,
}
"""What counts and draws nothing at random; of the controls, the trees alone do."""


def arms(config: Mapping[str, Any]) -> list[str]:
    """Poolings of the network, and then the controls."""
    return [*config["arms"], *config["controls"]]


def pieces(config: Mapping[str, Any]) -> dict[str, Any]:
    """One for each group of worlds and each arm; settings are chosen on the first."""
    return {
        f"{group[0]}: {arm}": partial(of_arm, config, group, arm)
        for group in config["worlds"]
        for arm in arms(config)
    }


def of_arm(config: Mapping[str, Any], group: list[str], arm: str) -> dict[str, Any]:
    """One arm: settings chosen on the first world, the test of each read with them."""
    worlds = {name: world(config, name) for name in group}
    rows, settings = searched(config, arm, worlds[group[0]])
    space = {"spaces": {"network": space_of(config, arm)}}
    return {
        "search": rows,
        "settings": settings,
        "at an end": at_an_end(space, arm, settings),
        "tests": {
            name: tested(config, arm, settings, asked) for name, asked in worlds.items()
        },
    }


def space_of(config: Mapping[str, Any], arm: str) -> Mapping[str, Any]:
    """Where an arm's settings are drawn: its own space, or that of the network."""
    return config["controls"].get(arm, config["space"])


def searched(
    config: Mapping[str, Any], arm: str, asked: Baskets
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Fit and read every setting on validation, with one seed.

    Returns:
        A row for each setting, and the setting of the best, the first among equals.
    """
    space, rows = space_of(config, arm), []
    for settings in draws(space, config["settings"], config["draw seed"]):
        model, seconds = fitted(asked, "validation", arm, settings, seed=0)
        found = asked.read(model, "validation")
        rows.append(
            {
                "settings": settings,
                "validation": round(found.mean(METRIC), 5),
                "seconds": round(seconds, 1),
            }
        )
    best = max(rows, key=lambda tried: tried["validation"])
    return rows, best["settings"]


def tested(
    config: Mapping[str, Any], arm: str, settings: Mapping[str, Any], asked: Baskets
) -> dict[str, Any]:
    """Read the test once a seed, with the settings chosen.

    Returns:
        Under "units" the metric, a list a seed, one number a customer; under `BESIDE`
        the same of that; and the seconds of a fit.
    """
    seeds = [0] if arm in COUNTERS else config["seeds"]
    units, beside, seconds = [], [], []
    for seed in seeds:
        model, took = fitted(asked, "test", arm, settings, seed)
        found = asked.read(model, "test")
        units.append([round(float(u), 5) for u in found[METRIC]])
        beside.append([round(float(u), 5) for u in found[BESIDE]])
        seconds.append(took)
    return {
        "units": units,
        BESIDE: beside,
        "seconds": round(float(np.median(seconds)), 1),
    }


def fitted(
    asked: Baskets, on: str, arm: str, settings: Mapping[str, Any], seed: int
) -> tuple[Recommender, float]:
    """Fit an arm before the part `on` is read.

    Returns:
        The model, and the processor seconds of the fit; for the network without those
        of proposing products, which is done once for several.
    """
    model = build(arm, settings, seed)
    log = asked.fitted(on)
    known = ()
    if isinstance(model, NextBasket):
        known = (asked.prepared(on, model.config),)
    start = time.process_time()
    model.fit(log, *known)
    return model, time.process_time() - start


def build(arm: str, settings: Mapping[str, Any], seed: int) -> Any:
    """Make a recommender.

    Args:
        arm: of `COUNTERS`, "trees", or a pooling of the network.
        settings: drawn from the arm's space.
        seed: of the network and of the trees; what counts has none.

    Returns:
        The recommender, not fitted.
    """
    if arm in COUNTERS:
        return COUNTERS[arm](**settings)
    if arm == "trees":
        return BasketRanker(**settings, seed=seed)
    settings = {**settings, "pooling": arm, "seed": seed}
    return NextBasket(config_from(NextBasketConfig, settings))


def results(config: Mapping[str, Any], done: Mapping[str, dict]) -> dict[str, Any]:
    """What each world's tests say."""
    return {
        name: told(config, done, group[0], name)
        | {"protocol": protocol(world(config, name))}
        for group in config["worlds"]
        for name in group
    }


def told(
    config: Mapping[str, Any], done: Mapping[str, dict], group: str, name: str
) -> dict[str, Any]:
    """Levels of all arms in one world, and attention minus each.

    As `recsys.book.pays.report.told`, where attention is the pooling `ATTENTION`, with
    the controls and the metric beside it.

    Args:
        config: of the study.
        done: pieces by name.
        group: the world on which settings were chosen.
        name: of the world whose tests are told.
    """
    made = {arm: done[f"{group}: {arm}"] for arm in arms(config)}
    tables = {arm: _table(piece, name, "units") for arm, piece in made.items()}
    margin = config["margin"] * tables["decay"].mean()  # a share of its level
    rows = {}
    for arm, piece in made.items():
        beside = rounded(two_way_interval(_table(piece, name, BESIDE)))
        rows[arm] = row(piece, name, tables[arm]) | {BESIDE: beside}
    return {
        "units": tables[ATTENTION].shape[1],
        "margin": round(float(margin), 5),
        "arms": rows,
        "attention minus": {
            arm: compared(tables[ATTENTION], table, margin)
            for arm, table in tables.items()
            if arm != ATTENTION
        },
    }


def _table(piece: Mapping[str, Any], name: str, metric: str) -> np.ndarray:
    """(n_seeds, n_customers)."""
    return np.array(piece["tests"][name][metric])


def protocol(asked: Baskets) -> str:
    """What the numbers of a world depend on, in words."""
    log = asked.fitted("test")
    return (
        f"TAIW filter; {asked.splits['test'].protocol}; fitted on {len(log):,} earlier "
        f"rows; network and trees are told the day; full ranking of {log.n_items:,} "
        "items; bought items allowed; score ties by item-index; nDCG ideal capped at 10"
    )
