"""Next basket by target attention: each candidate reads the purchases of the history.

Settings, batches, `fit` and `score`: `recsys.neural.next_basket`.

The candidate asks, every past purchase answers. Three ways to pool the answers stand
side by side, for what they keep: softmax weights sum to one, so that two purchases of a
product weigh no more than one did; sigmoid weights are summed, and counts survive; the
mean does not ask.

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
        known = (history != PADDING)[:, None, :]  # (batch, 1, length)
        real = known.expand(-1, candidates.shape[1], -1)  # (batch, candidates, length)
        same = self._same(history, candidates, real)  # (batch, candidates, length)
        asked = self.items(candidates)  # (batch, candidates, dim)
        read = self.items(history)  # (batch, length, dim)
        bucket = paddle.bucketize(gaps, self.edges, right=True)  # (batch, length)
        age = self.gap[bucket][:, None, :].expand_as(same)  # as same
        logits = self.query(asked) @ self.key(read).mT  # (batch, candidates, length)
        logits = logits / self.config.dim**0.5
        logits = logits + age + self.same[0] * same
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

    def weigh(self, logits: Tensor, real: Tensor) -> Tensor:
        """Turn logits (batch, candidates, length) into weights, 0 at padding.

        An empty history has weights 0.
        """
        shown = real.astype(logits.dtype)  # (batch, candidates, length)
        if self.config.pooling == "sum":
            return paddle.sigmoid(logits) * shown
        if self.config.pooling == "mean":
            logits = paddle.zeros_like(logits)
        logits = logits.masked_fill(~real, HIDDEN)
        return F.softmax(logits, axis=2) * shown


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
