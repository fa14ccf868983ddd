"""From what the pieces of a study returned to what its page says of one world."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from recsys.evaluation import rounded, two_way_interval, verdict


def told(
    config: Mapping[str, Any], done: Mapping[str, dict], group: str, world: str
) -> dict[str, Any]:
    """Levels of all arms in one world, and attention minus each.

    Args:
        config: of the study.
        done: pieces by name.
        group: the world on which settings were chosen.
        world: whose tests are told.

    Returns:
        Under "arms" a row for each; under "attention minus" what the comparison found
        and could have found; under "units" how many there are.
    """
    pieces = {arm: done[f"{group}: {arm}"] for arm in config["arms"]}
    tables = {
        arm: np.array(piece["tests"][world]["units"]) for arm, piece in pieces.items()
    }
    margin = config["margin"] * abs(tables["decay"].mean())
    return {
        "units": tables["decay"].shape[1],
        "margin": round(float(margin), 5),
        "arms": {arm: row(pieces[arm], world, tables[arm]) for arm in tables},
        "attention minus": {
            arm: compared(tables["attention"], table, margin)
            for arm, table in tables.items()
            if arm != "attention"
        },
    }


def row(piece: Mapping[str, Any], world: str, table: np.ndarray) -> dict[str, Any]:
    """One arm: its level, each seed's, and how it was tuned."""
    best = max(piece["search"], key=lambda tried: tried["validation"])
    return {
        "level": rounded(two_way_interval(table)),
        "seeds": rounded(table.mean(1)),
        "validation": best["validation"],
        "settings": piece["settings"],
        "at an end": piece["at an end"],
        "tried": [tried["validation"] for tried in piece["search"]],
        "seconds": piece["tests"][world]["seconds"],
    }


def compared(ours: np.ndarray, theirs: np.ndarray, margin: float) -> dict[str, Any]:
    """What `verdict` says of two tables; an arm without seeds is the same for each."""
    others = np.broadcast_to(theirs, ours.shape)
    found = asdict(verdict(ours, others, margin))
    low, high = two_way_interval(ours - others)[1:]
    found |= {"bootstrap low": low, "bootstrap high": high}
    return {name: _short(number) for name, number in found.items()}


def _short(number: float | int | bool | None) -> float | int | bool | None:
    return round(number, 6) if isinstance(number, float) else number
