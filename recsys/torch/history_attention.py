r"""History attention: a candidate asks what somebody took, and is scored by the answer.

Settings, batches, `fit` and `score`: `recsys.neural.history_attention`.

score(H, i) = c + b_i + <e_i, z>, z = sum over the history of w_l V e_l. The weights are
a softmax of scores, by which the four poolings differ:

    attention   <Q e_i, K e_l> / sqrt(dim) - rate * age
    content     <Q e_i, K e_l> / sqrt(dim)
    decay                                  - rate * age
    mean        0

With content each candidate reads the history in its own way. Age counts the newer
events that the candidate may look at, wherever padding stands; the rate is learned.

A candidate never looks at itself, wherever it stands, nor at anything that came after
it. A user is a history and nothing else, so a stranger is served like anybody, and no
user needs a bias: it would move no item past another.

Source: Zhou and others, 2018 (https://arxiv.org/abs/1706.06978, section 4.3), with
scaled dot products and softmax (Vaswani and others, 2017, equation 1); the age: Press
and others, 2022 (https://arxiv.org/abs/2108.12409, section 3), with a learned slope.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.batches.sequences import PADDING
from recsys.neural import history_attention
from recsys.neural.history_attention import (
    BY_AGE,
    BY_CONTENT,
    HistoryAttentionConfig,
)
from recsys.torch import engine
from recsys.torch.functional import attend_, scaled_dot_scores
from recsys.torch.ncf import embedding
from recsys.torch.parameters import projection

START = math.log(math.expm1(1 / 16))
"""What the rate starts from: the middle of the slopes that ALiBi gives its heads."""


class HistoryAttention(nn.Module):
    """The network, from histories and candidates to scores and attention weights.

    Args:
        n_items: size of the catalogue; ids run from 1 to n_items, 0 is padding.
        config: sizes.
    """

    def __init__(self, n_items: int, config: HistoryAttentionConfig):
        super().__init__()
        self.n_items, self.config = n_items, config
        self.items = embedding(n_items + 1, config.dim)
        self.bias = nn.Embedding(n_items + 1, 1)
        self.constant = nn.Parameter(torch.zeros(()))
        self.value = projection(config.dim, config.dim)
        if config.pooling in BY_CONTENT:
            self.query = projection(config.dim, config.dim)
            self.key = projection(config.dim, config.dim)
        if config.pooling in BY_AGE:
            self.raw_rate = nn.Parameter(torch.full((), START))
        nn.init.zeros_(self.bias.weight)

    def forward(
        self, history: Tensor, candidates: Tensor, visible: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Score candidates against histories.

        Args:
            history: int64 ids (batch, length), oldest first; padding may stand
                anywhere.
            candidates: int64 ids (batch, candidates).
            visible: int64 (batch, candidates), how many of the history's columns, from
                the left, a candidate may look at; all by default.

        Returns:
            Scores (batch, candidates) and weights (batch, candidates, length), which
            sum to one, or are zero where a candidate has nothing to look at.
        """
        past = self.items(history)  # (batch, length, dim)
        asked = self.items(candidates)  # (batch, candidates, dim)
        mask = _mask(history, candidates, visible)  # (batch, candidates, length)
        pooled, weights = self._pool(asked, past, mask)  # as asked, as mask
        match = (asked * pooled).sum(-1)  # (batch, candidates)
        bias = self.bias(candidates)[..., 0]  # (batch, candidates)
        return self.constant + bias + match, weights

    def contributions(self, history: Tensor, candidates: Tensor) -> Tensor:
        """What each event adds to a score: (batch, candidates, length).

        They sum to the score less the constant and the candidate's bias, exactly.
        """
        _, weights = self(history, candidates)  # (batch, candidates, length)
        values = self.value(self.items(history))  # (batch, length, dim)
        products = self.items(candidates) @ values.mT  # (batch, candidates, length)
        return weights * products

    def rate(self) -> Tensor:
        """How much the score falls with each newer event, a scalar above 0."""
        return F.softplus(self.raw_rate)

    def _pool(self, asked: Tensor, past: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates (batch, candidates, dim) read histories (batch, length, dim)."""
        scores = torch.zeros_like(mask, dtype=past.dtype)  # as mask
        if self.config.pooling in BY_CONTENT:
            scores = scaled_dot_scores(self.query(asked), self.key(past))
        if self.config.pooling in BY_AGE:
            scores = scores - self.rate() * _age(mask, scores.dtype)
        return attend_(scores, self.value(past), mask)


def _mask(history: Tensor, candidates: Tensor, visible: Tensor | None) -> Tensor:
    """True where a candidate may look: at a real item, early enough, not itself."""
    past = history[:, None, :]  # (batch, 1, length)
    real = past != PADDING  # (batch, 1, length)
    other = past != candidates[:, :, None]  # (batch, candidates, length)
    if visible is None:
        return real & other
    places = torch.arange(history.shape[1])  # (length,)
    early = places < visible[:, :, None]  # (batch, candidates, length)
    return real & other & early


def _age(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """How many newer events a candidate may look at, for each: 0 for the newest."""
    seen = mask.to(dtype)  # (batch, candidates, length)
    return seen.sum(-1, keepdim=True) - seen.cumsum(-1)


def history_loss(
    network: HistoryAttention, batch: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """Binary cross-entropy of taken against drawn, mean over the real candidates.

    Args:
        network: the network.
        batch: histories (batch, length), candidates (batch, length, 1 + negatives), of
            which the first was taken, and how many events each may look at, of the same
            shape; all int64.

    Returns:
        A scalar.
    """
    history, candidates, visible = batch
    scores, _ = network(history, candidates.flatten(1), visible.flatten(1))
    scores = scores.reshape(candidates.shape)  # (batch, length, 1 + negatives)
    labels = torch.zeros_like(scores)  # (batch, length, 1 + negatives)
    labels[..., 0] = 1
    real = candidates != PADDING  # (batch, length, 1 + negatives)
    return F.binary_cross_entropy_with_logits(scores[real], labels[real])


class HistoryAttentionRecommender(history_attention.HistoryAttentionRecommender):
    """History attention in this framework; see `recsys.neural.history_attention`."""

    engine, network_class = engine, HistoryAttention
    loss = history_loss
