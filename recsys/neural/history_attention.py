"""History attention as a recommender, whichever framework its network is written in.

Network, loss and the class to use: `history_attention` of `recsys.torch` or `recsys.paddle`.

A user is a history and nothing else, so a stranger is served like anybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from recsys.batches.histories import HistoryBatches
from recsys.batches.sequences import PADDING, pad, user_sequences
from recsys.checks import check_counts, check_ids
from recsys.data import Interactions
from recsys.neural.recommender import NetworkRecommender
from recsys.recommender import histories, require_taken
from recsys.training.loop import FitConfig

POOLINGS = ("attention", "content", "decay", "mean")

BY_CONTENT, BY_AGE = ("attention", "content"), ("attention", "decay")
"""Poolings whose weights depend on what an event is, and on how old it is."""

CHUNK_USERS = 16
"""Users whose histories are read by all items at one time."""


@dataclass(frozen=True)
class HistoryAttentionConfig:
    """The shape of the network, and how it is fed and trained.

    The defaults come from a first look at the validation part of MovieLens 100K; the
    search is in studies/history_attention.py.

    Args:
        dim: size of an embedding.
        pooling: "attention", or one of its controls: "content" is told no age, "decay"
            looks at nothing but age, "mean" at nothing.
        max_length: the newest events that are read.
        negatives: items drawn for each one taken, afresh in each epoch.
        tokens: about how many events a batch holds.
        training: epochs, learning rate, weight decay, seed.

    Raises:
        ValueError: a number out of range, or another pooling.
    """

    dim: int = 32
    pooling: str = "attention"
    max_length: int = 20
    negatives: int = 4
    tokens: int = 1000
    training: FitConfig = field(
        default_factory=lambda: FitConfig(epochs=8, learning_rate=0.01)
    )

    def __post_init__(self) -> None:
        check_counts(self, "dim", "max_length", "negatives", "tokens")
        if self.pooling not in POOLINGS:
            raise ValueError(
                f"pooling: expected one of {POOLINGS}, got {self.pooling!r}"
            )


class HistoryAttentionRecommender(NetworkRecommender):
    """History attention with `fit(interactions)` and `score(users, history=None)`.

    Args:
        config: sizes and training.
        checkpoint: file that keeps the state of the training; a fit that was stopped
            goes on from it.
        log: directory for TensorBoard.
    """

    config_class = HistoryAttentionConfig

    def fit(
        self, interactions: Interactions, validation: Interactions | None = None
    ) -> Self:
        """Train on every event but the first of each user.

        Args:
            interactions: what is trained on.
            validation: held-out events of the same users; the epoch with the best
                nDCG@10 on them is kept, and `config.training.patience` may end the
                training.

        Returns:
            Itself, with `result`, the course of the training.

        Raises:
            ValueError: a value at 0 or below, and as `HistoryBatches` and
                `recsys.training.loop.fit`.
        """
        require_taken(interactions)
        config = self.config
        batches = HistoryBatches(
            interactions,
            config.max_length,
            config.negatives,
            config.tokens,
            config.training.seed,
        )
        return self.train_on(interactions, batches, validation)

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """Score all items for each user.

        Args:
            users: int (n,), user indices.
            history: replaces what was fitted, one user a row of `users`.

        Returns:
            Float32 (n, n_items).

        Raises:
            ValueError: not fitted, or a history over other items or of other users.
            DataError: an unknown user.
        """
        past = user_sequences(histories(self, np.asarray(users), history))
        n_items = self.interactions.n_items
        scores = np.empty((len(past), n_items), dtype=np.float32)
        for start in range(0, len(past), CHUNK_USERS):
            rows = slice(start, start + CHUNK_USERS)
            ids = self.ids(past[rows])  # (rows, length)
            candidates = np.tile(
                np.arange(1, n_items + 1), (len(ids), 1)
            )  # (rows, n_items)
            scores[rows], _ = self.run(self.network, ids, candidates)
        return scores

    def ids(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Take the newest events of each sequence, padded.

        Args:
            sequences: int arrays of ids, oldest first.

        Returns:
            Int64 (batch, length), length at least 1.

        Raises:
            ValueError: not fitted, or an id outside the catalogue.
        """
        self.check_fitted()
        longest = max((len(ids) for ids in sequences), default=0)
        length = min(self.config.max_length, longest)
        ids = pad(sequences, max(1, length))
        check_ids("sequences", ids, self.interactions.n_items)
        return ids

    @staticmethod
    def targets(batch: tuple[np.ndarray, ...]) -> int:
        """Count the candidates that are not padding."""
        _, candidates, _ = batch
        return int((candidates != PADDING).sum())
