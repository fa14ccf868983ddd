"""The table of *What does attention buy?*, and the rule that was to foretell it.

`rows` puts side by side what the studies `pays_*` stored of the primary contrast, one
row a world. `rule` holds the rule that was registered against the verdicts, `left_out`
a threshold that was fitted to the verdicts of all data sets but one. There are half a
dozen data sets: a rule can fail here, and can hardly be shown to hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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

PAYS, COSTS, NEITHER = "pays", "costs", "equal or not decided"


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
    """Results of the studies of the table and of the moderators, those that are there.

    Raises:
        StaleStudy: one that is there was made from something else.
    """
    names = [*dict.fromkeys(world.study for world in WORLDS.values())]
    there = [
        name
        for name in [*names, "pays_moderators"]
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
