"""What a policy would have earned, read from the log of another.

A row of a log: a context, the action that was taken, with what chance, and its reward.
A *weight* is the chance of that action under the policy that is judged, over its chance
under the policy that wrote the log. Logs may be stacked: all arrays have the rows on
the last axis, and every axis before it is one of replicas.

Sources: Horvitz and Thompson (1952), weights by chances; Swaminathan and Joachims
(2015), the self-normalised estimator; Dudik, Langford and Li (2011), the doubly robust
one; Chernozhukov et al. (2018), why predictions come from other rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from recsys.checks import check_count, check_finite, check_same_shape


class Estimate(NamedTuple):
    """A policy's value, its standard error, and the normal 95% interval.

    Numbers, or arrays of one number for each log.
    """

    value: np.ndarray
    standard_error: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Predicted(NamedTuple):
    """Rewards that were predicted for each row, of the same shape as the log.

    `taken` is that of the action that was taken, `target` the mean over the actions of
    the policy that is judged.
    """

    taken: np.ndarray
    target: np.ndarray


def ips(weights: np.ndarray, rewards: np.ndarray) -> Estimate:
    """Inverse propensity scores: the mean of weighted rewards.

    Unbiased if every action that the judged policy takes had a chance in the log.

    Args:
        weights: float (..., n_rows), at least 0.
        rewards: float (..., n_rows).

    Raises:
        ValueError: other shapes, fewer than two rows, a negative weight, or a number
            that is not finite.
    """
    weights, rewards = _checked(weights, rewards)
    return _mean(weights * rewards)


def self_normalised(weights: np.ndarray, rewards: np.ndarray) -> Estimate:
    """Weighted rewards over the sum of the weights; its error by the delta method.

    Never outside the range of the rewards. Its bias falls as one over the rows.

    Args:
        weights, rewards: as for `ips`.

    Raises:
        ValueError: as `ips`, or a log whose weights are all 0.
    """
    weights, rewards = _checked(weights, rewards)
    total = weights.sum(axis=-1)
    if not (total > 0).all():
        raise ValueError(
            "weights: expected a row above 0 in each log, got a log without; it holds "
            "no action of the policy that is judged"
        )
    value = (weights * rewards).sum(axis=-1) / total
    off = weights * (rewards - value[..., None])
    return _with_interval(value, np.sqrt((off**2).sum(axis=-1)) / total)


def direct(predicted: Predicted) -> Estimate:
    """The mean of what was predicted for the judged policy.

    Its interval knows how contexts vary and nothing of the predictions' own error.

    Args:
        predicted: of `cell_means`, or of any model.

    Raises:
        ValueError: fewer than two rows, or a number that is not finite.
    """
    check_finite("predicted.target", np.asarray(predicted.target, dtype=float))
    return _mean(np.asarray(predicted.target, dtype=float))


def doubly_robust(
    weights: np.ndarray, rewards: np.ndarray, predicted: Predicted
) -> Estimate:
    """Predictions, mended by the weighted error that they make on the log.

    Unbiased if the chances *or* the predictions are right, and if a row's prediction
    comes from other rows.

    Args:
        weights, rewards: as for `ips`.
        predicted: for the same rows.

    Raises:
        ValueError: as `ips`, or predictions of another shape.
    """
    weights, rewards = _checked(weights, rewards)
    taken, target = (np.asarray(part, dtype=float) for part in predicted)
    for name, part in (("predicted.taken", taken), ("predicted.target", target)):
        check_same_shape("rewards", rewards, name, part)
        check_finite(name, part)
    return _mean(target + weights * (rewards - taken))


def cell_means(
    contexts: np.ndarray,
    actions: np.ndarray,
    rewards: np.ndarray,
    target: np.ndarray,
    folds: int,
) -> Predicted:
    """Predict a reward by the mean of its cell, a pair of context and action.

    With two folds or more, a row's prediction comes from the rows of the other folds;
    row i is in fold i modulo `folds`. With one fold it comes from all rows, its own
    among them. An empty cell takes the mean of the rows that were used.

    Args:
        contexts: int (..., n_rows), from 0.
        actions: int (..., n_rows), from 0.
        rewards: float (..., n_rows).
        target: float (n_contexts, n_actions), chances of the judged policy; its
            rows sum to 1.
        folds: 1, to see what it does, or more.

    Raises:
        ValueError: other shapes, or folds that are no whole number above 0 or more than
            the rows.
    """
    check_count("folds", folds)
    for name, array in (("actions", actions), ("rewards", rewards)):
        check_same_shape("contexts", contexts, name, array)
    contexts, actions = np.atleast_2d(contexts), np.atleast_2d(actions)
    rows = np.atleast_2d(np.asarray(rewards, dtype=float))
    if folds > rows.shape[-1]:
        raise ValueError(
            f"folds: expected at most the {rows.shape[-1]} rows, got {folds}; "
            "take fewer"
        )
    before, n_rows = rows.shape[:-1], rows.shape[-1]
    fold = np.arange(n_rows) % folds
    log = np.arange(rows[..., 0].size).reshape(*before, 1)
    cell = np.ravel_multi_index((contexts, actions), target.shape)
    sums, counts = _by_cell((log, fold, cell), rows, (log.size, folds, target.size))
    if folds > 1:  # of the other folds
        sums = sums.sum(axis=1, keepdims=True) - sums
        counts = counts.sum(axis=1, keepdims=True) - counts
    overall = sums.sum(axis=-1, keepdims=True) / counts.sum(axis=-1, keepdims=True)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    expected = (means.reshape(log.size, folds, *target.shape) * target).sum(axis=-1)
    shape = np.shape(rewards)
    return Predicted(
        means[log, fold, cell].reshape(shape),
        expected[log, fold, contexts].reshape(shape),
    )


def effective_size(weights: np.ndarray) -> np.ndarray:
    """How many equally weighted rows a weighted log is worth: (sum w)^2 / sum w^2.

    Args:
        weights: float (..., n_rows), at least 0, not all 0.

    Source: Kish (1965); the exponential of a Renyi entropy, as the effective number of
    items is.
    """
    weights = np.asarray(weights, dtype=float)
    return weights.sum(axis=-1) ** 2 / (weights**2).sum(axis=-1)


def ips_error(
    contexts: np.ndarray,
    logged: np.ndarray,
    target: np.ndarray,
    rates: np.ndarray,
    n: int,
) -> float:
    """The standard error of `ips` in theory, for rewards of 0 and 1.

    It is sqrt((E[w^2 r^2] - V^2) / n), the mean over the log's own policy.

    Args:
        contexts: float (n_contexts,), how often each comes; they sum to 1.
        logged, target: float (n_contexts, n_actions), chances of the two policies.
        rates: float (n_contexts, n_actions), the chance of a reward.
        n: rows.

    Raises:
        ValueError: the judged policy takes an action that the log's never does.
    """
    missing = (logged <= 0) & (target > 0)
    if missing.any():
        context, action = np.argwhere(missing)[0]
        raise ValueError(
            f"logged: expected a chance above 0 wherever the target has one, got 0 for "
            f"context {context}, action {action}; no weight can make up for it"
        )
    share = contexts[:, None] * target
    ratio = np.divide(target, logged, out=np.zeros_like(target), where=logged > 0)
    value = (share * rates).sum()
    return float(np.sqrt(((share * ratio * rates).sum() - value**2) / n))


def _by_cell(
    index: tuple[np.ndarray, ...], rows: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Sums and numbers of the rows in each cell."""
    place = np.ravel_multi_index(np.broadcast_arrays(*index), shape).ravel()
    size = int(np.prod(shape))
    sums = np.bincount(place, rows.ravel(), minlength=size).reshape(shape)
    return sums, np.bincount(place, minlength=size).reshape(shape)


def _mean(terms: np.ndarray) -> Estimate:
    n = terms.shape[-1] if terms.ndim else 0
    if n < 2:
        raise ValueError(f"rows: expected at least two, got {n}; one has no error")
    return _with_interval(terms.mean(axis=-1), terms.std(axis=-1, ddof=1) / np.sqrt(n))


def _with_interval(value: np.ndarray, error: np.ndarray) -> Estimate:
    reach = stats.norm.isf(0.025) * error
    return Estimate(value, error, value - reach, value + reach)


def _checked(weights: np.ndarray, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weights, rewards = np.asarray(weights, float), np.asarray(rewards, float)
    check_same_shape("weights", weights, "rewards", rewards)
    check_finite("weights", weights)
    check_finite("rewards", rewards)
    if (weights < 0).any():
        raise ValueError(
            f"weights: expected at least 0, got {weights.min()}; a weight is one "
            "chance over another"
        )
    return weights, rewards
