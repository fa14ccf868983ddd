"""Metrics of lists that ask nobody what was relevant: coverage, spread, novelty, diversity.

The metrics chapter derives each; sources stand with them.
"""

import numpy as np

from recsys.checks import check_finite
from recsys.evaluation.metrics import check_lists


def coverage(ranked: np.ndarray, n_items: int) -> float:
    """Share of the catalogue that stands in at least one list; places holding -1 are empty."""
    ranked = check_lists(ranked, n_items)
    listed = np.unique(ranked[ranked >= 0])
    return len(listed) / n_items


def gini(counts: np.ndarray) -> float:
    """How unequally exposures are spread: 0 equal, near 1 one item takes all.

    The mean absolute difference between two items, over twice the mean.

    Args:
        counts: (n_items,) exposures of every item, zeros included.

    Returns:
        The coefficient.

    Raises:
        ValueError: a count below 0 or not finite, or no exposure at all.
    """
    counts = np.sort(np.asarray(counts, dtype=float))
    total = counts.sum()
    if counts.ndim != 1 or not np.isfinite(total) or total <= 0 or counts[0] < 0:
        raise ValueError(
            f"counts: expected a vector of finite counts from 0 with a positive sum, got shape "
            f"{counts.shape} with sum {total}; count the exposures of every item"
        )
    n = len(counts)
    signs = (
        2 * np.arange(1, n + 1) - n - 1
    )  # how often an item is the larger one, less the smaller
    return float(signs @ counts / (n * total))


def novelty(
    ranked: np.ndarray, n_users_of_item: np.ndarray, n_users: int
) -> np.ndarray:
    """Mean of -log2(share of users who know the item) over each list, in bits.

    An item nobody has counts as one that a single user has.

    Args:
        ranked: (n_lists, k) int; places holding -1 are empty and left out.
        n_users_of_item: (n_items,) int.
        n_users: at least 1.

    Returns:
        (n_lists,) float; NaN for a list without an item.

    Raises:
        ValueError: an item outside the catalogue, or counts that are not one an item.

    Source: mean inverse user frequency, Zhou and others (2010).
    """
    n_users_of_item = np.asarray(n_users_of_item)
    if n_users_of_item.ndim != 1 or n_users < 1:
        raise ValueError(
            f"n_users_of_item and n_users: expected one count an item and at least 1 user, got "
            f"shape {n_users_of_item.shape} and {n_users}; count over the fitted log"
        )
    check_finite("n_users_of_item", n_users_of_item)
    ranked = check_lists(ranked, len(n_users_of_item))
    surprise = -np.log2(np.maximum(n_users_of_item, 1) / n_users)  # (n_items,)
    filled = ranked >= 0
    total = np.where(filled, surprise[ranked], 0).sum(axis=1)
    return _over(total, filled.sum(axis=1))


def intra_list_diversity(ranked: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Mean of 1 - cosine over all pairs of a list.

    Args:
        ranked: (n_lists, k) int, k at least 2; places holding -1 are empty and left out.
        features: (n_items, d) finite floats. An all-zero row is at distance 1 from everything.

    Returns:
        (n_lists,) float; NaN for a list of fewer than two items.

    Raises:
        ValueError: k below 2, an item outside the catalogue, features that are not finite.

    Source: Ziegler and others (2005), as distance in place of similarity.
    """
    features = np.asarray(features)
    if features.ndim != 2:
        raise ValueError(f"features: expected (n_items, d), got shape {features.shape}")
    check_finite("features", features)
    ranked = check_lists(ranked, len(features))
    k = ranked.shape[1]
    if k < 2:
        raise ValueError(
            f"ranked: expected lists of at least 2 items, got k={k}; diversity is about pairs"
        )
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.divide(features, norms, out=np.zeros(features.shape), where=norms > 0)
    filled = ranked >= 0
    vectors = np.where(filled[..., None], unit[ranked], 0)  # (n_lists, k, d)
    length_of_sum = (vectors.sum(axis=1) ** 2).sum(axis=1)
    own_lengths = (vectors**2).sum(axis=(1, 2))
    similarity = length_of_sum - own_lengths  # summed over ordered pairs
    n_filled = filled.sum(axis=1)
    return 1 - _over(similarity, n_filled * (n_filled - 1))


def _over(total: np.ndarray, n: np.ndarray) -> np.ndarray:
    """A mean, NaN of nothing."""
    undefined = np.full(len(total), np.nan)
    return np.divide(total, n, out=undefined, where=n > 0)
