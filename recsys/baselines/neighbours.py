"""Neighbours: items taken by the same users, and users who took the same items."""

from itertools import pairwise

import numpy as np
from scipy import sparse

from recsys.baselines.fitting import own_rows, require_log
from recsys.data import Interactions
from recsys.recommender import chunks, histories, recency_matrix

CHUNK = 1024
"""Rows of a similarity matrix made at one time, so that memory stays bounded."""


class ItemKNN:
    """Score of an item = sum of its similarities to the items of the history.

    Similarity is the cosine of two items' columns of the users-by-items matrix of
    zeros and ones, shrunk: both / (sqrt(n_i n_j) + shrinkage). Of each item's
    similarities to the others only the `neighbours` largest are kept.

    Args:
        neighbours: of each item, that are kept.
        shrinkage: holds down similarities that rest on few users.
        recency: weight of an event of the history at prediction: `recency ** age`.

    Source: Sarwar and others (2001), Deshpande and Karypis (2004).
    """

    def __init__(
        self, neighbours: int = 100, shrinkage: float = 10.0, recency: float = 1.0
    ) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage
        self.recency = recency

    def fit(self, interactions: Interactions) -> "ItemKNN":
        """Find every item's neighbours: `similarity`, (item of the history, item scored)."""
        require_log(interactions)
        items = interactions.seen().T.tocsr()  # (n_items, n_users)
        places = np.arange(items.shape[0])
        kept = []
        for rows in chunks(len(places), CHUNK):
            similarity = _shrunk_cosine(
                items[rows], items, self.shrinkage, itself=places[rows]
            )
            kept.append(_nearest(similarity, self.neighbours))
        similarity = sparse.vstack(kept).T.tocsr()
        self.interactions = interactions
        self.similarity = similarity
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = recency_matrix(histories(self, users, history), self.recency)
        return (past @ self.similarity).toarray()


class UserKNN:
    """Score of an item = sum of the similarities of the user's nearest users who took it.

    Similarity and shrinkage as in `ItemKNN`, between rows instead of columns. Nobody is
    a neighbour of their own: see `own_rows`.

    Args:
        neighbours: of each user, that count.
        shrinkage: holds down similarities that rest on few items.

    Source: Resnick and others (1994), in the form for implicit feedback.
    """

    def __init__(self, neighbours: int = 100, shrinkage: float = 10.0) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage

    def fit(self, interactions: Interactions) -> "UserKNN":
        """Keep who took what."""
        require_log(interactions)
        matrix = interactions.seen()
        self.interactions = interactions
        self.matrix = matrix
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = histories(self, users, history).seen()
        itself = own_rows(self.interactions, users)
        scores = np.empty(past.shape)
        for rows in chunks(len(users), CHUNK):
            similarity = _shrunk_cosine(
                past[rows], self.matrix, self.shrinkage, itself[rows]
            )
            near = _nearest(similarity, self.neighbours)  # (n_rows, n_fitted_users)
            scores[rows] = (near @ self.matrix).toarray()
        return scores


def _shrunk_cosine(
    left: sparse.csr_matrix,
    right: sparse.csr_matrix,
    shrinkage: float,
    itself: np.ndarray,
) -> sparse.csr_matrix:
    """Similarity of rows of zeros and ones to other such rows.

    Args:
        left: (n_left, n) of zeros and ones.
        right: (n_right, n) of zeros and ones.
        shrinkage: added to the geometric mean of the two rows' sums.
        itself: (n_left,) int, a row of `right` that is left out for each; -1 for none.

    Returns:
        (n_left, n_right); pairs that share nothing are not stored.
    """
    both = (left @ right.T).tocoo()  # how many each pair shares
    row, column = both.coords
    n_left = np.diff(left.indptr).astype(float)
    n_right = np.diff(right.indptr).astype(float)
    product = n_left[row] * n_right[column]
    values = both.data / (np.sqrt(product) + shrinkage)
    other = itself[row] != column
    pairs = row[other], column[other]
    return sparse.csr_matrix((values[other], pairs), shape=both.shape)


def _nearest(similarity: sparse.csr_matrix, neighbours: int) -> sparse.csr_matrix:
    """Keep the largest entries of each row; among equals the smaller column stays."""
    similarity.sort_indices()
    starts = similarity.indptr
    kept = [np.empty(0, dtype=np.int64)]
    for start, end in pairwise(starts):
        values = similarity.data[start:end]
        descending = np.argsort(-values, kind="stable")
        kept.append(start + descending[:neighbours])
    entries = np.concatenate(kept)
    counts = np.minimum(np.diff(starts), neighbours)
    ends = np.cumsum(counts)
    new_starts = np.concatenate([[0], ends])
    values = similarity.data[entries]
    columns = similarity.indices[entries]
    return sparse.csr_matrix((values, columns, new_starts), shape=similarity.shape)
