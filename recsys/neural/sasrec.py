"""SASRec as a recommender, whichever framework its network is written in.

Network, losses and the class to use: `sasrec` of `recsys.torch` or `recsys.paddle`.
Here are settings, windows of histories as batches, scores for users.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from recsys.batches.sequences import (
    PADDING,
    NextItemBatches,
    buckets,
    pad,
    user_sequences,
    windows,
)
from recsys.checks import check_counts, check_dropout, check_heads
from recsys.data import Interactions
from recsys.neural.recommender import NetworkRecommender
from recsys.recommender import histories, require_taken
from recsys.training.loop import FitConfig

MIXER_NAMES = (
    "attention",
    "content",
    "decay",
    "mean",
    "last",
    "linear",
    "gate",
    "recurrent",
)


@dataclass(frozen=True)
class SASRecConfig:
    """The shape of the network, and how it is fed and trained.

    The defaults are settings that an earlier study tried on the
    validation part of MovieLens 100K; with one seed it does not always choose them.

    Args:
        dim: size of embeddings and states; n_heads divides it.
        n_blocks: blocks on top of each other.
        n_heads: heads of a block.
        dropout: share of embeddings and states dropped in training.
        max_length: the newest events that are read.
        tokens: about how many ids a batch holds.
        mixer: "attention", or a control or rival out of `MIXER_NAMES`.
        negatives: items drawn for each batch for a sampled softmax, with which
            gradients of the embeddings are sparse; None = the full softmax.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: a number out of range, dim does not divide by n_heads, or an
            unknown mixer.
    """

    dim: int = 64
    n_blocks: int = 1
    n_heads: int = 4
    dropout: float = 0.2
    max_length: int = 50
    tokens: int = 1000
    mixer: str = "attention"
    negatives: int | None = None
    training: FitConfig = field(
        default_factory=lambda: FitConfig(epochs=8, learning_rate=8e-3)
    )

    def __post_init__(self) -> None:
        check_counts(self, "dim", "n_blocks", "n_heads", "max_length", "tokens")
        if self.negatives is not None:
            check_counts(self, "negatives")
        check_heads(self.dim, self.n_heads)
        check_dropout(self.dropout)
        if self.mixer not in MIXER_NAMES:
            raise ValueError(
                f"mixer: expected one of {', '.join(MIXER_NAMES)}, got {self.mixer!r}"
            )


class SASRecRecommender(NetworkRecommender):
    """SASRec as a recommender: `fit(interactions)`, `score(users, history=None)`.

    A history is all that a score depends on, so a stranger is served like anybody else.
    Of an empty history the score is the log of 1 + popularity. A user or an item that
    is not in the vocabulary is refused by `Interactions`, a history over other items by
    `score`.

    A framework's class names also `sampled_loss` and `sampled_optimizer`, which take
    the place of `loss` and AdamW where `config.negatives` are drawn.

    Args:
        config, checkpoint, log: as `NetworkRecommender`.
    """

    config_class = SASRecConfig
    sampled_loss: Callable
    sampled_optimizer: Callable

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
            ValueError: no user with two events, a value at 0 or below, and as
                `recsys.training.loop.fit`.
        """
        require_taken(interactions)
        config = self.config
        rows = windows(user_sequences(interactions), config.max_length)
        counts = None if config.negatives is None else interactions.item_counts()
        batches = NextItemBatches(
            rows, config.tokens, config.training.seed, counts, config.negatives
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
        lengths = np.array([len(ids) for ids in past], dtype=np.int64)
        lengths = np.minimum(lengths, self.config.max_length)  # (users,)
        popularity = np.log1p(self.interactions.item_counts())
        scores = np.tile(
            popularity.astype(np.float32), (len(past), 1)
        )  # (users, n_items)
        known = np.flatnonzero(lengths)
        in_order = np.arange(len(known))
        for group in buckets(lengths[known], 20 * self.config.tokens, in_order):
            rows = known[group]
            longest = int(lengths[rows].max())
            ids = pad([past[row] for row in rows], longest)  # (rows, longest)
            newest = lengths[rows] - 1
            scores[rows] = self.run(self.network.score_next, ids, newest)
        return scores

    @staticmethod
    def targets(batch: tuple[np.ndarray, ...]) -> int:
        """Count the positions with an item to foretell."""
        return int((batch[1] != PADDING).sum())

    def _engine(self, network):
        if self.config.negatives is None:
            return super()._engine(network)
        cls = type(self)
        return self.engine.Engine(
            network, cls.sampled_loss, self.config.training, cls.sampled_optimizer
        )


def attention_on_history(
    model: SASRecRecommender, users: np.ndarray, history: Interactions | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Show what the newest position, from which everything is scored, looks at.

    Args:
        model: fitted.
        users: int (n,), user indices.
        history: replaces what was fitted for them.

    Returns:
        For each user the item indices that were read, oldest first, (length,), and the
        weights on them (blocks, heads, length); each head's sum to one. Both are empty
        for an empty history.

    Raises:
        ValueError: not fitted, or a history over other items; DataError: an unknown
            user.
    """
    shown = []
    past = histories(model, np.asarray(users), history)
    for ids in user_sequences(past):
        read = ids[-model.config.max_length :]
        padded = pad([read], max(1, len(read)))  # (1, length)
        _, weights = model.run(model.network.states, padded)
        newest = weights[0, :, :, -1, : len(read)]  # (blocks, heads, length)
        shown.append((read - 1, newest))
    return shown
