"""The contract: what is asked of a recommender, and what each does with a history: find it, weigh it by age."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy import sparse

from recsys.data import Interactions


class Recommender(Protocol):
    """All that is asked of a recommender: two methods, so that a reader can write one in a cell."""

    def fit(self, interactions: Interactions) -> Recommender:
        """Learn from ``interactions`` and return self."""

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """Scores of every item, shape (len(users), n_items).

        ``history``, where given, replaces what was fitted for those users: row r of
        its users belongs to ``users[r]``.
        """


def histories(model, users: np.ndarray, history: Interactions | None) -> Interactions:
    """The histories to score: ``history`` where given, else those ``model`` was fitted on.

    Row r of the result belongs to ``users[r]``, which must be distinct. Raises ``ValueError`` if
    the model is not fitted, or ``history`` has another number of items or users.
    """
    if not hasattr(model, "interactions"):
        raise ValueError(f"{type(model).__name__} is not fitted: call fit(interactions) first.")
    if history is None:
        return model.interactions.of_users(users)
    if history.n_users != len(users):
        raise ValueError(f"history must hold one user for each of the {len(users)} rows asked for; "
                         f"it holds {history.n_users}. Build it with Interactions.from_sequences or of_users.")
    if history.n_items != model.interactions.n_items:
        raise ValueError(f"history must be over the {model.interactions.n_items} items the model was fitted on; "
                         f"it is over {history.n_items}.")
    return history


def recency_matrix(interactions: Interactions, recency: float = 1.0) -> sparse.csr_matrix:
    """Users by items, each event weighing ``recency ** age``; age 0 is the user's newest event.

    ``recency`` = 1 counts every event alike. Age is a position, not a time: events
    of one time stamp take the order of the file.
    """
    if not 0 < recency <= 1:
        raise ValueError(f"recency must be above 0 and at most 1; {recency} came.")
    return interactions.matrix(None if recency == 1 else recency ** interactions.ages())
