"""What counts and trees the shop's networks stand beside, asked for candidates as they are."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from recsys.baselines import EASE, Popularity
from recsys.batches.candidates import Candidates, draw
from recsys.batches.purchase_features import purchase_features
from recsys.batches.questions import every_basket
from recsys.data import Interactions

CHUNK = 1000
"""Customers whose candidates are scored at one time."""


class Count:
    """A recommender that scores all products, asked for candidates.

    Args:
        model: a recommender.
    """

    def __init__(self, model: Any):
        self.model = model

    def fit(self, interactions: Interactions) -> "Count":
        """Count; the rows fitted are the histories too."""
        self.history = interactions
        self.model.fit(interactions)
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """Of all products."""
        return self.model.score(users, history=history)

    def log_odds(self, candidates: Candidates) -> np.ndarray:
        """Scores of the candidates, some customers at a time."""
        users, question = candidates.questions.users, candidates.question
        scores = np.empty(len(candidates))
        for start in range(0, len(users), CHUNK):
            some = users[start : start + CHUNK]
            first, last = np.searchsorted(question, [start, start + len(some)])
            every = self.score(some, history=self.history.of_users(some))
            rows = slice(first, last)
            scores[rows] = every[question[rows] - start, candidates.items[rows]]
        return scores

    predict = log_odds


class LeastPopular(Popularity):
    """Popularity with its sign turned."""

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """Minus the rows of each product."""
        return -super().score(users, history=history)


def of_items(log: Interactions, kept: np.ndarray) -> Interactions:
    """The rows of some products, which are numbered anew: int (n_kept,), ascending."""
    place = np.full(log.n_items, -1)
    place[kept] = np.arange(len(kept))
    rows = place[log.items] >= 0
    return Interactions(
        log.users[rows],
        place[log.items[rows]],
        log.values[rows],
        log.times[rows],
        log.user_ids,
        log.item_ids[kept],
        log.time_unit,
    )


class CommonEASE:
    """EASE on the products with enough rows; every other product scores 0.

    Args:
        n_rows: how many are enough.
        l2, recency: of EASE.
    """

    def __init__(self, n_rows: int, l2: float, recency: float):
        self.n_rows, self.model = n_rows, EASE(l2, recency)

    def fit(self, interactions: Interactions) -> "CommonEASE":
        """Invert the matrix of the common products."""
        self.kept = np.flatnonzero(interactions.item_counts() >= self.n_rows)
        self.model.fit(self._common(interactions))
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """Of all products."""
        scores = np.zeros((len(users), history.n_items))
        scores[:, self.kept] = self.model.score(users, history=self._common(history))
        return scores

    def _common(self, log: Interactions) -> Interactions:
        return of_items(log, self.kept)


class Trees:
    """Gradient-boosted trees on hand-made features, taught as the network is.

    Args:
        groups: int (n_items,), the subclass of each product, from 0.
        prices: (n_items,).
        seed: of the products drawn to learn from.
        settings: of the trees.
    """

    N_NEGATIVES = 10

    def __init__(
        self,
        groups: np.ndarray,
        prices: np.ndarray,
        seed: int,
        settings: Mapping[str, Any],
    ):
        self.groups, self.prices, self.seed = groups, prices, seed
        self.trees = HistGradientBoostingClassifier(
            early_stopping=False, random_state=0, **settings
        )

    def fit(self, interactions: Interactions) -> "Trees":
        """Learn every basket but a customer's first, beside drawn products."""
        self.interactions, self.counts = interactions, interactions.item_counts()
        questions = every_basket(interactions)
        taught = draw(questions, self.counts, self.N_NEGATIVES, self.seed)
        self.trees.fit(self._features(taught), taught.labels)
        return self

    def predict(self, candidates: Candidates) -> np.ndarray:
        """Log odds against draws, some customers at a time."""
        questions, question = candidates.questions, candidates.question
        scores = np.empty(len(candidates))
        for start in range(0, len(questions), CHUNK):
            some = np.arange(start, min(start + CHUNK, len(questions)))
            first, last = np.searchsorted(question, [start, start + len(some)])
            rows = slice(first, last)
            part = Candidates(
                questions.select(some), question[rows] - start, candidates.items[rows]
            )
            scores[rows] = self.trees.decision_function(self._features(part))
        return scores

    def log_odds(self, candidates: Candidates) -> np.ndarray:
        """The same, corrected for the draws."""
        drawn = self.N_NEGATIVES * self.counts / self.counts.sum()
        with np.errstate(divide="ignore"):
            return self.predict(candidates) + np.log(drawn)[candidates.items]

    def _features(self, candidates: Candidates) -> np.ndarray:
        return purchase_features(
            candidates, self.interactions, self.groups, self.prices
        )
