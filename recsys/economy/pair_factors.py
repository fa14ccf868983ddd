"""Factors of users and items, fitted to a log whose denominator is known.

A log of a recommender's own is no sample of what people like. How often a pair was
looked at was decided by the recommender, so it belongs into the denominator of a label:
`PairFactors` can leave it out, count impressions, or count looks. It is fitted to the
whole log, or updated with the newest round alone.
"""

from __future__ import annotations

import numpy as np

from recsys.economy.events import FeedLog


class PairFactors:
    """Factors of users and items, fitted to clicks over looks by least squares.

    A pair (user, item) has clicks c and weight w, the looks it got; its label is c / w
    less the mean of the log. Unseen pairs weigh nothing. Both sides are solved in turn,
    from where the last call left them, so that a call is a sweep and not a fresh fit.

    Args:
        shape: (n_users, n_items).
        looks: float (n_slots,), what an impression in a slot counts: the examination of
            the world for looks, ones for impressions. None leaves the denominator out:
            every pair of the matrix weighs 1, and its label is its clicks.
        factors: length of a factor vector.
        l2: ridge on every factor vector.
        sweeps: how often both sides are solved in a call.
        kept: what a row weighs for each round of its age, 1 for a memory without end.
        replay: None solves on the whole log. A number solves on the newest round and so
            many times as many rows drawn from older ones, and the ridge pulls towards
            where the factors stood instead of 0.
        seed: of the first factors and of what is replayed.

    Source: Hu, Koren and Volinsky (2008), equations 3 to 5, for the two solutions.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        looks: np.ndarray | None,
        *,
        factors: int = 8,
        l2: float = 2.0,
        sweeps: int = 2,
        kept: float = 1.0,
        replay: float | None = None,
        seed: int = 0,
    ) -> None:
        self.shape, self.looks, self.l2, self.sweeps = shape, looks, l2, sweeps
        self.kept, self.replay = kept, replay
        self.rng = np.random.default_rng(seed)
        self.users = self.rng.normal(scale=0.1, size=(shape[0], factors))
        self.items = self.rng.normal(scale=0.1, size=(shape[1], factors))

    def __call__(self, log: FeedLog) -> np.ndarray:
        """Learn from a log and score every pair: (n_users, n_items)."""
        weight, residual = self._pairs(
            log if self.replay is None else self._newest(log)
        )
        pull = 0.0 if self.replay is None else 1.0
        users, items = pull * self.users, pull * self.items
        for _ in range(self.sweeps):
            self.users = _solved(weight, residual, self.items, users, self.l2)
            self.items = _solved(weight.T, residual.T, self.users, items, self.l2)
        return self.users @ self.items.T

    def _newest(self, log: FeedLog) -> FeedLog:
        new = np.flatnonzero(log.round == log.round.max())
        old = np.flatnonzero(log.round < log.round.max())
        n_again = min(int(self.replay * len(new)), len(old))
        return log.rows(np.append(self.rng.choice(old, n_again, replace=False), new))

    def _pairs(self, log: FeedLog) -> tuple[np.ndarray, np.ndarray]:
        """Weights, and weights times labels less the mean: both (n_users, n_items)."""
        fresh = self.kept ** (log.round.max() - log.round)
        clicks = pair_sums(log, log.click * fresh, self.shape)
        if self.looks is None:
            weight = np.ones(self.shape)
        else:
            weight = pair_sums(log, self.looks[log.position] * fresh, self.shape)
        return weight, clicks - weight * (clicks.sum() / weight.sum())


def pair_sums(log: FeedLog, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Sum one value a row over the rows of each pair of user and item."""
    pair = log.user * shape[1] + log.item
    return np.bincount(pair, values, minlength=shape[0] * shape[1]).reshape(shape)


def _solved(
    weight: np.ndarray,
    residual: np.ndarray,
    other: np.ndarray,
    prior: np.ndarray,
    l2: float,
) -> np.ndarray:
    """One side given the other: a ridge regression for each row, towards `prior`."""
    size = other.shape[1]
    squares = (other[:, :, None] * other[:, None, :]).reshape(len(other), -1)
    gram = (weight @ squares).reshape(-1, size, size) + l2 * np.eye(size)
    return np.linalg.solve(gram, (residual @ other + l2 * prior)[:, :, None])[:, :, 0]
