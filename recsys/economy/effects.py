"""What an exposure does to whom, and what one user would have chosen instead.

An exposure (a push, a coupon, an advert) is a policy of two actions: its effect is the
value of "all are exposed" less that of "nobody is". The scores here are those of
`doubly_robust`, kept a row each, so that their means by group say whom the exposure
moves: the *uplift*.

Sources: Robins, Rotnitzky and Zhao (1994), the scores; Kennedy (2023), uplift by
regression on them; Oberst and Sontag (2019), choices of one user by Gumbel noise.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from recsys.checks import check_finite, check_same_shape
from recsys.economy.experiments import Effect, effect_of


def effect_scores(
    exposed: np.ndarray,
    outcomes: np.ndarray,
    chances: np.ndarray,
    predicted: np.ndarray,
) -> np.ndarray:
    """A score a row, whose mean is the effect of exposing all instead of nobody.

    Args:
        exposed: bool (..., n_rows).
        outcomes: float (..., n_rows).
        chances: float (..., n_rows), of being exposed, above 0 and below 1.
        predicted: float (2, ..., n_rows), outcomes without and with exposure, predicted
            from other rows; zeros give the scores of inverse propensities.

    Returns:
        Float (..., n_rows).

    Raises:
        ValueError: other shapes, or a chance of 0 or 1.
    """
    exposed, outcomes = np.asarray(exposed, bool), np.asarray(outcomes, float)
    chances, predicted = np.asarray(chances, float), np.asarray(predicted, float)
    for name, array in (("exposed", exposed), ("chances", chances)):
        check_same_shape("outcomes", outcomes, name, array)
    both = np.stack([outcomes] * 2)
    check_same_shape("predicted", predicted, "outcomes without and with", both)
    check_finite("outcomes", outcomes)
    wrong = np.flatnonzero(~((chances > 0) & (chances < 1)))
    if wrong.size:
        raise ValueError(
            f"chances: expected above 0 and below 1, got {chances.flat[wrong[0]]} at "
            f"place {wrong[0]}; leave out who is always or never exposed"
        )
    without, with_ = predicted
    mended_with = with_ + exposed * (outcomes - with_) / chances
    mended_without = without + ~exposed * (outcomes - without) / (1 - chances)
    return mended_with - mended_without


def mean_effect(scores: np.ndarray) -> Effect:
    """The mean of scores, float (..., n_rows), with its normal interval.

    Raises:
        ValueError: fewer than two scores.
    """
    scores = np.asarray(scores, dtype=float)
    n = scores.shape[-1]
    if n < 2:
        raise ValueError(f"scores: expected at least two, got {n}; one has no error")
    error = scores.std(axis=-1, ddof=1) / np.sqrt(n)
    return effect_of(scores.mean(axis=-1), error, stats.norm)


def gumbel_given_choice(
    utilities: np.ndarray, chosen: int, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw the noise that made one user choose what was chosen.

    A choice with shares exp(u) / sum exp(u) is the largest of u + noise, the noise
    Gumbel. Given the choice, the largest sum is a Gumbel about log sum exp(u), and the
    others are Gumbels that stay below it.

    Args:
        utilities: float (n_options,), over the temperature.
        chosen: the option.
        n_draws: how many.
        rng: of the draws.

    Returns:
        Float (n_draws, n_options): noise. Added to other utilities, its largest sum is
        the choice that this user would have made of them.
    """
    utilities = np.asarray(utilities, dtype=float)
    largest = np.logaddexp.reduce(utilities) + rng.gumbel(size=(n_draws, 1))
    free = utilities + rng.gumbel(size=(n_draws, len(utilities)))
    below = -np.logaddexp(-free, -largest)  # a Gumbel about u, cut off at the largest
    below[:, chosen] = largest[:, 0]
    return below - utilities
