r"""Losses on scores of users and items, each with its gradient by hand.

Squared error with the indices right: one prediction a_ij and one rating c_ij for each
user i and item j, and a stated divisor. The three divisors give the same direction and
different steps: per user the gradient is n_items times that per pair, so a learning
rate that works for one catalogue diverges for a larger one. Cross-entropy takes classes
or shares; its gradient is (softmax - target) / batch. Scores here are logits, before
softmax or sigmoid.

Predictions and targets must have equal shapes: (batch, 1) against (batch,) would
broadcast to (batch, batch), and every prediction would be pulled to the mean.
"""

from typing import Literal

import numpy as np
from scipy.special import expit

from recsys.attention.weights import log_softmax, softmax
from recsys.checks import check_axes, check_boolean, check_finite, check_same_shape

Normalisation = Literal["user", "pair", "observed"]


def _divisor(predictions, observed, normalise: Normalisation) -> int:
    counts = {
        "user": len(predictions),
        "pair": predictions.size,
        "observed": observed.sum(),
    }
    if normalise not in counts:
        raise ValueError(
            f"normalise: expected one of {sorted(counts)}, got {normalise!r}"
        )
    if counts[normalise] == 0:
        raise ValueError(
            f"predictions: expected at least one {normalise} to divide by, got none among "
            f"shape {predictions.shape}; drop empty batches"
        )
    return int(counts[normalise])


def _residuals(predictions, targets, observed, normalise):
    """Errors with 0 where not observed, and what to divide by."""
    check_same_shape("predictions", predictions, "targets", targets)
    if observed is None:
        observed = np.ones(predictions.shape, dtype=bool)
    check_boolean("observed", observed)
    check_same_shape("predictions", predictions, "observed", observed)
    errors = np.where(observed, predictions - targets, 0)
    check_finite("predictions - targets where observed", errors)
    return errors, _divisor(predictions, observed, normalise)


def squared_error(
    predictions: np.ndarray,
    targets: np.ndarray,
    observed: np.ndarray | None = None,
    normalise: Normalisation = "observed",
) -> float:
    """Sum (a_ij - c_ij)^2 over observed pairs, over users, pairs or observations.

    Args:
        predictions: a, (users, items) or (rows,).
        targets: c, the same shape; anything, NaN included, where not observed.
        observed: boolean, the same shape, True = rated; everything when None.
        normalise: "user" divides by the number of rows, "pair" by rows times items,
            "observed" by the number of observed pairs (the mean squared error).

    Returns:
        The loss.

    Raises:
        ValueError: unequal shapes, a mask that is not boolean, an unknown
            normalisation, nothing to divide by, or numbers that are not finite.
    """
    errors, divisor = _residuals(predictions, targets, observed, normalise)
    return float((errors * errors).sum() / divisor)


def squared_error_gradient(predictions, targets, observed=None, normalise="observed"):
    """Differentiate `squared_error` by the predictions: 2 (a_ij - c_ij) / divisor.

    The sign is that of a - c. With the sign of c - a, as it is sometimes printed,
    descent climbs.

    Args: as `squared_error`.

    Returns:
        Gradient in the shape of the predictions, 0 where not observed.

    Raises:
        ValueError: as `squared_error`.
    """
    errors, divisor = _residuals(predictions, targets, observed, normalise)
    return 2 * errors / divisor


def _shares(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Targets as shares (batch, n_items): one-hot for classes, checked otherwise."""
    check_axes("scores", scores, ("batch", "n_items"))
    targets = np.asarray(targets)
    if np.issubdtype(targets.dtype, np.integer):
        check_same_shape("scores[:, 0]", scores[:, 0], "targets", targets)
        outside = (targets < 0) | (targets >= scores.shape[1])
        if outside.any():
            row = int(outside.argmax())
            raise ValueError(
                f"targets: expected classes from 0 to {scores.shape[1] - 1}, got "
                f"{targets[row]} in row {row}; subtract 1 if ids start at 1"
            )
        return (targets[:, None] == np.arange(scores.shape[1])).astype(scores.dtype)
    check_same_shape("scores", scores, "targets", targets)
    if (targets < 0).any() or not np.allclose(targets.sum(axis=1), 1, atol=1e-6):
        raise ValueError(
            "targets: expected shares that are not negative and sum to one in each row; "
            "divide ratings or counts by their sum"
        )
    return targets


def cross_entropy(scores: np.ndarray, targets: np.ndarray) -> float:
    """Average -sum_j c_ij log softmax(scores)_ij over the batch.

    Args:
        scores: logits (batch, n_items).
        targets: classes, whole numbers (batch,), or shares (batch, n_items) that sum to
            one.

    Returns:
        The loss, in nats.

    Raises:
        ValueError: shapes that do not fit, a class outside the catalogue, shares that
            do not sum to one, scores that are not finite.
    """
    shares = _shares(scores, targets)
    return float(-(shares * log_softmax(scores)).sum(axis=1).mean())


def cross_entropy_gradient(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Differentiate `cross_entropy` by the scores: (softmax - target) / batch.

    Args: as `cross_entropy`.

    Returns:
        Gradient (batch, n_items); each row sums to zero.

    Raises:
        ValueError: as `cross_entropy`.
    """
    return (softmax(scores) - _shares(scores, targets)) / len(scores)


def binary_cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Average -y log s(z) - (1 - y) log(1 - s(z)), s the sigmoid, without overflow.

    Args:
        scores: logits z, any shape.
        labels: y from 0 to 1, the same shape.

    Returns:
        The mean loss, in nats.

    Raises:
        ValueError: unequal shapes, labels outside 0 to 1, scores that are not finite.
    """
    _check_labels(scores, labels)
    return float((np.logaddexp(0, scores) - labels * scores).mean())


def binary_cross_entropy_gradient(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Differentiate `binary_cross_entropy` by the scores: (s(z) - y) / n.

    Args: as `binary_cross_entropy`.

    Returns:
        Gradient in the shape of the scores.

    Raises:
        ValueError: as `binary_cross_entropy`.
    """
    _check_labels(scores, labels)
    return (expit(scores) - labels) / scores.size


def _check_labels(scores, labels) -> None:
    check_same_shape("scores", scores, "labels", labels)
    check_finite("scores", scores)
    if not ((labels >= 0) & (labels <= 1)).all():
        raise ValueError(
            f"labels: expected numbers from 0 to 1, got {labels.min()} to {labels.max()}; "
            "compare ratings with a threshold first"
        )


def mean_over_batches(batch_means: np.ndarray, batch_sizes: np.ndarray) -> float:
    """Give the mean over all rows from the means of batches and their sizes.

    The last batch is usually shorter, so the mean of the means is something else; and
    the sum of the means divided by the number of rows is too small by the batch size.

    Args:
        batch_means: (batches,), the mean of each batch.
        batch_sizes: (batches,), rows in each.

    Returns:
        The mean over rows.

    Raises:
        ValueError: unequal shapes, or no rows at all.
    """
    means, sizes = np.asarray(batch_means, dtype=float), np.asarray(batch_sizes)
    check_same_shape("batch_means", means, "batch_sizes", sizes)
    if sizes.sum() <= 0:
        raise ValueError(
            f"batch_sizes: expected at least one row, got {sizes.tolist()}"
        )
    return float((means * sizes).sum() / sizes.sum())
