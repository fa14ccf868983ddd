"""EASE: the linear item-to-item model with a closed form."""

import numpy as np
from scipy.linalg import lapack

from recsys.baselines.fitting import require_log
from recsys.data import Interactions
from recsys.recommender import histories, recency_matrix


class EASE:
    """Rebuild each history from itself with a matrix B of zero diagonal; B is one inversion.

    min over B of ||X - XB||^2 + l2 ||B||^2 with diag(B) = 0, solved by
    B = I - P / diag(P) columnwise, P = (X'X + l2 I)^-1.

    Args:
        l2: ridge on B, above 0.
        recency: weight of an event of the history at prediction: `recency ** age`. The
            fit does not use it.

    Raises:
        ValueError: an l2 of 0 or below.

    Source: Steck (2019), equation 8.
    """

    def __init__(self, l2: float = 400.0, recency: float = 1.0) -> None:
        if l2 <= 0:
            raise ValueError(
                f"l2: expected a number above 0, so that the inverse exists, got {l2}"
            )
        self.l2 = l2
        self.recency = recency

    def fit(self, interactions: Interactions) -> "EASE":
        """Invert once: (n_items, n_items) `weights`, B of the formula."""
        require_log(interactions)
        seen = interactions.seen().astype(np.float32)  # counts below 2**24 stay exact
        gram = (seen.T @ seen.toarray()).T.astype(
            float
        )  # symmetric; transposed into Fortran order
        gram[np.diag_indices_from(gram)] += self.l2
        weights = invert_positive(gram)
        diagonal = np.diag(weights).copy()
        weights /= -diagonal
        np.fill_diagonal(weights, 0.0)
        self.interactions = interactions
        self.weights = weights
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = recency_matrix(histories(self, users, history), self.recency)
        return past @ self.weights


def invert_positive(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric positive definite matrix by Cholesky (LAPACK potrf and potri).

    Args:
        matrix: (n, n) float in Fortran order; it is overwritten.

    Returns:
        (n, n) float.

    Raises:
        ValueError: it is not positive definite.
    """
    factor, failed = lapack.dpotrf(matrix, lower=1, overwrite_a=1)
    if failed:
        raise ValueError(
            f"matrix: expected it positive definite, got leading minor {failed}; raise l2"
        )
    inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    lower = np.tril(inverse)
    below = np.tril(lower, -1)
    return lower + below.T
