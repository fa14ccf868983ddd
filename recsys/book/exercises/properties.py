"""What functions that exercises ask for must do, on inputs that are drawn.

Each test takes the reader's function and says whether it is right. It knows the answer by
another way than the exercise's: by brute force, or by what the answer must minimise.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np

DRAWS = 10


def _rngs() -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(DRAWS)]


def _same(got, wanted) -> bool:
    """Equal, as arrays of the same shape.

    Raises:
        ValueError: another shape, or numbers that are not finite.
    """
    got, wanted = np.asarray(got, float), np.asarray(wanted, float)
    if got.shape != wanted.shape:
        raise ValueError(f"an output of shape {got.shape} in place of {wanted.shape}")
    if not np.isfinite(got).all():
        raise ValueError("an output that is not finite")
    return np.allclose(got, wanted, rtol=1e-5, atol=1e-7)


def causal_linear_attention(function: Callable) -> bool:
    """(queries, keys, values) after the feature map: the masked matrix, row by row."""

    def right(rng: np.random.Generator) -> bool:
        q, k = rng.uniform(0.1, 2, size=(2, 7, 3))
        v = rng.normal(size=(7, 2))
        kernel = np.tril(q @ k.T)  # (7, 7)
        wanted = kernel / kernel.sum(axis=1, keepdims=True) @ v
        return _same(function(q, k, v), wanted)

    return all(map(right, _rngs()))


def slope_of_temperature(function: Callable) -> bool:
    """(scores, values, gradient, temperature): the slope of the loss by differences."""

    def right(rng: np.random.Generator) -> bool:
        scores, values, g = (
            rng.normal(size=5),
            rng.normal(size=(5, 3)),
            rng.normal(size=3),
        )
        heat, step = rng.uniform(0.5, 2), 1e-5

        def loss(T: float) -> float:
            shares = np.exp(scores / T)
            return g @ (shares @ values) / shares.sum()

        slope = (loss(heat + step) - loss(heat - step)) / (2 * step)
        return _same(function(scores, values, g, heat), slope)

    return all(map(right, _rngs()))


def sampled_top(function: Callable) -> bool:
    """(rank, n, m, k): the chance, by adding one draw after the other."""

    def right(rng: np.random.Generator) -> bool:
        n, m, k = rng.integers((20, 5, 1), (60, 30, 6)).tolist()
        rank = int(rng.integers(1, n + 1))
        higher = (rank - 1) / (n - 1)
        chance = np.ones(1)  # of 0, 1, 2, ... draws that score higher
        for _ in range(m):
            chance = np.convolve(chance, [1 - higher, higher])
        return _same(function(rank, n, m, k), chance[:k].sum())

    return all(map(right, _rngs()))


def learnt_odds(function: Callable) -> bool:
    """(chance of a click, minutes): no other odds have a lower weighted loss."""

    def right(rng: np.random.Generator) -> bool:
        p, m = rng.uniform(0.05, 0.9), rng.uniform(0.2, 9)

        def loss(odds: float) -> float:
            return -p * m * np.log(odds / (1 + odds)) + (1 - p) * np.log(1 + odds)

        odds = np.asarray(function(p, m), float)
        if odds.shape or not odds > 0:
            raise ValueError(f"{odds!r} in place of one number above 0")
        return loss(odds) < min(loss(odds * 1.01), loss(odds / 1.01))

    return all(map(right, _rngs()))


def fall_without_oldest(function: Callable) -> bool:
    """(weights, what each film says), oldest first: the score less that of the rest."""

    def right(rng: np.random.Generator) -> bool:
        weights, says = rng.dirichlet(np.ones(5)), rng.normal(size=5)
        rest = np.average(says[1:], weights=weights[1:])
        return _same(function(weights, says), weights @ says - rest)

    return all(map(right, _rngs()))


def decayed_means(function: Callable) -> bool:
    """(values, rate): the mean of all earlier values with their weights, at each place."""

    def right(rng: np.random.Generator) -> bool:
        values, rate = rng.normal(size=(8, 2)), rng.uniform(0.05, 1)
        wanted = [
            np.average(values[:n], axis=0, weights=np.exp(-rate * np.arange(n)[::-1]))
            for n in range(1, 9)
        ]
        return _same(function(values, rate), wanted)

    return all(map(right, _rngs()))


def hits_over_orders(function: Callable) -> bool:
    """(scores, bought, k): the mean number of hits over all orders of six products."""
    orders = np.array(list(permutations(range(6))))  # (720, 6)

    def right(rng: np.random.Generator) -> bool:
        scores, bought = rng.integers(0, 3, size=6), rng.random(6) < 0.5
        k = int(rng.integers(1, 6))
        first = np.argsort(-scores[orders], axis=1, kind="stable")[:, :k]
        hits = bought[np.take_along_axis(orders, first, axis=1)].sum(axis=1)
        return _same(function(scores, bought, k), hits.mean())

    return all(map(right, _rngs()))


def least_variance(function: Callable) -> bool:
    """(outcome, covariate): no other factor leaves less variance."""

    def right(rng: np.random.Generator) -> bool:
        x = rng.normal(3, rng.uniform(0.5, 2), size=200)
        y = rng.uniform(-2, 2) * x + rng.normal(size=200)
        theta = np.asarray(function(y, x), float)
        if theta.shape:
            raise ValueError(f"an output of shape {theta.shape} in place of one number")
        others = [np.var(y - (theta + step) * x) for step in (-0.02, 0.02)]
        return np.var(y - theta * x) < min(others)

    return all(map(right, _rngs()))


PROPERTIES = {
    test.__name__: test
    for test in (
        causal_linear_attention,
        slope_of_temperature,
        sampled_top,
        learnt_odds,
        fall_without_oldest,
        decayed_means,
        hits_over_orders,
        least_variance,
    )
}
