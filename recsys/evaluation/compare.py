"""Intervals and paired tests over users: a mean without them says little at a thousand users."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import stats

RESAMPLES = 2_000


class Interval(NamedTuple):
    """A mean and the bounds of its interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Paired(NamedTuple):
    """The mean difference of two models over the same users, its interval, and a p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_interval(
    values: np.ndarray, level: float = 0.95, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of the mean over users (2,000 resamples of users, seeded).

    Args:
        values: (n_users,) finite floats, at least two.
        level: share of the resampled means that the interval holds.
        seed: of the resamples.

    Returns:
        The mean and its bounds.

    Raises:
        ValueError: fewer than two values, or one that is not finite.

    Source: Efron and Tibshirani (1993), chapter 13; `scipy.stats.bootstrap`.
    """
    values = _finite(values)
    result = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=100,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return Interval(float(values.mean()), float(low), float(high))


def paired_test(
    a: np.ndarray, b: np.ndarray, level: float = 0.95, seed: int = 0
) -> Paired:
    """Mean of `a - b` over the same users, its bootstrap interval, and a sign-flip p-value.

    Args:
        a: (n_users,) floats, a metric of one model.
        b: (n_users,) floats of the other; entry i of both belongs to the same user.
        level: as for `bootstrap_interval`.
        seed: of the resamples and of the flips.

    Returns:
        The difference, its bounds, and the p-value of the permutation test.

    Raises:
        ValueError: other lengths, fewer than two users, or a value that is not finite.
    """
    a, b = _finite(a), _finite(b)
    if a.shape != b.shape:
        raise ValueError(
            f"a and b: expected the same users in the same order, got {len(a)} and {len(b)} "
            "values; leave users out of both"
        )
    difference = a - b
    interval = bootstrap_interval(difference, level, seed)
    flipped = stats.permutation_test(
        (difference,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        batch=100,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    return Paired(interval.mean, interval.low, interval.high, float(flipped.pvalue))


def rounded(numbers: Iterable[float]) -> list[float | None]:
    """Numbers as a record keeps them: four decimals, None where undefined."""
    floats = [float(number) for number in numbers]
    return [None if np.isnan(number) else round(number, 4) for number in floats]


def _finite(values: np.ndarray) -> np.ndarray:
    """Values as floats, if there are two and all are finite."""
    values = np.asarray(values, dtype=float)
    n_not_finite = np.count_nonzero(~np.isfinite(values))
    if values.ndim != 1 or len(values) < 2 or n_not_finite:
        raise ValueError(
            f"values: expected at least two finite numbers, one a user, got shape {values.shape} "
            f"with {n_not_finite} not finite; leave undefined users out of both models"
        )
    return values
