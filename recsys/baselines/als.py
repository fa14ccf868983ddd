"""Implicit ALS: factors for users and items by alternating least squares over all pairs."""

import numpy as np
from scipy import linalg, sparse

from recsys.baselines.fitting import require_log
from recsys.data import Interactions
from recsys.recommender import histories


class ImplicitALS:
    """Every pair counts: seen pairs should score 1 with weight 1 + alpha, others 0 with weight 1.

    Users' factors are solved exactly (Cholesky) given the items', then the items'
    given the users', in turn. A stranger is folded in by the same user step.

    Args:
        factors: length of a factor vector.
        alpha: extra weight of a seen pair.
        l2: ridge on every factor vector.
        iterations: how often both sides are solved.
        seed: of the items' first factors.

    Source: Hu, Koren and Volinsky (2008), equations 3 to 5.
    """

    def __init__(
        self,
        factors: int = 64,
        alpha: float = 10.0,
        l2: float = 30.0,
        iterations: int = 10,
        seed: int = 0,
    ) -> None:
        self.factors = factors
        self.alpha = alpha
        self.l2 = l2
        self.iterations = iterations
        self.seed = seed

    def fit(self, interactions: Interactions) -> "ImplicitALS":
        """Solve both sides in turn, from small random factors of the items."""
        require_log(interactions)
        seen = interactions.seen()
        by_item = seen.T.tocsr()
        rng = np.random.default_rng(self.seed)
        shape = (interactions.n_items, self.factors)
        item_factors = rng.normal(scale=0.1, size=shape)
        for _ in range(self.iterations):
            user_factors = self._solve(seen, item_factors)
            item_factors = self._solve(by_item, user_factors)
        self.interactions = interactions
        self.item_factors = item_factors
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores; the users' factors are solved from their histories."""
        past = histories(self, users, history).seen()
        user_factors = self._solve(past, self.item_factors)  # (len(users), factors)
        return user_factors @ self.item_factors.T

    def _solve(self, seen: sparse.csr_matrix, other: np.ndarray) -> np.ndarray:
        """One side's factors given the other's: for each row a ridge regression, by Cholesky."""
        ridge = self.l2 * np.eye(self.factors)
        everything = other.T @ other + ridge
        n_rows = seen.shape[0]
        solved = np.zeros((n_rows, self.factors))
        for row in range(n_rows):
            start, end = seen.indptr[row], seen.indptr[row + 1]
            if start == end:
                continue
            mine = other[seen.indices[start:end]]  # (n_seen, factors)
            gram = mine.T @ mine
            weighted = everything + self.alpha * gram
            target = (1 + self.alpha) * mine.sum(axis=0)
            solved[row] = linalg.solve(
                weighted, target, assume_a="pos", check_finite=False
            )
        return solved
