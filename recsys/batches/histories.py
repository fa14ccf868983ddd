"""Histories with candidates: at each event what was taken, beside what was drawn.

For models that score a candidate by what somebody took before. Ids are those of
`recsys.batches`.
"""

import numpy as np

from recsys.batches.pairs import TakenPairs
from recsys.batches.sequences import PADDING, buckets, pad, user_sequences, windows
from recsys.data import Interactions


class HistoryBatches:
    """Histories, the items that followed, and items that did not.

    Every event but a user's first is a target once, and looks at what stands before it
    in its window. Negatives are drawn from what the user took at no time of the fitted
    log.

    Args:
        interactions: any log.
        max_length: the most events of a history.
        negatives: items drawn for each target, afresh in each epoch.
        tokens: about how many events a batch holds.
        seed: with the number of the epoch it decides draw and order.

    Raises:
        ValueError: no user with two events, or one with every item.
    """

    def __init__(
        self,
        interactions: Interactions,
        max_length: int,
        negatives: int,
        tokens: int,
        seed: int = 0,
    ):
        self.taken = TakenPairs(interactions)
        self.negatives = negatives
        self.tokens = tokens
        self.seed = seed
        self.rows = []
        owners = []
        for user, sequence in enumerate(user_sequences(interactions)):
            own = windows([sequence], max_length)
            self.rows.extend(own)
            owners.extend([user] * len(own))
        self.users = np.array(owners, dtype=np.int64)  # (rows,)
        if not self.rows:
            raise ValueError(
                "interactions: expected a user with two events or more, got none; "
                "the first is a history, the second something to learn from"
            )

    def __call__(self, epoch: int) -> list[tuple[np.ndarray, ...]]:
        """Make the batches of one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            Triples, int64: histories (batch, length), candidates
            (batch, length, 1 + negatives) of which the first was taken, 0 where padded,
            and how many columns of the history each of them may look at, of the same
            shape.
        """
        rng = np.random.default_rng([self.seed, epoch])
        lengths = np.array([len(row) - 1 for row in self.rows])
        groups = buckets(lengths, self.tokens, rng.permutation(len(self.rows)))
        batches = []
        for group in rng.permutation(len(groups)):
            batches.append(self._batch(groups[group], rng))
        return batches

    def _batch(
        self, group: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        ids = pad([self.rows[row] for row in group])  # (batch, length + 1)
        history = ids[:, :-1]  # (batch, length)
        targets = ids[:, 1:, None]  # (batch, length, 1)
        batch, length, _ = targets.shape
        owners = self.users[group]  # (batch,)
        users = np.broadcast_to(owners[:, None, None], (batch, length, self.negatives))
        drawn = self.taken.draw_others(users, rng)  # (batch, length, negatives)
        asked = np.concatenate(
            [targets, drawn + 1], axis=2
        )  # (batch, length, 1 + negatives)
        candidates = np.where(targets != PADDING, asked, PADDING)
        places = np.arange(1, length + 1)  # (length,)
        visible = np.broadcast_to(places[:, None], candidates.shape)
        return history, candidates, visible
