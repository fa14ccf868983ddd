"""A test that may be read while it runs: the mixture sequential probability ratio test.

A test that is planned for one look finds too much if one looks more often and stops at
the first success. This one holds at all looks together; its interval is wider.

Sources: Robbins (1970, Annals of Mathematical Statistics 41); Johari et al. (2017);
Waudby-Smith et al. (2024, https://arxiv.org/abs/2103.06476).
"""

from __future__ import annotations

import numpy as np


def mixture_ratio(
    difference: np.ndarray, variance: np.ndarray, tau: float
) -> np.ndarray:
    """How much better the data fit effects spread as N(0, tau^2) than no effect.

    Under no effect its mean is 1 at every look, and the chance that it ever exceeds
    1 / alpha is at most alpha (Ville). One over its largest value so far is a p-value
    that may be read at any time.

    Args:
        difference: float, any shape, of the arms at a look.
        variance: float, of the difference at that look, above 0.
        tau: spread of the effects that are looked for, above 0.

    Raises:
        ValueError: a variance or tau that is not positive.

    Source: Robbins (1970); Johari et al. (2017), section 4.
    """
    difference, variance = np.asarray(difference, float), _positive(variance, tau)
    whole = variance + tau**2
    fit = tau**2 * difference**2 / (2 * variance * whole)
    return np.sqrt(variance / whole) * np.exp(fit)


def always_valid_radius(
    variance: np.ndarray, tau: float, alpha: float = 0.05
) -> np.ndarray:
    """Half the width of an interval that may be read at every look.

    Args:
        variance: float, any shape, of the difference at each look, above 0.
        tau: as for `mixture_ratio`, whose value is 1 / alpha at this distance from 0.
        alpha: chance that one of all intervals misses the effect.

    Raises:
        ValueError: a variance or tau that is not positive.

    Source: Waudby-Smith et al. (2024), equation 9, with rho = tau / sd of one unit.
    """
    variance = _positive(variance, tau)
    whole = variance + tau**2
    log_odds = 2 * np.log(1 / alpha) + np.log(whole / variance)
    return np.sqrt(variance * whole * log_odds) / tau


def _positive(variance: np.ndarray, tau: float) -> np.ndarray:
    variance = np.asarray(variance, dtype=float)
    if not (variance > 0).all() or not tau > 0:
        raise ValueError(
            f"variance and tau: expected numbers above 0, got at least "
            f"{variance.min(initial=np.inf)} and {tau}"
        )
    return variance
