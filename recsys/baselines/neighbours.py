"""Neighbours: items taken by the same users, and users who took the same items."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys.data import Interactions
from recsys.recommender import histories, recency_matrix

CHUNK = 1024
"""Rows of a similarity matrix made at one time, so that memory stays bounded."""


class ItemKNN:
    """Score of an item = sum of its similarities to the items of the history.

    Similarity is the cosine of two items' columns of the users-by-items matrix of
    zeros and ones, shrunk: both / (sqrt(n_i n_j) + shrinkage). Of each item's
    similarities to the others only the ``neighbours`` largest are kept.

    Parameters
    ----------
    neighbours : int
    shrinkage : float
        Holds down similarities that rest on few users.
    recency : float
        Weight of an event of the history at prediction: ``recency ** age``.

    Source: Sarwar and others (2001), Deshpande and Karypis (2004).
    """

    def __init__(self, neighbours: int = 100, shrinkage: float = 10.0, recency: float = 1.0) -> None:
        self.neighbours, self.shrinkage, self.recency = neighbours, shrinkage, recency

    def fit(self, interactions: Interactions) -> ItemKNN:
        self.interactions = interactions
        items = interactions.seen().T.tocsr()
        self.similarity = sparse.vstack([
            _nearest(_shrunk_cosine(items, items, rows, self.shrinkage, itself=rows), self.neighbours)
            for rows in _chunks(items.shape[0])]).T.tocsr()  # (item of the history, item scored)
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = recency_matrix(histories(self, users, history), self.recency)
        return (past @ self.similarity).toarray()


class UserKNN:
    """Score of an item = sum of the similarities of the user's nearest users who took it.

    Similarity and shrinkage as in ``ItemKNN``, between rows instead of columns. A
    fitted user is not a neighbour of their own.

    Source: Resnick and others (1994), in the form for implicit feedback.
    """

    def __init__(self, neighbours: int = 100, shrinkage: float = 10.0) -> None:
        self.neighbours, self.shrinkage = neighbours, shrinkage

    def fit(self, interactions: Interactions) -> UserKNN:
        self.interactions = interactions
        self.matrix = interactions.seen()
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = histories(self, users, history).seen()
        scores = np.empty((len(users), self.interactions.n_items))
        for rows in _chunks(len(users)):
            itself = None if history is not None else np.asarray(users)[rows]
            similarity = _shrunk_cosine(past, self.matrix, rows, self.shrinkage, itself)
            scores[rows] = (_nearest(similarity, self.neighbours) @ self.matrix).toarray()
        return scores


def _chunks(n: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]


def _shrunk_cosine(left: sparse.csr_matrix, right: sparse.csr_matrix, rows: np.ndarray, shrinkage: float,
                   itself: np.ndarray | None) -> sparse.csr_matrix:
    """Similarity of ``left[rows]`` to the rows of ``right``, without those that ``itself`` names; all zeros and ones."""
    both = (left[rows] @ right.T).tocoo()
    n_left = np.diff(left.indptr)[rows].astype(float)
    n_right = np.diff(right.indptr).astype(float)
    values = both.data / (np.sqrt(n_left[both.row] * n_right[both.col]) + shrinkage)
    keep = slice(None) if itself is None else itself[both.row] != both.col
    return sparse.csr_matrix((values[keep], (both.row[keep], both.col[keep])), shape=both.shape)


def _nearest(similarity: sparse.csr_matrix, neighbours: int) -> sparse.csr_matrix:
    """Keep the largest entries of each row; among equals the smaller column stays."""
    similarity.sort_indices()
    starts = similarity.indptr
    kept = [start + np.argsort(-similarity.data[start:end], kind="stable")[:neighbours]
            for start, end in zip(starts[:-1], starts[1:], strict=True)]
    counts = np.minimum(np.diff(starts), neighbours)
    entries = np.concatenate(kept) if kept else np.empty(0, dtype=int)
    return sparse.csr_matrix((similarity.data[entries], similarity.indices[entries],
                              np.concatenate([[0], np.cumsum(counts)])), shape=similarity.shape)
