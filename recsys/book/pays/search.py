"""Settings chosen on validation, tests read with several seeds, the same for every arm."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from recsys.book.pays.arms import COUNTERS, build
from recsys.evaluation import draws, timed_fit
from recsys.recommender import Recommender


class World(Protocol):
    """A log, and what is asked on it."""

    def fitted(self, on: str) -> Any:
        """What a model is fitted on before the part `on` is read."""

    def read(self, model: Recommender, on: str) -> np.ndarray:
        """The metric of each unit on "validation" or "test", higher is better."""


def settings_of(config: Mapping[str, Any], arm: str) -> list[dict[str, Any]]:
    """What is tried for an arm: as many settings for each, networks the same ones."""
    space = config["spaces"][arm if arm in COUNTERS else "network"]
    return draws(space, config["settings"], config["draw seed"])


def searched(
    config: Mapping[str, Any], arm: str, world: World
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Fit and read every setting on validation, with one seed.

    Returns:
        A row for each setting, and the setting of the best.
    """
    rows = []
    for settings in settings_of(config, arm):
        model = build(arm, settings, seed=0)
        seconds = timed_fit(model, world.fitted("validation"))
        mean = float(world.read(model, "validation").mean())
        rows.append(
            {
                "settings": settings,
                "validation": round(mean, 5),
                "seconds": round(seconds, 1),
            }
        )
    best = max(rows, key=lambda row: row["validation"])
    return rows, best["settings"]


def tested(
    config: Mapping[str, Any], arm: str, settings: Mapping[str, Any], world: World
) -> dict[str, Any]:
    """Read the test once a seed, with the settings chosen.

    Returns:
        Under "units" the metric, a list a seed, one number a unit; and the seconds of a
        fit.
    """
    seeds = [0] if arm in COUNTERS else config["seeds"]
    units, seconds = [], []
    for seed in seeds:
        model = build(arm, settings, seed)
        seconds.append(timed_fit(model, world.fitted("test")))
        units.append([round(float(u), 5) for u in world.read(model, "test")])
    return {"units": units, "seconds": round(float(np.median(seconds)), 1)}


def piece(
    config: Mapping[str, Any], arm: str, worlds: Mapping[str, World]
) -> dict[str, Any]:
    """One arm: settings chosen on the first world, the test of each read with them."""
    first = next(iter(worlds.values()))
    rows, settings = searched(config, arm, first)
    return {
        "search": rows,
        "settings": settings,
        "at an end": at_an_end(config, arm, settings),
        "tests": {
            name: tested(config, arm, settings, world)
            for name, world in worlds.items()
        },
    }


def at_an_end(
    config: Mapping[str, Any], arm: str, settings: Mapping[str, Any]
) -> list[str]:
    """Names of the settings that lie at an end of their space.

    Of a range, its outer tenth on the scale of logarithms.
    """
    space = config["spaces"][arm if arm in COUNTERS else "network"]
    return [name for name, of in space.items() if _at_end(of, settings[name])]


def _at_end(of: Mapping[str, float] | Sequence, value: Any) -> bool:
    if isinstance(of, Mapping):
        low, high = np.log([of["from"], of["to"]])
        return not 0.1 <= (np.log(value) - low) / (high - low) <= 0.9
    return len(of) > 2 and value in (of[0], of[-1])
