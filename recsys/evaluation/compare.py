"""Intervals and paired tests over users: a mean without them says little at a thousand users."""

from __future__ import annotations

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


def bootstrap_interval(values: np.ndarray, level: float = 0.95, seed: int = 0) -> Interval:
    """Percentile bootstrap interval of the mean over users (2,000 resamples of users, seeded).

    Parameters
    ----------
    values : (n_users,) float array, finite, at least two

    Source: Efron and Tibshirani (1993), chapter 13; ``scipy.stats.bootstrap``.
    """
    values = _finite(values)
    result = stats.bootstrap((values,), np.mean, n_resamples=RESAMPLES, batch=100, confidence_level=level,
                             method="percentile", rng=np.random.default_rng(seed))
    return Interval(float(values.mean()), float(result.confidence_interval.low),
                    float(result.confidence_interval.high))


def paired_test(a: np.ndarray, b: np.ndarray, level: float = 0.95, seed: int = 0) -> Paired:
    """Mean of ``a - b`` over the same users, its bootstrap interval, and a sign-flip permutation p-value.

    Parameters
    ----------
    a, b : (n_users,) float arrays
        A metric of two models; entry i of both belongs to the same user.
    """
    a, b = _finite(a), _finite(b)
    if a.shape != b.shape:
        raise ValueError(f"A paired test needs the same users in the same order; {len(a)} and {len(b)} values came.")
    interval = bootstrap_interval(a - b, level, seed)
    flipped = stats.permutation_test((a - b,), np.mean, permutation_type="samples", vectorized=True, batch=100,
                                     n_resamples=RESAMPLES, rng=np.random.default_rng(seed))
    return Paired(interval.mean, interval.low, interval.high, float(flipped.pvalue))


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"Expected at least two finite values, one a user; shape {values.shape} with "
                         f"{int((~np.isfinite(values)).sum())} not finite came. Leave undefined users out of both models.")
    return values
