"""From interactions to padded batches of ids, for models that read a history in order.

Item i has id i + 1 and padding has id 0. Rows are padded on the right. Everything random is
an explicit permutation drawn from (seed, epoch), so that any epoch of any run can be made
again without replaying the ones before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys.data import Interactions

PADDING = 0
"""The id that stands for no item."""


def user_sequences(interactions: Interactions) -> list[np.ndarray]:
    """List what each user took, oldest first, ties in time by place in the file.

    Args:
        interactions: any log.

    Returns:
        One int array of ids (item index + 1) a user, empty where a user has no event.
    """
    ids = interactions.items[interactions.by_time()] + 1
    ends = np.cumsum(np.bincount(interactions.users, minlength=interactions.n_users))
    return np.split(ids, ends[:-1]) if len(ends) else []


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
    return [sequence[start:start + length + 1]
            for sequence in sequences
            for start in range(0, len(sequence) - 1, length)]  # fmt: skip


def pad(rows: Sequence[np.ndarray], length: int | None = None) -> Tensor:
    """Put rows of ids into one tensor, padded on the right.

    Args:
        rows: int arrays; of a row longer than `length` the newest ids are kept.
        length: columns; the longest row by default.

    Returns:
        Int64 (batch, length).
    """
    if length is None:
        length = max((len(row) for row in rows), default=0)
    padded = np.full((len(rows), length), PADDING, dtype=np.int64)
    for row, ids in enumerate(rows):
        kept = ids[max(0, len(ids) - length):]
        padded[row, :len(kept)] = kept
    return torch.from_numpy(padded)


def check_ids(ids: Tensor, n_items: int) -> None:
    """Require padded ids of a catalogue.

    Args:
        ids: int64 (batch, length).
        n_items: the largest id.

    Raises:
        ValueError: another shape or dtype, or an id below 0 or above n_items; the first is named.
    """
    if ids.dim() != 2 or ids.dtype != torch.int64:
        raise ValueError(
            f"ids: expected int64 (batch, length), got {str(ids.dtype).split('.')[-1]} {tuple(ids.shape)}; "
            "make them with recsys.torch.sequences.pad"
        )
    wrong = torch.nonzero((ids < 0) | (ids > n_items))
    if len(wrong):
        row, column = wrong[0].tolist()
        raise ValueError(
            f"ids: expected 0 (padding) to {n_items}, got {ids[row, column].item()} at row {row}, column "
            f"{column}; an id is an item index plus one, of the catalogue the model was made for"
        )


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

    Raises:
        ValueError: no rows to learn from, or tokens below 1.
    """

    rows: Sequence[np.ndarray]
    tokens: int
    seed: int = 0

    def __post_init__(self) -> None:
        if not len(self.rows):
            raise ValueError(
                "rows: expected at least one window, got none; a user needs two events to be learnt from"
            )
        if self.tokens < 1:
            raise ValueError(f"tokens: expected at least 1, got {self.tokens}")

    def __call__(self, epoch: int) -> list[tuple[Tensor, Tensor]]:
        """Make the batches of one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            Pairs of int64 (batch, length): inputs and targets, 0 where padded.
        """
        random = np.random.default_rng([self.seed, epoch])
        lengths = np.array([len(row) - 1 for row in self.rows])
        groups = buckets(lengths, self.tokens, random.permutation(len(self.rows)))
        padded = [pad([self.rows[row] for row in groups[group]])
                  for group in random.permutation(len(groups))]  # fmt: skip
        return [_shift(ids) for ids in padded]


def _shift(ids: Tensor) -> tuple[Tensor, Tensor]:
    """(batch, length + 1) to inputs and targets (batch, length), both padded alike."""
    targets = ids[:, 1:]
    return ids[:, :-1].where(targets != PADDING, PADDING), targets
