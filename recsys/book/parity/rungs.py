"""How far apart two frameworks are on each rung, and which layer differs first.

Needs neither framework: climbs are arrays, or files of them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recsys.book.parity.cases import CASES, DTYPES, MARKS

BARS = {
    "float64": {
        "forward": 1e-10,
        "loss": 1e-10,
        "gradient": 1e-8,
        "step 1": 1e-10,
        "step 10": 1e-6,
        "step 50": 1e-6,
        "step 200": 1e-6,
        "losses": 1e-6,
    },
    "float32": {"forward": 5e-6, "loss": 1e-5, "losses": 1e-4},
}
"""The largest difference allowed on each rung; see `compare` for what is measured."""


class Rung(NamedTuple):
    """How far apart the frameworks are on one rung of one network.

    Args:
        case: name of the network.
        dtype: that it was computed in.
        rung: what is compared.
        difference: the largest.
        bar: what it may be, None where there is no bar.
        layer: the first layer whose output differs by more than the bar of "forward",
            or None.
    """

    case: str
    dtype: str
    rung: str
    difference: float
    bar: float | None
    layer: str | None

    @property
    def holds(self) -> bool:
        """Whether the difference is a number within the bar."""
        return self.bar is None or self.difference <= self.bar


def compare(
    name: str, dtype: str, one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> list[Rung]:
    """Tell how far apart two climbs of one network are.

    Measured are: in float64 the largest difference, in float32 that over the largest
    number of its array ("forward"); of a gradient, the difference over the largest
    entry of its tensor; else the largest difference. Equal (0) or not (1) are what is
    exactly zero ("zeros": masked weights, scores of nothing), what dropout draws
    ("masks"), the batches, and a training that was stopped beside one that was not.

    Args:
        name: of the case.
        dtype: of both.
        one, other: what `Ladder.climb` gave.

    Returns:
        The rungs, from the lowest.

    Raises:
        ValueError: they hold arrays of other names or shapes; the first is named.
    """
    refuse_others(one, other)
    layer = first_difference(one, other, BARS[dtype]["forward"])
    relative = dtype == "float32"
    found = {
        "forward": worst("forward", one, other, relative),
        "loss": worst("loss", one, other),
        "gradient": worst("gradient", one, other, relative=True),
    }
    found["zeros"] = float(not zeros_agree(one, other))
    found["masks"] = unequal("mask", one, other)
    found["batches"] = unequal("batches", one, other)
    for mark in MARKS:
        found[f"step {mark}"] = worst(f"step {mark}", one, other)
    found["losses"] = worst("losses", one, other)
    found["resumed"] = float(not (one["resumed"] and other["resumed"]))
    bars = bars_of(name, dtype)
    return [
        Rung(name, dtype, rung, difference, bars.get(rung), layer)
        for rung, difference in found.items()
    ]


def bars_of(name: str, dtype: str) -> dict[str, float]:
    """The bars of a case: no float32 bar on losses where rounding grows."""
    bars = {**BARS[dtype], "zeros": 0.0, "masks": 0.0, "batches": 0.0, "resumed": 0.0}
    if dtype == "float32" and not CASES[name].smooth:
        del bars["losses"]
    return bars


def refuse_others(
    one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> None:
    """Require the same names and shapes.

    Raises:
        ValueError: the first name that one lacks, or whose shapes differ.
    """
    shapes, others = (
        {name: np.shape(array) for name, array in arrays.items()}
        for arrays in (one, other)
    )
    for name in [*shapes, *others]:
        if shapes.get(name) != others.get(name):
            raise ValueError(
                f"{name}: expected one shape, got {shapes.get(name)} and {others.get(name)}; "
                "the twins differ"
            )


def of_kind(kind: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Names of a rung's arrays, in order."""
    return [name for name in arrays if name == kind or name.startswith(f"{kind}/")]


def distance(first: np.ndarray, second: np.ndarray, relative: bool = False) -> float:
    """The largest difference, over the largest number where it is relative."""
    if not first.size:
        return 0.0
    apart = float(np.abs(first - second).max())
    largest = float(np.abs(first).max())
    return apart / largest if relative and largest else apart


def worst(
    kind: str,
    one: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
    relative: bool = False,
) -> float:
    """The largest distance over the arrays of a rung; NaN where a number is none."""
    distances = [
        distance(one[name], other[name], relative) for name in of_kind(kind, one)
    ]
    return float(np.max(distances))


def unequal(
    kind: str, one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> float:
    """1 if an array of a rung is not the same to the bit, else 0."""
    same = [np.array_equal(one[name], other[name]) for name in of_kind(kind, one)]
    return float(not all(same))


def zeros_agree(
    one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> bool:
    """Whether the same outputs of the network are exactly zero."""
    names = of_kind("forward", one)
    return all(np.array_equal(one[name] == 0, other[name] == 0) for name in names)


def first_difference(
    one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], bar: float
) -> str | None:
    """Name the first layer, in the order of the computation, that is apart by more."""
    for name in of_kind("layer", one):
        if not distance(one[name], other[name], relative=True) <= bar:
            return name.split("/", 2)[2]
    return None


def path_of(directory: Path, framework: str, name: str, dtype: str) -> Path:
    """Where a climb is kept."""
    return Path(directory) / f"{name}, {dtype}, {framework}.npz"


def read(directory: Path, name: str, dtype: str) -> list[Rung]:
    """Compare the climbs of both frameworks that a directory holds."""
    climbs = []
    for framework in ("torch", "paddle"):
        with np.load(path_of(directory, framework, name, dtype)) as file:
            climbs.append(dict(file))
    return compare(name, dtype, *climbs)


def table(directory: Path) -> Iterator[Rung]:
    """All rungs of all networks that both frameworks have climbed."""
    for name in CASES:
        for dtype in DTYPES:
            both = [
                path_of(directory, framework, name, dtype)
                for framework in ("torch", "paddle")
            ]
            if all(path.exists() for path in both):
                yield from read(directory, name, dtype)
