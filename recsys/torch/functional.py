r"""Attention as functions of tensors: masked softmax, causal mask, scaled dot product.

The same formulas as `recsys.attention`, written out; autograd takes the way back. Masks
are boolean and True marks a real position. They have as many axes as the scores, with 1
allowed on all but the last. A row with every key masked has weights, output and
gradients zero, never NaN.

`softmax`, `attend` and `attention` look at shapes, dtypes and, at the price of one sum
for each tensor, at whether numbers are finite. What layers use ends in `_`: it looks at
shapes and dtypes alone, so that a graph which serves can hold it.

Source: Vaswani and others, 2017 (https://arxiv.org/abs/1706.03762, section 3.2).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from recsys.checks import (
    check_mask,
    check_query_key,
    check_temperature,
    check_values,
    finite_message,
)


def check_finite(name: str, tensor: Tensor) -> None:
    """Require a tensor without infinities and NaN, at the price of one sum.

    Args:
        name: what to call the tensor in the message.
        tensor: float tensor of any shape.

    Raises:
        ValueError: a value is not finite; the message gives the first such index.
    """
    values = tensor.detach()
    if math.isfinite(values.sum().item()):
        return
    wrong = torch.nonzero(~torch.isfinite(values))
    if len(wrong):  # otherwise only the sum of finite numbers overflowed
        index = tuple(wrong[0].tolist())
        raise ValueError(finite_message(name, index, values[index].item()))


def causal_mask(length: int) -> Tensor:
    """Let each position see itself and the past only.

    Args:
        length: number of positions.

    Returns:
        Boolean (length, length), True at (i, j) where j <= i.
    """
    return torch.ones(length, length, dtype=torch.bool).tril()


def softmax(
    scores: Tensor, mask: Tensor | None = None, temperature: float = 1.0
) -> Tensor:
    """Turn scores into weights that sum to one along the last axis.

    Args:
        scores: (..., queries, keys), finite (under the mask as well).
        mask: boolean, True = real position, axes of the scores.
        temperature: above 0; low concentrates, high spreads.

    Returns:
        Weights (..., queries, keys); zero where masked, and for a row without any key.

    Raises:
        ValueError: a temperature that is not positive, a score that is not finite, a
            mask of the wrong shape or dtype.
    """
    check_temperature(temperature)
    check_finite("scores", scores)
    return softmax_(scores / temperature, mask)


def softmax_(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Turn scores into weights and overwrite the scores on the way.

    One copy of (batch, heads, queries, keys) less: with it attention keeps its pace
    beside the fused kernel of the framework. For scores that nobody else holds.

    Args:
        scores: (..., queries, keys), finite; after the call not to be used.
        mask: boolean, True = real position, axes of the scores.

    Returns:
        Weights (..., queries, keys), as from `softmax`.

    Raises:
        ValueError: a mask of the wrong shape or dtype.
    """
    if mask is None:
        return F.softmax(scores, dim=-1)
    check_mask(mask, scores.shape)
    attends = mask.any(dim=-1, keepdim=True)  # (..., queries, 1)
    bias = torch.zeros_like(mask, dtype=scores.dtype).masked_fill(
        ~mask & attends, -math.inf
    )
    shape = scores.shape
    scores = scores.add_(bias.expand(shape))  # what an exported graph goes on with
    weights = F.softmax(scores, dim=-1)  # (..., queries, keys)
    real = mask.to(scores.dtype)  # 0 or 1
    return weights * real.expand(shape)


def scaled_dot_scores(query: Tensor, key: Tensor) -> Tensor:
    """Score by <q_i, k_j> / sqrt(dim), whose variance does not grow with dim.

    Args:
        query: (..., queries, dim); key: (..., keys, dim).

    Returns:
        Scores (..., queries, keys).

    Raises:
        ValueError: shapes that do not belong together.
    """
    check_query_key(query, key)
    return (query / math.sqrt(query.shape[-1])) @ key.mT


def attend(
    scores: Tensor, values: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Average values with the softmax of scores.

    Args:
        scores: (..., queries, keys), finite.
        values: (..., keys, value_dim), finite, so that a masked one weighs nothing.
        mask: boolean, True = real position, axes of the scores.

    Returns:
        Output (..., queries, value_dim) and weights (..., queries, keys).

    Raises:
        ValueError: a number that is not finite, a mask of the wrong shape or dtype, or
            not one value for each key.
    """
    check_finite("scores", scores)
    check_finite("values", values)
    return attend_(scores, values, mask)


def attend_(
    scores: Tensor, values: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Average values with the softmax of scores: `attend` without a look at numbers.

    Args:
        scores, values, mask: as `attend`.

    Returns:
        Output and weights, as `attend`.

    Raises:
        ValueError: a mask of the wrong shape or dtype, or not one value for each key.
    """
    check_values(scores, values)
    weights = softmax_(scores.clone(), mask)  # (..., queries, keys)
    return weights @ values, weights


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Compute scaled dot-product attention, softmax(Q K^T / sqrt(dim)) V.

    Args:
        query: (..., queries, dim); key: (..., keys, dim); value:
            (..., keys, value_dim).
        mask: boolean, True = real position, axes of the scores (..., queries, keys).

    Returns:
        Output (..., queries, value_dim) and weights (..., queries, keys).

    Raises:
        ValueError: shapes that do not belong together, numbers that are not finite, a
            mask of the wrong shape or dtype.
    """
    scores = scaled_dot_scores(query, key)  # (..., queries, keys)
    return attend(scores, value, mask)


def attention_(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Compute scaled dot-product attention: `attention` without a look at the numbers.

    Args:
        query, key, value, mask: as `attention`.

    Returns:
        Output and weights, as `attention`.

    Raises:
        ValueError: shapes that do not belong together, a mask of the wrong shape or
            dtype.
    """
    scores = scaled_dot_scores(query, key)  # (..., queries, keys)
    check_values(scores, value)
    weights = softmax_(scores, mask)  # (..., queries, keys)
    return weights @ value, weights
