r"""Bridging rank: a note is good when people who otherwise disagree find it helpful.

A rating r of note n by rater u is explained by three intercepts and one factor a side,

    r_un ~ mu + i_u + i_n + f_u f_n,

and the note's score is its intercept i_n. Intercepts are penalised more than factors, so
whatever two camps can explain is put there first, and i_n keeps what is left: agreement
across camps.

Source: Community Notes, "Note ranking algorithm" (documentation of the open repository),
and its `matrix_factorization.py`, whose loss is the mean squared error plus each penalty
times the *mean* square of its parameters; Wojcik et al. (2022).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

INTERCEPT_PENALTY = 0.15
FACTOR_PENALTY = 0.03
HELPFUL_FROM = 0.40
"""A note is shown as helpful from this intercept on."""


class Bridging(NamedTuple):
    """Fitted intercepts and factors; both signs of the factors fit alike.

    Args:
        mean: the global intercept.
        raters, notes: float (n_raters, 2) and (n_notes, 2), intercept and factor.
        loss: mean squared error plus penalties.
    """

    mean: float
    raters: np.ndarray
    notes: np.ndarray
    loss: float


def fit_bridging(
    raters: np.ndarray,
    notes: np.ndarray,
    ratings: np.ndarray,
    *,
    intercept_penalty: float = INTERCEPT_PENALTY,
    factor_penalty: float = FACTOR_PENALTY,
    sweeps: int = 200,
    seed: int = 0,
) -> Bridging:
    """Explain ratings by intercepts and one factor a side.

    Both sides and the mean are solved in turn, each exactly given the others, so the
    loss never rises; the published code goes down the slope of the same loss.

    Args:
        raters, notes: int (n_ratings,), from 0; each number up to the largest occurs.
        ratings: float (n_ratings,), 1 helpful, 0.5 somewhat, 0 not.
        intercept_penalty, factor_penalty: above 0.
        sweeps: how often everything is solved.
        seed: of the first factors.

    Raises:
        ValueError: arrays of other lengths, a penalty that is not positive, or a rater
            or note without a rating.
    """
    raters, notes, ratings = (np.asarray(x) for x in (raters, notes, ratings))
    if not raters.shape == notes.shape == ratings.shape == (len(ratings),):
        raise ValueError(
            "raters, notes, ratings: expected one of each a rating, got shapes "
            f"{raters.shape}, {notes.shape}, {ratings.shape}"
        )
    if not (intercept_penalty > 0 and factor_penalty > 0):
        raise ValueError(
            "penalties: expected numbers above 0, got "
            f"{intercept_penalty} and {factor_penalty}"
        )
    counts = [_counted("raters", raters), _counted("notes", notes)]
    penalties = np.array([intercept_penalty, factor_penalty])
    rng = np.random.default_rng(seed)
    u, n = (rng.normal(scale=0.1, size=(count, 2)) for count in counts)
    mean = ratings.mean()
    for _ in range(sweeps):
        u = _solved(raters, ratings - mean - n[notes, 0], n[notes, 1], u, penalties)
        n = _solved(notes, ratings - mean - u[raters, 0], u[raters, 1], n, penalties)
        rest = ratings - _explained(u, n, raters, notes)
        mean = rest.mean() / (1 + intercept_penalty)
    error = ratings - mean - _explained(u, n, raters, notes)
    charge = penalties @ ((u**2).mean(axis=0) + (n**2).mean(axis=0))
    loss = (error**2).mean() + charge + intercept_penalty * mean**2
    return Bridging(float(mean), u, n, float(loss))


def _explained(u, n, raters, notes) -> np.ndarray:
    """What a rater and a note add to the mean: (n_ratings,)."""
    return u[raters, 0] + n[notes, 0] + u[raters, 1] * n[notes, 1]


def _solved(rows, target, other, mine, penalties) -> np.ndarray:
    """Intercept and factor of one side, a ridge regression a row: (n_rows, 2)."""
    count = len(mine)
    ridge = penalties * len(rows) / count  # the mean of squares, in ratings a row
    a = np.bincount(rows, minlength=count) + ridge[0]
    b = np.bincount(rows, other, count)
    d = np.bincount(rows, other**2, count) + ridge[1]
    y = np.bincount(rows, target, count)
    z = np.bincount(rows, target * other, count)
    return np.stack([d * y - b * z, a * z - b * y], axis=1) / (a * d - b * b)[:, None]


def _counted(name: str, ids: np.ndarray) -> int:
    counts = np.bincount(ids)
    if not counts.all():
        raise ValueError(
            f"{name}: expected at least one rating each, got none of number "
            f"{int(counts.argmin())}; number those that occur, for example by np.unique"
        )
    return len(counts)
