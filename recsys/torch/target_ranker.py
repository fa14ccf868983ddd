r"""Will this customer take this product? One network, six ways to pool the history.

The vector of a product is the sum of an embedding of its own and one of its group (the
subclass of a shop), so that a product that was seldom sold still has a place. An event of
the history adds an embedding of how many days ago it was. The history is pooled to a
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

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.checks import check_counts
from recsys.torch.activation_unit import ActivationUnit
from recsys.torch.candidates import Batch
from recsys.torch.cross_attention import DotProductAttention
from recsys.torch.fit import FitConfig
from recsys.torch.parameters import projection
from recsys.torch.pooling import MeanPooling
from recsys.torch.sequences import PADDING

POOLINGS = ("none", "mean", "max", "last", "dot", "din")
GAP_EDGES = (2, 4, 8, 15, 31, 61)
"""Days at which the next embedding of age begins."""


@dataclass(frozen=True)
class TargetRankerConfig:
    """The shape of the network, and how it is fed and trained.

    The defaults were chosen on the basket before last of Ta-Feng.

    Args:
        pooling: one of `POOLINGS`.
        repeats: whether the head is told how often and how lately the candidate was bought.
        dim: size of embeddings.
        hidden_dim: size of the layer inside DIN's activation unit; the head's is 2 * dim.
        dropout: share of the head's hidden layer dropped in training.
        max_length: events read; of a longer history the newest are kept.
        n_negatives: draws by popularity beside each basket.
        batch_size: questions of a step.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: a pooling that does not exist, or a number out of range.
    """

    pooling: str = "dot"
    repeats: bool = False
    dim: int = 32
    hidden_dim: int = 8
    dropout: float = 0.2
    max_length: int = 64
    n_negatives: int = 10
    batch_size: int = 256
    training: FitConfig = field(default_factory=lambda: FitConfig(epochs=4, learning_rate=2e-2, weight_decay=1e-2))

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling: expected one of {', '.join(POOLINGS)}, got {self.pooling!r}")
        check_counts(self, "dim", "hidden_dim", "max_length", "n_negatives", "batch_size")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: expected from 0 to below 1, got {self.dropout}")


class TargetRanker(nn.Module):
    """The network, from a history and candidates to log odds and attention weights.

    Args:
        groups: int (n_items,), the group of each item, from 0.
        config: sizes, and how the history is pooled.
    """

    def __init__(self, groups: np.ndarray, config: TargetRankerConfig):
        super().__init__()
        dim = config.dim
        self.n_items, self.config = len(groups), config
        table = torch.from_numpy(np.concatenate([[0], np.asarray(groups, dtype=np.int64) + 1]))
        self.register_buffer("groups", table, persistent=False)
        self.item = nn.Embedding(len(groups) + 1, dim)
        self.group = nn.Embedding(int(table.max()) + 1, dim)
        self.gap = nn.Embedding(len(GAP_EDGES) + 1, dim)
        for table, std in ((self.item, 0.1), (self.group, 0.5), (self.gap, 0.1)):
            nn.init.normal_(table.weight, std=std)
        self.drop = nn.Dropout(config.dropout)
        if config.pooling == "dot":
            self.attention = DotProductAttention(dim, dim, dim)
        else:
            self.value = projection(dim, dim)
        if config.pooling == "din":
            self.attention = ActivationUnit(dim, config.hidden_dim)
        self.hidden = projection(3 * dim + 3 * config.repeats, 2 * dim, bias=True)
        self.output = projection(2 * dim, 1, bias=True)

    def forward(self, history: Tensor, gaps: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Score candidates against a history; padding may stand anywhere.

        Args:
            history: int64 (batch, length), ids of events.
            gaps: int64 (batch, length), how many days before the day asked about, at least 1.
            candidates: int64 (batch, candidates), ids; what is returned where they are padding
                means nothing.

        Returns:
            Log odds (batch, candidates) and weights (batch, candidates, length): the weight of
            each event in u, which for DIN is any real number and else a share; zero for padding and
            everywhere for an empty history.

        Raises:
            ValueError: ids outside the catalogue, shapes that differ, or an event that is not
                before the day asked about.
        """
        self._check(history, gaps, candidates)
        if not history.shape[1]:  # no event at all: read one that is padding
            nothing = history.new_full((len(history), 1), PADDING)
            scores, weights = self(nothing, nothing, candidates)
            return scores, weights[..., :0]
        real = history != PADDING
        asked = self._vectors(candidates)  # (batch, candidates, dim)
        age = self.gap(torch.bucketize(gaps, torch.tensor(GAP_EDGES, device=gaps.device), right=True))
        events = self._vectors(history) + age  # (batch, length, dim)
        pooled, weights = self._pool(asked, events, gaps, real)
        parts = [asked, pooled, asked * pooled]
        if self.config.repeats:
            parts.append(repeat_features(history, gaps, candidates))
        hidden = F.gelu(self.hidden(torch.cat(parts, dim=-1)))
        return self.output(self.drop(hidden))[..., 0], weights

    def _vectors(self, ids: Tensor) -> Tensor:
        return self.item(ids) + self.group(self.groups[ids])

    def _pool(self, asked: Tensor, events: Tensor, gaps: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """The vector u for each candidate, (batch, candidates, dim), and the weights of the events."""
        pooling = self.config.pooling
        if pooling == "dot":
            return self.attention(asked, events, real)
        values = self.value(events)
        if pooling == "din":
            return self.attention(asked, values, real)
        if pooling == "none":
            real = torch.zeros_like(real)
        if pooling == "last":
            newest = gaps.masked_fill(~real, torch.iinfo(gaps.dtype).max).min(dim=1, keepdim=True).values
            real = real & (gaps == newest)
        one, weights = _greatest(values, real) if pooling == "max" else MeanPooling()(values, real)
        return one[:, None].expand_as(asked), weights[:, None].expand(-1, asked.shape[1], -1)

    def _check(self, history: Tensor, gaps: Tensor, candidates: Tensor) -> None:
        for name, ids in (("history", history), ("candidates", candidates)):
            if ids.dim() != 2 or ids.dtype != torch.int64:
                raise ValueError(f"{name}: expected int64 (batch, {name}), got {ids.dtype} {tuple(ids.shape)}; "
                                 "make them with recsys.torch.candidates.batches")
            wrong = torch.nonzero((ids < 0) | (ids > self.n_items))
            if len(wrong):
                row, column = wrong[0].tolist()
                raise ValueError(f"{name}: expected ids from 0 (padding) to {self.n_items}, got "
                                 f"{ids[row, column].item()} at row {row}, column {column}; an id is item index + 1")
        if gaps.shape != history.shape or len(history) != len(candidates):
            raise ValueError(f"expected one gap an event and one history a row of candidates, got history "
                             f"{tuple(history.shape)}, gaps {tuple(gaps.shape)}, candidates {tuple(candidates.shape)}")
        leaks = torch.nonzero((gaps < 1) & (history != PADDING))
        if len(leaks):
            row, column = leaks[0].tolist()
            raise ValueError(f"gaps: expected 1 or more before the day asked about, got {gaps[row, column].item()} "
                             f"at row {row}, column {column}; leave the basket asked for out of the history")


def _greatest(values: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Greatest value of each coordinate, (batch, dim), and each event's share of the coordinates."""
    known = real.any(dim=1, keepdim=True)
    best, place = values.masked_fill(~real[..., None], -torch.inf).max(dim=1)  # each (batch, dim)
    shares = F.one_hot(place, values.shape[1]).to(values.dtype).mean(dim=1)  # (batch, length)
    return best.masked_fill(~known, 0.0), shares * known.to(values.dtype)


def repeat_features(history: Tensor, gaps: Tensor, candidates: Tensor) -> Tensor:
    """Tell of each candidate whether it was bought before, how often, and how lately.

    A candidate that was bought already is allowed, since people buy again; this flags it.

    Args:
        history, gaps: int64 (batch, length).
        candidates: int64 (batch, candidates).

    Returns:
        (batch, candidates, 3): 1 if bought before, log of 1 + times, log of days since the newest
        (0 if never).
    """
    same = (candidates[:, :, None] == history[:, None, :]) & (history != PADDING)[:, None, :]
    times = same.sum(dim=-1).to(torch.float32)  # (batch, candidates)
    lately = torch.where(same, 1 / gaps.clamp(min=1)[:, None, :].to(torch.float32), 0.0)
    newest = lately.max(dim=-1).values
    days = torch.where(times > 0, -torch.log(newest.clamp(min=1e-9)), 0.0)
    return torch.stack([(times > 0).to(torch.float32), torch.log1p(times), days], dim=-1)


def purchase_loss(model: TargetRanker, batch: Batch) -> Tensor:
    """Binary cross-entropy over the real candidates of a batch.

    Args:
        model: the network.
        batch: histories, candidates and labels.

    Returns:
        A scalar.
    """
    scores, _ = model(batch.history, batch.gaps, batch.candidates)
    real = batch.candidates != PADDING
    return F.binary_cross_entropy_with_logits(scores[real], batch.labels[real])
