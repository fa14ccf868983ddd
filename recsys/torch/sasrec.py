r"""SASRec: a history read by causal self-attention, every item scored as the next one.

Item embeddings, scaled by sqrt(dim), pass through blocks of causal self-attention and a
feed-forward layer, each behind a layer norm and beside a residual; the score of an item is
the product of the last state with the same embedding (tied). Order enters by ALiBi: a
score falls in proportion to age, with a slope of its own for each head. Trained with full
softmax at every position.

Source: Kang and McAuley, 2018 (https://arxiv.org/abs/1808.09781); cross-entropy in place
of its sampled binary loss: Klenitskiy and Vasilev, 2023 (https://arxiv.org/abs/2309.07602);
ALiBi: Press and others, 2022 (https://arxiv.org/abs/2108.12409, section 3).
"""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.attention.arguments import check_heads
from recsys.baselines.history import histories
from recsys.data import Interactions
from recsys.torch.checkpoint import digest, load_model, save_model
from recsys.torch.fit import FitConfig, fit
from recsys.torch.parameters import projection
from recsys.torch.sequences import PADDING, NextItemBatches, buckets, pad, user_sequences, windows


@dataclass(frozen=True)
class SASRecConfig:
    """The shape of the network, and how it is fed and trained.

    The defaults were chosen on the validation part of MovieLens 100K.

    Args:
        dim: size of embeddings and states; n_heads divides it.
        n_blocks: blocks on top of each other.
        n_heads: heads of a block.
        dropout: share of embeddings, states and weights dropped in training.
        max_length: the newest events that are read.
        tokens: about how many ids a batch holds.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: dim does not divide by n_heads.
    """

    dim: int = 64
    n_blocks: int = 1
    n_heads: int = 4
    dropout: float = 0.2
    max_length: int = 100
    tokens: int = 1000
    training: FitConfig = field(default_factory=lambda: FitConfig(epochs=8, learning_rate=8e-3))

    def __post_init__(self) -> None:
        check_heads(self.dim, self.n_heads)


class CausalAttention(nn.Module):
    """Multi-head self-attention with a bias on the scores that says who may look, and how far."""

    def __init__(self, dim: int, n_heads: int, dropout: float):
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.query, self.key = projection(dim, dim), projection(dim, dim)
        self.value, self.output = projection(dim, dim), projection(dim, dim)

    def forward(self, items: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Average values by the softmax of score plus bias.

        Args:
            items: (batch, length, dim).
            bias: (batch, heads, length, length), -inf where a position may not look.

        Returns:
            Output (batch, length, dim) and weights (batch, heads, length, length).
        """
        query, key, value = (  # each (batch, heads, length, dim / heads)
            layer(items).unflatten(2, (self.n_heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        weights = torch.softmax(scores + bias, dim=-1)
        dropped = F.dropout(weights, self.dropout, training=self.training)
        return self.output((dropped @ value).transpose(1, 2).flatten(2)), weights


class Block(nn.Module):
    """Attention, then a feed-forward layer, each behind a norm and beside a residual."""

    def __init__(self, config: SASRecConfig):
        super().__init__()
        dim = config.dim
        self.before_attention, self.before_feed = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = CausalAttention(dim, config.n_heads, config.dropout)
        self.wide, self.narrow = projection(dim, 4 * dim, bias=True), projection(4 * dim, dim, bias=True)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, states: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """States (batch, length, dim) to states, and weights (batch, heads, length, length)."""
        mixed, weights = self.attention(self.before_attention(states), bias)
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
        self.items = nn.Embedding(n_items + 1, config.dim, padding_idx=PADDING)
        nn.init.normal_(self.items.weight, std=config.dim**-0.5)
        with torch.no_grad():
            self.items.weight[PADDING] = 0
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_blocks))
        self.norm = nn.LayerNorm(config.dim)
        heads = torch.arange(1, config.n_heads + 1)
        self.register_buffer("slopes", 2.0 ** (-8 * heads / config.n_heads), persistent=False)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Score every item as the next one after each position.

        Padding may stand anywhere; what is returned at its positions means nothing.

        Args:
            ids: int64 (batch, length).

        Returns:
            Scores (batch, length, n_items), item index i in column i, and weights
            (batch, blocks, heads, length, length).

        Raises:
            ValueError: not two axes of int64, or an id outside the catalogue.
        """
        states, weights = self.states(ids)
        return self.scores(states), weights

    def states(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, but the states (batch, length, dim) that the scores are made from."""
        _check_ids(ids, self.n_items)
        states = self.drop(self.items(ids) * math.sqrt(self.config.dim))
        bias, weights = self._bias(ids), []
        for block in self.blocks:
            states, weight = block(states, bias)
            weights.append(weight)
        return self.norm(states), torch.stack(weights, dim=1)

    def scores(self, states: Tensor) -> Tensor:
        """States (..., dim) to scores (..., n_items)."""
        return states @ self.items.weight[1:].T

    def _bias(self, ids: Tensor) -> Tensor:
        """-slope * age where a position may look, -inf elsewhere: (batch, heads, length, length)."""
        real = ids != PADDING
        place = real.cumsum(1)  # counts real items, wherever padding stands
        age = (place[:, :, None] - place[:, None, :]).to(self.slopes.dtype)
        length = ids.shape[1]
        may = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril() & real[:, None, :]
        may = may | torch.eye(length, dtype=torch.bool, device=ids.device)  # padding sees itself: no empty row
        bias = -self.slopes[:, None, None] * age[:, None]
        return bias.masked_fill(~may[:, None], -math.inf)


def _check_ids(ids: Tensor, n_items: int) -> None:
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


def next_item_loss(model: SASRec, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy of the next item, mean over the real positions.

    Args:
        model: the network.
        batch: inputs and targets, int64 (batch, length), 0 where padded.

    Returns:
        A scalar.
    """
    inputs, targets = batch
    real = targets != PADDING
    scores = model.scores(model.states(inputs)[0][real])  # (positions, n_items)
    return F.cross_entropy(scores, targets[real] - 1)


class SASRecRecommender:
    """SASRec as a recommender: `fit(interactions)`, `score(users, history=None)`.

    A history is all that a score depends on, so a stranger is served like anybody else. Of
    an empty history the score is the log of 1 + popularity.

    Args:
        config: sizes and training.
        checkpoint: file that keeps the state of the training; a fit that was stopped goes
            on from it.
    """

    def __init__(self, config: SASRecConfig = SASRecConfig(), checkpoint: Path | None = None):
        self.config, self.checkpoint = config, checkpoint

    def fit(self, interactions: Interactions) -> "SASRecRecommender":
        """Train on every event but the first of each user; raises as `recsys.torch.fit`.

        After an error in training the recommender has the last good weights.
        """
        rows = windows(user_sequences(interactions), self.config.max_length)
        training = self.config.training
        batches = NextItemBatches(rows, self.config.tokens, training.seed)
        self.interactions, self.network = interactions, self._new(interactions)
        data = digest(interactions.users, interactions.items, interactions.times)
        identity = {**self._identity(interactions), "data": data}
        self.result = fit(self.network, batches, next_item_loss, training,
                          checkpoint=self.checkpoint, identity=identity)  # fmt: skip
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """Score all items for each user: float32 (len(users), n_items)."""
        past = user_sequences(histories(self, np.asarray(users), history))
        lengths = np.minimum([len(ids) for ids in past], self.config.max_length)
        popularity = np.bincount(self.interactions.items, minlength=self.network.n_items)
        scores = np.tile(np.log1p(popularity).astype(np.float32), (len(past), 1))
        known = np.flatnonzero(lengths)
        for group in buckets(lengths[known], 20 * self.config.tokens, np.arange(len(known))):
            scores[known[group]] = self._score([past[row] for row in known[group]], lengths[known[group]])
        return scores

    @torch.no_grad()
    def _score(self, rows: list[np.ndarray], lengths: np.ndarray) -> np.ndarray:
        states, _ = self.network.states(pad(rows, int(lengths.max())))
        last = states[torch.arange(len(rows)), torch.from_numpy(lengths - 1)]  # (batch, dim)
        return self.network.scores(last).numpy()

    def save(self, path: Path) -> None:
        """Write the weights; raises `OSError`, and an earlier file stays as it was."""
        save_model(self.network, Path(path), self._identity(self.interactions))

    def load(self, path: Path, interactions: Interactions) -> "SASRecRecommender":
        """Read the weights instead of training; raises as `read_checkpoint`."""
        network = self._new(interactions).eval()
        load_model(network, Path(path), self._identity(interactions))
        self.interactions, self.network = interactions, network
        return self

    def _new(self, interactions: Interactions) -> SASRec:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.training.seed)
            return SASRec(interactions.n_items, self.config)

    def _identity(self, interactions: Interactions) -> dict:
        return {"model": "SASRec", "config": asdict(self.config), "vocabulary": digest(interactions.item_ids)}
