r"""Will this customer take this product? One network, twelve ways to pool the history.

Settings, batches, `fit` and `score`: `recsys.neural.target_ranker`.

The vector of a product is the sum of an embedding of its own and one of its group (the
subclass of a shop), so that a product that was seldom sold still has a place. An event
of the history adds an embedding of how many days ago it was. The history is pooled to a
vector u, which depends on the candidate c only where attention is asked for; a small
network reads c, u and c * u, and gives the log odds.

pooling           the history, of n events, is
none              not read
mean              averaged
max               reduced to the greatest value of each coordinate
last              averaged over its newest day
decay             averaged by the softmax of a learned number for each range of days
sum               summed
sum over root n   summed, and divided by the square root of n
dot               averaged by scaled dot-product target attention: a softmax
dot and log n     the same, times log(1 + n)
sigmoid sum       summed with the sigmoids of the same scores
din               summed with the weights of DIN's activation unit
din over root n   the same, divided by the square root of n

A history that is told twice leaves an average as it was and doubles a sum; a root or a
logarithm of n stands between. log(1 + n) multiplies u and is no number beside it: there
it would move all candidates of a customer alike, but for what the hidden layer makes of
it, while in the product, of two histories with the same shares, the longer one says
more of each candidate.

Source: Zhou and others, 2018 (https://arxiv.org/abs/1706.06978, section 4); Vaswani and
others, 2017 (https://arxiv.org/abs/1706.03762, section 3.2.1); for log(1 + n), Corso
and others, 2020 (https://arxiv.org/abs/2004.05718, section 2).
"""

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from recsys.batches.candidates import GAP_EDGES
from recsys.batches.sequences import PADDING
from recsys.neural import target_ranker
from recsys.neural.target_ranker import TargetRankerConfig, group_ids
from recsys.paddle import engine
from recsys.paddle.activation_unit import ActivationUnit
from recsys.paddle.cross_attention import DotProductAttention
from recsys.paddle.functional import attend_, scaled_dot_scores
from recsys.paddle.parameters import Dropout, projection
from recsys.paddle.pooling import MeanPooling

SCALES = {
    "sum": lambda n: n,
    "sum over root n": paddle.sqrt,
    "dot and log n": paddle.log1p,
    "din over root n": lambda n: n.clamp(min=1) ** -0.5,
}
"""From the number of events to what u is multiplied by; of the sums it is a mean."""


class TargetRanker(nn.Layer):
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
        self.register_buffer("groups", paddle.to_tensor(of_ids), persistable=False)
        self.register_buffer("edges", paddle.to_tensor(GAP_EDGES), persistable=False)
        self.item = nn.Embedding(len(groups) + 1, dim)
        self.group = nn.Embedding(int(of_ids.max()) + 1, dim)
        self.gap = nn.Embedding(len(GAP_EDGES) + 1, dim)
        nn.init.normal_(self.item.weight, std=0.1)
        nn.init.normal_(self.group.weight, std=0.5)
        nn.init.normal_(self.gap.weight, std=0.1)
        self.drop = Dropout(config.dropout)
        if config.pooling in ("dot", "dot and log n", "sigmoid sum"):
            self.attention = DotProductAttention(dim, dim, dim)
        else:
            self.value = projection(dim, dim)
        if config.pooling in ("din", "din over root n"):
            self.attention = ActivationUnit(dim, config.hidden_dim)
        if config.pooling == "decay":
            self.age = nn.Parameter(paddle.zeros(len(GAP_EDGES) + 1))
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
            weight of each event in u, a share for averages and for max, and else any
            real number; zero for padding and everywhere for an empty history.
        """
        real = history != PADDING  # (batch, length)
        asked = self._vectors(candidates)  # (batch, candidates, dim)
        events = self._events(history, gaps)  # (batch, length, dim)
        pooled, weights = self._pool(asked, events, gaps, real)
        parts = [asked, pooled, asked * pooled]
        if self.config.repeats:
            parts.append(repeat_features(history, gaps, candidates, asked.dtype))
        read = paddle.cat(
            parts, axis=-1
        )  # (batch, candidates, 3 * dim, and 3 with repeats)
        hidden = self.drop(F.gelu(self.hidden(read)))  # (batch, candidates, 2 * dim)
        return self.output(hidden)[..., 0], weights

    def score_list(self, history: Tensor, gaps: Tensor, items: Tensor) -> Tensor:
        """Score one list of candidates against many histories, sooner than `forward`.

        Where u is the same for all candidates, one matrix reads c and c * u. The head is
        told of repeats for the products of a history alone; of all others there are none.

        Args:
            history, gaps: int64 (batch, length), as for `forward`.
            items: int64 (items,), distinct ids.

        Returns:
            Log odds (batch, items).
        """
        asked = self._vectors(items[None])[0]  # (items, dim)
        real = history != PADDING  # (batch, length)
        events = self._events(history, gaps)  # (batch, length, dim)
        scores = []
        for row in range(history.shape[0]):
            one = slice(row, row + 1)
            hidden = self._read_list(asked, events[one], gaps[one], real[one])
            if self.config.repeats:
                hidden = self._tell(hidden, history[one], gaps[one], items)
            hidden = self.drop(F.gelu(hidden))  # (items, 2 * dim)
            scores.append(self.output(hidden)[..., 0])
        return paddle.stack(scores)

    def _read_list(
        self, asked: Tensor, events: Tensor, gaps: Tensor, real: Tensor
    ) -> Tensor:
        """What the head's first layer makes of c, u and c * u: (items, 2 * dim).

        `asked` is (items, dim); the others are of one history, (1, length, ...).
        """
        dim = self.config.dim
        # Paddle: a Linear layer keeps its weight as (in, out)
        weight = self.hidden.weight  # (3 * dim, and 3 with repeats, 2 * dim)
        if hasattr(self, "attention"):
            pooled = self._pool(asked[None], events, gaps, real)[0][0]  # (items, dim)
            read = paddle.cat(
                [asked, pooled, asked * pooled], axis=-1
            )  # (items, 3 * dim)
            return read @ weight[: 3 * dim] + self.hidden.bias
        pooled = self._pool(asked[None, :1], events, gaps, real)[0][0]  # (1, dim)
        both = weight[:dim] + pooled.T * weight[2 * dim : 3 * dim]  # (dim, 2 * dim)
        alone = pooled @ weight[dim : 2 * dim] + self.hidden.bias  # (1, 2 * dim)
        return asked @ both + alone

    def _tell(
        self, hidden: Tensor, history: Tensor, gaps: Tensor, items: Tensor
    ) -> Tensor:
        """Add what the first layer makes of repeats to `hidden`, (items, 2 * dim).

        `history` and `gaps` are (1, length).
        """
        dtype = hidden.dtype
        places = paddle.full((self.n_items + 1,), len(items), dtype=paddle.int64)
        places[items] = paddle.arange(len(items))
        # Paddle: a Linear layer keeps its weight as (in, out)
        weight = self.hidden.weight  # (3 * dim + 3, 2 * dim)
        told = (
            repeat_features(history, gaps, history, dtype)[0]
            @ weight[3 * self.config.dim :]
        )
        hidden = paddle.cat([hidden, hidden[:1]])  # a row for what is not on the list
        rows = places[history[0]]  # (length,)
        hidden[rows] = hidden[rows] + told  # the same where a product stands twice
        return hidden[:-1]

    def _vectors(self, ids: Tensor) -> Tensor:
        """Ids (batch, n) to vectors (batch, n, dim)."""
        return self.item(ids) + self.group(self.groups[ids])

    def _events(self, history: Tensor, gaps: Tensor) -> Tensor:
        """Ids and gaps (batch, length) to vectors of events (batch, length, dim)."""
        return self._vectors(history) + self.gap(self._ages(gaps))

    def _ages(self, gaps: Tensor) -> Tensor:
        """Gaps (batch, length) to numbers of ranges of days, as shape."""
        return paddle.bucketize(gaps, self.edges, right=True)

    def _pool(
        self, asked: Tensor, events: Tensor, gaps: Tensor, real: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The vector u of each candidate, (batch, candidates, dim), and the weights."""
        pooling = self.config.pooling
        if pooling in ("dot", "dot and log n"):
            pooled, weights = self.attention(asked, events, real)
        elif pooling == "sigmoid sum":
            pooled, weights = self._sigmoid_sum(asked, events, real)
        elif pooling in ("din", "din over root n"):
            pooled, weights = self.attention(asked, self.value(events), real)
        else:
            one, share = self._pool_unasked(self.value(events), gaps, real)
            pooled = one[:, None].expand_as(asked)  # (batch, candidates, dim)
            weights = share[:, None].expand(
                -1, asked.shape[1], -1
            )  # (batch, candidates, length)
        if pooling in SCALES:
            n = real.sum(axis=1).astype(asked.dtype)  # (batch,)
            scale = SCALES[pooling](n)[:, None, None]  # (batch, 1, 1)
            pooled, weights = pooled * scale, weights * scale
        return pooled, weights

    def _sigmoid_sum(
        self, asked: Tensor, events: Tensor, real: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sum values by the sigmoids of the scores that a softmax would share out."""
        query, key = self.attention.query(asked), self.attention.key(events)
        scores = scaled_dot_scores(query, key)  # (batch, candidates, length)
        weights = paddle.sigmoid(scores) * real[:, None].astype(
            scores.dtype
        )  # as scores
        return weights @ self.attention.value(events), weights

    def _pool_unasked(
        self, values: Tensor, gaps: Tensor, real: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One vector (batch, dim) for all candidates, and weights (batch, length)."""
        pooling = self.config.pooling
        if pooling == "max":
            return _greatest(values, real)
        if pooling == "decay":
            scores = self.age[self._ages(gaps)][:, None]  # (batch, 1, length)
            output, weights = attend_(scores, values, real[:, None])
            return output[:, 0], weights[:, 0]
        if pooling == "none":
            real = paddle.zeros_like(real)
        if pooling == "last":
            real = real & (gaps == _newest(gaps, real))
        return MeanPooling()(values, real)


def _newest(gaps: Tensor, real: Tensor) -> Tensor:
    """The smallest gap of the real events, (batch, 1)."""
    far = paddle.iinfo(paddle.int32).max
    return gaps.masked_fill(~real, far).amin(axis=1, keepdim=True)


def _greatest(values: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Greatest value of each coordinate, (batch, dim), and each event's share."""
    known = real.any(axis=1, keepdim=True)  # (batch, 1)
    hidden = values.masked_fill(~real[..., None], -paddle.inf)  # (batch, length, dim)
    # Paddle: the gradient of `Tensor.max` is shared by ties, that of this goes to one
    best, place = paddle.compat.max(hidden, dim=1)  # (batch, dim) each
    chosen = F.one_hot(place, values.shape[1])  # (batch, dim, length)
    shares = chosen.astype(values.dtype).mean(axis=1)  # (batch, length)
    return best.masked_fill(~known, 0.0), shares * known.astype(values.dtype)


def repeat_features(
    history: Tensor, gaps: Tensor, candidates: Tensor, dtype: paddle.dtype
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
    times = same.sum(axis=-1).astype(dtype)  # (batch, candidates)
    days = gaps.clamp(min=1).astype(dtype)  # (batch, length)
    nearness = same.astype(dtype) / days[:, None, :]  # (batch, candidates, length)
    newest = nearness.amax(axis=-1)  # (batch, candidates)
    bought = times > 0  # (batch, candidates)
    since = paddle.where(
        bought, -paddle.log(newest.clamp(min=1e-9)), 0.0
    )  # (batch, candidates)
    return paddle.stack([bought.astype(dtype), paddle.log1p(times), since], axis=-1)


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
