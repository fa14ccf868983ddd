r"""Pooling that looks at no content: the control that attention has to beat.

Even weights over the real positions of a history, (batch, length), so that the control
differs from attention only in where its weights come from; `pool` averages items with
them. Padding may stand left, right or in between.
"""

import numpy as np

from recsys.attention.weights import softmax
from recsys.checks import check_axes, check_boolean, check_padding_mask


def mean_weights(padding_mask: np.ndarray) -> np.ndarray:
    """Give every real position the same weight.

    Args:
        padding_mask: boolean (batch, length), True = real position.

    Returns:
        Weights (batch, length) in float64; zeros for a row without a real position.

    Raises:
        ValueError: a mask that is not boolean or has not two axes.
    """
    check_boolean("padding_mask", padding_mask)
    check_axes("padding_mask", padding_mask, ("batch", "length"))
    return softmax(np.zeros(padding_mask.shape), mask=padding_mask)


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
