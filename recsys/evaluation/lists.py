"""From a model to lists: scores of a chunk of users at a time, less what each may not be shown."""

import numpy as np
from scipy import sparse

from recsys.checks import check_indices
from recsys.data import Interactions
from recsys.evaluation.ranking import TIE_RULE, check_k, nonzero_entries, top_k
from recsys.recommender import Recommender, check_log, chunks, user_indices

CHUNK_BYTES = 64 * 2**20
"""Scores held at one time; the number of users in a chunk follows from it."""


def checked_scores(
    model: Recommender,
    users: np.ndarray,
    n_items: int,
    history: Interactions | None = None,
) -> np.ndarray:
    """Scores of a model, if it returns one for each user and item.

    Args:
        model: fitted.
        users: (n,) int, user indices.
        n_items: that the scores must cover.
        history: handed on where given.

    Returns:
        (n, n_items) float.

    Raises:
        ValueError: the model returned another shape.
    """
    if history is None:
        scores = np.asarray(model.score(users))
    else:
        scores = np.asarray(model.score(users, history=history))
    expected = (len(users), n_items)
    if scores.shape != expected:
        raise ValueError(
            f"score(): expected one row a user and one column an item, {expected}, got "
            f"{scores.shape} from {type(model).__name__}; mend the model"
        )
    return scores


def ranked_lists(
    model: Recommender,
    users: np.ndarray,
    n_items: int,
    k: int,
    hidden: sparse.csr_matrix | None = None,
    history: Interactions | None = None,
    ties: str = TIE_RULE,
) -> np.ndarray:
    """The k best items of each of `users`, for some users at a time.

    The scores of a chunk take `CHUNK_BYTES` at most, or are one user's.

    Args:
        model: fitted.
        users: (n,) int, user indices.
        n_items: that the scores cover.
        k: from 1 to n_items.
        hidden: (n, n_items) sparse matrix, the items that each of `users` is not shown.
        history: with one row for each of `users`.
        ties: one of `TIE_RULES`.

    Returns:
        (n, k) int; -1 fills the places for which a user has no item left.

    Raises:
        ValueError: the model returned another shape, or a score that is no number.
    """
    size = max(1, CHUNK_BYTES // (8 * max(n_items, 1)))
    ranked = np.empty((len(users), k), dtype=np.int64)
    for rows in chunks(len(users), size):
        places = np.arange(rows.start, rows.stop)
        past = None if history is None else history.of_users(places)
        scores = checked_scores(model, users[rows], n_items, past)
        exclude = None if hidden is None else hidden[rows]
        ranked[rows] = top_k(scores, k, exclude, ties)
    return ranked


def recommend(
    model: Recommender,
    users: np.ndarray,
    k: int = 10,
    exclude: Interactions | sparse.csr_matrix | str | None = "seen",
    history: Interactions | None = None,
    ties: str = TIE_RULE,
) -> np.ndarray:
    """The k items to show each of `users`: distinct, best first, ties by `ties`.

    Whatever `exclude` is, a log or a matrix, its rows are those of the log that the user
    indices belong to: without `history` the users of the fitted log, of whom row
    `users[r]` is looked up; with `history`, which has one row for each of `users`, row r.

    Args:
        model: fitted.
        users: (n,) int, user indices in the fitted log; with `history`, a stranger is -1.
        k: from 1 to the number of items.
        exclude: what may not be shown. "seen": what is in `history`, or else in the data
            the model was fitted on (`model.interactions`). A log, or a sparse matrix of users
            by items with entries that are not 0: what is in those instead. None: nothing, which
            is right where people buy the same again.
        history: serves these histories in place of the fitted ones, one row for each of `users`.
        ties: one of `TIE_RULES`.

    Returns:
        (n, k) int, item indices. Scores are made for `CHUNK_BYTES` at a time.

    Raises:
        ValueError: a user has fewer than k items left, the model holds no data to exclude, users
            that are not indices, or an `exclude` or a `history` with other users or items.
    """
    users = user_indices(users)
    if history is not None:
        check_log("history", history)
    if history is not None and history.n_users != len(users):
        raise ValueError(
            f"history: expected one user for each of the {len(users)} rows asked for, got "
            f"{history.n_users}; build it with Interactions.from_sequences or of_users"
        )
    hidden = _hidden(model, users, exclude, history)
    n_items = _n_items(model, users, hidden, history)
    check_k(k, n_items)
    best = ranked_lists(model, users, n_items, k, hidden, history, ties)
    _refuse_short(best, users)
    return best


def _n_items(model, users, hidden, history) -> int:
    """How many items a model scores; one that keeps no log is asked about one user."""
    if hasattr(model, "interactions"):
        return model.interactions.n_items
    if history is not None:
        return history.n_items
    if hidden is not None:
        return hidden.shape[1]
    return np.shape(model.score(users[:1]))[-1]


def _hidden(model, users, exclude, history) -> sparse.csr_matrix | None:
    """What each of `users` may not be shown, one row for each."""
    if exclude is None:
        return None
    fitted = getattr(model, "interactions", None)
    if isinstance(exclude, str):
        exclude = _seen_by(fitted, history, exclude)
    if isinstance(exclude, Interactions):
        _refuse_other_vocabulary(exclude, fitted, of_users=history is None)
        exclude = exclude.seen()
    n_users, n_items = np.shape(exclude)
    if fitted is not None:
        n_users, n_items = fitted.n_users, fitted.n_items
    if history is not None:
        return nonzero_entries("exclude", exclude, (len(users), n_items))
    matrix = nonzero_entries("exclude", exclude, (n_users, n_items))
    check_indices("users", users, n_users, "serve a stranger with history=")
    return matrix[users]


def _seen_by(
    fitted: Interactions | None, history: Interactions | None, exclude: str
) -> Interactions:
    """The log that "seen" stands for."""
    if exclude != "seen":
        raise ValueError(
            f'exclude: expected "seen", interactions, a sparse matrix or None, got {exclude!r}'
        )
    if history is not None:
        return history
    if fitted is None:
        raise ValueError(
            "exclude: expected a model that keeps its `interactions`, got one that does not, so "
            "what was seen is unknown; pass exclude=<the interactions it was fitted on>, or "
            "exclude=None"
        )
    return fitted


def _refuse_other_vocabulary(
    log: Interactions, fitted: Interactions | None, of_users: bool
) -> None:
    """Require that indices mean in `log` what they mean in the fitted one."""
    if fitted is None or log is fitted:
        return
    if not np.array_equal(log.item_ids, fitted.item_ids):
        raise ValueError(
            f"exclude: expected the {fitted.n_items} items the model was fitted on, got other item "
            f"ids, {log.n_items} of them; number both logs along one vocabulary"
        )
    if of_users and not np.array_equal(log.user_ids, fitted.user_ids):
        raise ValueError(
            f"exclude: expected the {fitted.n_users} users the model was fitted on, got other user "
            f"ids, {log.n_users} of them; hand in the log with all users, or history="
        )


def _refuse_short(best: np.ndarray, users: np.ndarray) -> None:
    """Require that nobody's list has an empty place."""
    short = np.flatnonzero((best < 0).any(axis=1))
    if short.size:
        first = short[0]
        n_left = np.count_nonzero(best[first] >= 0)
        raise ValueError(
            f"k: expected at most the items left, got k={best.shape[1]} for user {users[first]} "
            f"who has only {n_left} left; ask for fewer, or exclude fewer"
        )
