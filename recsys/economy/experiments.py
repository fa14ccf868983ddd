"""Reading an experiment: units, effects with intervals, and what to check first.

A *unit* is what was assigned to an arm, most often a user. Rows are not units: a user's
rows resemble each other, and a test that counts them as independent finds too much.
`by_unit` goes from rows to units, and refuses a log in which a unit changed its arm.
Rates have tests of their own in `recsys.economy.rates`, a test that is read while it
runs stands in `recsys.economy.sequential`, and what no test of units can see in
`recsys.economy.interference`.

Sources: Deng et al. (2013), CUPED; Fabijan et al. (2019), sample ratio mismatch; Hajek
(1971), weights by chances.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from recsys.checks import check_finite, check_same_shape


class Effect(NamedTuple):
    """A difference between arms, its 95% interval and two-sided p-value, and its error.

    Numbers, or arrays of one number for each experiment.
    """

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray
    standard_error: np.ndarray


def effect_of(difference: np.ndarray, error: np.ndarray, law) -> Effect:
    """Interval and p-value of differences whose errors follow a law of scipy.stats."""
    reach = law.isf(0.025) * error
    p_value = 2 * law.sf(np.abs(difference) / np.maximum(error, 1e-300))
    return Effect(difference, difference - reach, difference + reach, p_value, error)


def by_unit(
    units: np.ndarray, treated: np.ndarray, outcomes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From rows to units.

    Args:
        units: int (n_rows,), who was assigned.
        treated: bool (n_rows,), the arm under which the row came about.
        outcomes: float (n_rows,).

    Returns:
        For each unit, in rising order: its arm (bool), the sum and number of its rows.

    Raises:
        ValueError: a unit that changed its arm, or columns of unequal lengths.
    """
    units, treated = np.asarray(units), np.asarray(treated, dtype=bool)
    outcomes = np.asarray(outcomes, dtype=float)
    check_same_shape("units", units, "treated", treated)
    check_same_shape("units", units, "outcomes", outcomes)
    check_finite("outcomes", outcomes)
    names, place, rows = np.unique(units, return_inverse=True, return_counts=True)
    of_treatment = np.bincount(place, treated, minlength=len(names))
    changed = np.flatnonzero((of_treatment > 0) & (of_treatment < rows))
    if changed.size:
        first = changed[0]
        raise ValueError(
            f"treated: expected one arm for each unit, got {changed.size} that changed "
            f"midway, first unit {names[first]} with {of_treatment[first]:.0f} of its "
            f"{rows[first]} rows treated; read each period on its own"
        )
    return of_treatment > 0, np.bincount(place, outcomes, minlength=len(names)), rows


def mean_difference(treated: np.ndarray, control: np.ndarray) -> Effect:
    """Mean of the treated less mean of the control, by Welch's test.

    Args:
        treated, control: float (..., n), outcomes of units, at least two.

    Raises:
        ValueError: fewer than two units in an arm, or an outcome that is not finite.
    """
    (top, top_error, n), (base, base_error, m) = map(_mean, (treated, control))
    error = top_error + base_error
    freedom = error**2 / np.maximum(
        top_error**2 / (n - 1) + base_error**2 / (m - 1), 1e-300
    )
    return effect_of(top - base, np.sqrt(error), stats.t(np.maximum(freedom, 1)))


def lift(treated: np.ndarray, control: np.ndarray) -> Effect:
    """Mean of the treated over mean of the control less 1, by the delta method.

    Args:
        treated, control: as for `mean_difference`.

    Raises:
        ValueError: as `mean_difference`, or a control whose mean is 0.
    """
    (top, top_error, _), (base, base_error, _) = map(_mean, (treated, control))
    if (base == 0).any():
        raise ValueError(
            "control: expected a mean other than 0, got 0; take `mean_difference`"
        )
    error = top_error / base**2 + base_error * top**2 / base**4
    return effect_of(top / base - 1, np.sqrt(error), stats.norm)


def cuped(outcomes: np.ndarray, before: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """Outcomes less what was known of each unit before the experiment.

    Args:
        outcomes: float (n_units,).
        before: float (n_units,), measured before assignment.
        treated: bool (n_units,).

    Returns:
        Float (n_units,), with a variance lower by the factor 1 - rho^2 within the arms.
        The slope is that within the arms, so the difference of their means is the
        coefficient of the arm in a regression on the arm and `before`.

    Raises:
        ValueError: other lengths, a number that is not finite, an arm without units, or
            a constant `before`.
    """
    outcomes, before = np.asarray(outcomes, float), np.asarray(before, float)
    treated = np.asarray(treated, dtype=bool)
    for name, array in (("before", before), ("treated", treated)):
        check_same_shape("outcomes", outcomes, name, array)
    check_finite("outcomes", outcomes)
    check_finite("before", before)
    _check_arms(treated)
    within = before.copy()
    for arm in (treated, ~treated):
        within[arm] -= before[arm].mean()
    spread = within @ within
    if not spread > 0:
        raise ValueError(
            "before: expected numbers that differ within an arm, got one for all; "
            "there is nothing to adjust by"
        )
    return outcomes - (within @ outcomes) / spread * (before - before.mean())


def ratio_mismatch(counts: np.ndarray, shares: np.ndarray) -> float:
    """P-value of the chi-squared test that units came to the arms as planned.

    Args:
        counts: int (n_arms,), units that were seen.
        shares: float (n_arms,), planned, above 0; they sum to 1.

    Raises:
        ValueError: negative counts, or shares that are 0 or do not sum to 1.
    """
    counts, shares = np.asarray(counts), np.asarray(shares, dtype=float)
    check_same_shape("counts", counts, "shares", shares)
    if not (shares > 0).all() or abs(shares.sum() - 1) > 1e-9:
        raise ValueError(
            f"shares: expected chances above 0 that sum to 1, got {shares.tolist()}; "
            "an arm that nobody can come to is none"
        )
    if (counts < 0).any() or not counts.sum():
        raise ValueError(
            f"counts: expected at least one unit in all, got {counts.tolist()}"
        )
    return float(stats.chisquare(counts, shares * counts.sum()).pvalue)


def weighted_difference(
    outcomes: np.ndarray, treated: np.ndarray, chances: np.ndarray
) -> float:
    """Difference of means where not all had the same chance to be treated (Hajek).

    Args:
        outcomes: float (n_units,).
        treated: bool (n_units,).
        chances: float (n_units,), of being treated, above 0 and below 1.

    Raises:
        ValueError: other lengths, an arm without units, or a chance of 0 or 1.
    """
    outcomes, chances = np.asarray(outcomes, float), np.asarray(chances, float)
    treated = np.asarray(treated, dtype=bool)
    check_same_shape("outcomes", outcomes, "treated", treated)
    check_same_shape("outcomes", outcomes, "chances", chances)
    wrong = np.flatnonzero(~((chances > 0) & (chances < 1)))
    if wrong.size:
        raise ValueError(
            f"chances: expected above 0 and below 1, got {chances[wrong[0]]} for unit "
            f"{wrong[0]}; leave out who could be in one arm only"
        )
    _check_arms(treated)
    top = np.average(outcomes[treated], weights=1 / chances[treated])
    base = np.average(outcomes[~treated], weights=1 / (1 - chances[~treated]))
    return float(top - base)


def _check_arms(treated: np.ndarray) -> None:
    if treated.all() or not treated.any():
        raise ValueError(
            f"treated: expected units in both arms, got {np.count_nonzero(treated)} of "
            f"{treated.size} treated"
        )


def _mean(outcomes: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean, its squared standard error, and how many, along the last axis."""
    outcomes = np.asarray(outcomes, dtype=float)
    n = outcomes.shape[-1] if outcomes.ndim else 0
    if n < 2:
        raise ValueError(f"outcomes: expected at least two units an arm, got {n}")
    check_finite("outcomes", outcomes)
    return outcomes.mean(axis=-1), outcomes.var(axis=-1, ddof=1) / n, n
