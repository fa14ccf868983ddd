"""Personal frequency: people buy again what they bought often and lately."""

from __future__ import annotations

import numpy as np

from recsys.data import Interactions
from recsys.recommender import histories


class PersonalFrequency:
    """Score = how often this user took the item, each time weighing less the longer ago it was.

    ``decay ** (days before the user's last day)`` summed over the user's rows, plus
    ``popularity_weight`` times the item's share of the most popular item's rows,
    which orders what the user never took.

    Parameters
    ----------
    decay : float
        Weight lost per unit of ``interactions.times``; 1 counts every time alike.
    popularity_weight : float
        Below the smallest personal weight it only breaks ties and fills lists.

    Source: Hu and others (2020), section 3, for personal frequency and its decay.
    """

    def __init__(self, decay: float = 1.0, popularity_weight: float = 1e-3) -> None:
        if not 0 < decay <= 1:
            raise ValueError(f"decay must be above 0 and at most 1; {decay} came.")
        self.decay = decay
        self.popularity_weight = popularity_weight

    def fit(self, interactions: Interactions) -> PersonalFrequency:
        self.interactions = interactions
        counts = np.bincount(interactions.items, minlength=interactions.n_items)
        self.popularity = counts / max(counts.max(), 1)
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """(len(users), n_items) scores; a stranger without history gets popularity."""
        past = histories(self, users, history)
        last = np.full(past.n_users, np.iinfo(np.int64).min)
        np.maximum.at(last, past.users, past.times)
        weights = self.decay ** (last[past.users] - past.times).astype(float)
        return past.matrix(weights).toarray() + self.popularity_weight * self.popularity
