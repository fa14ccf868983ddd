r"""Eight ways to mix the positions of a history: attention, and what it has to beat.

Seven average projected values by weights that sum to one over the past, in several
heads, and are followed by the same projection. They differ in the scores whose softmax
the weights are; the first four after attention are it with a part held fixed:

    attention   <q_i, k_j> / sqrt(head_dim) - rate_h * age
    content     <q_i, k_j> / sqrt(head_dim)
    decay                                   - rate_h * age
    mean        0
    last        0 where age = 0, minus infinity elsewhere
    linear      log <phi(q_i), phi(k_j)>    - rate_h * age
    gate        0, and the mean is multiplied by 1 + what the newest item says

The weights of `linear` can be kept as running sums, since they are a product of what
asks and what answers. `recurrent` is a GRU in their place and has no weights.

Age counts real items, wherever padding stands. Each head has a rate, which is learned;
it starts at the slope that ALiBi keeps fixed.

Source: Vaswani and others, 2017 (https://arxiv.org/abs/1706.03762, section 3.2); ALiBi:
Press and others, 2022 (https://arxiv.org/abs/2108.12409, section 3); linear attention:
Katharopoulos and others, 2020 (https://arxiv.org/abs/2006.16236, section 3.2); GRU: Cho
and others, 2014 (https://arxiv.org/abs/1406.1078, section 2.3).
"""

import math

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from recsys.batches.sequences import PADDING
from recsys.paddle.parameters import projection


def causal_ages(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Make ages, and a mask of the future and of padding, which every mixer is given.

    Args:
        ids: int64 (batch, length), 0 where padded.

    Returns:
        Age of key j at query i in real items, and a mask that is 0 where i may look at
        j and minus infinity elsewhere, both float (batch, 1, length, length). Padding
        looks at itself, so that no row is empty.
    """
    real = ids != PADDING  # (batch, length)
    # Paddle: no `cumsum` of booleans
    place = real.astype("int64").cumsum(1)  # counts real items, wherever padding stands
    age = (place[:, :, None] - place[:, None, :]).float()  # (batch, length, length)
    length = ids.shape[1]
    # Paddle: a graph wants its shape in one piece
    square = paddle.ones((length, length), dtype=paddle.bool)
    itself = paddle.eye(length).astype("bool")  # Paddle: no `eye` of booleans
    past = square.tril()  # (length, length)
    may = past & real[:, None, :] | itself  # (batch, length, length)
    zero = paddle.zeros_like(age)  # (batch, length, length)
    mask = zero.masked_fill(~may, -math.inf)  # (batch, length, length)
    return age[:, None], mask[:, None]


class Mixer(nn.Layer):
    """What seven share: values, a softmax over the past, an average, a projection.

    Args:
        dim: size of the items.
        n_heads: it divides dim.
    """

    def __init__(self, dim: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.value, self.output = projection(dim, dim), projection(dim, dim)

    def forward(
        self, items: Tensor, age: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Average the values of the past.

        Args:
            items: (batch, length, dim).
            age, mask: as `causal_ages` gives them.

        Returns:
            Output (batch, length, dim) and weights (batch, heads, length, length).
        """
        mixed, weights = self.average(items, age, mask)
        return self.output(mixed), weights

    def average(
        self, items: Tensor, age: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, before the projection."""
        # Paddle: to broadcast over heads takes longer than to copy
        age, mask = (part.tile([1, self.n_heads, 1, 1]) for part in (age, mask))
        scores = self.scores(items, age) + mask  # (batch, heads, length, length)
        weights = F.softmax(scores, axis=-1)  # (batch, heads, length, length)
        # Paddle: softmax of minus infinity is 1e-28
        weights = weights * (scores > -math.inf).astype(weights.dtype)
        value = self.heads(self.value(items))  # (batch, heads, length, dim / heads)
        mixed = (weights @ value).transpose(1, 2)  # (batch, length, heads, dim / heads)
        return mixed.flatten(2), weights

    def heads(self, projected: Tensor) -> Tensor:
        """(batch, length, dim) to (batch, heads, length, dim / heads)."""
        batch, length, dim = projected.shape
        split = (batch, length, self.n_heads, dim // self.n_heads)
        return projected.reshape(split).transpose(1, 2)

    def scores(self, items: Tensor, age: Tensor) -> Tensor:
        """Scores (batch, heads, length, length), or what is added up to that."""
        raise NotImplementedError


class DecayMixer(Mixer):
    """Weights in proportion to exp(-rate * age), with a learned rate for each head."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__(dim, n_heads)
        slopes = 2.0 ** (-8 * paddle.arange(1, n_heads + 1) / n_heads)
        start = paddle.log(paddle.expm1(slopes))  # softplus gives the slopes back
        self.raw_rate = nn.Parameter(start)

    def rate(self) -> Tensor:
        """How much the score falls with each item, (heads,), above 0."""
        return F.softplus(self.raw_rate)

    def scores(self, items: Tensor, age: Tensor) -> Tensor:
        return -self.rate()[:, None, None] * age


class AttentionMixer(DecayMixer):
    """Multi-head causal self-attention: what an item says decides, beside its age."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__(dim, n_heads)
        self.query, self.key = projection(dim, dim), projection(dim, dim)

    def scores(self, items: Tensor, age: Tensor) -> Tensor:
        query = self.heads(self.query(items))  # (batch, heads, length, dim / heads)
        key = self.heads(self.key(items))  # (batch, heads, length, dim / heads)
        # Paddle: `.mT` would be a copy
        content = paddle.matmul(
            query / math.sqrt(query.shape[-1]), key, transpose_y=True
        )
        return content + super().scores(items, age)  # (batch, heads, length, length)


class ContentMixer(Mixer):
    """Self-attention that is told no age: a history is a set to it, but for its end."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__(dim, n_heads)
        self.query, self.key = projection(dim, dim), projection(dim, dim)

    def scores(self, items: Tensor, age: Tensor) -> Tensor:
        query = self.heads(self.query(items))  # (batch, heads, length, dim / heads)
        key = self.heads(self.key(items))  # (batch, heads, length, dim / heads)
        # Paddle: `.mT` would be a copy
        return paddle.matmul(query / math.sqrt(query.shape[-1]), key, transpose_y=True)


class LinearMixer(DecayMixer):
    """Linear attention: exp(<q, k>) becomes <phi(q), phi(k)>, phi = elu + 1, above 0."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__(dim, n_heads)
        self.query, self.key = projection(dim, dim), projection(dim, dim)

    def scores(self, items: Tensor, age: Tensor) -> Tensor:
        query = F.elu(self.heads(self.query(items))) + 1  # (batch, heads, length, ...)
        key = F.elu(self.heads(self.key(items))) + 1  # (batch, heads, length, ...)
        # Paddle: `.mT` would be a copy
        kernel = paddle.log(paddle.matmul(query, key, transpose_y=True))
        return kernel + super().scores(items, age)


class MeanMixer(Mixer):
    """The plain mean of the past, in every head."""

    def scores(self, items: Tensor, age: Tensor) -> Tensor:
        even = paddle.zeros_like(age, dtype=items.dtype)
        return even.expand(-1, self.n_heads, -1, -1)


class LastMixer(Mixer):
    """The newest item alone, in every head."""

    def scores(self, items: Tensor, age: Tensor) -> Tensor:
        even = paddle.zeros_like(age, dtype=items.dtype)
        newest = even.masked_fill(age > 0, -math.inf)
        return newest.expand(-1, self.n_heads, -1, -1)


class GateMixer(MeanMixer):
    """The mean, each number of it multiplied by 1 + what the newest item says."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__(dim, n_heads)
        self.gate = projection(dim, dim)

    def average(
        self, items: Tensor, age: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        mean, weights = super().average(items, age, mask)
        return mean * (1 + self.gate(items)), weights


class RecurrentMixer(nn.Layer):
    """A gated recurrent unit: one state, changed by each item; it has no weights.

    Args:
        dim: size of the items and of the state.
        n_heads: heads of the weights that are given back, all 0.
    """

    def __init__(self, dim: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.read = projection(dim, 3 * dim, bias=True)
        self.keep = projection(dim, 3 * dim, bias=True)
        self.output = projection(dim, dim)

    def forward(
        self, items: Tensor, age: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `Mixer.forward`; padding leaves the state as it is."""
        real = mask[:, 0, -1] == 0  # (batch, length); the last counts as real
        read = self.read(items)  # (batch, length, 3 * dim)
        state = paddle.zeros_like(items[:, 0])  # (batch, dim)
        states = []
        for now, there in zip(read.unbind(1), real.unbind(1), strict=True):
            changed = self.step(now, state)  # (batch, dim)
            state = paddle.where(there[:, None], changed, state)
            states.append(state)
        nothing = paddle.zeros_like(mask, dtype=items.dtype)  # (batch, 1, length, length)
        weights = nothing.expand(-1, self.n_heads, -1, -1)
        return self.output(paddle.stack(states, 1)), weights

    def step(self, read: Tensor, state: Tensor) -> Tensor:
        """What is read, (batch, 3 * dim), and a state, (batch, dim), to the next."""
        to_stay, to_reset, new = read.chunk(3, 1)  # (batch, dim) each
        stay_kept, reset_kept, kept = self.keep(state).chunk(3, 1)
        stay = paddle.sigmoid(to_stay + stay_kept)  # (batch, dim)
        reset = paddle.sigmoid(to_reset + reset_kept)  # (batch, dim)
        proposed = paddle.tanh(new + reset * kept)  # (batch, dim)
        return stay * state + (1 - stay) * proposed


MIXERS = {
    "attention": AttentionMixer,
    "content": ContentMixer,
    "decay": DecayMixer,
    "mean": MeanMixer,
    "last": LastMixer,
    "linear": LinearMixer,
    "gate": GateMixer,
    "recurrent": RecurrentMixer,
}
"""By the name that `SASRecConfig.mixer` takes."""
