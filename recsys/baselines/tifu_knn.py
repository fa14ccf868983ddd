"""TIFU-KNN: what a customer buys often and lately, mixed with what the nearest customers do."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys.batches.visits import visits
from recsys.data import Interactions
from recsys.recommender import histories

CHUNK = 1024
"""Rows of the distance matrix made at one time, so that memory stays bounded."""


class TIFUKNN:
    """Score = alpha * the user's own vector + (1 - alpha) * the mean vector of the nearest users.

    A user's vector holds, for each item, its decayed share of the user's baskets (see
    ``basket_vectors``). Nearest is by Euclidean distance between these vectors; of
    users at one distance the smaller index comes first. A fitted user is not a
    neighbour of their own. A user without history has the zero vector, and so is
    nearest to those who bought little.

    Parameters
    ----------
    neighbours : int
    within_decay, group_decay : float
        Above 0 and at most 1.
    groups : int
    alpha : float
        From 0 (neighbours only) to 1 (own purchases only).

    The defaults are the published settings for Ta-Feng. Ties of scores have the rule of
    the ranking. Source: Hu and others (2020), section 4.
    """

    def __init__(self, neighbours: int = 300, within_decay: float = 0.9, group_decay: float = 0.7, groups: int = 7,
                 alpha: float = 0.7) -> None:
        if neighbours < 1 or groups < 1:
            raise ValueError(f"neighbours and groups must be at least 1; {neighbours} and {groups} came.")
        if not (0 < within_decay <= 1 and 0 < group_decay <= 1):
            raise ValueError(f"Decays must be above 0 and at most 1; within {within_decay}, group {group_decay} came.")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be from 0 to 1; {alpha} came.")
        self.neighbours, self.groups, self.alpha = neighbours, groups, alpha
        self.within_decay, self.group_decay = within_decay, group_decay

    def fit(self, interactions: Interactions) -> TIFUKNN:
        self.interactions = interactions
        self.vectors = self._vectors(interactions)
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """(len(users), n_items) scores."""
        own = self._vectors(histories(self, users, history))
        itself = np.asarray(users) if history is None else None
        scores = np.empty(own.shape)
        for start in range(0, own.shape[0], CHUNK):
            rows = slice(start, start + CHUNK)
            near = nearest_rows(own[rows], self.vectors, self.neighbours, None if itself is None else itself[rows])
            scores[rows] = (self.alpha * own[rows] + (1 - self.alpha) * near @ self.vectors).toarray()
        return scores

    def _vectors(self, interactions: Interactions) -> sparse.csr_matrix:
        return basket_vectors(interactions, self.within_decay, self.group_decay, self.groups)


def basket_vectors(interactions: Interactions, within_decay: float, group_decay: float,
                   groups: int) -> sparse.csr_matrix:
    """Users by items: each basket of zeros and ones, weighed by its age in its history, then averaged.

    The n baskets of a user are cut, in order of time, into m = min(groups, n) runs
    whose lengths differ by at most one, the longer runs being the newer (so that the first
    basket of a longer run may weigh less than the one before it). The basket of
    age a (0 = newest) in run g (0 = oldest) weighs
    within_decay ** a * group_decay ** (m - 1 - g) / length of the run / m.

    The age runs over the whole history and not over the run: so do the authors'
    programs that gave the published numbers; the paper's equation restarts it in each run.

    Source: Hu and others (2020), section 4.1.
    """
    place, age, n_baskets = visits(interactions)
    n = n_baskets[interactions.users]
    runs = np.minimum(groups, n)
    short = n // runs  # baskets in a shorter run
    n_short = runs - n % runs  # runs of that length, which come first
    in_short = place < n_short * short
    run = np.where(in_short, place // short, n_short + (place - n_short * short) // (short + 1))
    length = np.where(in_short, short, short + 1)
    weights = within_decay ** age * group_decay ** (runs - 1 - run) / length / runs
    basket_items = np.unique(np.stack([interactions.users, place, interactions.items]), axis=1, return_index=True)[1]
    distinct = interactions.select(basket_items)  # an item twice in a basket counts once
    return distinct.matrix(weights[basket_items])


def nearest_rows(queries: sparse.csr_matrix, rows: sparse.csr_matrix, k: int,
                 itself: np.ndarray | None = None) -> sparse.csr_matrix:
    """The k rows at the smallest Euclidean distance from each query, 1 / k each; equals by smaller index.

    Parameters
    ----------
    itself : (n_queries,) int array, optional
        A row that is not a neighbour of that query.
    """
    squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    distance = squares - 2 * (queries @ rows.T).toarray()  # but for the query's own square, the same along a row
    if itself is not None:
        distance[np.arange(len(distance)), itself] = np.inf
    k = min(k, rows.shape[0] - (itself is not None))
    near = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return sparse.csr_matrix((np.full(near.size, 1 / max(k, 1)), near.ravel(), np.arange(len(near) + 1) * k),
                             shape=distance.shape)
