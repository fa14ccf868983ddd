r"""Four ways to mix the positions of a history: attention, and what it has to beat.

All four average projected values by weights that sum to one over the past, in several
heads, and are followed by the same projection. They differ in the scores whose softmax
the weights are, each a special case of the first:

    attention   <q_i, k_j> / sqrt(head_dim) - rate_h * age
    decay                                   - rate_h * age
    mean        0
    last        0 where age = 0, minus infinity elsewhere

Age counts real items, wherever padding stands. Each head has a rate, which is learned;
it starts at the slope that ALiBi keeps fixed.

Source: Vaswani and others, 2017 (https://arxiv.org/abs/1706.03762, section 3.2); ALiBi:
Press and others, 2022 (https://arxiv.org/abs/2108.12409, section 3).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.batches.sequences import PADDING
from recsys.torch.parameters import projection


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
    place = real.cumsum(1)  # counts real items, wherever padding stands
    age = (place[:, :, None] - place[:, None, :]).float()  # (batch, length, length)
    length = ids.shape[1]
    square = torch.ones(length, length, dtype=torch.bool, device=ids.device)
    itself = torch.eye(length, dtype=torch.bool, device=ids.device)
    past = square.tril()  # (length, length)
    may = past & real[:, None, :] | itself  # (batch, length, length)
    zero = torch.zeros_like(age)  # (batch, length, length)
    mask = zero.masked_fill(~may, -math.inf)  # (batch, length, length)
    return age[:, None], mask[:, None]


class Mixer(nn.Module):
    """What the four share: values, a softmax over the past, an average, a projection.

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
        scores = self.scores(items, age) + mask  # (batch, heads, length, length)
        weights = F.softmax(scores, dim=-1)  # (batch, heads, length, length)
        value = self.heads(self.value(items))  # (batch, heads, length, dim / heads)
        mixed = (weights @ value).transpose(1, 2)  # (batch, length, heads, dim / heads)
        return self.output(mixed.flatten(2)), weights

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
        slopes = 2.0 ** (-8 * torch.arange(1, n_heads + 1) / n_heads)
        start = torch.log(torch.expm1(slopes))  # softplus gives the slopes back
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
        content = query @ key.mT / math.sqrt(query.shape[-1])
        return content + super().scores(items, age)  # (batch, heads, length, length)


class MeanMixer(Mixer):
    """The plain mean of the past, in every head."""

    def scores(self, items: Tensor, age: Tensor) -> Tensor:
        even = torch.zeros_like(age, dtype=items.dtype)
        return even.expand(-1, self.n_heads, -1, -1)


class LastMixer(Mixer):
    """The newest item alone, in every head."""

    def scores(self, items: Tensor, age: Tensor) -> Tensor:
        even = torch.zeros_like(age, dtype=items.dtype)
        newest = even.masked_fill(age > 0, -math.inf)
        return newest.expand(-1, self.n_heads, -1, -1)


MIXERS = {
    "attention": AttentionMixer,
    "decay": DecayMixer,
    "mean": MeanMixer,
    "last": LastMixer,
}
"""By the name that `SASRecConfig.mixer` takes."""
