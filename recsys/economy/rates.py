"""Rates of two arms: how many units it takes, whether they differ, and how sure one is.

Sources: Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions,
section 4.2, for `sample_size`; Wilson (1927) for the interval that bears his name.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from recsys.economy.experiments import Effect, effect_of


def rate_difference(
    treated: np.ndarray, n_treated: int, control: np.ndarray, n_control: int
) -> Effect:
    """Rate of the treated less that of the control, by the pooled z-test.

    Args:
        treated, control: int, successes; numbers or arrays of them.
        n_treated, n_control: units.

    Raises:
        ValueError: more successes than units, or no units.
    """
    _check_successes(treated, n_treated)
    _check_successes(control, n_control)
    p, q = np.asarray(treated) / n_treated, np.asarray(control) / n_control
    error = np.sqrt(p * (1 - p) / n_treated + q * (1 - q) / n_control)
    pool = (np.asarray(treated) + control) / (n_treated + n_control)
    pooled = np.sqrt(pool * (1 - pool) * (1 / n_treated + 1 / n_control))
    p_value = 2 * stats.norm.sf(np.abs(p - q) / np.maximum(pooled, 1e-300))
    return effect_of(p - q, error, stats.norm)._replace(p_value=p_value)


def sample_size(
    base: float, difference: float, *, alpha: float = 0.05, power: float = 0.8
) -> int:
    """Units an arm for a two-sided test of two rates to see a difference.

    Args:
        base: rate of the control.
        difference: of the treated rate, not 0.
        alpha: share of false alarms.
        power: chance to see the difference if it is there.

    Returns:
        The smallest whole number.

    Raises:
        ValueError: rates or chances outside 0 to 1, or no difference.
    """
    rates = np.array([base, base + difference])
    if not ((rates > 0) & (rates < 1)).all() or difference == 0:
        raise ValueError(
            f"base and difference: expected two rates between 0 and 1 that differ, got "
            f"{base} and {base + difference}"
        )
    if not (0 < alpha < 1 and alpha < power < 1):
        raise ValueError(
            f"alpha and power: expected 0 < alpha < power < 1, got {alpha} and {power}"
        )
    mean = rates.mean()
    quantiles = stats.norm.isf(alpha / 2), stats.norm.ppf(power)
    spreads = np.sqrt(2 * mean * (1 - mean)), np.sqrt((rates * (1 - rates)).sum())
    return int(np.ceil((np.dot(quantiles, spreads) / difference) ** 2))


def wald(successes: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The rate and 1.96 of its own standard errors to both sides: 95%, if n is large.

    Raises:
        ValueError: more successes than units, or no units.
    """
    _check_successes(successes, n)
    rate = np.asarray(successes) / n
    radius = stats.norm.isf(0.025) * np.sqrt(rate * (1 - rate) / n)
    return rate - radius, rate + radius


def wilson(successes: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """All rates that are within 1.96 of *their* standard errors of what was seen.

    Raises:
        ValueError: more successes than units, or no units.
    """
    _check_successes(successes, n)
    rate, z = np.asarray(successes) / n, stats.norm.isf(0.025)
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    radius = np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) * z / (1 + z**2 / n)
    return middle - radius, middle + radius


def _check_successes(successes: np.ndarray, n: int) -> None:
    counts = np.asarray(successes)
    if not n >= 1 or (counts < 0).any() or (counts > n).any():
        raise ValueError(
            f"successes: expected from 0 to {n} of at least one unit, got "
            f"{counts.min(initial=n)} to {counts.max(initial=0)} of {n}"
        )
