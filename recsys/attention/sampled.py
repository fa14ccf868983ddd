r"""Losses that look at a few items instead of the catalogue, and their sampler.

BPR compares a positive with a negative (Rendle and others, 2009,
https://arxiv.org/abs/1205.2618). Sampled softmax estimates the normaliser of
cross-entropy from n draws: exp(s_t) + (1/n) sum_j exp(s_j) / q_j, where item j was
drawn with probability q_j among the items other than the target. Its expectation is the
full normaliser. The target is always there, so its score takes no correction
(Khrylchenko and others, 2025, https://arxiv.org/abs/2507.09331).
"""

import math

import numpy as np
from scipy.special import expit

from recsys.attention.losses import cross_entropy, cross_entropy_gradient
from recsys.checks import check_axes, check_finite, check_same_shape


def bpr(positive_scores: np.ndarray, negative_scores: np.ndarray) -> float:
    """Average -log sigmoid(positive - negative), the loss of a wrong order.

    Args:
        positive_scores: any shape; negative_scores: the same shape.

    Returns:
        The mean loss, log 2 where the scores are equal.

    Raises:
        ValueError: unequal shapes or scores that are not finite.
    """
    return float(np.logaddexp(0, -_margin(positive_scores, negative_scores)).mean())


def bpr_gradient(positive_scores, negative_scores) -> tuple[np.ndarray, np.ndarray]:
    """Differentiate `bpr` by the positive and the negative scores.

    Args: as `bpr`.

    Returns:
        Two gradients, the second the negative of the first.

    Raises:
        ValueError: as `bpr`.
    """
    margin = _margin(positive_scores, negative_scores)
    gradient = expit(-margin) / margin.size
    return -gradient, gradient


def _margin(positive_scores, negative_scores) -> np.ndarray:
    check_same_shape(
        "positive_scores", positive_scores, "negative_scores", negative_scores
    )
    margin = positive_scores - negative_scores
    check_finite("positive_scores - negative_scores", margin)
    return margin


def sampled_softmax(
    target_scores: np.ndarray, negative_scores: np.ndarray, log_q: np.ndarray
) -> float:
    """Estimate cross-entropy over the catalogue from a target and n drawn items.

    Args:
        target_scores: (batch,), the score of each target.
        negative_scores: (batch, n), scores of items drawn among those other than the
            target.
        log_q: (batch, n), the logarithm of the probability with which each was drawn.

    Returns:
        The loss; it approaches `cross_entropy` over the catalogue as n grows.

    Raises:
        ValueError: shapes that do not fit or numbers that are not finite.
    """
    scores, targets = _corrected(target_scores, negative_scores, log_q)
    return cross_entropy(scores, targets)


def sampled_softmax_gradient(
    target_scores, negative_scores, log_q
) -> tuple[np.ndarray, np.ndarray]:
    """Differentiate `sampled_softmax` by the target's and the negatives' scores.

    Args: as `sampled_softmax`.

    Returns:
        Gradients (batch,) and (batch, n).

    Raises:
        ValueError: as `sampled_softmax`.
    """
    gradient = cross_entropy_gradient(
        *_corrected(target_scores, negative_scores, log_q)
    )
    return gradient[:, 0], gradient[:, 1:]


def _corrected(target_scores, negative_scores, log_q) -> tuple[np.ndarray, np.ndarray]:
    """Target and logQ-corrected negatives side by side, the target as class 0."""
    check_axes("negative_scores", negative_scores, ("batch", "n"))
    check_same_shape("negative_scores", negative_scores, "log_q", log_q)
    check_same_shape(
        "target_scores", target_scores, "negative_scores[:, 0]", negative_scores[:, 0]
    )
    corrected = negative_scores - log_q - math.log(negative_scores.shape[1])
    scores = np.concatenate(
        [target_scores[:, None], corrected], axis=1
    )  # (batch, 1 + n)
    return scores, np.zeros(len(scores), dtype=np.int64)


def sample_negatives(
    rng: np.random.Generator, positives: np.ndarray, n_items: int, n_negatives: int
) -> np.ndarray:
    """Draw items uniformly from those that are not positive, without rejection.

    The r-th item that is not positive is found directly: it lies r places up plus one
    for each positive at or below it.

    Args:
        rng: the source of the draws.
        positives: ids (batch, length) from 1 to n_items, 0 = padding; repeats allowed.
        n_items: size of the catalogue; ids run from 1 to n_items.
        n_negatives: draws a row, with replacement.

    Returns:
        Ids (batch, n_negatives), none of them 0 or positive in its row. Each was drawn
        with probability 1 / (n_items - distinct positives of the row).

    Raises:
        ValueError: an id outside the catalogue, or a row whose positives are
            everything.
    """
    check_axes("positives", positives, ("batch", "length"))
    if positives.size and not 0 <= positives.min() <= positives.max() <= n_items:
        raise ValueError(
            f"positives: expected ids from 0 (padding) to {n_items}, got "
            f"{positives.min()} to {positives.max()}; check n_items"
        )
    ordered = np.sort(positives, axis=1)
    first = np.diff(ordered, axis=1, prepend=0) > 0  # a repeat or padding is not first
    distinct = np.sort(
        np.where(first, ordered, n_items + positives.shape[1] + 1), axis=1
    )
    n_left = n_items - first.sum(axis=1, keepdims=True)  # (batch, 1)
    if (n_left < 1).any():
        raise ValueError(
            f"positives: expected an item left to draw in each row, got none in row "
            f"{int((n_left < 1).argmax())}; drop rows that hold all {n_items} items"
        )
    draws = rng.integers(1, n_left + 1, size=(len(positives), n_negatives))
    below = distinct - np.arange(
        positives.shape[1]
    )  # free ids up to each positive, plus one
    return draws + (below[:, None, :] <= draws[:, :, None]).sum(axis=2)
