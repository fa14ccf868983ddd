r"""Will this customer take this product? One network, six ways to pool the history.

Settings, batches, `fit` and `score`: `recsys.neural.target_ranker`.

The vector of a product is the sum of an embedding of its own and one of its group (the
subclass of a shop), so that a product that was seldom sold still has a place. An event
of the history adds an embedding of how many days ago it was. The history is pooled to a
vector u, which depends on the candidate c only where attention is asked for; a small
network reads c, u and c * u, and gives the log odds.

pooling   the history is
none      not read
mean      averaged
max       reduced to the greatest value of each coordinate
last      averaged over its newest day
dot       averaged by scaled dot-product target attention
din       summed with the weights of DIN's activation unit

Source: Zhou and others, 2018 (https://arxiv.org/abs/1706.06978, section 4); Vaswani and
others, 2017 (https://arxiv.org/abs/1706.03762, section 3.2.1).
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.batches.candidates import GAP_EDGES
from recsys.batches.sequences import PADDING
from recsys.neural import target_ranker
from recsys.neural.target_ranker import TargetRankerConfig, group_ids
from recsys.torch import engine
from recsys.torch.activation_unit import ActivationUnit
from recsys.torch.cross_attention import DotProductAttention
from recsys.torch.parameters import Dropout, projection
from recsys.torch.pooling import MeanPooling


class TargetRanker(nn.Module):
    """The network, from a history and candidates to log odds and attention weights.

    Args:
        groups: int (n_items,), the group of each item, from 0.
        config: sizes, and how the history is pooled.
    """

    def __init__(self, groups: np.ndarray, config: TargetRankerConfig):
        super().__init__()
        self.n_items, self.config = len(groups), config
        dim = config.dim
        of_ids = group_ids(groups)  # (n_items + 1,)
        self.register_buffer("groups", torch.from_numpy(of_ids), persistent=False)
        self.register_buffer("edges", torch.tensor(GAP_EDGES), persistent=False)
        self.item = nn.Embedding(len(groups) + 1, dim)
        self.group = nn.Embedding(int(of_ids.max()) + 1, dim)
        self.gap = nn.Embedding(len(GAP_EDGES) + 1, dim)
        nn.init.normal_(self.item.weight, std=0.1)
        nn.init.normal_(self.group.weight, std=0.5)
        nn.init.normal_(self.gap.weight, std=0.1)
        self.drop = Dropout(config.dropout)
        if config.pooling == "dot":
            self.attention = DotProductAttention(dim, dim, dim)
        else:
            self.value = projection(dim, dim)
        if config.pooling == "din":
            self.attention = ActivationUnit(dim, config.hidden_dim)
        self.hidden = projection(3 * dim + 3 * config.repeats, 2 * dim, bias=True)
        self.output = projection(2 * dim, 1, bias=True)

    def forward(
        self, history: Tensor, gaps: Tensor, candidates: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Score candidates against a history; padding may stand anywhere.

        Args:
            history: int64 (batch, length), ids of events; an empty history is a row of
                padding.
            gaps: int64 (batch, length), how many days before the day asked about, at
                least 1.
            candidates: int64 (batch, candidates), ids; what is returned where they are
                padding means nothing.

        Returns:
            Log odds (batch, candidates) and weights (batch, candidates, length): the
            weight of each event in u, which for DIN is any real number and else a
            share; zero for padding and everywhere for an empty history.
        """
        real = history != PADDING  # (batch, length)
        asked = self._vectors(candidates)  # (batch, candidates, dim)
        bucket = torch.bucketize(gaps, self.edges, right=True)  # (batch, length)
        events = self._vectors(history) + self.gap(bucket)  # (batch, length, dim)
        pooled, weights = self._pool(asked, events, gaps, real)
        parts = [asked, pooled, asked * pooled]
        if self.config.repeats:
            parts.append(repeat_features(history, gaps, candidates, asked.dtype))
        read = torch.cat(
            parts, dim=-1
        )  # (batch, candidates, 3 * dim, and 3 with repeats)
        hidden = self.drop(F.gelu(self.hidden(read)))  # (batch, candidates, 2 * dim)
        return self.output(hidden)[..., 0], weights

    def _vectors(self, ids: Tensor) -> Tensor:
        """Ids (batch, n) to vectors (batch, n, dim)."""
        return self.item(ids) + self.group(self.groups[ids])

    def _pool(
        self, asked: Tensor, events: Tensor, gaps: Tensor, real: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The vector u of each candidate, (batch, candidates, dim), and the weights."""
        pooling = self.config.pooling
        if pooling == "dot":
            return self.attention(asked, events, real)
        values = self.value(events)  # (batch, length, dim)
        if pooling == "din":
            return self.attention(asked, values, real)
        if pooling == "none":
            real = torch.zeros_like(real)
        if pooling == "last":
            real = real & (gaps == _newest(gaps, real))
        pool = _greatest if pooling == "max" else MeanPooling()
        one, weights = pool(values, real)  # (batch, dim), (batch, length)
        weights = weights[:, None].expand(
            -1, asked.shape[1], -1
        )  # (batch, candidates, length)
        return one[:, None].expand_as(asked), weights


def _newest(gaps: Tensor, real: Tensor) -> Tensor:
    """The smallest gap of the real events, (batch, 1)."""
    far = torch.iinfo(torch.int32).max
    return gaps.masked_fill(~real, far).amin(dim=1, keepdim=True)


def _greatest(values: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Greatest value of each coordinate, (batch, dim), and each event's share."""
    known = real.any(dim=1, keepdim=True)  # (batch, 1)
    hidden = values.masked_fill(~real[..., None], -torch.inf)  # (batch, length, dim)
    best, place = hidden.max(dim=1)  # (batch, dim) each
    chosen = F.one_hot(place, values.shape[1])  # (batch, dim, length)
    shares = chosen.to(values.dtype).mean(dim=1)  # (batch, length)
    return best.masked_fill(~known, 0.0), shares * known.to(values.dtype)


def repeat_features(
    history: Tensor, gaps: Tensor, candidates: Tensor, dtype: torch.dtype
) -> Tensor:
    """Tell of each candidate whether it was bought before, how often, and how lately.

    A candidate that was bought already is allowed, since people buy again; this flags
    it.

    Args:
        history, gaps: int64 (batch, length).
        candidates: int64 (batch, candidates).
        dtype: of what is returned.

    Returns:
        (batch, candidates, 3): 1 if bought before, log of 1 + times, log of days since
        the newest (0 if never).
    """
    equal = candidates[:, :, None] == history[:, None, :]  # (batch, candidates, length)
    real = history != PADDING  # (batch, length)
    same = equal & real[:, None, :]  # (batch, candidates, length)
    times = same.sum(dim=-1).to(dtype)  # (batch, candidates)
    days = gaps.clamp(min=1).to(dtype)  # (batch, length)
    nearness = same.to(dtype) / days[:, None, :]  # (batch, candidates, length)
    newest = nearness.amax(dim=-1)  # (batch, candidates)
    bought = times > 0  # (batch, candidates)
    since = torch.where(
        bought, -torch.log(newest.clamp(min=1e-9)), 0.0
    )  # (batch, candidates)
    return torch.stack([bought.to(dtype), torch.log1p(times), since], dim=-1)


def purchase_loss(model: TargetRanker, batch: tuple[Tensor, ...]) -> Tensor:
    """Binary cross-entropy, mean over the real candidates of a batch.

    Args:
        model: the network.
        batch: history, gaps, candidates, labels and rows, as
            `recsys.batches.candidates.Batch`.

    Returns:
        A scalar.
    """
    history, gaps, candidates, labels, _ = batch
    scores, _ = model(history, gaps, candidates)  # (batch, candidates)
    real = candidates != PADDING  # (batch, candidates)
    return F.binary_cross_entropy_with_logits(scores[real], labels[real])


class TargetRankerRecommender(target_ranker.TargetRankerRecommender):
    """The target ranker in this framework; see `recsys.neural.target_ranker`."""

    engine, network_class = engine, TargetRanker
    loss = purchase_loss
