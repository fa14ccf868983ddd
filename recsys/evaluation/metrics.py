"""Ranking and rating metrics: arrays in, one number a user out.

The list metrics start from ``hits``, a boolean array of shape (n_users, k): is
the item at this place of the user's list relevant? and ``n_relevant``, how many
relevant items the user has in all. Sources: Jarvelin and Kekalainen (2002) for
nDCG; Herlocker and others (2004) for the rest; the metrics chapter derives each.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

NDCG_VARIANTS = ("capped", "all-relevant", "full-k", "retrieved", "clipped-discount", "clipped-discount-all-relevant")
"""Six meanings of one name; see ``ndcg``."""


def precision(hits: np.ndarray) -> np.ndarray:
    """Share of each list that is relevant: hits / k."""
    return _checked(hits).mean(axis=1)


def recall(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Share of each user's relevant items that the list holds: hits / relevant."""
    return _checked(hits, n_relevant).sum(axis=1) / n_relevant


def hit_rate(hits: np.ndarray) -> np.ndarray:
    """1.0 where the list holds at least one relevant item."""
    return _checked(hits).any(axis=1).astype(float)


def reciprocal_rank(hits: np.ndarray) -> np.ndarray:
    """1 / place of the first relevant item, 0 where the list has none; its mean is MRR."""
    first = _checked(hits).argmax(axis=1)
    return np.where(hits.any(axis=1), 1.0 / (first + 1), 0.0)


def average_precision(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Mean over min(k, relevant) of the precision at each hit; its mean over users is MAP."""
    k = _checked(hits, n_relevant).shape[1]
    at_each = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    return (at_each * hits).sum(axis=1) / np.minimum(n_relevant, k)


def ndcg(hits: np.ndarray, n_relevant: np.ndarray, variant: str = "capped") -> np.ndarray:
    """Discounted gain of each list over an ideal, with discount 1 / log2(place + 1).

    Parameters
    ----------
    hits : (n_users, k) bool array
    n_relevant : (n_users,) int array, at least 1
    variant : str
        What the ideal is, and the discount:

        - ``capped``: the best list of length k that exists, min(k, relevant) hits. The default.
        - ``all-relevant``: all relevant items, even those beyond place k.
        - ``full-k``: k hits, even for users who do not have k relevant items.
        - ``retrieved``: the hits of this very list, sorted to the front; what a
          metric computes that is shown only the k retrieved items.
        - ``clipped-discount``: as capped, with discount 1 / max(1, log2(place)), so
          that places 1 and 2 count the same.
        - ``clipped-discount-all-relevant``: both of these.

    Returns
    -------
    (n_users,) float array

    Source: Jarvelin and Kekalainen (2002), whose own discount is the clipped one;
    Burges and others (2005) for log2(place + 1).
    """
    if variant not in NDCG_VARIANTS:
        raise ValueError(f"Unknown nDCG variant {variant!r}; expected one of {', '.join(NDCG_VARIANTS)}.")
    k = _checked(hits, n_relevant).shape[1]
    ideal_hits = {"all-relevant": n_relevant, "clipped-discount-all-relevant": n_relevant, "full-k": np.full(len(hits), k),
                  "retrieved": hits.sum(axis=1)}.get(variant, np.minimum(n_relevant, k))
    places = np.arange(1, max(k, int(np.max(ideal_hits, initial=1))) + 1)
    discount = 1 / (np.maximum(1, np.log2(places)) if variant.startswith("clipped") else np.log2(places + 1))
    gain = hits @ discount[:k]
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[ideal_hits]
    return np.divide(gain, ideal, out=np.zeros(len(hits)), where=ideal > 0)


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Chance that a positive scores above a negative, ties counting half, over all rows."""
    return float(auc_per_user(np.zeros(len(labels), dtype=int), labels, scores)[0])


def auc_per_user(users: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """AUC within each user, in the order of ``np.unique(users)``; NaN where one class is missing.

    Parameters
    ----------
    users, labels, scores : (n,) arrays
        Labels are 0 or 1.
    """
    labels = np.asarray(labels, dtype=bool)
    if np.isnan(scores).any():
        raise ValueError(f"Row {int(np.isnan(scores).argmax())}: a score is NaN; AUC needs numbers that can be ordered.")
    _, group = np.unique(users, return_inverse=True)
    overall = rankdata(scores, method="dense")
    key = group * (len(scores) + 1) + overall  # orders rows by user, then score
    ranks = rankdata(key) - (np.cumsum(np.bincount(group)) - np.bincount(group))[group]
    positives = np.bincount(group, weights=labels)
    negatives = np.bincount(group) - positives
    wins = np.bincount(group, weights=ranks * labels) - positives * (positives + 1) / 2
    pairs = positives * negatives
    return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def rmse(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Root of the mean squared error over all rows at once (not a mean of batch means)."""
    return float(np.sqrt(np.mean(_errors(truth, predicted) ** 2)))


def mae(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean absolute error over all rows at once."""
    return float(np.mean(np.abs(_errors(truth, predicted))))


def rmse_per_user(users: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """RMSE within each user, in the order of ``np.unique(users)``."""
    return np.sqrt(_mean_by_user(users, _errors(truth, predicted) ** 2))


def mae_per_user(users: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """MAE within each user, in the order of ``np.unique(users)``."""
    return _mean_by_user(users, np.abs(_errors(truth, predicted)))


def coverage(ranked: np.ndarray, n_items: int) -> float:
    """Share of the catalogue that stands in at least one list; places holding -1 are empty."""
    return len(np.unique(ranked[ranked >= 0])) / n_items


def gini(counts: np.ndarray) -> float:
    """How unequally ``counts`` (exposures of every item, zeros included) are spread: 0 equal, near 1 one takes all.

    The mean absolute difference between two items, over twice the mean.
    """
    counts = np.sort(np.asarray(counts, dtype=float))
    if counts.size == 0 or counts[0] < 0 or counts.sum() == 0:
        raise ValueError("Gini needs counts of at least 0 with a positive sum; "
                         f"{counts.size} counts with the sum {counts.sum()} came.")
    n = len(counts)
    return float((2 * np.arange(1, n + 1) - n - 1) @ counts / (n * counts.sum()))


def novelty(ranked: np.ndarray, n_users_of_item: np.ndarray, n_users: int) -> np.ndarray:
    """Mean over each list of -log2(share of users who have the item), an item of nobody counted as of one user.

    Parameters
    ----------
    ranked : (n_lists, k) int array
    n_users_of_item : (n_items,) int array
    n_users : int

    Source: mean inverse user frequency, Zhou and others (2010).
    """
    surprise = -np.log2(np.maximum(n_users_of_item, 1) / n_users)
    return surprise[ranked].mean(axis=1)


def intra_list_diversity(ranked: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Mean of 1 - cosine over all pairs of a list.

    Parameters
    ----------
    ranked : (n_lists, k) int array, k at least 2
    features : (n_items, d) float array
        An all-zero row is at distance 1 from everything.

    Source: Ziegler and others (2005), as distance in place of similarity.
    """
    k = ranked.shape[1]
    if k < 2:
        raise ValueError(f"Diversity is about pairs: lists of at least 2 items are needed, k={k} came.")
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.divide(features, norms, out=np.zeros(features.shape), where=norms > 0)[ranked]  # (n_lists, k, d)
    total = (unit.sum(axis=1) ** 2).sum(axis=1) - (unit ** 2).sum(axis=(1, 2))  # sum over ordered pairs
    return 1 - total / (k * (k - 1))


def _checked(hits: np.ndarray, n_relevant: np.ndarray | None = None) -> np.ndarray:
    if hits.ndim != 2 or hits.dtype != bool:
        raise ValueError(f"hits must be a boolean array (n_users, k); {hits.dtype} of shape {hits.shape} came.")
    if n_relevant is not None:
        if np.shape(n_relevant) != (len(hits),):
            raise ValueError(f"n_relevant must have one number a user, shape ({len(hits)},); "
                             f"shape {np.shape(n_relevant)} came.")
        bad = np.flatnonzero(n_relevant < np.maximum(1, hits.sum(axis=1)))
        if bad.size:
            raise ValueError(f"User {bad[0]} has {int(hits[bad[0]].sum())} hits but n_relevant={n_relevant[bad[0]]}; "
                             "leave out users with nothing relevant, and count every relevant item.")
    return hits


def _errors(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    truth, predicted = np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"Truth and prediction must be two vectors of one length; shapes {truth.shape} and "
                         f"{predicted.shape} came. ((n,) against (n, 1) would broadcast to a square.)")
    return predicted - truth


def _mean_by_user(users: np.ndarray, values: np.ndarray) -> np.ndarray:
    _, group = np.unique(users, return_inverse=True)
    return np.bincount(group, weights=values) / np.bincount(group)
