"""The one input that every metric library in bench/ is given.

NumPy only, so that each library's own environment can import it. Edge cases are
planted: users with 1, with exactly 10 and with 25 relevant items. Scores are
positive and free of ties, in float32 too, because torchmetrics works in float32
and drops items whose score is not above zero.
"""

from typing import NamedTuple

import numpy as np

N_PAST_USERS = 500


class MetricInput(NamedTuple):
    """Scores, truth and what beyond-accuracy metrics need."""

    scores: np.ndarray  # (n_users, n_items) float64 in (0, 1], distinct in each row
    relevant: np.ndarray  # (n_users, n_items) bool, 1 to 25 true in each row
    popularity: np.ndarray  # (n_items,) int64, past users of an item, 1 to N_PAST_USERS
    features: np.ndarray  # (n_items, 8) float64, small non-negative whole numbers, no zero row


def build(seed=2026, n_users=60, n_items=300):
    """Draw the input.

    Arguments: ``seed``; ``n_users``, at least 3; ``n_items``, at least 26.
    Returns: a `MetricInput`. A relevant item's score is raised by less than two
    standard deviations of the noise, so retrieval is neither perfect nor hopeless.
    """
    rng = np.random.default_rng(seed)
    popularity = np.clip(rng.lognormal(3.0, 1.2, n_items), 1, N_PAST_USERS).astype(np.int64)
    features = rng.poisson(0.6, (n_items, 8)).astype(float)
    features[np.arange(n_items), rng.integers(0, 8, n_items)] += 1

    n_relevant = rng.integers(1, 26, n_users)
    n_relevant[:3] = 1, 10, 25
    shuffled = rng.random((n_users, n_items)).argsort(axis=1).argsort(axis=1)
    relevant = shuffled < n_relevant[:, None]

    appeal = rng.normal(size=(n_users, n_items)) + 1.7 * relevant + 0.3 * np.log(popularity)
    ranks = appeal.argsort(axis=1).argsort(axis=1)  # 0 is the worst item of a user
    return MetricInput((ranks + 1) / n_items, relevant, popularity, features)


def past_interactions(popularity):
    """Interactions in which item i was met by exactly ``popularity[i]`` distinct users.

    Arguments: ``popularity``, (n_items,) positive int, sum at least N_PAST_USERS.
    Returns: users and items, both (popularity.sum(),) int64; every one of the
    N_PAST_USERS users occurs.
    """
    items = np.repeat(np.arange(len(popularity)), popularity)
    users = np.arange(len(items)) % N_PAST_USERS  # consecutive, so distinct within an item
    return users, items
