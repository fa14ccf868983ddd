"""From scores to lists: the k best items of each user, with a stated rule for ties."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys.data import Interactions
from recsys.recommender import Recommender

TIE_RULES = ("item-index", "reverse-item-index", "random")
TIE_RULE = "item-index"
"""Among items of equal score the one with the smaller index, that is the smaller id, comes first."""


def top_k(scores: np.ndarray, k: int, exclude: sparse.csr_matrix | None = None,
          ties: str = TIE_RULE, seed: int = 0) -> np.ndarray:
    """The k best items of each row, best first.

    Parameters
    ----------
    scores : (n_users, n_items) float array
        -inf means never; NaN is refused.
    k : int
    exclude : (n_users, n_items) sparse matrix, optional
        Items that may not be returned: the stored entries of each row.
    ties : str
        One of ``TIE_RULES``; ``seed`` matters for ``"random"`` only.

    Returns
    -------
    (n_users, k) int array
        -1 fills the places for which a user has no item left.

    Raises
    ------
    ValueError
        If a score is NaN (the first such user is named), k is out of range, or the rule is unknown.
    """
    n_users, n_items = np.shape(scores)
    if not 1 <= k <= n_items:
        raise ValueError(f"k must be from 1 to the number of items, {n_items}; k={k} came.")
    if ties not in TIE_RULES:
        raise ValueError(f"Unknown tie rule {ties!r}; expected one of {', '.join(TIE_RULES)}.")
    if exclude is not None:
        scores = np.array(scores)
        rows = np.repeat(np.arange(n_users), np.diff(exclude.indptr))
        _refuse_nan(scores[rows, exclude.indices], rows)
        scores[rows, exclude.indices] = -np.inf
    if ties == "item-index":
        return _best(scores, k)
    order = np.arange(n_items)[::-1] if ties == "reverse-item-index" else np.random.default_rng(seed).permutation(n_items)
    best = _best(scores[:, order], k)
    return np.where(best >= 0, order[best], -1)


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """One partition, then exact order and exact ties where they matter."""
    n_items = scores.shape[1]
    best = np.argpartition(scores, n_items - k, axis=1)[:, n_items - k:]
    values = np.take_along_axis(scores, best, axis=1)
    _refuse_nan(values.max(axis=1), np.arange(len(values)))  # NumPy orders NaN last: one in the row is among these
    # A partition takes any of the items that tie at the edge: take the first ones instead.
    edge = values.min(axis=1, keepdims=True)
    equal, kept = scores == edge, values == edge
    if np.count_nonzero(equal) > np.count_nonzero(kept):  # one count of all costs a tenth of one a row
        for row in np.flatnonzero(np.count_nonzero(equal, axis=1) > np.count_nonzero(kept, axis=1)):
            above = best[row][~kept[row]]
            best[row] = np.concatenate([above, np.flatnonzero(equal[row])[:k - len(above)]])
            values[row] = scores[row, best[row]]
    order = np.lexsort((best, -values), axis=1)
    best = np.take_along_axis(best, order, axis=1)
    best[np.take_along_axis(values, order, axis=1) == -np.inf] = -1
    return best


def _refuse_nan(values: np.ndarray, rows: np.ndarray) -> None:
    wrong = np.flatnonzero(np.isnan(values))
    if wrong.size:
        raise ValueError(f"Row {rows[wrong[0]]} has a NaN score: the model is at fault.")


def recommend(model: Recommender, users: np.ndarray, k: int = 10,
              exclude: Interactions | sparse.csr_matrix | str | None = "seen",
              history: Interactions | None = None, ties: str = TIE_RULE) -> np.ndarray:
    """The k items to show each of ``users``: distinct, best first, ties by ``ties``.

    Parameters
    ----------
    model : Recommender, fitted
    users : (n,) int array of user indices
    exclude : what may not be shown
        ``"seen"``: what is in ``history``, or else in the data the model was fitted
        on (``model.interactions``). Interactions or a users-by-items matrix: those
        instead. ``None``: nothing, which is right where people buy the same again.
    history : Interactions, optional
        Serves these histories in place of the fitted ones, one row a user.

    Returns
    -------
    (n, k) int array of item indices

    Raises
    ------
    ValueError
        If a user has fewer than k items left, or the model holds no data to exclude.
    """
    users = np.asarray(users)
    if isinstance(exclude, str):
        exclude = _seen_by(model, users, history, exclude)
    elif isinstance(exclude, Interactions):
        exclude = exclude.seen()[users]
    best = top_k(model.score(users, history=history), k, exclude, ties)
    short = np.flatnonzero((best < 0).any(axis=1))
    if short.size:
        left = int((best[short[0]] >= 0).sum())
        raise ValueError(f"User {users[short[0]]} has only {left} items left of the k={k} asked for. "
                         "Ask for fewer, or exclude fewer.")
    return best


def _seen_by(model, users, history, exclude) -> sparse.csr_matrix:
    if exclude != "seen":
        raise ValueError(f'exclude must be "seen", interactions, a matrix or None; {exclude!r} came.')
    if history is not None:
        return history.seen()
    if not hasattr(model, "interactions"):
        raise ValueError("The model keeps no `interactions`, so what was seen is unknown: "
                         "pass exclude=<the interactions it was fitted on>, or exclude=None.")
    return model.interactions.of_users(users).seen()


def hits_of(ranked: np.ndarray, relevant: sparse.csr_matrix) -> np.ndarray:
    """Which places of ``ranked`` hold a relevant item, as a boolean array of its shape.

    Parameters
    ----------
    ranked : (n_users, k) int array; -1 is an empty place
    relevant : (n_users, n_items) sparse matrix, entries are the relevant items
    """
    n_items, relevant = relevant.shape[1], relevant.sorted_indices()
    truth = np.repeat(np.arange(len(ranked)), np.diff(relevant.indptr)) * n_items + relevant.indices
    truth = np.append(truth, -1)  # a place past the end for items above every relevant one
    listed = np.arange(len(ranked))[:, None] * n_items + ranked
    found = truth[np.searchsorted(truth[:-1], listed)] == listed
    return found & (ranked >= 0)


def sampled_hits(scores: np.ndarray, target: np.ndarray, n_negatives: int, k: int,
                 exclude: sparse.csr_matrix, seed: int = 0) -> np.ndarray:
    """The sampled protocol, kept to show its effect: one target against ``n_negatives`` random items.

    Negatives are drawn uniformly, with replacement, from items the user has not in
    ``exclude`` and that are not the target. Ties go against the target.

    Parameters
    ----------
    scores : (n_users, n_items) array
    target : (n_users,) int array

    Returns
    -------
    (n_users, k) bool array, as ``hits`` everywhere

    Source: Krichene and Rendle (2020), section 3.
    """
    rng = np.random.default_rng(seed)
    hits = np.zeros((len(scores), k), dtype=bool)
    for row, item in enumerate(target):
        taken = np.append(exclude.indices[exclude.indptr[row]:exclude.indptr[row + 1]], item)
        allowed = np.setdiff1d(np.arange(scores.shape[1]), taken)
        place = int((scores[row, rng.choice(allowed, n_negatives)] >= scores[row, item]).sum())
        if place < k:
            hits[row, place] = True
    return hits
