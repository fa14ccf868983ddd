r"""SASRec: a history read by causal self-attention, every item scored as the next one.

Settings, batches, `fit` and `score`: `recsys.neural.sasrec`.

Item embeddings, scaled by sqrt(dim), pass through blocks of causal self-attention and a
feed-forward layer, each behind a layer norm and beside a residual; the score of an item
is the product of the last state with the same embedding (tied). Order enters by age, as
in ALiBi, with slopes that are learned. Trained with the full softmax at every position,
or with a sampled one for large catalogues. `SASRecConfig.mixer` puts a control in the
place of attention and leaves everything else as it is.

Source: Kang and McAuley, 2018 (https://arxiv.org/abs/1808.09781); cross-entropy in
place of its sampled binary loss: Klenitskiy and Vasilev, 2023
(https://arxiv.org/abs/2309.07602).
"""

import math

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from recsys.batches.sequences import PADDING
from recsys.neural import sasrec
from recsys.neural.sasrec import SASRecConfig
from recsys.paddle import engine
from recsys.paddle.mixers import MIXERS, causal_ages
from recsys.paddle.optimisation import rowwise_adagrad
from recsys.paddle.output_losses import chunked_cross_entropy, sampled_softmax
from recsys.paddle.parameters import Dropout, projection


class Block(nn.Layer):
    """A mixer of positions, a feed-forward layer; behind norms, beside residuals."""

    def __init__(self, config: SASRecConfig):
        super().__init__()
        dim = config.dim
        self.before_mixer = nn.LayerNorm(dim)
        self.before_feed = nn.LayerNorm(dim)
        self.mixer = MIXERS[config.mixer](dim, config.n_heads)
        self.wide = projection(dim, 4 * dim, bias=True)
        self.narrow = projection(4 * dim, dim, bias=True)
        self.drop = Dropout(config.dropout)

    def forward(
        self, states: Tensor, age: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Let positions look at each other, and work each over.

        Args:
            states: (batch, length, dim).
            age, mask: as `recsys.paddle.mixers.causal_ages` gives them.

        Returns:
            States (batch, length, dim) and weights (batch, heads, length, length).
        """
        mixed, weights = self.mixer(self.before_mixer(states), age, mask)
        states = states + self.drop(mixed)  # (batch, length, dim)
        hidden = F.gelu(self.wide(self.before_feed(states)))  # (batch, length, 4 * dim)
        fed = self.narrow(hidden)  # (batch, length, dim)
        return states + self.drop(fed), weights


class SASRec(nn.Layer):
    """The network, from padded ids to scores of the next item and attention weights.

    Args:
        n_items: size of the catalogue; ids run from 1 to n_items, 0 is padding.
        config: sizes.
    """

    def __init__(self, n_items: int, config: SASRecConfig):
        super().__init__()
        self.n_items = n_items
        self.config = config
        sparse = config.negatives is not None
        self.items = nn.Embedding(
            n_items + 1, config.dim, padding_idx=PADDING, sparse=sparse
        )
        nn.init.normal_(self.items.weight, std=config.dim**-0.5)
        with paddle.no_grad():
            self.items.weight[PADDING] = 0
        self.drop = Dropout(config.dropout)
        self.blocks = nn.LayerList(Block(config) for _ in range(config.n_blocks))
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Score every item as the next one after each position.

        Padding may stand anywhere; what is returned at its positions is finite and
        means nothing.

        Args:
            ids: int64 (batch, length).

        Returns:
            Scores (batch, length, n_items), item index i in column i, and weights
            (batch, blocks, heads, length, length), which sum to one over the past.
        """
        states, weights = self.states(ids)
        return self.scores(states), weights

    def states(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, but states (batch, length, dim) in place of the scores."""
        scaled = self.items(ids) * math.sqrt(self.config.dim)  # (batch, length, dim)
        states = self.drop(scaled)  # (batch, length, dim)
        age, mask = causal_ages(ids)  # (batch, 1, length, length) each
        weights = []
        for block in self.blocks:
            states, weight = block(states, age, mask)  # (batch, length, dim)
            weights.append(weight)
        return self.norm(states), paddle.stack(weights, axis=1)

    def score_next(self, ids: Tensor, last: Tensor) -> Tensor:
        """Score what follows position `last`, int64 (batch,): (batch, n_items)."""
        states, _ = self.states(ids)
        newest = states[paddle.arange(len(ids)), last]  # (batch, dim)
        return self.scores(newest)

    def scores(self, states: Tensor) -> Tensor:
        """States (..., dim) to scores (..., n_items)."""
        return states @ self.items.weight[1:].T


def next_item_loss(model: SASRec, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy of the next item over the catalogue, mean over real positions.

    Args:
        model: the network.
        batch: inputs and targets, int64 (batch, length), 0 where padded.

    Returns:
        A scalar.
    """
    inputs, targets = batch
    states, _ = model.states(inputs)  # (batch, length, dim)
    real = targets != PADDING  # (batch, length)
    wanted = targets[real] - 1  # (positions,), item indices
    return chunked_cross_entropy(states[real], model.items.weight[1:], wanted)


def sampled_next_item_loss(
    model: SASRec, batch: tuple[Tensor, Tensor, Tensor, Tensor]
) -> Tensor:
    """As `next_item_loss`, from the targets and items drawn once for the whole batch.

    Only the rows of the embedding that occur are read, and have a gradient.

    Args:
        model: the network.
        batch: inputs and targets as there; ids drawn, int64 (n,), and the log q of
            each, float (n,).

    Returns:
        A scalar.
    """
    inputs, targets, drawn, log_q = batch
    states, _ = model.states(inputs)  # (batch, length, dim)
    real = targets != PADDING  # (batch, length)
    states = states[real]  # (positions, dim)
    wanted = targets[real]  # (positions,), ids
    target_scores = (states * model.items(wanted)).sum(1)  # (positions,)
    negative_scores = states @ model.items(drawn).T  # (positions, n)
    hits = wanted[:, None] == drawn  # (positions, n)
    return sampled_softmax(target_scores, negative_scores, log_q, hits)


class SASRecRecommender(sasrec.SASRecRecommender):
    """SASRec in this framework; see `recsys.neural.sasrec`."""

    engine, network_class = engine, SASRec
    loss, sampled_loss, sampled_optimizer = (
        next_item_loss,
        sampled_next_item_loss,
        rowwise_adagrad,
    )
