"""UP-CF: a customer's recent purchases, and those of everybody who bought alike."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys.batches.visits import visits
from recsys.data import Interactions
from recsys.recommender import histories


class UPCF:
    """Score of an item = sum over users v of similarity(u, v) ** locality * v's recent share of baskets with it.

    Similarity is the asymmetric cosine of the sets of items ever bought,
    both / (n_u ** asymmetry * n_v ** (1 - asymmetry)); it is 1 of a user with
    themselves, so that the own share comes first. The share is over the last
    ``recency`` baskets. A stranger is compared with all fitted users and themselves;
    one without history scores 0 everywhere.

    Parameters
    ----------
    recency : int
        Baskets of each user that count, at least 1.
    asymmetry : float
        From 0 to 1.
    locality : float
        Large for near users only.

    Ties of scores have the rule of the ranking. Source: Faggioli and others (2020), sections 3 and 4.
    """

    def __init__(self, recency: int = 10, asymmetry: float = 0.75, locality: float = 10.0) -> None:
        if recency < 1 or not 0 <= asymmetry <= 1 or not locality > 0:
            raise ValueError("recency must be at least 1, asymmetry from 0 to 1 and locality above 0; "
                             f"{recency}, {asymmetry} and {locality} came.")
        self.recency, self.asymmetry, self.locality = recency, asymmetry, locality

    def fit(self, interactions: Interactions) -> UPCF:
        self.interactions = interactions
        self.seen = interactions.seen()
        self.shares = recent_shares(interactions, self.recency)
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = histories(self, users, history)
        others = self._similarity(past.seen(), None if history is not None else np.asarray(users)) @ self.shares
        return (others + recent_shares(past, self.recency)).toarray()

    def _similarity(self, seen: sparse.csr_matrix, itself: np.ndarray | None) -> sparse.csr_matrix:
        """Powers of the similarities to the fitted users, without those that ``itself`` names."""
        both = (seen @ self.seen.T).tocoo()
        n_u, n_v = np.diff(seen.indptr).astype(float), np.diff(self.seen.indptr).astype(float)
        values = both.data / (n_u[both.row] ** self.asymmetry * n_v[both.col] ** (1 - self.asymmetry))
        keep = slice(None) if itself is None else itself[both.row] != both.col
        return sparse.csr_matrix((values[keep] ** self.locality, (both.row[keep], both.col[keep])), shape=both.shape)


def recent_shares(interactions: Interactions, recency: int) -> sparse.csr_matrix:
    """Users by items: the share of the user's last ``recency`` baskets that hold the item."""
    _, age, n_baskets = visits(interactions)
    rows = np.flatnonzero(age < recency)
    cells = np.stack([interactions.users[rows], age[rows], interactions.items[rows]])
    recent = interactions.select(rows[np.unique(cells, axis=1, return_index=True)[1]])  # once a basket
    return recent.matrix(1 / np.minimum(n_baskets, recency)[recent.users])
