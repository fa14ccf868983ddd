"""The seeded inputs and shared arithmetic of the speed table, for both sides of a row.

NumPy only, so that each peer's own environment can import it.
"""

from typing import NamedTuple

import numpy as np

K = 10
FACTORS, ALPHA, L2, ITERATIONS = 64, 10.0, 30.0, 10  # of implicit ALS
NEIGHBOURS = 100  # of item-kNN


class Lists(NamedTuple):
    """Ranked lists in the three forms that libraries start from.

    Every relevant item stands somewhere in its user's list, so that libraries which see
    only the list and libraries which see all relevant items compute one and the same value.
    """

    ranked: np.ndarray  # (n_users, length) int64, distinct item ids, best first
    relevant: np.ndarray  # (n_users, length) bool: is the item at this place relevant?
    scores: np.ndarray  # (n_users, length) float64, distinct in a row, columns in no order
    relevant_of_scores: np.ndarray  # (n_users, length) bool, columns as in ``scores``


def lists(n_users: int = 10_000, length: int = 100, n_items: int = 5_000, seed: int = 2026) -> Lists:
    """Draw lists at random; each user has 1 to 20 relevant items."""
    rng = np.random.default_rng(seed)
    ranked = rng.random((n_users, n_items), dtype=np.float32).argsort(axis=1)[:, :length]
    places = rng.random((n_users, length)).argsort(axis=1)  # a random order of each row
    relevant = places < rng.integers(1, 21, n_users)[:, None]
    shuffle = rng.random((n_users, length)).argsort(axis=1)
    scores = (length - shuffle).astype(float)  # the item at place 0 of the list scores highest
    return Lists(ranked, relevant, scores, np.take_along_axis(relevant, shuffle, axis=1))


def als_loss(seen: np.ndarray, item_factors: np.ndarray) -> float:
    """What implicit ALS minimises, at the best user factors for ``item_factors``.

    Args:
        seen: (n_users, n_items) zeros and ones.
        item_factors: (n_items, FACTORS) float.

    Source: Hu, Koren and Volinsky (2008), equation 3, with confidence 1 + ALPHA on seen
    pairs and 1 on all others.
    """
    items = item_factors.astype(float)
    everything = items.T @ items + L2 * np.eye(items.shape[1])
    loss = L2 * (items**2).sum()
    for row in seen.astype(float):
        mine = items[row > 0]
        user = np.linalg.solve(everything + ALPHA * mine.T @ mine, (1 + ALPHA) * mine.sum(axis=0))
        loss += ((1 + ALPHA * row) * (row - items @ user) ** 2).sum() + L2 * (user**2).sum()
    return float(loss)
