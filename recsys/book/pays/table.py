"""The table of *What does attention buy?*: the primary contrast, a row a world.

Rows are made of what the studies `pays_*` stored; worlds whose study has no result yet
are left out by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import yaml

from recsys.book.root import root
from recsys.book.studies import study
from recsys.evaluation.verdicts import Verdict, holm


class World(NamedTuple):
    """Where the primary contrast of a world is stored, and what it counts."""

    study: str
    unit: str = "user"
    metric: str = "nDCG@10"


SLATES = "dkn-news, slates"
WORLDS = {
    "movielens-100k, last out": World("pays_movielens"),
    "movielens-100k, after a cut": World("pays_movielens"),
    "amazon-beauty, last out": World("pays_amazon"),
    "amazon-sports, last out": World("pays_amazon"),
    "online-retail-ii, last out": World("pays_retail", "session"),
    "online-retail-ii, after a cut": World("pays_retail", "session"),
    "ta-feng, last basket": World("pays_tafeng"),
    "ta-feng, after a cut": World("pays_tafeng"),
    "lee-news, characters": World("pays_text", "article", "bits a token"),
    "lee-news, words": World("pays_text", "article", "bits a token"),
    SLATES: World("pays_bing", "reader", "AUC within a reader"),
}
"""The worlds of the table, in its order."""


@dataclass(frozen=True)
class Row:
    """One world of the table: attention minus decay; in slates, softmax minus mean.

    Args:
        world, unit, metric: what is compared, over what, by what.
        units: how many.
        level: of decay, in units of the metric.
        difference, low, high: and its 95% interval; above 0 where attention is better,
            so of bits it is decay minus attention.
        bootstrap_low, bootstrap_high: the bootstrap's interval, over seeds and units.
        p_value, adjusted_p: of this world alone, and by Holm over all of the table.
        smallest: the smallest difference that could have been seen four times in five.
        needed: units at which 3% of the level could be; None if no number would do.
        predicted, found: the verdicts, before and after.
    """

    world: str
    unit: str
    units: int
    metric: str
    level: float
    difference: float
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float
    p_value: float
    adjusted_p: float
    smallest: float
    needed: int | None
    predicted: str
    found: str


def stored() -> dict[str, dict[str, Any]]:
    """Results of the studies of the table, of axes and of moderators, those that are there.

    Raises:
        StaleStudy: one that is there was made from something else.
    """
    names = [*dict.fromkeys(world.study for world in WORLDS.values())]
    there = [
        name
        for name in [*names, "pays_axes", "pays_moderators"]
        if (root() / "studies" / f"{name}.json").is_file()
    ]
    return {name: study(name) for name in there}


def predictions() -> dict[str, str]:
    """The verdict of each world that was written down before its test was read."""
    text = (root() / "studies" / "attention_pays.yml").read_text("utf-8")
    return yaml.safe_load(text)["predictions"]


def rows(
    results: Mapping[str, Mapping[str, Any]], predicted: Mapping[str, str]
) -> tuple[list[Row], list[str]]:
    """The table, and the names of worlds that have no result yet.

    A world without a result counts in Holm's family with a p-value of 1, so that one
    that comes later can add verdicts and takes none back.

    Args:
        results: of each study by name, as it is stored.
        predicted: the verdict of each world by name.
    """
    there = [name for name, world in WORLDS.items() if world.study in results]
    missing = [name for name in WORLDS if name not in there]
    told = {name: _contrast(name, results[WORLDS[name].study]) for name in there}
    p_values = [found["p_value"] for _, _, found in told.values()]
    adjusted = holm(np.array(p_values + [1.0] * len(missing)))
    return [
        _row(name, *told[name], predicted[name], float(p))
        for name, p in zip(there, adjusted, strict=False)
    ], missing


def _contrast(
    name: str, result: Mapping[str, Any]
) -> tuple[int, float, Mapping[str, Any]]:
    """Units, level of the other arm, and what the comparison found."""
    if name == SLATES:
        level = result["levels"]["mean, trained, clicks minus skips"][0]
        return result["readers"], level, result[name]
    found = result[name]
    level = abs(found["arms"]["decay"]["level"][0])  # of bits, stored with a minus
    return found["units"], level, found["attention minus"]["decay"]


def _row(
    name: str,
    units: int,
    level: float,
    found: Mapping[str, Any],
    predicted: str,
    adjusted_p: float,
) -> Row:
    parts = {field: found[field] for field in Verdict.__dataclass_fields__}
    return Row(
        name,
        WORLDS[name].unit,
        units,
        WORLDS[name].metric,
        level,
        found["difference"],
        found["low"],
        found["high"],
        found["bootstrap low"],
        found["bootstrap high"],
        found["p_value"],
        adjusted_p,
        found["smallest"],
        found["needed"],
        predicted,
        Verdict(**parts).says(adjusted_p),
    )
