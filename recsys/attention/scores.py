r"""How well a query fits a key: dot, scaled dot, bilinear, cosine, additive, target.

Every function takes queries (..., queries, dim) and keys (..., keys, dim) with equal
leading axes and returns scores (..., queries, keys); its `*_vjp` takes the gradient
with respect to the scores and returns the gradients with respect to the arguments, in
their order. Matrices multiply from the right, (in, out), as in `query @ matrix`.

Sources: additive, Bahdanau and others, 2015 (https://arxiv.org/abs/1409.0473, appendix
A.1.2); bilinear ("general"), Luong and others, 2015 (https://arxiv.org/abs/1508.04025,
equation 8); scaled dot product, Vaswani and others, 2017
(https://arxiv.org/abs/1706.03762, equation 1); target, the activation unit of DIN, Zhou
and others, 2018 (https://arxiv.org/abs/1706.06978, section 4.3).
"""

import math

import numpy as np

from recsys.checks import check_query_key


def _transpose(array: np.ndarray) -> np.ndarray:
    return np.swapaxes(array, -1, -2)


def matrix_gradient(inputs: np.ndarray, grad_outputs: np.ndarray) -> np.ndarray:
    """Gradient of a matrix in inputs @ matrix, summed over every axis but the last."""
    rows = inputs.reshape(-1, inputs.shape[-1])
    return rows.T @ grad_outputs.reshape(-1, grad_outputs.shape[-1])


def dot_scores(query: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Score by the dot product <q_i, k_j>.

    Args:
        query: (..., queries, dim); key: (..., keys, dim).

    Returns:
        Scores (..., queries, keys).

    Raises:
        ValueError: shapes that do not belong together.
    """
    check_query_key(query, key)
    return query @ _transpose(key)


def dot_scores_vjp(query, key, grad_scores) -> tuple[np.ndarray, np.ndarray]:
    """Carry a gradient back through `dot_scores`: to query and key."""
    return grad_scores @ key, _transpose(grad_scores) @ query


def scaled_dot_scores(query: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Score by <q_i, k_j> / sqrt(dim), whose variance does not grow with dim.

    Args:
        query: (..., queries, dim); key: (..., keys, dim).

    Returns:
        Scores (..., queries, keys).

    Raises:
        ValueError: shapes that do not belong together.
    """
    return dot_scores(query / math.sqrt(query.shape[-1]), key)


def scaled_dot_scores_vjp(query, key, grad_scores) -> tuple[np.ndarray, np.ndarray]:
    """Carry a gradient back through `scaled_dot_scores`: to query and key."""
    return dot_scores_vjp(query, key, grad_scores / math.sqrt(query.shape[-1]))


def bilinear_scores(
    query: np.ndarray, key: np.ndarray, matrix: np.ndarray
) -> np.ndarray:
    """Score by q_i M k_j, so that queries and keys may have different dimensions.

    Args:
        query: (..., queries, query_dim); key: (..., keys, key_dim).
        matrix: (query_dim, key_dim).

    Returns:
        Scores (..., queries, keys).

    Raises:
        ValueError: shapes that do not belong together.
    """
    return dot_scores(query @ matrix, key)


def bilinear_scores_vjp(query, key, matrix, grad_scores) -> tuple[np.ndarray, ...]:
    """Carry a gradient back through `bilinear_scores`: to query, key and matrix."""
    grad_projected, grad_key = dot_scores_vjp(query @ matrix, key, grad_scores)
    return grad_projected @ matrix.T, grad_key, matrix_gradient(query, grad_projected)


def _unit(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of length one, and the inverse of the lengths; 0 for a zero vector."""
    length = np.sqrt((array * array).sum(axis=-1, keepdims=True))
    inverse = np.where(length > 0, 1 / np.where(length > 0, length, 1), 0)
    return array * inverse, inverse


def cosine_scores(query: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Score by the cosine of the angle between q_i and k_j; 0 beside a zero vector.

    Args:
        query: (..., queries, dim); key: (..., keys, dim).

    Returns:
        Scores (..., queries, keys) from -1 to 1.

    Raises:
        ValueError: shapes that do not belong together.
    """
    return dot_scores(_unit(query)[0], _unit(key)[0])


def cosine_scores_vjp(query, key, grad_scores) -> tuple[np.ndarray, np.ndarray]:
    """Carry a gradient back to query and key of `cosine_scores`; 0 at a zero vector."""
    units = [_unit(query), _unit(key)]
    grad_units = dot_scores_vjp(units[0][0], units[1][0], grad_scores)
    return tuple(
        (grad - (grad * unit).sum(axis=-1, keepdims=True) * unit) * inverse
        for grad, (unit, inverse) in zip(grad_units, units)
    )


def additive_scores(query, key, query_matrix, key_matrix, direction) -> np.ndarray:
    """Score by <v, tanh(q_i W_q + k_j W_k)>.

    Args:
        query: (..., queries, query_dim); key: (..., keys, key_dim).
        query_matrix: (query_dim, hidden); key_matrix: (key_dim, hidden).
        direction: v, (hidden,).

    Returns:
        Scores (..., queries, keys).

    Raises:
        ValueError: shapes that do not belong together.
    """
    return _hidden(query @ query_matrix, key @ key_matrix) @ direction


def _hidden(
    query: np.ndarray, key: np.ndarray, product: np.ndarray | float = 0.0
) -> np.ndarray:
    check_query_key(query, key)
    return np.tanh(query[..., :, None, :] + key[..., None, :, :] + product)


def additive_scores_vjp(
    query, key, query_matrix, key_matrix, direction, grad_scores
) -> tuple[np.ndarray, ...]:
    """Carry a gradient back through `additive_scores`: to its five arguments."""
    hidden = _hidden(
        query @ query_matrix, key @ key_matrix
    )  # (..., queries, keys, hidden)
    grad_direction = matrix_gradient(hidden, grad_scores[..., None])[:, 0]
    grad_sum = grad_scores[..., None] * direction * (1 - hidden * hidden)
    grad_query, grad_key = grad_sum.sum(axis=-2), grad_sum.sum(axis=-3)
    return (
        grad_query @ query_matrix.T,
        grad_key @ key_matrix.T,
        matrix_gradient(query, grad_query),
        matrix_gradient(key, grad_key),
        grad_direction,
    )


def target_scores(
    candidate, item, candidate_matrix, bias, item_matrix, product_matrix, direction
) -> np.ndarray:
    """Score a candidate by <v, tanh(c W_c + b + h W_h + (c * h) W_p)> against an item.

    DIN feeds a small network with both vectors, their difference and their product. The
    difference needs no matrix of its own: W_c and W_h already hold it.

    Args:
        candidate: (..., candidates, dim); item: (..., length, dim).
        candidate_matrix, item_matrix, product_matrix: (dim, hidden); bias: (hidden,).
        direction: v, (hidden,).

    Returns:
        Scores (..., candidates, length).

    Raises:
        ValueError: shapes that do not belong together.
    """
    check_query_key(candidate, item)
    product = candidate[..., :, None, :] * item[..., None, :, :]
    hidden = _hidden(
        candidate @ candidate_matrix + bias,
        item @ item_matrix,
        product @ product_matrix,
    )
    return hidden @ direction


def target_scores_vjp(
    candidate,
    item,
    candidate_matrix,
    bias,
    item_matrix,
    product_matrix,
    direction,
    grad_scores,
) -> tuple[np.ndarray, ...]:
    """Carry a gradient back through `target_scores`: to its seven arguments."""
    product = candidate[..., :, None, :] * item[..., None, :, :]
    hidden = _hidden(
        candidate @ candidate_matrix + bias,
        item @ item_matrix,
        product @ product_matrix,
    )  # (..., candidates, length, hidden)
    grad_sum = grad_scores[..., None] * direction * (1 - hidden * hidden)
    grad_candidate, grad_item = grad_sum.sum(axis=-2), grad_sum.sum(axis=-3)
    grad_product = grad_sum @ product_matrix.T  # (..., candidates, length, dim)
    return (
        grad_candidate @ candidate_matrix.T
        + (grad_product * item[..., None, :, :]).sum(axis=-2),
        grad_item @ item_matrix.T
        + (grad_product * candidate[..., :, None, :]).sum(axis=-3),
        matrix_gradient(candidate, grad_candidate),
        grad_candidate.reshape(-1, grad_candidate.shape[-1]).sum(axis=0),
        matrix_gradient(item, grad_item),
        matrix_gradient(product, grad_sum),
        matrix_gradient(hidden, grad_scores[..., None])[:, 0],
    )
