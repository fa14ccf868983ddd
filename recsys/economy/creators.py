r"""What a feed makes people make: creators who choose where to stand.

A user is a vector c, and so is what a creator makes. Attention is divided by a softmax,

    p_i(c) = exp(<c, s_i> / T) / sum_j exp(<c, s_j> / T),

and a creator wants the mean of p_i over the users. `exposure` is that mean, `take_turns`
lets creators answer each other, `mean_thresholds` says from which temperature on they can
all stand at the mean user. `shapley_shares` is a way to divide attention under which turns
always come to rest, `rests` finds where a finite game can rest.

Sources: Hron, Krauth, Jordan, Kilbertus and Dean (2023), the game; Ben-Porat and
Tennenholtz (2018), the Shapley mediator; the book's chapter on creators, thresholds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recsys.attention import softmax
from recsys.checks import check_axes, check_finite, check_temperature

MARGIN = 1e-12
"""A creator moves, and a rest is left, for a gain above this; less is rounding."""


class Thresholds(NamedTuple):
    """Temperatures from which all creators can stand at the mean user.

    Args:
        alone: above it nobody gains by a small step of their own.
        together: above it small steps of several creators die out in play by turns.
    """

    alone: float
    together: float


class Turns(NamedTuple):
    """A history of play by turns.

    Args:
        places: int (n_rounds + 1, n_creators), rows of the candidates, the start first.
        period: rounds after which play repeats itself: 1 at rest, more where it goes
            round for ever, 0 if it did neither within the rounds.
    """

    places: np.ndarray
    period: int


def exposure(
    users: np.ndarray, creators: np.ndarray, temperature: float
) -> np.ndarray:
    """Share of all attention that goes to each creator.

    Args:
        users: float (n_users, dim).
        creators: float (n_creators, dim), where they stand.
        temperature: above 0, how softly attention is divided.

    Returns:
        Float (n_creators,); they sum to 1.

    Raises:
        ValueError: a temperature that is not positive, or vectors that don't fit.
    """
    users = _checked_vectors("users", users)
    creators = _checked_vectors("creators", creators, users.shape[1])
    return softmax(users @ creators.T, temperature=temperature).mean(axis=0)


def take_turns(
    users: np.ndarray,
    candidates: np.ndarray,
    start: np.ndarray,
    temperature: float,
    rounds: int = 60,
) -> Turns:
    """Let creators move in turn, each to the candidate with the largest exposure.

    Whoever can't gain stays. Moves follow from the places alone, so once places come
    back play repeats itself, and stops here.

    Args:
        users: float (n_users, dim).
        candidates: float (n_candidates, dim), where a creator may stand.
        start: int (n_creators,), rows of `candidates`.
        temperature: above 0.
        rounds: the most, in each of which everybody has a turn.

    Returns:
        Places after each round, and the period: with 1, no creator has a better candidate.

    Raises:
        ValueError: a temperature that is not positive, vectors that don't fit, or a start
            that is no row.
    """
    check_temperature(temperature)
    users = _checked_vectors("users", users)
    candidates = _checked_vectors("candidates", candidates, users.shape[1])
    places = [_checked_rows(start, len(candidates))]
    scores = candidates @ users.T / temperature  # (n_candidates, n_users)
    weights = np.exp(scores - scores.max(axis=0))
    seen = {places[0].tobytes(): 0}
    for turn in range(1, rounds + 1):
        now = places[-1].copy()
        for creator in range(len(now)):
            others = weights[np.delete(now, creator)].sum(axis=0)
            now[creator] = _answer(weights, others, now[creator])
        places.append(now)
        before = seen.setdefault(now.tobytes(), turn)
        if before < turn:
            return Turns(np.array(places), turn - before)
    return Turns(np.array(places), 0)


def _answer(weights: np.ndarray, others: np.ndarray, now: int) -> int:
    """The candidate with the largest exposure beside the others; `now` in a tie."""
    shares = (weights / (weights + (others + 1e-300))).mean(axis=1)  # (n_candidates,)
    best = int(shares.argmax())
    return best if shares[best] > shares[now] + MARGIN else now


def mean_thresholds(users: np.ndarray, n_creators: int) -> Thresholds:
    r"""Temperatures from which everybody at the mean user is a place to rest.

    With c the users, m the direction of their mean and c' the part of c across m,

        alone = (1 - 2/n) S / |E c|,  together = (1 - 2/n) / (1 - 1/n) S / |E c|,

    where S is the largest eigenvalue of E[c' c'^T]. On a circle of unit vectors these are
    E[sin^2 d] and E[cos d], d the angle to the mean user.

    Args:
        users: float (n_users, dim), with a mean that is not zero.
        n_creators: at least 2, all on the unit sphere.

    Raises:
        ValueError: fewer creators, or users whose mean is zero.

    Source: the book's chapter on creators. It makes local and exact what Hron et al.
    (2023) say of large temperatures; in flat space and with equal valences `alone` is
    the condition of Schofield (2007) for parties at the mean voter.
    """
    users = _checked_vectors("users", users)
    if n_creators < 2:
        raise ValueError(f"n_creators: expected at least 2, got {n_creators}")
    mean = users.mean(axis=0)
    length = np.linalg.norm(mean)
    if length < MARGIN:
        raise ValueError(
            "users: expected a mean that is not zero, or nobody is the mean user; "
            f"got one of length {length:.1e}"
        )
    across = users - np.outer(users @ mean, mean) / length**2  # (n_users, dim)
    spread = np.linalg.norm(across, ord=2) ** 2 / len(users)
    alone = (1 - 2 / n_creators) * spread / length
    return Thresholds(alone, alone / (1 - 1 / n_creators))


def shapley_shares(satisfaction: np.ndarray) -> np.ndarray:
    """Chances of being shown under the Shapley mediator.

    Draw a bar between 0 and 1 and show any of those who pass it, all alike; nobody, if
    nobody passes. The chance of a creator is its Shapley value in the game in which a
    group is worth its best member.

    Args:
        satisfaction: float (..., n_creators), from 0 to 1, how content the user would be.

    Returns:
        Float (..., n_creators); they sum to the largest satisfaction.

    Raises:
        ValueError: a satisfaction outside 0 to 1.

    Source: Ben-Porat and Tennenholtz (2018), theorem 3.
    """
    satisfaction = np.asarray(satisfaction, dtype=float)
    if not ((satisfaction >= 0) & (satisfaction <= 1)).all():
        raise ValueError(
            "satisfaction: expected numbers from 0 to 1, got "
            f"{satisfaction.min()} to {satisfaction.max()}; divide by the largest"
        )
    order = satisfaction.argsort(axis=-1)
    climbs = np.take_along_axis(satisfaction, order, axis=-1)
    climbs[..., 1:] -= climbs[..., :-1].copy()
    passing = np.arange(satisfaction.shape[-1], 0, -1)  # who passes, by step
    shares = np.empty_like(satisfaction)
    np.put_along_axis(shares, order, (climbs / passing).cumsum(axis=-1), axis=-1)
    return shares


def rests(payoffs: np.ndarray) -> np.ndarray:
    """Which profiles of a finite game are pure equilibria.

    Args:
        payoffs: float (n_players, choices of player 0, choices of player 1, ...).

    Returns:
        Bool (choices of player 0, choices of player 1, ...), True where nobody gains by
        another choice of their own.

    Raises:
        ValueError: not one axis of choices for each player.
    """
    payoffs = np.asarray(payoffs, dtype=float)
    if payoffs.ndim != len(payoffs) + 1:
        raise ValueError(
            f"payoffs: expected {len(payoffs)} axes of choices behind the first, one for "
            f"each player, got shape {payoffs.shape}"
        )
    content = np.ones(payoffs.shape[1:], dtype=bool)
    for player, own in enumerate(payoffs):
        content &= own >= own.max(axis=player, keepdims=True) - MARGIN
    return content


def _checked_vectors(name: str, vectors: np.ndarray, dim: int | None = None):
    vectors = np.asarray(vectors, dtype=float)
    check_axes(name, vectors, (name, "dim"))
    check_finite(name, vectors)
    if len(vectors) == 0 or (dim is not None and vectors.shape[1] != dim):
        raise ValueError(
            f"{name}: expected at least one row of length {dim or 'dim'}, as the users "
            f"have, got shape {vectors.shape}"
        )
    return vectors


def _checked_rows(start: np.ndarray, n_candidates: int) -> np.ndarray:
    rows = np.asarray(start)
    fits = rows.ndim == 1 and len(rows) and np.issubdtype(rows.dtype, np.integer)
    if not fits or rows.min() < 0 or rows.max() >= n_candidates:
        raise ValueError(
            f"start: expected rows of candidates, whole numbers from 0 to "
            f"{n_candidates - 1}, got {rows.tolist()}"
        )
    return rows
