"""From interactions to padded batches of ids, for models that read a history in order.

Ids are those of `recsys.batches`; rows are padded on the right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.batches.negatives import NegativeSampler
from recsys.checks import PADDING
from recsys.data import Interactions


def user_sequences(interactions: Interactions) -> list[np.ndarray]:
    """List what each user took, oldest first, ties in time by place in the file.

    Args:
        interactions: any log.

    Returns:
        One int array of ids a user, empty where a user has no event.
    """
    return [interactions.items[rows] + 1 for rows in interactions.rows_by_user()]


def windows(sequences: Sequence[np.ndarray], length: int) -> list[np.ndarray]:
    """Cut sequences so that every event but a user's first is a target exactly once.

    Args:
        sequences: int arrays of ids.
        length: the most inputs of a window, at least 1; a window has one id more.

    Returns:
        Int arrays of 2 to length + 1 ids; neighbours share one id.

    Raises:
        ValueError: a length below 1.
    """
    if length < 1:
        raise ValueError(f"length: expected at least 1, got {length}")
    cut = []
    for sequence in sequences:
        for start in range(0, len(sequence) - 1, length):
            cut.append(sequence[start : start + length + 1])
    return cut


def pad(rows: Sequence[Sequence[int]], length: int | None = None) -> np.ndarray:
    """Put rows of ids of unequal length into one array, padded on the right.

    Args:
        rows: ints; of a row longer than `length` the newest ids are kept.
        length: columns; the longest row by default.

    Returns:
        Int64 (batch, length).
    """
    if length is None:
        length = max((len(row) for row in rows), default=0)
    padded = np.full((len(rows), length), PADDING, dtype=np.int64)
    for row, ids in enumerate(rows):
        kept = ids[max(0, len(ids) - length) :]
        padded[row, : len(kept)] = kept
    return padded


def buckets(lengths: np.ndarray, tokens: int, order: np.ndarray) -> list[np.ndarray]:
    """Group rows of like length, so that a padded batch holds about `tokens` ids.

    Args:
        lengths: int (n,), above 0.
        tokens: the most that rows times longest row may be; a longer row goes alone.
        order: permutation (n,), which decides among rows of one length.

    Returns:
        Int arrays of row numbers, from short rows to long ones, each row once.
    """
    ranked = order[np.argsort(lengths[order], kind="stable")]
    groups, start = [], 0
    for end in range(1, len(ranked) + 1):
        if end == len(ranked) or (end - start + 1) * lengths[ranked[end]] > tokens:
            groups.append(ranked[start:end])
            start = end
    return groups


@dataclass(frozen=True)
class NextItemBatches:
    """Inputs and targets shifted by one, a fresh seeded order in each epoch.

    Args:
        rows: what `windows` gives.
        tokens: about how many ids a batch holds.
        seed: with the number of the epoch it decides the order.
        counts: int (n_items,), how often each item occurs; with `negatives`, items are
            drawn for each batch in proportion to 1 + count.
        negatives: how many; None = no draws.

    Raises:
        ValueError: no rows to learn from, or tokens below 1.
    """

    rows: Sequence[np.ndarray]
    tokens: int
    seed: int = 0
    counts: np.ndarray | None = None
    negatives: int | None = None

    def __post_init__(self) -> None:
        if not len(self.rows):
            raise ValueError(
                "rows: expected at least one window, got none; a user needs two events to be learnt from"
            )
        if self.tokens < 1:
            raise ValueError(f"tokens: expected at least 1, got {self.tokens}")

    def __call__(self, epoch: int) -> list[tuple[np.ndarray, ...]]:
        """Make the batches of one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            Inputs and targets, int64 (batch, length), 0 where padded; with draws also
            the ids drawn, int64 (negatives,), and the logarithm of the probability of
            each, float32 (negatives,).
        """
        rng = np.random.default_rng([self.seed, epoch])
        lengths = np.array([len(row) - 1 for row in self.rows])
        groups = buckets(lengths, self.tokens, rng.permutation(len(self.rows)))
        batches = []
        for group in rng.permutation(len(groups)):
            batches.append(_shift(pad([self.rows[row] for row in groups[group]])))
        if self.negatives is None:
            return batches
        sampler = NegativeSampler(self.counts, self.negatives)
        draws = np.random.default_rng([self.seed, epoch, 1])
        return [(*batch, *sampler.draw(draws)) for batch in batches]


def _shift(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(batch, length + 1) to inputs and targets (batch, length), both padded alike."""
    targets = ids[:, 1:]
    inputs = np.where(targets != PADDING, ids[:, :-1], PADDING)
    return inputs, targets
