"""Ranking and rating metrics: arrays in, one number a user out.

The list metrics start from `hits`, a boolean array of shape (n_users, k): is
the item at this place of the user's list relevant? and `n_relevant`, how many
relevant items the user has in all. Sources: Jarvelin and Kekalainen (2002) for
nDCG; Herlocker and others (2004) for the rest; the metrics chapter derives each.
"""

import numpy as np
from scipy.stats import rankdata

NDCG_VARIANTS = (
    "capped",
    "all-relevant",
    "full-k",
    "retrieved",
    "clipped-discount",
    "clipped-discount-all-relevant",
)
"""Six meanings of one name; see `ndcg`."""


def precision(hits: np.ndarray) -> np.ndarray:
    """Share of each list that is relevant: hits / k."""
    _check_hits(hits)
    return hits.mean(axis=1)


def recall(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Share of each user's relevant items that the list holds: hits / relevant."""
    _check_hits(hits, n_relevant)
    return hits.sum(axis=1) / n_relevant


def hit_rate(hits: np.ndarray) -> np.ndarray:
    """1.0 where the list holds at least one relevant item."""
    _check_hits(hits)
    return hits.any(axis=1).astype(float)


def reciprocal_rank(hits: np.ndarray) -> np.ndarray:
    """1 / place of the first relevant item, 0 where the list has none; its mean is MRR."""
    _check_hits(hits)
    first = hits.argmax(axis=1)
    return np.where(hits.any(axis=1), 1.0 / (first + 1), 0.0)


def average_precision(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Mean over min(k, relevant) of the precision at each hit; its mean over users is MAP."""
    _check_hits(hits, n_relevant)
    k = hits.shape[1]
    found = np.cumsum(hits, axis=1)  # (n_users, k)
    precision_at = found / np.arange(1, k + 1)
    total = (precision_at * hits).sum(axis=1)
    return total / np.minimum(n_relevant, k)


def ndcg(
    hits: np.ndarray, n_relevant: np.ndarray, variant: str = "capped"
) -> np.ndarray:
    """Discounted gain of each list over an ideal, with discount 1 / log2(place + 1).

    Args:
        hits: (n_users, k) bool.
        n_relevant: (n_users,) int, at least 1.
        variant: what the ideal is, and the discount:

            - `capped`: the best list of length k that exists, min(k, relevant) hits. The default.
            - `all-relevant`: all relevant items, even those beyond place k.
            - `full-k`: k hits, even for users who do not have k relevant items.
            - `retrieved`: the hits of this very list, sorted to the front; what a
              metric computes that is shown only the k retrieved items.
            - `clipped-discount`: as capped, with discount 1 / max(1, log2(place)), so
              that places 1 and 2 count the same.
            - `clipped-discount-all-relevant`: both of these.

    Returns:
        (n_users,) float.

    Source: Jarvelin and Kekalainen (2002), whose own discount is the clipped one;
    Burges and others (2005) for log2(place + 1).
    """
    _check_hits(hits, n_relevant)
    k = hits.shape[1]
    ideal_hits = _ideal_hits(hits, n_relevant, variant)  # (n_users,)
    n_places = max(k, int(ideal_hits.max(initial=1)))
    places = np.arange(1, n_places + 1)
    if variant.startswith("clipped"):
        discount = 1 / np.maximum(1, np.log2(places))
    else:
        discount = 1 / np.log2(places + 1)
    gain = hits @ discount[:k]  # (n_users,)
    gain_of_hits = np.concatenate([[0.0], np.cumsum(discount)])
    ideal = gain_of_hits[ideal_hits]  # (n_users,)
    return np.divide(gain, ideal, out=np.zeros(len(hits)), where=ideal > 0)


def _ideal_hits(hits: np.ndarray, n_relevant: np.ndarray, variant: str) -> np.ndarray:
    """How many hits the ideal list of a variant of nDCG has: (n_users,) int."""
    n_users, k = hits.shape
    n_relevant = np.asarray(n_relevant).astype(np.int64)  # whole floats too
    if variant in ("capped", "clipped-discount"):
        return np.minimum(n_relevant, k)
    if variant in ("all-relevant", "clipped-discount-all-relevant"):
        return n_relevant
    if variant == "full-k":
        return np.full(n_users, k)
    if variant == "retrieved":
        return hits.sum(axis=1)
    raise ValueError(
        f"variant: expected one of {', '.join(NDCG_VARIANTS)}, got {variant!r}"
    )


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Chance that a positive scores above a negative, ties counting half, over all rows.

    Args:
        labels: (n,) of 0 and 1, or bool; n at least 1.
        scores: (n,) numbers that can be ordered.

    Returns:
        The AUC; NaN where one class is missing.

    Raises:
        ValueError: as `auc_per_user`, or no row at all.
    """
    if not len(labels):
        raise ValueError(
            "labels: expected at least one, got none; drop empty groups before"
        )
    one_group = np.zeros(len(labels), dtype=int)
    return float(auc_per_user(one_group, labels, scores)[0])


def auc_per_user(
    users: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """AUC within each user, in the order of `np.unique(users)`; NaN where one class is missing.

    Args:
        users: (n,) of whatever tells users apart.
        labels: (n,) of 0 and 1, or bool.
        scores: (n,) numbers that can be ordered.

    Returns:
        (n_users,) float.

    Raises:
        ValueError: unequal lengths, a label that is neither 0 nor 1, or a score that is NaN.
    """
    users, scores = np.asarray(users), np.asarray(scores)
    labels = _binary(labels)
    if not users.shape == labels.shape == scores.shape or labels.ndim != 1:
        raise ValueError(
            f"users, labels and scores: expected three vectors of one length, got shapes "
            f"{users.shape}, {labels.shape} and {scores.shape}; flatten them alike"
        )
    _check_numbers("scores", scores)
    _, group = np.unique(users, return_inverse=True)
    sizes = np.bincount(group)  # (n_users,)
    before = np.cumsum(sizes) - sizes  # rows of the users that stand before
    place = rankdata(scores, method="dense")
    by_user_then_score = group * (len(scores) + 1) + place
    ranks = (
        rankdata(by_user_then_score) - before[group]
    )  # within the user, ties at their mean
    positives = np.bincount(group, weights=labels)
    negatives = sizes - positives
    rank_sum = np.bincount(group, weights=ranks * labels)
    wins = rank_sum - positives * (positives + 1) / 2
    pairs = positives * negatives
    undefined = np.full(len(pairs), np.nan)
    return np.divide(wins, pairs, out=undefined, where=pairs > 0)


def _binary(labels: np.ndarray) -> np.ndarray:
    """Labels as booleans, if they are 0 and 1."""
    labels = np.asarray(labels)
    numeric = labels.dtype.kind in "biuf"
    wrong = (
        np.flatnonzero((labels != 0) & (labels != 1))
        if numeric
        else np.arange(labels.size)
    )
    if wrong.size:
        first = labels.ravel()[wrong[0]]
        raise ValueError(
            f"labels: expected 0 and 1 or booleans, got {first!r} in row {wrong[0]}; "
            "compare first, for example labels = ratings >= 4"
        )
    return labels.astype(bool)


def _check_numbers(name: str, values: np.ndarray) -> None:
    """Require numbers that can be ordered; infinite ones can."""
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"{name}: expected numbers, got dtype {values.dtype}; convert them before"
        )
    wrong = np.flatnonzero(np.isnan(values))
    if wrong.size:
        raise ValueError(
            f"{name}: expected numbers that can be ordered, got NaN in row {wrong[0]}; "
            "the model that made them is at fault"
        )


def rmse(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Root of the mean squared error over all rows at once (not a mean of batch means).

    Args:
        truth: (n,) numbers, n at least 1.
        predicted: (n,) numbers.

    Returns:
        The error, in units of the truth.

    Raises:
        ValueError: other shapes, or no row.
    """
    truth = np.asarray(truth, dtype=float)
    predicted = np.asarray(predicted, dtype=float)
    if truth.shape != predicted.shape or truth.ndim != 1 or not truth.size:
        raise ValueError(
            f"truth and predicted: expected two vectors of one length, got shapes {truth.shape} "
            f"and {predicted.shape}; (n,) against (n, 1) would broadcast to a square, and of no "
            "row there is no mean"
        )
    errors = predicted - truth
    return float(np.sqrt(np.mean(errors**2)))


def check_lists(ranked: np.ndarray, n_items: int) -> np.ndarray:
    """Require lists of items of a catalogue.

    Args:
        ranked: (n_lists, k) int; -1 is an empty place.
        n_items: how many items there are.

    Returns:
        `ranked` as an array.

    Raises:
        ValueError: another shape or dtype, an item outside the catalogue, or one twice in a list.
    """
    ranked = np.asarray(ranked)
    if ranked.ndim != 2 or ranked.dtype.kind not in "iu":
        raise ValueError(
            f"ranked: expected whole numbers of shape (n_lists, k), got {ranked.dtype} of shape "
            f"{ranked.shape}; top_k makes such lists"
        )
    outside = (ranked < -1) | (ranked >= n_items)
    if outside.any():
        row, place = np.argwhere(outside)[0]
        raise ValueError(
            f"ranked: expected item indices from 0 to {n_items - 1} and -1 for an empty place, "
            f"got {ranked[row, place]} in row {row}; look ids up with item_index"
        )
    in_order = np.sort(ranked, axis=1)
    twice = (in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] >= 0)
    if twice.any():
        row, place = np.argwhere(twice)[0]
        raise ValueError(
            f"ranked: expected distinct items in a list, got {in_order[row, place]} twice in row "
            f"{row}; keep the first of them"
        )
    return ranked


def _check_hits(hits: np.ndarray, n_relevant: np.ndarray | None = None) -> None:
    """Require hits, and numbers of relevant items that can have given them."""
    dtype, shape = getattr(hits, "dtype", type(hits).__name__), np.shape(hits)
    if dtype != bool or len(shape) != 2 or not shape[1]:
        raise ValueError(
            f"hits: expected a boolean array (n_users, k), got {dtype} of shape {shape}; "
            "hits_of makes one"
        )
    if n_relevant is None:
        return
    if np.shape(n_relevant) != (len(hits),):
        raise ValueError(
            f"n_relevant: expected one number a user, shape ({len(hits)},), got shape "
            f"{np.shape(n_relevant)}; it counts the relevant items in and out of the list"
        )
    n_relevant = np.asarray(n_relevant)
    n_hits = hits.sum(axis=1)
    is_count = np.isfinite(n_relevant) & (n_relevant == np.trunc(n_relevant))
    enough = n_relevant >= np.maximum(1, n_hits)
    wrong = np.flatnonzero(~(is_count & enough))
    if wrong.size:
        user = wrong[0]
        raise ValueError(
            "n_relevant: expected whole numbers, at least 1 and at least the hits, got "
            f"{n_relevant[user]} for user {user} with {int(n_hits[user])} hits; leave out users "
            "with nothing relevant, and count every relevant item"
        )
