"""From scores to lists, arrays in, arrays out: the k best items, a stated rule for ties, hits.

From a model to lists: `recsys.evaluation.lists`.
"""

import numpy as np
from scipy import sparse

from recsys.evaluation.metrics import check_lists

TIE_RULES = ("item-index", "reverse-item-index", "random")
TIE_RULE = "item-index"
"""Among items of equal score the one with the smaller index, so the smaller id, comes first."""


def top_k(
    scores: np.ndarray,
    k: int,
    exclude: sparse.csr_matrix | None = None,
    ties: str = TIE_RULE,
    seed: int = 0,
) -> np.ndarray:
    """The k best items of each row, best first.

    Args:
        scores: (n_users, n_items) numbers or booleans; -inf means never, NaN is refused.
        k: from 1 to n_items.
        exclude: (n_users, n_items) sparse matrix: items that may not be returned are the
            entries of each row that are not 0.
        ties: one of `TIE_RULES`.
        seed: of the one permutation that `ties="random"` draws for all rows.

    Returns:
        (n_users, k) int; -1 fills the places for which a user has no item left.

    Raises:
        ValueError: a score that is no number or NaN (the first such row is named), a k out of
            range, an `exclude` of another shape than the scores, or an unknown rule.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.dtype.kind not in "biuf":
        raise ValueError(
            f"scores: expected numbers of shape (n_users, n_items), got {scores.dtype} of shape "
            f"{scores.shape}; convert them before"
        )
    n_items = scores.shape[1]
    check_k(k, n_items)
    if exclude is not None:
        scores = _without(scores, nonzero_entries("exclude", exclude, scores.shape))
    if ties == "item-index":
        return _best(scores, k)
    order = _tie_order(ties, n_items, seed)
    best = _best(scores[:, order], k)
    return np.where(best >= 0, order[best], -1)


def check_k(k: int, n_items: int) -> None:
    """Require a list that the catalogue can fill.

    Raises:
        ValueError: k is below 1 or above n_items.
    """
    if not 1 <= k <= n_items:
        raise ValueError(
            f"k: expected 1 to {n_items}, the number of items, got k={k}; ask for a shorter list"
        )


def nonzero_entries(name: str, matrix, shape: tuple[int, int]) -> sparse.csr_matrix:
    """A users-by-items matrix, row by row, without its stored zeros.

    Args:
        name: of the argument, for the error.
        matrix: sparse, of any format; it is left as it is.
        shape: that it must have.

    Returns:
        In CSR format; its stored entries are the items meant.

    Raises:
        ValueError: another shape, which would be read as somebody else's rows.
    """
    rows = sparse.csr_matrix(matrix)
    if rows.shape != tuple(shape):
        raise ValueError(
            f"{name}: expected one row a user and one column an item, {tuple(shape)}, got "
            f"{rows.shape}; build it with interactions.of_users(users).seen()"
        )
    if rows.nnz and not rows.data.all():
        rows = rows.copy()
        rows.eliminate_zeros()
    return rows


def _without(scores: np.ndarray, exclude: sparse.csr_matrix) -> np.ndarray:
    """A copy of the scores, -inf at the entries of `exclude`."""
    rows, items = _rows_of(exclude), exclude.indices
    _refuse_nan(scores[rows, items], rows)
    kept = np.array(
        scores, dtype=np.result_type(scores, np.float16)
    )  # whole numbers have no -inf
    kept[rows, items] = -np.inf
    return kept


def _rows_of(matrix: sparse.csr_matrix) -> np.ndarray:
    """The row of each stored entry."""
    entries_of_row = np.diff(matrix.indptr)
    return np.repeat(np.arange(matrix.shape[0]), entries_of_row)


def _tie_order(ties: str, n_items: int, seed: int) -> np.ndarray:
    """The items in the order in which equals are to stand."""
    if ties == "reverse-item-index":
        return np.arange(n_items)[::-1]
    if ties == "random":
        return np.random.default_rng(seed).permutation(n_items)
    raise ValueError(f"ties: expected one of {', '.join(TIE_RULES)}, got {ties!r}")


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """One partition, then exact order and exact ties where they matter."""
    n_items = scores.shape[1]
    best = np.argpartition(scores, n_items - k, axis=1)[
        :, n_items - k :
    ]  # (n_users, k)
    values = np.take_along_axis(scores, best, axis=1)
    largest = values.max(axis=1)  # NumPy orders NaN last: one in the row is among these
    _refuse_nan(largest, np.arange(len(values)))
    _first_at_the_edge(scores, best, values)
    order = np.lexsort((best, _reversed(values)), axis=1)
    best = np.take_along_axis(best, order, axis=1)
    values = np.take_along_axis(values, order, axis=1)
    best[values == -np.inf] = -1
    return best


def _reversed(values: np.ndarray) -> np.ndarray:
    """Numbers in the reverse order: -x, and of whole numbers -x - 1, which never wraps."""
    return -values if values.dtype.kind == "f" else ~values


def _first_at_the_edge(
    scores: np.ndarray, best: np.ndarray, values: np.ndarray
) -> None:
    """Of items that tie with the last one taken, take the first; changes best and values.

    A partition takes any of them.
    """
    k = best.shape[1]
    edge = values.min(axis=1, keepdims=True)  # (n_users, 1)
    equal, kept = scores == edge, values == edge
    if np.count_nonzero(equal) == np.count_nonzero(
        kept
    ):  # a tenth of the cost of a count a row
        return
    n_equal = np.count_nonzero(equal, axis=1)
    n_kept = np.count_nonzero(kept, axis=1)
    for row in np.flatnonzero(n_equal > n_kept):
        above = best[row][~kept[row]]
        first = np.flatnonzero(equal[row])[: k - len(above)]
        best[row] = np.concatenate([above, first])
        values[row] = scores[row, best[row]]


def _refuse_nan(values: np.ndarray, rows: np.ndarray) -> None:
    wrong = np.flatnonzero(np.isnan(values))
    if wrong.size:
        raise ValueError(
            f"scores: expected numbers that can be ordered, got NaN in row {rows[wrong[0]]}; "
            "the model that made them is at fault"
        )


def hits_of(ranked: np.ndarray, relevant: sparse.csr_matrix) -> np.ndarray:
    """Which places of `ranked` hold a relevant item.

    Args:
        ranked: (n_users, k) int, distinct items in a row; -1 is an empty place.
        relevant: (n_users, n_items) sparse matrix; entries that are not 0 are the relevant items.

    Returns:
        (n_users, k) bool.

    Raises:
        ValueError: an item twice in a list or outside the catalogue, or another number of rows.
    """
    n_users, n_items = len(ranked), relevant.shape[1]
    ranked = check_lists(ranked, n_items)
    relevant = nonzero_entries(
        "relevant", relevant, (n_users, n_items)
    ).sorted_indices()
    truth = (
        _rows_of(relevant) * n_items + relevant.indices
    )  # one number a pair, ascending
    past_the_end = np.append(truth, -1)  # a place for items above every relevant one
    listed = np.arange(n_users)[:, None] * n_items + ranked  # (n_users, k)
    found = past_the_end[np.searchsorted(truth, listed)] == listed
    return found & (ranked >= 0)


def sampled_hits(
    scores: np.ndarray,
    target: np.ndarray,
    n_negatives: int,
    k: int,
    exclude: sparse.csr_matrix,
    seed: int = 0,
) -> np.ndarray:
    """The sampled protocol, kept to show its effect: one target against random items.

    Negatives are drawn uniformly, with replacement, from items the user has not in
    `exclude` and that are not the target. Ties go against the target.

    Args:
        scores: (n_users, n_items) floats.
        target: (n_users,) int, item indices.
        n_negatives: how many are drawn for each user, at least 1.
        k: places of the list, at least 1.
        exclude: (n_users, n_items) sparse matrix; entries that are not 0 are never drawn.
        seed: of the draws.

    Returns:
        (n_users, k) bool, as `hits` everywhere.

    Raises:
        ValueError: a score that is NaN, a target outside the catalogue, other shapes, or a user
            with nothing left to draw.

    Source: Krichene and Rendle (2020), section 3.
    """
    scores = np.asarray(scores)
    target = _checked_target(target, scores, n_negatives, k)
    exclude = nonzero_entries("exclude", exclude, scores.shape)
    everything = np.arange(scores.shape[1])
    rng = np.random.default_rng(seed)
    hits = np.zeros((len(scores), k), dtype=bool)
    for row, item in enumerate(target):
        seen = exclude.indices[exclude.indptr[row] : exclude.indptr[row + 1]]
        allowed = np.setdiff1d(everything, np.append(seen, item))
        if not allowed.size:
            raise ValueError(
                f"exclude: expected items left to draw from, got all of them in row {row}; leave "
                "that user out"
            )
        drawn = rng.choice(allowed, n_negatives)
        place = np.count_nonzero(scores[row, drawn] >= scores[row, item])
        if place < k:
            hits[row, place] = True
    return hits


def _checked_target(
    target: np.ndarray, scores: np.ndarray, n_negatives: int, k: int
) -> np.ndarray:
    """One item of the catalogue for each row of scores that can be ordered."""
    if scores.ndim != 2 or n_negatives < 1 or k < 1:
        raise ValueError(
            f"scores, n_negatives and k: expected (n_users, n_items) and two numbers of at least "
            f"1, got shape {scores.shape}, {n_negatives} and {k}"
        )
    n_users, n_items = scores.shape
    target = np.asarray(target)
    if target.shape != (n_users,) or target.dtype.kind not in "iu":
        raise ValueError(
            f"target: expected one item index for each of {n_users} rows, got {target.dtype} of "
            f"shape {target.shape}"
        )
    check_lists(target[:, None], n_items)
    if (target < 0).any():
        raise ValueError(
            f"target: expected an item in every row, got -1 in row {target.argmin()}"
        )
    _refuse_nan(
        scores.max(axis=1, initial=-np.inf), np.arange(n_users)
    )  # NaN wins a maximum
    return target
