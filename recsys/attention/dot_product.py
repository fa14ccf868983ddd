r"""Attention: weights times values, with one head or several, and the way back.

`attend` is the common last step: scores become weights by a masked softmax, weights
average the values. Scaled dot-product attention (Vaswani and others, 2017,
https://arxiv.org/abs/1706.03762, section 3.2) puts scaled dot scores in front, and
multi-head attention puts projections around it. Each `*_vjp` takes the gradient with
respect to the output and returns those with respect to the arguments, in their order.

There is no bias in a projection. That of the keys could not matter: it adds the same
<q_i, b> to every score of a row, and softmax ignores such a shift. Those of the values
and the output would only add a constant, also where nothing is attended to.

Masks are boolean, True = real position, with as many axes as the scores have and 1
allowed on all but the last. A row with every key masked has weights and output zero.
"""

from typing import NamedTuple

import numpy as np

from recsys.attention.scores import (
    matrix_gradient,
    scaled_dot_scores,
    scaled_dot_scores_vjp,
)
from recsys.attention.weights import softmax, softmax_vjp
from recsys.checks import check_finite, check_heads, check_values


def causal_mask(length: int) -> np.ndarray:
    """Let each position see itself and the past only.

    Args:
        length: number of positions.

    Returns:
        Boolean (length, length), True at (i, j) where j <= i. Against (batch, queries,
        keys) scores use `causal_mask(length)[None]`.
    """
    return np.tril(np.ones((length, length), dtype=bool))


def attend(
    scores: np.ndarray, values: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Average values with the softmax of scores.

    Args:
        scores: (..., queries, keys), finite.
        values: (..., keys, value_dim), finite, so that a masked one weighs nothing.
        mask: boolean, True = real position, axes of the scores.

    Returns:
        Output (..., queries, value_dim), inside the convex hull of the values, and the
        weights (..., queries, keys).

    Raises:
        ValueError: a number that is not finite, a mask of the wrong shape or dtype, or
            not one value for each key.
    """
    check_values(scores, values)
    check_finite("values", values)
    weights = softmax(scores, mask=mask)
    return weights @ values, weights


def attend_vjp(weights, values, grad_output) -> tuple[np.ndarray, np.ndarray]:
    """Carry a gradient back through `attend`: to scores and values.

    Args:
        weights: (..., queries, keys), as `attend` returned them.
        values: (..., keys, value_dim).
        grad_output: (..., queries, value_dim).

    Returns:
        Gradients with respect to scores and values.
    """
    grad_weights = grad_output @ np.swapaxes(values, -1, -2)
    return softmax_vjp(weights, grad_weights), np.swapaxes(
        weights, -1, -2
    ) @ grad_output


def attention(query, key, value, mask=None) -> tuple[np.ndarray, np.ndarray]:
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
    return attend(scaled_dot_scores(query, key), value, mask)


def attention_vjp(query, key, value, grad_output, mask=None) -> tuple[np.ndarray, ...]:
    """Carry a gradient back through `attention`: to query, key and value."""
    _, weights = attention(query, key, value, mask)
    grad_scores, grad_value = attend_vjp(weights, value, grad_output)
    return *scaled_dot_scores_vjp(query, key, grad_scores), grad_value


class Projections(NamedTuple):
    """Matrices of attention, or the gradients with respect to them.

    query: (query_dim, dim); key: (key_dim, dim); value: (key_dim, dim);
    output: (dim, dim), which mixes the heads, or None with a single head.
    """

    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    output: np.ndarray | None = None


def projected_attention(
    query, items, projections, mask=None
) -> tuple[np.ndarray, np.ndarray]:
    """Let queries attend to items through learned query, key and value projections.

    Args:
        query: (..., queries, query_dim).
        items: (..., keys, key_dim), giving keys and values.
        projections: `Projections` without an output.
        mask: boolean, True = real position, axes of the scores (..., queries, keys).

    Returns:
        Output (..., queries, dim) and weights (..., queries, keys).

    Raises:
        ValueError: as `attention`.
    """
    return attention(
        query @ projections.query,
        items @ projections.key,
        items @ projections.value,
        mask,
    )


def projected_attention_vjp(query, items, projections, grad_output, mask=None):
    """Carry a gradient back to the arguments of `projected_attention`."""
    grads = attention_vjp(
        query @ projections.query,
        items @ projections.key,
        items @ projections.value,
        grad_output,
        mask,
    )
    return _projection_vjp(query, items, projections, grads)


def _projection_vjp(query, items, projections, grads):
    """From gradients of projected query, key and value to inputs and matrices."""
    grad_query, grad_key, grad_value = grads
    matrices = Projections(
        matrix_gradient(query, grad_query),
        matrix_gradient(items, grad_key),
        matrix_gradient(items, grad_value),
    )
    grad_items = grad_key @ projections.key.T + grad_value @ projections.value.T
    return grad_query @ projections.query.T, grad_items, matrices


def split_heads(array: np.ndarray, n_heads: int) -> np.ndarray:
    """Cut the last axis, (..., length, dim), into (..., heads, length, dim / heads).

    Raises:
        ValueError: dim does not divide by n_heads.
    """
    check_heads(array.shape[-1], n_heads)
    heads = array.reshape(*array.shape[:-1], n_heads, array.shape[-1] // n_heads)
    return np.swapaxes(heads, -2, -3)


def merge_heads(array: np.ndarray) -> np.ndarray:
    """Undo `split_heads`: (..., heads, length, dim / heads) to (..., length, dim)."""
    heads = np.swapaxes(array, -2, -3)
    return heads.reshape(*heads.shape[:-2], -1)


def _head_inputs(query, items, projections, n_heads, mask):
    projected = (
        query @ projections.query,
        items @ projections.key,
        items @ projections.value,
    )
    heads = [split_heads(array, n_heads) for array in projected]
    return *heads, None if mask is None else np.expand_dims(mask, -3)


def multi_head_attention(
    query, items, projections, n_heads, mask=None
) -> tuple[np.ndarray, np.ndarray]:
    """Attend in several subspaces at once and mix what they bring.

    Where query and items are the same it is self-attention.

    Args:
        query: (..., queries, query_dim).
        items: (..., keys, key_dim); the same array as `query` for self-attention.
        projections: `Projections` with an output; head h owns the h-th block of
            columns.
        n_heads: divides dim.
        mask: boolean, True = real position, (..., queries, keys) with 1 allowed on all
            but the last axis; every head uses it.

    Returns:
        Output (..., queries, dim) and weights (..., heads, queries, keys).

    Raises:
        ValueError: as `attention`, or dim does not divide by n_heads.
    """
    *heads, mask = _head_inputs(query, items, projections, n_heads, mask)
    output, weights = attention(*heads, mask)
    return merge_heads(output) @ projections.output, weights


def multi_head_attention_vjp(
    query, items, projections, n_heads, grad_output, mask=None
):
    """Carry a gradient back to the arguments of `multi_head_attention`.

    In self-attention the input's gradient is the sum of the first two.

    Returns:
        Gradients with respect to query and items, and `Projections` of gradients.
    """
    *heads, mask = _head_inputs(query, items, projections, n_heads, mask)
    merged = merge_heads(attention(*heads, mask)[0])
    grad_heads = split_heads(grad_output @ projections.output.T, n_heads)
    grads = [merge_heads(grad) for grad in attention_vjp(*heads, grad_heads, mask)]
    grad_query, grad_items, matrices = _projection_vjp(query, items, projections, grads)
    output = matrix_gradient(merged, grad_output)
    return grad_query, grad_items, matrices._replace(output=output)
