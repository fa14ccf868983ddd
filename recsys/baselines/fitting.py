"""What several baselines share: the check of a log, and whose fitted row a history replaces."""

import numpy as np

from recsys.data import Interactions
from recsys.recommender import require_taken


def require_log(interactions: Interactions) -> None:
    """Require a log that what was taken can be counted in.

    Raises:
        ValueError: no item in the vocabulary, or a value of 0 or less.
    """
    require_taken(interactions)
    if not interactions.n_items:
        raise ValueError(
            "interactions: expected at least one item in item_ids, got none"
        )


def own_rows(
    fitted: Interactions, users: np.ndarray, history: Interactions | None = None
) -> np.ndarray:
    """Which fitted row belongs to the person asked for, so that nobody is their own neighbour.

    Without a history that is `users[r]`. A history replaces the fitted row of the same person,
    and it is the same person if row r of the history has the id that user `users[r]` was
    fitted under. Everybody else is a stranger, who has no fitted row. `of_users` keeps the ids.
    `from_sequences` numbers its rows 0, 1, ... instead: where a log has such ids itself, name
    a stranger -1 in `users`.

    Args:
        fitted: the log of the model.
        users: (n,) int, user indices.
        history: with one user for each of `users`, or None.

    Returns:
        (n,) int, indices of fitted rows; -1 for a stranger.
    """
    users = np.asarray(users, dtype=np.int64)
    if history is None:
        return users
    own = np.full(len(users), -1)
    history_ids = history.user_ids.tolist()  # in Python 1 and "1" compare as unequal
    for row, user in enumerate(users):
        if not 0 <= user < fitted.n_users:
            continue
        if fitted.user_ids[user] == history_ids[row]:
            own[row] = user
    return own
