"""Next basket by target attention: each candidate reads the purchases of the history.

Settings, batches, `fit` and `score`: `recsys.neural.next_basket`.

The candidate asks, every past purchase answers. Six ways to pool the answers stand side
by side, for what they keep. The weights of the first five sum to one, so that a history
told twice weighs no more than told once: shares are kept, counts are not.

    softmax   content and age: what candidate and purchase have in common, and when
    content   what they have in common; when it was is lost
    decay     when; no candidate asks, the weights are the same for all of them
    newest    the purchases of the newest day alike; all before it is lost
    mean      all purchases alike; when they were is lost
    sum       content and age as for softmax, but sigmoid weights: counts survive

What a purchase answers depends on the candidate in all six; only its weight differs.

Sources: Zhou and others (2018), section 4.3, for the sum without softmax; Hu and others
(2020), section 3, for counts that networks lose.
"""

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from recsys.batches.candidates import GAP_EDGES
from recsys.batches.sequences import PADDING
from recsys.neural import next_basket
from recsys.neural.next_basket import NextBasketConfig
from recsys.paddle import engine

HIDDEN = -1e9
"""The logit of what is not there."""


class NextBasketAttention(nn.Layer):
    """Score = what a candidate reads in the history + weighted log-popularities.

    Args:
        n_items: size of the catalogue.
        config: what the network is.
    """

    def __init__(self, n_items: int, config: NextBasketConfig):
        super().__init__()
        self.config = config
        dim = config.dim
        self.items = nn.Embedding(n_items + 1, dim)
        nn.init.normal_(self.items.weight, std=0.1)
        self.query = _square(dim)
        self.key = _square(dim)
        self.value = _square(dim)
        self.ask = _square(dim)
        self.register_buffer("edges", paddle.to_tensor(GAP_EDGES), persistable=False)
        self.gap = nn.Parameter(
            paddle.zeros(len(GAP_EDGES) + 1)
        )  # of the attention, for each age
        self.same = nn.Parameter(
            paddle.to_tensor([0.0, 3.0])
        )  # of attention and answer, for the candidate itself
        self.popularity = nn.Parameter(paddle.full((3,), 0.5))

    def forward(
        self, history: Tensor, gaps: Tensor, candidates: Tensor, popularity: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Score candidates.

        Args:
            history: int64 ids (batch, length), padding anywhere.
            gaps: int64 (batch, length), how many days before the day asked about.
            candidates: int64 ids (batch, candidates).
            popularity: logarithms (batch, candidates, 3).

        Returns:
            Scores (batch, candidates) and attention weights
            (batch, candidates, length).
        """
        known = history != PADDING  # (batch, length)
        if self.config.pooling == "newest":
            known = known & _newest_day(gaps, known)
        real = known[:, None, :]  # (batch, 1, length)
        real = real.expand(-1, candidates.shape[1], -1)  # (batch, candidates, length)
        same = self._same(history, candidates, real)  # (batch, candidates, length)
        asked = self.items(candidates)  # (batch, candidates, dim)
        read = self.items(history)  # (batch, length, dim)
        logits = self.logits(asked, read, gaps, same)  # (batch, candidates, length)
        weights = self.weigh(logits, real)  # (batch, candidates, length)
        answers = self.ask(asked) @ self.value(read).mT  # (batch, candidates, length)
        answers = answers + self.same[1] * same
        told = (weights * answers).sum(2)  # (batch, candidates)
        return told + popularity @ self.popularity, weights

    def _same(self, history: Tensor, candidates: Tensor, real: Tensor) -> Tensor:
        """Where an event is of the candidate, float (batch, candidates, length).

        1 there, and 0 everywhere without `config.match`.
        """
        equal = candidates[:, :, None] == history[:, None, :]  # as same
        same = (equal & real).astype(self.same.dtype)  # (batch, candidates, length)
        return same * float(self.config.match)

    def logits(self, asked: Tensor, read: Tensor, gaps: Tensor, same: Tensor) -> Tensor:
        """Content and age, or the one of them that the pooling knows.

        Args:
            asked: vectors of the candidates, (batch, candidates, dim).
            read: vectors of the history, (batch, length, dim).
            gaps: int64 (batch, length), days.
            same: (batch, candidates, length), 1 where an event is of the candidate.

        Returns:
            (batch, candidates, length).
        """
        bucket = paddle.bucketize(gaps, self.edges, right=True)  # (batch, length)
        age = self.gap[bucket][:, None, :].expand_as(same)  # as same
        if self.config.pooling == "decay":
            return age
        logits = self.query(asked) @ self.key(read).mT  # (batch, candidates, length)
        logits = logits / self.config.dim**0.5
        if self.config.pooling != "content":
            logits = logits + age
        return logits + self.same[0] * same

    def weigh(self, logits: Tensor, real: Tensor) -> Tensor:
        """Turn logits (batch, candidates, length) into weights, 0 where not real.

        A history of nothing real has weights 0.
        """
        shown = real.astype(logits.dtype)  # (batch, candidates, length)
        if self.config.pooling == "sum":
            return paddle.sigmoid(logits) * shown
        if self.config.pooling in ("mean", "newest"):
            logits = paddle.zeros_like(logits)
        logits = logits.masked_fill(~real, HIDDEN)
        return F.softmax(logits, axis=2) * shown


def _newest_day(gaps: Tensor, known: Tensor) -> Tensor:
    """Where nothing known has a smaller gap, bool (batch, length)."""
    newer = gaps[:, None, :] < gaps[:, :, None]  # (batch, length, length)
    newer = newer & known[:, None, :]  # (batch, length, length)
    return ~newer.any(axis=2)  # (batch, length)


def _square(dim: int) -> nn.Linear:
    """A Linear layer (dim, dim) without bias, uniform up to 1 / sqrt(dim)."""
    # Paddle: a Linear layer starts another way, so PyTorch's start is written out
    start = nn.initializer.Uniform(-(dim**-0.5), dim**-0.5)
    return nn.Linear(dim, dim, weight_attr=start, bias_attr=False)


def listwise_loss(network: NextBasketAttention, batch: tuple[Tensor, ...]) -> Tensor:
    """Mean of - log softmax over the candidates, of what was bought.

    A mean over the products of each customer, then over customers.

    Args:
        network: the network.
        batch: history, gaps, candidates and popularity as its inputs; labels, float
            (batch, candidates), 1 where bought, at least one in each row.

    Returns:
        A scalar.
    """
    *inputs, labels = batch
    scores, _ = network(*inputs)  # (batch, candidates)
    scores = scores.masked_fill(inputs[2] == PADDING, HIDDEN)  # (batch, candidates)
    logs = F.log_softmax(scores, axis=1)  # (batch, candidates)
    n_bought = labels.sum(1)  # (batch,)
    of_bought = (logs * labels).sum(1) / n_bought  # (batch,)
    return -of_bought.mean()


class NextBasket(next_basket.NextBasket):
    """The next basket in this framework; see `recsys.neural.next_basket`."""

    engine, network_class = engine, NextBasketAttention
    loss = listwise_loss
