r"""A stranger's vector in a network over pairs: the minimum of the loss of training.

A user without a row in the table of users has a history. Items and layers held fixed,
the vector that training would have led to is the minimum of the expected loss

L(p) = sum over items of w_i [softplus(z_i) - y_i z_i] + l2 |p|^2,

where z_i is the logit of p with item i, y_i says whether i was taken, and w_i is how
often the pair is met (`pair_weights`). The network gives the logits and their slopes
by p; all else is here, in double precision.

Source: the damped steps: Levenberg, 1944 (https://doi.org/10.1090/qam/10666) and
Marquardt, 1963 (https://doi.org/10.1137/0111030).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit

STEPS = 30
"""Steps in which a stranger's vector is solved for."""


ROUNDING = 1e-14
"""Share of a loss that is rounding: a step that raises it by less counts as one that
helped, so that close to the minimum, where losses cannot be told apart, steps go on."""


class Expansion(NamedTuple):
    """The expected loss of each user around a vector, to second order."""

    loss: np.ndarray  # (n,)
    gradient: np.ndarray  # (n, dim)
    curvature: np.ndarray  # (n, dim, dim), without the penalty's part


def solve_users(
    slopes: Callable, start: np.ndarray, seen: np.ndarray, negatives: int, l2: float
) -> np.ndarray:
    """Find the vectors of users from what they took, everything else held fixed.

    For each user the expected loss of training over all draws of negatives is brought
    down from `start` by damped Gauss-Newton steps (Levenberg and Marquardt): damping
    falls after a step that helped, and rises after one that did not, which is taken
    back. Where logits are linear in the vector (GMF, dot product) this is Newton's
    method, and the minimum is the only one; through the layers of an MLP it is a good
    point nearby. Nothing is random, and no user has a part in another's vector.

    Args:
        slopes: from vectors, float64 (n, dim), to their logits (n, n_items) with all
            items, and the derivative of each by its vector, (n, n_items, dim).
        start: float64 (dim,), such as the mean of the fitted users.
        seen: float64 (n, n_items), 1 where taken.
        negatives: items drawn for each one taken.
        l2: weight of the penalty on a squared vector.

    Returns:
        Float64 (n, dim); `start` where nothing was taken.
    """
    took_any = (seen > 0).any(axis=1)[:, None]  # (n, 1)
    weights = pair_weights(seen, negatives)  # (n, n_items)
    vectors = np.tile(start, (len(seen), 1))  # (n, dim)
    damping = np.full(len(seen), 0.01)  # (n,)
    here = expand(slopes, vectors, seen, weights, l2)
    for _ in range(STEPS):
        step = damped_step(here, damping, l2)  # (n, dim)
        tried = vectors - step * took_any  # (n, dim)
        there = expand(slopes, tried, seen, weights, l2)
        limit = here.loss * (1 + ROUNDING)  # (n,)
        helped = there.loss <= limit  # (n,)
        vectors[helped] = tried[helped]
        for old, new in zip(here, there, strict=True):
            old[helped] = new[helped]
        damping = np.where(helped, damping / 4, damping * 4)  # (n,)
    return vectors


def pair_weights(seen: np.ndarray, negatives: int) -> np.ndarray:
    """Weigh each pair as often as it is met in an epoch, on average.

    An item taken is met once; one not taken as often as it is drawn, which is
    `negatives` times the number taken over the number not taken.

    Args:
        seen: float (n, n_items), 1 where taken.
        negatives: items drawn for each one taken.

    Returns:
        Weights (n, n_items); rows sum to one, or are zero where nothing was taken.
    """
    taken = seen.sum(axis=1, keepdims=True)  # (n, 1)
    not_taken = seen.shape[1] - taken  # (n, 1)
    draws = negatives * taken / np.maximum(not_taken, 1)  # (n, 1)
    met = np.where(seen > 0, 1.0, draws)  # (n, n_items)
    pairs = (1 + negatives) * taken  # (n, 1)
    return met / np.maximum(pairs, 1)


def damped_step(here: Expansion, damping: np.ndarray, l2: float) -> np.ndarray:
    """The step (n, dim) to the expansion's minimum, shortened by damping (n,)."""
    identity = np.eye(here.gradient.shape[1])  # (dim, dim)
    added = 2 * l2 + damping  # (n,)
    bent = here.curvature + added[:, None, None] * identity  # (n, dim, dim)
    columns = here.gradient[..., None]  # (n, dim, 1)
    return np.linalg.solve(bent, columns)[..., 0]


def expand(
    slopes: Callable,
    vectors: np.ndarray,
    seen: np.ndarray,
    weights: np.ndarray,
    l2: float,
) -> Expansion:
    """Expand the expected loss of each user around a vector.

    The curvature is Gauss and Newton's: that of the loss over the logits, carried
    through their slopes, without the bend of the layers.

    Args:
        slopes: as `solve_users`.
        vectors: (n, dim), one a user.
        seen: (n, n_items), 1 where taken.
        weights: (n, n_items), of the pairs.
        l2: weight of the penalty.
    """
    logits, rise = slopes(vectors)  # (n, n_items), (n, n_items, dim)
    entropy = np.logaddexp(0, logits) - seen * logits  # (n, n_items)
    squares = (vectors**2).sum(axis=1)  # (n,)
    loss = (weights * entropy).sum(axis=1) + l2 * squares  # (n,)

    chance = expit(logits)  # (n, n_items)
    errors = weights * (chance - seen)  # (n, n_items)
    pull = errors[:, None] @ rise  # (n, 1, dim)
    gradient = pull[:, 0] + 2 * l2 * vectors  # (n, dim)

    bends = weights * chance * (1 - chance)  # (n, n_items)
    bent = bends[..., None] * rise  # (n, n_items, dim)
    curvature = rise.mT @ bent  # (n, dim, dim)
    return Expansion(loss, gradient, curvature)
