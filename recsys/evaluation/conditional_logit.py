"""Conditional logit: which of a few alternatives is chosen, from what is known of each.

An alternative's score is a weighted sum of its features; its probability is the softmax
of the scores. The weights are the same for all alternatives, so a handful of them can
be fitted to few choices.

Source: McFadden (1974), Conditional logit analysis of qualitative choice behavior.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize


def fit_weights(features: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The most likely weights, under a standard normal prior on each.

    Args:
        features: float (n, n_alternatives, n_features).
        chosen: int (n,), which alternative was taken.

    Returns:
        Float (n_features,).
    """
    n, _, n_features = features.shape
    taken = features[np.arange(n), chosen].mean(0, dtype=float)  # (n_features,)
    rows = features.reshape(-1, n_features)  # (n * n_alternatives, n_features)

    def loss(weights):
        logs = log_probabilities(features, weights)
        expected = np.exp(logs).ravel() @ rows / n  # (n_features,)
        gradient = expected - taken + weights / n
        likelihood = logs[np.arange(n), chosen].mean(dtype=float)
        return weights @ weights / 2 / n - likelihood, gradient

    def curvature(weights):
        probabilities = np.exp(log_probabilities(features, weights))
        expected = (probabilities[:, None] @ features)[:, 0]  # (n, n_features)
        squares = (rows * probabilities.reshape(-1, 1)).T @ rows
        return (squares - expected.T @ expected + np.eye(n_features)) / n

    start = np.zeros(n_features)
    newton = {"method": "trust-exact", "options": {"gtol": 1e-4}}
    return optimize.minimize(loss, start, jac=True, hess=curvature, **newton).x


def log_probabilities(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The logarithm of each alternative's probability, (n, n_alternatives)."""
    scores = features @ weights.astype(features.dtype)  # (n, n_alternatives)
    scores -= scores.max(1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))
