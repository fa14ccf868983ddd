"""Pairs of a user and an item: what was taken, drawn beside it, or rated.

Users and items are indices: nothing is padded here.
"""

import numpy as np

from recsys.data import Interactions


class TakenPairs:
    """Which user took which item, for draws of items that a user did not take.

    A pair that was taken twice counts once.

    Args:
        interactions: any log.

    Raises:
        ValueError: nothing was taken, or a user took every item.
    """

    def __init__(self, interactions: Interactions):
        self.n_items = interactions.n_items
        codes = (
            interactions.users * self.n_items + interactions.items
        )  # one number a pair
        self.codes = np.unique(codes)  # sorted
        self._check()

    def _check(self) -> None:
        if not len(self.codes):
            raise ValueError(
                "interactions: expected users with some of the items, got none; "
                "give a log with at least one row"
            )
        taken = np.bincount(self.users)  # (n_users,)
        full = np.flatnonzero(taken == self.n_items)
        if full.size:
            raise ValueError(
                f"interactions: expected users with some of the items, got user {full[0]} with all "
                f"{self.n_items} items; negatives are items that a user did not take, so give others "
                "to draw from"
            )

    @property
    def users(self) -> np.ndarray:
        """The user of each pair, in ascending order: int64 (pairs,)."""
        return self.codes // self.n_items

    @property
    def items(self) -> np.ndarray:
        """The item of each pair: int64 (pairs,)."""
        return self.codes % self.n_items

    def holds(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Whether each pair was taken: int arrays to a boolean array of their shape."""
        codes = users * self.n_items + items
        places = np.searchsorted(self.codes, codes)
        inside = np.minimum(places, len(self.codes) - 1)
        return self.codes[inside] == codes

    def draw_others(self, users: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw an item for each user, uniformly from those that the user did not take.

        Args:
            users: int array of any shape; a user may stand there more than once.
            rng: what is drawn from.

        Returns:
            Item indices, int64 of that shape.
        """
        asked = users.ravel()
        items = np.empty(len(asked), dtype=np.int64)
        again = np.arange(len(asked))
        while again.size:
            items[again] = rng.integers(0, self.n_items, again.size)
            wrong = self.holds(asked[again], items[again])
            again = again[wrong]
        return items.reshape(users.shape)


class PairBatches:
    """What users took and what they did not, a fresh seeded draw in each epoch.

    Args:
        interactions: what was taken; a pair counts once.
        negatives: items drawn for each pair, uniformly from those the user did not
            take.
        batch_size: pairs of a batch.
        seed: with the number of the epoch it decides draw and order.

    Raises:
        ValueError: as `TakenPairs`.
    """

    def __init__(
        self, interactions: Interactions, negatives: int, batch_size: int, seed: int = 0
    ):
        self.taken = TakenPairs(interactions)
        self.negatives = negatives
        self.batch_size = batch_size
        self.seed = seed

    def __call__(self, epoch: int) -> list[tuple[np.ndarray, ...]]:
        """Make the batches of one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            Triples of users and items, int64 (batch,), and labels 1 or 0, float32
            (batch,).
        """
        rng = np.random.default_rng([self.seed, epoch])
        width = 1 + self.negatives
        users = np.repeat(self.taken.users, width).reshape(-1, width)
        drawn = self.taken.draw_others(users[:, 1:], rng)  # (taken, negatives)
        items = np.column_stack([self.taken.items, drawn])  # (taken, 1 + negatives)
        labels = np.zeros(items.shape, dtype=np.float32)
        labels[:, 0] = 1
        columns = [table.ravel() for table in (users, items, labels)]
        order = rng.permutation(items.size)
        return cut(columns, order, self.batch_size)


class RatingBatches:
    """Every rating once in each epoch, in a fresh seeded order.

    Args:
        interactions: users, items, and their ratings as values.
        batch_size: ratings of a batch.
        seed: with the number of the epoch it decides the order.
    """

    def __init__(self, interactions: Interactions, batch_size: int, seed: int = 0):
        ratings = interactions.values.astype(np.float32)
        self.columns = [interactions.users, interactions.items, ratings]
        self.batch_size = batch_size
        self.seed = seed

    def __call__(self, epoch: int) -> list[tuple[np.ndarray, ...]]:
        """Make the batches of one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            Triples of users and items, int64 (batch,), and ratings, float32 (batch,).
        """
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(len(self.columns[0]))
        return cut(self.columns, order, self.batch_size)


def cut(
    columns: list[np.ndarray], order: np.ndarray, batch_size: int
) -> list[tuple[np.ndarray, ...]]:
    """Cut columns into batches.

    Args:
        columns: arrays (n,).
        order: permutation (n,), the order in which rows are taken.
        batch_size: rows of a batch; the last may have fewer.

    Returns:
        For each batch the piece of each column.
    """
    batches = []
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        batches.append(tuple(column[rows] for column in columns))
    return batches
