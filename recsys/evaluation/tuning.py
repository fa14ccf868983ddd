"""Settings chosen on the validation part: every setting of a grid is read, the best kept."""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from recsys.data import Interactions
from recsys.evaluation.full_ranking import evaluate
from recsys.evaluation.splits import Split
from recsys.recommender import Recommender


def combinations(grid: Mapping[str, Sequence]) -> list[dict[str, Any]]:
    """Every setting of a grid, a dict each; the last name changes fastest.

    Args:
        grid: for each name of a setting the values to try.

    Returns:
        One setting of no names for an empty grid.
    """
    products = itertools.product(*grid.values())
    return [dict(zip(grid, values, strict=True)) for values in products]


def draws(space: Mapping[str, Any], n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Draw settings at random from a space.

    Args:
        space: for each name the values to choose from, a sequence; or the two ends of a
            range, `{"from": low, "to": high}` above 0, of which the logarithm is drawn
            evenly and two digits are kept.
        n: how many settings.
        seed: the same settings come again, and the first of more settings are those of
            fewer.

    Returns:
        A dict for each setting.

    Source: Bergstra and Bengio, 2012 (https://jmlr.org/papers/v13/bergstra12a.html),
    section 2, for why not a grid.
    """
    rng = np.random.default_rng(seed)
    return [{name: _drawn(rng, of) for name, of in space.items()} for _ in range(n)]


def _drawn(rng: np.random.Generator, of: Any) -> Any:
    """One value, as a plain Python object."""
    if isinstance(of, Mapping):
        logarithm = rng.uniform(np.log(of["from"]), np.log(of["to"]))
        return float(f"{np.exp(logarithm):.2g}")
    return of[rng.integers(len(of))]


def tune(
    build: Callable[[dict[str, Any]], Recommender],
    settings: Iterable[dict[str, Any]],
    split: Split,
    metric: str = "nDCG@10",
    repeats: bool = False,
    digits: int = 5,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Fit and read every setting on validation.

    Args:
        build: makes a recommender of a setting.
        settings: what is tried.
        split: fitted on its train part, read on its validation part.
        metric: by whose mean over users is chosen, as `evaluate` names it.
        repeats: as for `evaluate`.
        digits: of the means, which are rounded before the best is chosen.

    Returns:
        A row for each setting, which holds it and the mean under the metric's name;
        and the best setting, the first among equals.
    """
    rows = []
    best, best_mean = {}, -float("inf")
    for setting in settings:
        found = evaluate(build(setting), split, on="validation", repeats=repeats)
        mean = round(found.mean(metric), digits)
        rows.append({**setting, metric: mean})
        if mean > best_mean:
            best, best_mean = setting, mean
    return rows, best


def timed_fit(model: Recommender, interactions: Interactions) -> float:
    """Fit a model; return the processor seconds that it took."""
    start = time.process_time()
    model.fit(interactions)
    return time.process_time() - start
