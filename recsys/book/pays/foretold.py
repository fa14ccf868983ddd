"""The rule that was to foretell where attention pays, held against the verdicts.

`rule` is as it was registered. `left_out` fits a threshold to the verdicts of all data
sets but one and reads it on that one, beside the best of three other moderators. There
are half a dozen data sets: a rule can fail here, and can hardly be shown to hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

PAYS, COSTS, NEITHER = "pays", "costs", "equal or not decided"

Measured = Mapping[str, Mapping[str, Any]]
"""The moderators of each world by name, as `pays_moderators` stores them."""

LEAST_BITS = 0.02
OTHERS = ("repeat_share", "median_length", "events_per_item")


@dataclass(frozen=True)
class Foretold:
    """What a rule said of each world, and how often it was right.

    Args:
        says: "pays", "costs" or "equal or not decided", by world.
        right: worlds of which it said what was found.
    """

    says: dict[str, str]
    right: int


def outcome(verdict: str) -> str:
    """A verdict as the rule speaks of it: "equal" and "not decided" are one."""
    return verdict if verdict in (PAYS, COSTS) else NEITHER


def rule(verdicts: Mapping[str, str], measured: Measured) -> Foretold:
    """The rule as it was registered: .02 bits or more, and above two standard errors.

    Args:
        verdicts: found, by world; a world without moderators is left out.
        measured: moderators by world.
    """
    says = {}
    for name in _both(verdicts, measured):
        bits = measured[name]["newest_bits"]
        error = measured[name]["newest_bits_error"]
        says[name] = PAYS if bits >= LEAST_BITS and bits > 2 * error else NEITHER
    return _judged(says, verdicts)


def commonest(verdicts: Mapping[str, str], measured: Measured) -> Foretold:
    """The trivial rule: of every world the commonest outcome of all, its own too."""
    found = [outcome(verdicts[name]) for name in _both(verdicts, measured)]
    most = Counter(found).most_common(1)[0][0]
    return _judged(dict.fromkeys(_both(verdicts, measured), most), verdicts)


def left_out(verdicts: Mapping[str, str], measured: Measured) -> dict[str, Foretold]:
    """Rules that are fitted to all data sets but one, and read on the one left out.

    Args:
        verdicts: found, by world; a data set is what stands before the first comma.
        measured: moderators by world.

    Returns:
        Under "newest_bits" a threshold on it, above which attention is said to pay;
        under "another" the moderator of `OTHERS`, threshold and direction that fit
        best; under "commonest" the commonest outcome of the others.

    Raises:
        ValueError: worlds of fewer than two data sets.
    """
    names = _both(verdicts, measured)
    data_sets = sorted({_data_set(name) for name in names})
    if len(data_sets) < 2:
        raise ValueError(
            f"verdicts: expected worlds of at least 2 data sets, got {data_sets}; one "
            "is left out, and others have to be there"
        )
    newest, another, trivial = {}, {}, {}
    for data_set in data_sets:
        rest = [name for name in names if _data_set(name) != data_set]
        found = [outcome(verdicts[name]) for name in rest]
        of_bits = _fitted(rest, found, measured, ["newest_bits"], [1])
        of_others = _fitted(rest, found, measured, OTHERS, [1, -1])
        most = Counter(found).most_common(1)[0][0]
        for name in names:
            if _data_set(name) == data_set:
                newest[name] = of_bits.says(measured[name])
                another[name] = of_others.says(measured[name])
                trivial[name] = most
    said = {"newest_bits": newest, "another": another, "commonest": trivial}
    return {kind: _judged(says, verdicts) for kind, says in said.items()}


class _Threshold(NamedTuple):
    """Attention is said to pay where sign * moderator is above `least`."""

    moderator: str
    sign: int
    least: float

    def says(self, row: Mapping[str, Any]) -> str:
        return PAYS if self.sign * row[self.moderator] > self.least else NEITHER


def _fitted(
    names: Sequence[str],
    found: Sequence[str],
    measured: Measured,
    moderators: Sequence[str],
    signs: Sequence[int],
) -> _Threshold:
    """Right most often; then the widest gap, a share of the range; then the first."""
    best, best_key = None, (-1, -1.0)
    for moderator in moderators:
        for sign in signs:
            values = np.array([sign * measured[name][moderator] for name in names])
            for least, gap in _between(values):
                threshold = _Threshold(moderator, sign, least)
                said = [threshold.says(measured[name]) for name in names]
                right = sum(a == b for a, b in zip(said, found, strict=True))
                if (right, gap) > best_key:
                    best, best_key = threshold, (right, gap)
    return best


def _between(values: np.ndarray) -> list[tuple[float, float]]:
    """Thresholds between neighbours with their gap, and those below and above all."""
    levels = np.unique(values)
    gaps = np.diff(levels) / max(levels[-1] - levels[0], 1e-12)
    middles = (levels[1:] + levels[:-1]) / 2
    inside = [*zip(middles.tolist(), gaps.tolist(), strict=True)]
    return [(-np.inf, 0.0), *inside, (np.inf, 0.0)]


def _judged(says: dict[str, str], verdicts: Mapping[str, str]) -> Foretold:
    right = sum(said == outcome(verdicts[name]) for name, said in says.items())
    return Foretold(says, right)


def _both(verdicts: Mapping[str, str], measured: Measured) -> list[str]:
    return [name for name in verdicts if name in measured]


def _data_set(name: str) -> str:
    return name.partition(",")[0]
