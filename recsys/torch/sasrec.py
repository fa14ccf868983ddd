r"""SASRec: a history read by causal self-attention, every item scored as the next one.

Item embeddings, scaled by sqrt(dim), pass through blocks of causal self-attention and a
feed-forward layer, each behind a layer norm and beside a residual; the score of an item is
the product of the last state with the same embedding (tied). Order enters by age, as in
ALiBi, with slopes that are learned. Trained with the full softmax at every position, or with
a sampled one for large catalogues. `SASRecConfig.mixer` puts a control in the place of
attention and leaves everything else as it is.

Source: Kang and McAuley, 2018 (https://arxiv.org/abs/1808.09781); cross-entropy in place
of its sampled binary loss: Klenitskiy and Vasilev, 2023 (https://arxiv.org/abs/2309.07602).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.checks import check_heads
from recsys.data import Interactions
from recsys.recommender import histories
from recsys.torch.fit import FitConfig
from recsys.torch.mixers import MIXERS, causal_ages
from recsys.torch.optimisation import RowwiseAdagrad
from recsys.torch.output_losses import NegativeSampler, chunked_cross_entropy, sampled_softmax
from recsys.torch.parameters import projection
from recsys.torch.recommender import NetworkRecommender
from recsys.torch.sequences import PADDING, NextItemBatches, buckets, check_ids, pad, user_sequences, windows
from recsys.torch.validation import fit_recommender


@dataclass(frozen=True)
class SASRecConfig:
    """The shape of the network, and how it is fed and trained.

    The defaults were chosen on the validation part of MovieLens 100K.

    Args:
        dim: size of embeddings and states; n_heads divides it.
        n_blocks: blocks on top of each other.
        n_heads: heads of a block.
        dropout: share of embeddings and states dropped in training.
        max_length: the newest events that are read.
        tokens: about how many ids a batch holds.
        mixer: "attention", or the control "mean", "decay" or "last".
        negatives: items drawn for each batch for a sampled softmax, with which gradients of
            the embeddings are sparse; None = the full softmax.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: dim does not divide by n_heads, or an unknown mixer.
    """

    dim: int = 64
    n_blocks: int = 1
    n_heads: int = 4
    dropout: float = 0.2
    max_length: int = 50
    tokens: int = 1000
    mixer: str = "attention"
    negatives: int | None = None
    training: FitConfig = field(default_factory=lambda: FitConfig(epochs=8, learning_rate=8e-3))

    def __post_init__(self) -> None:
        check_heads(self.dim, self.n_heads)
        if self.mixer not in MIXERS:
            raise ValueError(f"mixer: expected one of {', '.join(MIXERS)}, got {self.mixer!r}")


class Block(nn.Module):
    """A mixer of positions, then a feed-forward layer, each behind a norm and beside a residual."""

    def __init__(self, config: SASRecConfig):
        super().__init__()
        dim = config.dim
        self.before_mixer, self.before_feed = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mixer = MIXERS[config.mixer](dim, config.n_heads)
        self.wide, self.narrow = projection(dim, 4 * dim, bias=True), projection(4 * dim, dim, bias=True)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, states: Tensor, age: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """States (batch, length, dim) to states, and weights (batch, heads, length, length)."""
        mixed, weights = self.mixer(self.before_mixer(states), age, mask)
        states = states + self.drop(mixed)
        fed = self.narrow(F.gelu(self.wide(self.before_feed(states))))
        return states + self.drop(fed), weights


class SASRec(nn.Module):
    """The network, from padded ids to scores of the next item and attention weights.

    Args:
        n_items: size of the catalogue; ids run from 1 to n_items, 0 is padding.
        config: sizes.
    """

    def __init__(self, n_items: int, config: SASRecConfig):
        super().__init__()
        self.n_items, self.config = n_items, config
        sparse = config.negatives is not None
        self.items = nn.Embedding(n_items + 1, config.dim, padding_idx=PADDING, sparse=sparse)
        nn.init.normal_(self.items.weight, std=config.dim**-0.5)
        with torch.no_grad():
            self.items.weight[PADDING] = 0
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_blocks))
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Score every item as the next one after each position.

        Padding may stand anywhere; what is returned at its positions is finite and means nothing.

        Args:
            ids: int64 (batch, length).

        Returns:
            Scores (batch, length, n_items), item index i in column i, and weights
            (batch, blocks, heads, length, length), which sum to one over the past.

        Raises:
            ValueError: not two axes of int64, or an id outside the catalogue.
        """
        states, weights = self.states(ids)
        return self.scores(states), weights

    def states(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, but the states (batch, length, dim) that the scores are made from."""
        check_ids(ids, self.n_items)
        states = self.drop(self.items(ids) * math.sqrt(self.config.dim))
        age, mask = causal_ages(ids)
        weights = []
        for block in self.blocks:
            states, weight = block(states, age, mask)
            weights.append(weight)
        return self.norm(states), torch.stack(weights, dim=1)

    def scores(self, states: Tensor) -> Tensor:
        """States (..., dim) to scores (..., n_items)."""
        return states @ self.items.weight[1:].T


def next_item_loss(model: SASRec, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy of the next item over the whole catalogue, mean over the real positions.

    Args:
        model: the network.
        batch: inputs and targets, int64 (batch, length), 0 where padded.

    Returns:
        A scalar.
    """
    inputs, targets = batch
    real = targets != PADDING
    states = model.states(inputs)[0][real]  # (positions, dim)
    return chunked_cross_entropy(states, model.items.weight[1:], targets[real] - 1)


def sampled_next_item_loss(model: SASRec, batch: tuple[Tensor, Tensor], sampler: NegativeSampler) -> Tensor:
    """As `next_item_loss`, from the targets and items drawn once for the whole batch.

    Only the rows of the embedding that occur are read, and have a gradient.
    """
    inputs, targets = batch
    real = targets != PADDING
    states, target_ids = model.states(inputs)[0][real], targets[real]  # (positions, dim) and (positions,)
    drawn, log_q = sampler.draw()
    target_scores = (states * model.items(target_ids)).sum(1)
    negative_scores = states @ model.items(drawn + 1).T  # (positions, n)
    return sampled_softmax(target_scores, negative_scores, log_q, target_ids[:, None] == drawn + 1)


class SASRecRecommender(NetworkRecommender):
    """SASRec as a recommender: `fit(interactions)`, `score(users, history=None)`.

    A history is all that a score depends on, so a stranger is served like anybody else. Of
    an empty history the score is the log of 1 + popularity. A user or an item that is not in
    the vocabulary is refused by `Interactions`, a history over other items by `score`.

    Args:
        config: sizes and training.
        checkpoint: file that keeps the state of the training; a fit that was stopped goes
            on from it.
        log: directory for TensorBoard.
    """

    network_class, config_class = SASRec, SASRecConfig

    def fit(self, interactions: Interactions, validation: Interactions | None = None) -> "SASRecRecommender":
        """Train on every event but the first of each user.

        An error before the first step leaves the recommender as it was, one in training leaves
        it with the last good weights.

        Args:
            interactions: what is trained on.
            validation: held-out events of the same users; the epoch with the best nDCG@10 on
                them is kept, and `config.training.patience` may end the training.

        Returns:
            Itself, with `result`, the course of the training.

        Raises:
            ValueError: no user with two events, and as `recsys.torch.fit`.
        """
        rows = windows(user_sequences(interactions), self.config.max_length)
        batches = NextItemBatches(rows, self.config.tokens, self.config.training.seed)
        return fit_recommender(self, self._new(interactions), interactions, batches, self._loss(interactions),
                               self._identity(interactions), validation, self._optimizer())  # fmt: skip

    def _loss(self, interactions: Interactions) -> Callable:
        if self.config.negatives is None:
            return next_item_loss
        sampler = NegativeSampler(_counts(interactions), self.config.negatives)
        return lambda model, batch: sampled_next_item_loss(model, batch, sampler)

    def _optimizer(self) -> Callable | None:
        if self.config.negatives is None:
            return None
        return lambda model, training: RowwiseAdagrad(model.parameters(), training.learning_rate, training.weight_decay)

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """Score all items for each user: float32 (len(users), n_items)."""
        past = user_sequences(histories(self, np.asarray(users), history))
        lengths = np.minimum([len(ids) for ids in past], self.config.max_length)
        scores = np.tile(np.log1p(_counts(self.interactions)).astype(np.float32), (len(past), 1))
        known = np.flatnonzero(lengths)
        for group in buckets(lengths[known], 20 * self.config.tokens, np.arange(len(known))):
            scores[known[group]] = self._score([past[row] for row in known[group]], lengths[known[group]])
        return scores

    @torch.no_grad()
    def _score(self, rows: list[np.ndarray], lengths: np.ndarray) -> np.ndarray:
        states, _ = self.network.states(pad(rows, int(lengths.max())))
        last = states[torch.arange(len(rows)), torch.from_numpy(lengths - 1)]  # (batch, dim)
        return self.network.scores(last).numpy()


@torch.no_grad()
def attention_on_history(
    model: SASRecRecommender, users: np.ndarray, history: Interactions | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:  # fmt: skip
    """Show what the newest position, from which everything is scored, looks at.

    Args:
        model: fitted.
        users: int (n,), user indices.
        history: replaces what was fitted for them.

    Returns:
        For each user the item indices that were read, oldest first, (length,), and the
        weights on them (blocks, heads, length); each head's sum to one. Both are empty for
        an empty history.

    Raises:
        ValueError: not fitted, or a history over other items; DataError: an unknown user.
    """
    shown = []
    for ids in user_sequences(histories(model, np.asarray(users), history)):
        ids = ids[max(0, len(ids) - model.config.max_length):]
        _, weights = model.network.states(pad([ids], max(1, len(ids))))  # (1, blocks, heads, length, length)
        shown.append((ids - 1, weights[0, :, :, -1, :len(ids)].numpy()))
    return shown


def _counts(interactions: Interactions) -> np.ndarray:
    return np.bincount(interactions.items, minlength=interactions.n_items)
