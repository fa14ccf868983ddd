"""TIFU-KNN: what a customer buys often and lately, mixed with what the nearest customers do."""

import numpy as np
from scipy import sparse

from recsys.baselines.fitting import own_rows, require_log
from recsys.batches.visits import once_a_basket, visits
from recsys.data import Interactions
from recsys.recommender import chunks, histories

CHUNK = 1024
"""Rows of the distance matrix made at one time, so that memory stays bounded."""


class TIFUKNN:
    """Score = alpha * the user's own vector + (1 - alpha) * the mean vector of the nearest users.

    A user's vector holds, for each item, its decayed share of the user's baskets (see
    `basket_vectors`). Nearest is by Euclidean distance between these vectors; of
    users at one distance the smaller index comes first. Nobody is a neighbour of their
    own: see `own_rows`. A user without history has the zero vector, and so is nearest
    to those who bought little.

    Args:
        neighbours: how many are averaged, at least 1.
        within_decay: of a basket within its run, above 0 and at most 1.
        group_decay: of a run, above 0 and at most 1.
        groups: runs that a history is cut in, at least 1.
        alpha: from 0 (neighbours only) to 1 (own purchases only).

    Raises:
        ValueError: a setting out of range.

    The defaults are the published settings for Ta-Feng. Ties of scores have the rule of
    the ranking.

    Source: Hu and others (2020), section 4.
    """

    def __init__(
        self,
        neighbours: int = 300,
        within_decay: float = 0.9,
        group_decay: float = 0.7,
        groups: int = 7,
        alpha: float = 0.7,
    ) -> None:
        if neighbours < 1 or groups < 1:
            raise ValueError(
                f"neighbours and groups: expected at least 1, got {neighbours} and {groups}"
            )
        if not (0 < within_decay <= 1 and 0 < group_decay <= 1):
            raise ValueError(
                f"within_decay and group_decay: expected above 0 and at most 1, got {within_decay} "
                f"and {group_decay}"
            )
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha: expected from 0 to 1, got {alpha}")
        self.neighbours = neighbours
        self.groups = groups
        self.alpha = alpha
        self.within_decay = within_decay
        self.group_decay = group_decay

    def fit(self, interactions: Interactions) -> "TIFUKNN":
        """Make every user's vector: (n_users, n_items) sparse `vectors`."""
        require_log(interactions)
        vectors = self._vectors(interactions)
        self.interactions = interactions
        self.vectors = vectors
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores."""
        own = self._vectors(histories(self, users, history))
        itself = own_rows(self.interactions, users)
        scores = np.empty(own.shape)
        for rows in chunks(own.shape[0], CHUNK):
            mine = own[rows]
            near = nearest_rows(mine, self.vectors, self.neighbours, itself[rows])
            share = (1 - self.alpha) * near  # of each neighbour
            mixed = self.alpha * mine + share @ self.vectors
            scores[rows] = mixed.toarray()
        return scores

    def _vectors(self, interactions: Interactions) -> sparse.csr_matrix:
        return basket_vectors(
            interactions, self.within_decay, self.group_decay, self.groups
        )


def basket_vectors(
    interactions: Interactions, within_decay: float, group_decay: float, groups: int
) -> sparse.csr_matrix:
    """Users by items: baskets of zeros and ones, weighed by their age, then averaged.

    The n baskets of a user are cut, in order of time, into m = min(groups, n) runs
    whose lengths differ by at most one, the longer runs being the newer (so that the first
    basket of a longer run may weigh less than the one before it). The basket of
    age a (0 = newest) in run g (0 = oldest) weighs
    within_decay ** a * group_decay ** (m - 1 - g) / length of the run / m.

    The age runs over the whole history and not over the run: so do the authors'
    programs that gave the published numbers; the paper's equation restarts it in each run.

    Args:
        interactions: the log.
        within_decay: of a basket, by its age.
        group_decay: of a run, by the runs after it.
        groups: at most so many runs.

    Returns:
        (n_users, n_items) sparse.

    Source: Hu and others (2020), section 4.1.
    """
    place, age, n_baskets = visits(interactions)
    n = n_baskets[interactions.users]
    n_runs = np.minimum(groups, n)
    run, length = _run_of_basket(place, n, n_runs)
    run_age = n_runs - 1 - run
    decay = within_decay**age * group_decay**run_age
    weights = decay / length / n_runs
    rows = once_a_basket(interactions, place)
    distinct = interactions.select(rows)
    return distinct.matrix(weights[rows])


def _run_of_basket(
    place: np.ndarray, n: np.ndarray, n_runs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The run that a basket stands in, and that run's length.

    Args:
        place: (n_rows,) int, of the basket in its history.
        n: (n_rows,) int, baskets of that history.
        n_runs: (n_rows,) int, runs that it is cut in.

    Returns:
        Two (n_rows,) int arrays; run 0 is the oldest.
    """
    short = n // n_runs  # baskets in a shorter run
    long = short + 1
    n_short = n_runs - n % n_runs  # runs of the shorter length, which come first
    in_short = place < n_short * short
    place_in_long = place - n_short * short
    run_of_long = n_short + place_in_long // long
    run = np.where(in_short, place // short, run_of_long)
    length = np.where(in_short, short, long)
    return run, length


def nearest_rows(
    queries: sparse.csr_matrix, rows: sparse.csr_matrix, k: int, itself: np.ndarray
) -> sparse.csr_matrix:
    """The k rows at the smallest Euclidean distance from each query; equals by smaller index.

    Args:
        queries: (n_queries, n).
        rows: (n_rows, n).
        k: how many; fewer where there are not so many.
        itself: (n_queries,) int, a row that is not a neighbour of that query; -1 for none.

    Returns:
        (n_queries, n_rows) sparse, 1 / k at each of the k.
    """
    squares = rows.multiply(rows).sum(axis=1)
    products = (queries @ rows.T).toarray()
    distance = (
        np.ravel(squares) - 2 * products
    )  # less the query's own square, alike along a row
    named = np.flatnonzero(itself >= 0)
    left_out = itself[named]
    distance[named, left_out] = np.inf
    n_left = np.full(len(distance), rows.shape[0])
    n_left[named] -= 1
    counts = np.minimum(k, n_left)  # (n_queries,)
    order = np.argsort(distance, axis=1, kind="stable")
    near = order[:, :k]
    place = np.arange(near.shape[1])
    kept = near[place < counts[:, None]]
    share = 1 / np.maximum(counts, 1)
    weights = np.repeat(share, counts)
    ends = np.cumsum(counts)
    starts = np.concatenate([[0], ends])
    return sparse.csr_matrix((weights, kept, starts), shape=distance.shape)
