"""The contract: what is asked of a recommender, and what each does with a history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from scipy import sparse

from recsys.data import Interactions


class Recommender(Protocol):
    """All that is asked of a recommender: two methods, so that a reader can write one in a cell."""

    def fit(self, interactions: Interactions) -> Recommender:
        """Learn from `interactions` and return self."""

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """Score every item: (len(users), n_items).

        `history`, where given, replaces what was fitted: row r of its users belongs to the person
        `users[r]`, whatever ids it holds. A stranger, who was not fitted, is -1 in `users`.
        """


def check_log(name: str, interactions) -> None:
    """Require `Interactions`, where a table of another kind is what people have at hand.

    Args:
        name: of the argument, such as "interactions".
        interactions: what came.

    Raises:
        ValueError: it is something else, such as a DataFrame.
    """
    if not isinstance(interactions, Interactions):
        raise ValueError(
            f"{name}: expected Interactions, got {type(interactions).__name__}; "
            "build them with Interactions.from_ids(users, items, values, times)"
        )


def require_taken(interactions: Interactions) -> None:
    """Require that each row is something taken, where rows are counted and values are not read.

    Raises:
        ValueError: not `Interactions`, or rows with a value of 0 or less, such as a headline that
            was skipped.
    """
    check_log("interactions", interactions)
    n_left = int((interactions.values <= 0).sum())
    if n_left:
        raise ValueError(
            f"interactions: expected values above 0, got {n_left:,} of {len(interactions):,} at 0 or below; "
            "keep the others with interactions.taken()"
        )


def user_indices(users) -> np.ndarray:
    """The users that a caller asks for, as indices.

    Args:
        users: (n,) whole numbers; a user may stand there more than once, and -1 is a stranger.

    Returns:
        (n,) int64 array.

    Raises:
        ValueError: ids as text, a mask, fractions, or anything else that is no list of indices.
    """
    array = np.asarray(users)
    is_list = array.ndim == 1
    is_whole = is_list and (array.dtype.kind in "iu" or _whole_floats(array))
    if not is_whole:
        found = (
            f"{array.dtype} of shape {array.shape}"
            if array.size != 1
            else repr(array.ravel().tolist()[0])
        )
        raise ValueError(
            f"users: expected a list of indices (whole numbers from 0), got {found}; "
            "take them from interactions.user_index(ids)"
        )
    return array.astype(np.int64)


def _whole_floats(array: np.ndarray) -> bool:
    """Whether floats are whole numbers; an empty list is an array of floats to NumPy."""
    return array.dtype.kind == "f" and bool(
        np.isfinite(array).all() and (array == np.trunc(array)).all()
    )


def chunks(n: int, size: int) -> Iterator[slice]:
    """Cut `n` rows into slices of `size`, at least 1; the last may be shorter."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def histories(model, users: np.ndarray, history: Interactions | None) -> Interactions:
    """The histories to score: `history` where given, else those `model` was fitted on.

    Args:
        model: a recommender with the log it was fitted on in `interactions`.
        users: (n,) indices; a user may stand there more than once. With a history, -1 is a
            stranger.
        history: one user a row of `users`, over the items of the fitted log.

    Returns:
        A table of n users; row r of its users belongs to `users[r]`.

    Raises:
        ValueError: the model is not fitted, `users` are no indices, or `history` has other users
            or items.
        DataError: one of `users` is not in the fitted log, where no history is given.
    """
    if not hasattr(model, "interactions"):
        raise ValueError(
            f"{type(model).__name__} is not fitted: call fit(interactions) first."
        )
    users = user_indices(users)
    if history is None:
        return model.interactions.of_users(users)
    check_log("history", history)
    if history.n_users != len(users):
        raise ValueError(
            f"history: expected one user for each of the {len(users)} rows asked for, got "
            f"{history.n_users}; build it with Interactions.from_sequences or of_users"
        )
    _check_items(history.item_ids, model.interactions.item_ids)
    return history


def _check_items(given: np.ndarray, fitted: np.ndarray) -> None:
    """Require the fitted items: another would be read as the one with its index."""
    if len(given) != len(fitted):
        raise ValueError(
            f"history: expected the {len(fitted)} items the model was fitted on, got {len(given)}; "
            "make it with the item_ids of the fitted log"
        )
    other = np.asarray(given != fitted)  # of unlike kinds: one True for each
    if other.any():
        place = int(other.argmax())
        raise ValueError(
            f"history: expected the item ids that the model was fitted on, got {given[place].item()!r} for "
            f"{fitted[place].item()!r} as item {place}; make it with the item_ids of the fitted log"
        )


def recency_matrix(
    interactions: Interactions, recency: float = 1.0
) -> sparse.csr_matrix:
    """Users by items, each event weighing `recency ** age`; age 0 is the user's newest event.

    `recency` = 1 counts every event alike. Age is a position, not a time: events
    of one time stamp take the order of the file.
    """
    if not 0 < recency <= 1:
        raise ValueError(
            f"recency: expected above 0 and at most 1, got {recency}; 1 forgets nothing"
        )
    weights = None if recency == 1 else recency ** interactions.ages()
    return interactions.matrix(weights)
