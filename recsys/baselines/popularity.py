"""Popularity: everybody is shown what most rows are about. The floor under every other number."""

import numpy as np

from recsys.baselines.fitting import require_log
from recsys.data import Interactions
from recsys.recommender import histories


class Popularity:
    """Score of an item = its number of rows in the fitted log, the same for every user."""

    def fit(self, interactions: Interactions) -> "Popularity":
        """Count every item's rows."""
        require_log(interactions)
        counts = interactions.item_counts().astype(float)
        self.interactions = interactions
        self.counts = counts
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores; a history changes nothing."""
        histories(self, users, history)
        return np.tile(self.counts, (len(users), 1))
