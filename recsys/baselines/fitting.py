"""What several baselines share: the check of a log, and which fitted row is whose."""

import numpy as np

from recsys.data import Interactions
from recsys.recommender import require_taken, user_indices


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


def own_rows(fitted: Interactions, users: np.ndarray) -> np.ndarray:
    """Which fitted row belongs to the person asked for, so that nobody is their own neighbour.

    A history replaces the fitted row of the same person, so that the row is theirs with or
    without one. A stranger has no fitted row.

    Args:
        fitted: the log of the model.
        users: (n,) int, user indices; a stranger is -1, or any other index of nobody.

    Returns:
        (n,) int, indices of fitted rows; -1 for a stranger.
    """
    users = user_indices(users)
    is_fitted = (users >= 0) & (users < fitted.n_users)
    return np.where(is_fitted, users, -1)
