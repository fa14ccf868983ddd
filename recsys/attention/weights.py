r"""From scores to weights: softmax, sparsemax, and how concentrated the result is.

Softmax at temperature T is the allocation p on the simplex that maximises
<p, u> + T H(p); sparsemax maximises <p, u> - |p|^2 / 2 and gives exact zeros (Martins
and Astudillo, 2016, https://arxiv.org/abs/1602.02068, algorithm 1 and section 2.5). The
derivative of each is a vector-Jacobian product, `*_vjp`: from the gradient of a loss
with respect to the weights to the one with respect to the scores.

A slice with every position masked has no distribution. Its weights are defined as
zeros, so that its output and its gradients are zeros too, and never NaN.
"""

import numpy as np
from scipy.special import entr

from recsys.checks import check_finite, check_mask, check_same_shape, check_temperature


def softmax(
    scores: np.ndarray,
    temperature: float = 1.0,
    axis: int = -1,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Turn scores into weights that are positive and sum to one along an axis.

    Args:
        scores: float array of any shape, finite (under the mask as well).
        temperature: above 0; low concentrates, high spreads.
        axis: the axis that sums to one.
        mask: boolean, True = real position; shape of the scores, with 1 allowed on
            every axis but `axis`. Masked positions get weight 0; a slice with none left
            gets zeros.

    Returns:
        Weights, of the shape and dtype of the scores.

    Raises:
        ValueError: a temperature that is not positive, a score that is not finite, a
            mask of the wrong shape or dtype.
    """
    check_temperature(temperature)
    scores = np.asarray(scores)
    with np.errstate(over="ignore"):
        scaled = scores / temperature
    check_finite("scores", scaled)
    if mask is None:
        mask = np.ones((1,) * scaled.ndim, dtype=bool)
    else:
        check_mask(mask, scaled.shape, axis)
    peak = scaled.max(axis=axis, keepdims=True, where=mask, initial=-np.inf)
    shifted = np.where(mask, scaled - np.where(np.isfinite(peak), peak, 0), -np.inf)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=axis, keepdims=True)
    return exponentials / np.where(total > 0, total, 1)


def softmax_vjp(
    weights: np.ndarray,
    grad_weights: np.ndarray,
    temperature: float = 1.0,
    axis: int = -1,
) -> np.ndarray:
    """Carry a gradient back through softmax: p * (g - <p, g>) / T.

    Args:
        weights: what `softmax` returned, masked positions included.
        grad_weights: gradient with respect to the weights, same shape.
        temperature: as given to `softmax`.
        axis: as given to `softmax`.

    Returns:
        Gradient with respect to the scores; zero where masked.

    Raises:
        ValueError: unequal shapes or a temperature that is not positive.
    """
    check_temperature(temperature)
    check_same_shape("weights", weights, "grad_weights", grad_weights)
    mean = (weights * grad_weights).sum(axis=axis, keepdims=True)
    return weights * (grad_weights - mean) / temperature


def log_softmax(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Take the logarithm of softmax without computing softmax, which may underflow.

    Args:
        scores: float array, finite.
        axis: the axis whose weights sum to one.

    Returns:
        Log-weights, of the shape and dtype of the scores.

    Raises:
        ValueError: a score that is not finite.
    """
    scores = np.asarray(scores)
    check_finite("scores", scores)
    shifted = scores - scores.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def sparsemax(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Project scores on the simplex: weights that sum to one, most of them zero.

    Args:
        scores: float array, finite.
        axis: the axis that sums to one.

    Returns:
        Weights max(scores - threshold, 0), of the shape and dtype of the scores.

    Raises:
        ValueError: a score that is not finite.
    """
    scores = np.moveaxis(np.asarray(scores), axis, -1)
    check_finite("scores", scores)
    scores = scores - scores.max(axis=-1, keepdims=True)
    ordered = -np.sort(-scores, axis=-1)
    excess = ordered.cumsum(axis=-1) - 1
    rank = np.arange(1, scores.shape[-1] + 1, dtype=scores.dtype)
    size = (rank * ordered > excess).sum(axis=-1, keepdims=True)
    threshold = np.take_along_axis(excess, size - 1, axis=-1) / size.astype(
        scores.dtype
    )
    return np.moveaxis(np.maximum(scores - threshold, 0), -1, axis)


def sparsemax_vjp(
    weights: np.ndarray, grad_weights: np.ndarray, axis: int = -1
) -> np.ndarray:
    """Carry a gradient back through sparsemax: centred on the support, zero elsewhere.

    Sparsemax is piecewise linear, so its Taylor remainder is zero inside a piece.

    Args:
        weights: what `sparsemax` returned.
        grad_weights: gradient with respect to the weights, same shape.
        axis: as given to `sparsemax`.

    Returns:
        Gradient with respect to the scores.

    Raises:
        ValueError: unequal shapes.
    """
    check_same_shape("weights", weights, "grad_weights", grad_weights)
    support = weights > 0
    mean = grad_weights.mean(axis=axis, keepdims=True, where=support)
    return np.where(support, grad_weights - mean, 0)


def entropy(weights: np.ndarray, axis: int = -1) -> np.ndarray:
    """Measure how spread an allocation is, in nats: -sum p log p with 0 log 0 = 0.

    Args:
        weights: not negative, summing to one along `axis`, or all zero (masked).
        axis: the axis of the allocation.

    Returns:
        Entropy, 0 for one-hot and log n for uniform, without the axis.

    Raises:
        ValueError: a negative or non-finite weight.
    """
    weights = np.asarray(weights)
    check_finite("weights", weights)
    if (weights < 0).any():
        raise ValueError(
            f"weights: expected none below 0, got {weights.min()}; "
            "turn scores into weights first, with softmax or sparsemax"
        )
    return entr(weights).sum(axis=axis)


def effective_number(weights: np.ndarray, axis: int = -1) -> np.ndarray:
    """Count the items that share the attention: exp(entropy), n if even, 1 if one-hot.

    Args:
        weights: as for `entropy`.
        axis: the axis of the allocation.

    Returns:
        Effective number, without the axis; 0 where every weight is zero.

    Raises:
        ValueError: a negative or non-finite weight.
    """
    spread = np.exp(entropy(weights, axis=axis))
    return np.where(np.asarray(weights).any(axis=axis), spread, 0)
