r"""What a survey says when not everybody answers, and how far a scale can be trusted.

Weights mend an answer that is missing for reasons that are known: within a stratum who
answers must not depend on what would be said. `stratified_mean` weighs the strata's means
by the strata's sizes. `cronbach_alpha` says what part of the variance of a sum of
questions is shared by them.

Sources: Little (1993), Journal of the American Statistical Association 88, for strata
that are weighed after the survey; Cronbach (1951), Psychometrika 16, for alpha; Feldt
(1965), Psychometrika 30, for its interval.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from recsys.checks import check_axes, check_finite, check_indices, check_same_shape
from recsys.evaluation import Interval


def stratified_mean(
    answers: np.ndarray, strata: np.ndarray, sizes: np.ndarray
) -> Interval:
    """The mean of all people, from the answers of some.

    Args:
        answers: float (n,), of those who answered.
        strata: int (n,), the stratum of each of them, from 0.
        sizes: int (n_strata,), people in each stratum, who answered or did not.

    Returns:
        sum_h W_h mean_h with W_h the part of all people that is in stratum h, and 95%
        bounds by the variance sum_h W_h^2 (1 - n_h / N_h) s_h^2 / n_h.

    Raises:
        ValueError: other shapes, an unknown stratum, or one with fewer than two answers
            or fewer people than answers.
    """
    answers, strata = np.asarray(answers, dtype=float), np.asarray(strata)
    sizes = np.asarray(sizes, dtype=float)
    check_same_shape("answers", answers, "strata", strata)
    check_finite("answers", answers)
    check_indices("strata", strata, len(sizes), "give a size for each stratum")
    counts = np.bincount(strata, minlength=len(sizes))  # (n_strata,)
    _check_answered(counts, sizes)
    means = np.bincount(strata, answers) / counts
    squares = np.bincount(strata, (answers - means[strata]) ** 2)
    share, missing = sizes / sizes.sum(), 1 - counts / sizes
    error = np.sqrt((share**2 * missing * squares / (counts - 1) / counts).sum())
    mean, reach = float(share @ means), float(stats.norm.isf(0.025) * error)
    return Interval(mean, mean - reach, mean + reach)


def cronbach_alpha(answers: np.ndarray) -> Interval:
    """The part of the variance of a sum of questions that the questions share.

    With parallel questions (one true score, and errors of one variance that know nothing
    of each other) it is the squared correlation of the sum with the true score; with true
    scores that differ from question to question it is a lower bound of that.

    Args:
        answers: float (n_people, n_questions), at least two of each; all questions coded
            in one direction.

    Returns:
        Alpha, and 95% bounds that are exact for parallel questions and normal answers.

    Raises:
        ValueError: another shape, an answer that is missing, or sums that are all equal.
    """
    answers = np.asarray(answers, dtype=float)
    check_axes("answers", answers, ("people", "questions"))
    check_finite("answers", answers)
    n, k = answers.shape
    whole = answers.sum(axis=1).var(ddof=1) if min(n, k) > 1 else 0.0
    if not whole > 0:
        raise ValueError(
            "answers: expected at least two people and two questions, and sums that "
            f"differ, got {n} people and {k} questions with a variance of {whole}"
        )
    alpha = k / (k - 1) * (1 - answers.var(axis=0, ddof=1).sum() / whole)
    law = stats.f(n - 1, (n - 1) * (k - 1))  # of (1 - true) / (1 - alpha)
    low, high = 1 - (1 - alpha) * law.ppf([0.975, 0.025])
    return Interval(float(alpha), float(low), float(high))


def _check_answered(counts: np.ndarray, sizes: np.ndarray) -> None:
    wrong = np.flatnonzero((counts < 2) | (counts > sizes))
    if wrong.size or not len(sizes):
        first = wrong[0] if wrong.size else 0
        found = f"{counts[first]} of {sizes[first]:g} people" if wrong.size else "none"
        raise ValueError(
            "strata: expected at least two answers, and at most one of each person, got "
            f"{found} in stratum {first}; join a small stratum with a neighbour"
        )
