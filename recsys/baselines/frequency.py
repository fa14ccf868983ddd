"""Personal frequency: people buy again what they bought often and lately."""

import numpy as np

from recsys.baselines.fitting import require_log
from recsys.data import Interactions
from recsys.recommender import histories


class PersonalFrequency:
    """Score = how often this user took the item, each time weighing less the longer ago it was.

    `decay ** (time before the user's last event)` summed over the user's rows, plus
    `popularity_weight` times the item's share of the most popular item's rows,
    which orders what the user never took.

    Args:
        decay: what an event still weighs one unit of `interactions.times` later, above 0;
            1 counts every time alike.
        popularity_weight: below the smallest personal weight it only breaks ties and fills lists.

    Raises:
        ValueError: a decay out of range.

    Source: Hu and others (2020), section 3, for personal frequency and its decay.
    """

    def __init__(self, decay: float = 1.0, popularity_weight: float = 1e-3) -> None:
        if not 0 < decay <= 1:
            raise ValueError(f"decay: expected above 0 and at most 1, got {decay}")
        self.decay = decay
        self.popularity_weight = popularity_weight

    def fit(self, interactions: Interactions) -> "PersonalFrequency":
        """Count every item's rows."""
        require_log(interactions)
        counts = interactions.item_counts()
        popularity = counts / max(counts.max(), 1)
        self.interactions = interactions
        self.popularity = popularity
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores; a stranger without history gets popularity."""
        past = histories(self, users, history)
        last = past.newest_times(missing=0)  # (len(users),)
        since = last[past.users] - past.times  # (n_rows,)
        weights = self.decay ** since.astype(float)
        personal = past.matrix(weights).toarray()  # (len(users), n_items)
        return personal + self.popularity_weight * self.popularity
