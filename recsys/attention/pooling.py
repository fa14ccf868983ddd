r"""Pooling that looks at no content: the controls that attention has to beat.

A mean, the last item, and a decay with age whose rate is learned. Each is a row of
weights over the history, (batch, length), so that a control differs from attention only
in where its weights come from; `pool` averages items with them. Padding may stand left,
right or in between: age counts real positions, not columns.
"""

import math

import numpy as np

from recsys.attention.weights import softmax, softmax_vjp
from recsys.checks import check_axes, check_boolean, check_padding_mask


def ages(padding_mask: np.ndarray) -> np.ndarray:
    """Count the real positions after each one: 0 for the last item of a history.

    Args:
        padding_mask: boolean (batch, length), True = real position.

    Returns:
        Whole numbers (batch, length) as float64; meaningless where masked.

    Raises:
        ValueError: a mask that is not boolean or has not two axes.
    """
    check_boolean("padding_mask", padding_mask)
    check_axes("padding_mask", padding_mask, ("batch", "length"))
    return np.cumsum(padding_mask[:, ::-1], axis=1)[:, ::-1] - 1.0


def mean_weights(padding_mask: np.ndarray) -> np.ndarray:
    """Give every real position the same weight.

    Args:
        padding_mask: boolean (batch, length), True = real position.

    Returns:
        Weights (batch, length) in float64; zeros for a row without a real position.

    Raises:
        ValueError: a mask that is not boolean or has not two axes.
    """
    return decay_weights(padding_mask, rate=0.0)


def last_weights(padding_mask: np.ndarray) -> np.ndarray:
    """Give all the weight to the last real position.

    Args:
        padding_mask: boolean (batch, length), True = real position.

    Returns:
        Weights (batch, length) in float64; zeros for a row without a real position.

    Raises:
        ValueError: a mask that is not boolean or has not two axes.
    """
    return ((ages(padding_mask) == 0) & padding_mask).astype(np.float64)


def decay_weights(padding_mask: np.ndarray, rate: float) -> np.ndarray:
    """Let weight fall with age, in proportion to exp(-rate * age).

    Args:
        padding_mask: boolean (batch, length), True = real position.
        rate: not negative; 0 is the mean, and a large rate is the last item.

    Returns:
        Weights (batch, length) in float64; zeros for a row without a real position.

    Raises:
        ValueError: a negative or infinite rate, or a mask as in `ages`.
    """
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(
            f"rate: expected a finite number from 0 up, got {rate}; "
            "pass a free parameter through softplus"
        )
    return softmax(-rate * ages(padding_mask), mask=padding_mask)


def decay_weights_vjp(padding_mask: np.ndarray, rate: float, grad_weights: np.ndarray) -> float:
    """Carry a gradient back through `decay_weights`: to the rate."""
    grad_scores = softmax_vjp(decay_weights(padding_mask, rate), grad_weights)
    return float(-(grad_scores * ages(padding_mask)).sum())


def pool(weights: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Average items over the length axis with given weights.

    Args:
        weights: (batch, length), zero where masked.
        items: (batch, length, dim).

    Returns:
        Pooled items (batch, dim), in the dtype of the items.

    Raises:
        ValueError: weights that do not fit the items.
    """
    check_axes("items", items, ("batch", "length", "dim"))
    check_padding_mask(weights > 0, items.shape)
    return (weights.astype(items.dtype)[:, None, :] @ items)[:, 0]


def pool_vjp(weights, items, grad_output) -> tuple[np.ndarray, np.ndarray]:
    """Carry a gradient (batch, dim) back through `pool`: to weights and items."""
    grad_weights = (items @ grad_output[:, :, None])[:, :, 0]
    return grad_weights, weights[:, :, None] * grad_output[:, None, :]
