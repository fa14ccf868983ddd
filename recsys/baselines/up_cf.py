"""UP-CF: a customer's recent purchases, and those of everybody who bought alike."""

import numpy as np
from scipy import sparse

from recsys.baselines.fitting import own_rows, require_log
from recsys.batches.visits import once_a_basket, visits
from recsys.data import Interactions
from recsys.recommender import histories


class UPCF:
    """Score of an item = what users like this one bought lately, summed over them.

    Each user v counts similarity(u, v) ** locality * v's recent share of baskets with the item.

    Similarity is the asymmetric cosine of the sets of items ever bought,
    both / (n_u ** asymmetry * n_v ** (1 - asymmetry)); it is 1 of a user with
    themselves, so that the own share comes first. The share is over the last
    `recency` baskets. The own share is counted once, from the history that is scored, and
    not from the fitted row that it replaces: see `own_rows`. A stranger is compared with all
    fitted users and themselves; one without history scores 0 everywhere.

    Args:
        recency: baskets of each user that count, at least 1.
        asymmetry: from 0 to 1.
        locality: above 0; large for near users only.

    Raises:
        ValueError: a setting out of range.

    Ties of scores have the rule of the ranking.

    Source: Faggioli and others (2020), sections 3 and 4.
    """

    def __init__(
        self, recency: int = 10, asymmetry: float = 0.75, locality: float = 10.0
    ) -> None:
        if recency < 1 or not 0 <= asymmetry <= 1 or not locality > 0:
            raise ValueError(
                "recency, asymmetry and locality: expected at least 1, from 0 to 1, and above 0, "
                f"got {recency}, {asymmetry} and {locality}"
            )
        self.recency = recency
        self.asymmetry = asymmetry
        self.locality = locality

    def fit(self, interactions: Interactions) -> "UPCF":
        """Keep who took what, and each user's share of recent baskets."""
        require_log(interactions)
        seen = interactions.seen()
        shares = recent_shares(interactions, self.recency)
        self.interactions = interactions
        self.seen = seen
        self.shares = shares
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = histories(self, users, history)
        itself = own_rows(self.interactions, users)
        similarity = self._similarity(
            past.seen(), itself
        )  # (len(users), n_fitted_users)
        of_others = similarity @ self.shares
        of_themselves = recent_shares(past, self.recency)
        return (of_others + of_themselves).toarray()

    def _similarity(
        self, seen: sparse.csr_matrix, itself: np.ndarray
    ) -> sparse.csr_matrix:
        """Powers of the similarities to the fitted users, without those that `itself` names."""
        both = (seen @ self.seen.T).tocoo()  # how many items each pair shares
        row, column = both.coords
        n_seen = np.diff(seen.indptr).astype(float)
        n_fitted = np.diff(self.seen.indptr).astype(float)
        power_u = n_seen[row] ** self.asymmetry
        power_v = n_fitted[column] ** (1 - self.asymmetry)
        cosine = both.data / (power_u * power_v)
        other = itself[row] != column
        values = cosine[other] ** self.locality
        pairs = row[other], column[other]
        return sparse.csr_matrix((values, pairs), shape=both.shape)


def recent_shares(interactions: Interactions, recency: int) -> sparse.csr_matrix:
    """Users by items: the share of the user's last `recency` baskets that hold the item."""
    _, age, n_baskets = visits(interactions)
    distinct = once_a_basket(interactions, age)
    rows = distinct[age[distinct] < recency]
    recent = interactions.select(rows)
    n_recent = np.minimum(n_baskets, recency)  # (n_users,)
    return recent.matrix(1 / n_recent[recent.users])
