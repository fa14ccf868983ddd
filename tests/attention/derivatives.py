"""Every derived gradient of `recsys.attention`, as one table of cases.

A case is a scalar function of named float64 arrays and the gradients that the book derives
by hand. Here they are held against central differences and Taylor slopes; the tests of the
layers hold the same cases against the autograd of both frameworks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys import attention as A


@dataclass(frozen=True)
class Case:
    """arguments: the arrays; value: arguments to a number; gradients: arguments to arrays."""

    arguments: dict[str, np.ndarray]
    value: Callable[..., float]
    gradients: Callable[..., dict[str, np.ndarray]]
    linear: bool = False  # piecewise linear: no Taylor slope can be measured


def normal(seed: int, **shapes) -> dict[str, np.ndarray]:
    """Named standard normal arrays."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def vjp(forward, backward, names, g, seed=3, linear=False, **shapes) -> Case:
    """A case <g, forward(arguments)>, with backward(arguments, g) in the order of names."""
    cotangent = np.random.default_rng(seed + 100).normal(size=g)

    def gradients(**arguments):
        results = backward(*(arguments[name] for name in names), cotangent)
        return dict(zip(names, results if isinstance(results, tuple) else (results,)))

    return Case(
        {**normal(seed, **shapes), "cotangent": cotangent},
        lambda cotangent, **arguments: float((forward(**arguments) * cotangent).sum()),
        lambda cotangent, **arguments: gradients(**arguments),
        linear,
    )


MASK = np.array([[[1, 1, 0, 1, 0]], [[0, 0, 0, 0, 0]], [[0, 1, 1, 1, 1]]], dtype=bool)
PADDING = np.array([[1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0]], dtype=bool)
CAUSAL = A.causal_mask(4)[None] & PADDING[:, None, :]
OBSERVED = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 1]], dtype=bool)
CLASSES = np.array([2, 0, 2])
SHARES = np.random.default_rng(9).dirichlet(np.ones(4), size=3)
LOG_Q = np.log(np.array([[0.2, 0.5, 0.2], [0.1, 0.1, 0.6], [0.3, 0.4, 0.1]]))
TEMPERATURE = 0.7
N_HEADS = 2

QK = {"query": (3, 2, 4), "key": (3, 5, 4)}
HIDDEN = {"query_matrix": (4, 6), "key_matrix": (4, 6), "direction": (6,)}
TARGET = {
    "candidate": (3, 2, 4), "item": (3, 5, 4), "candidate_matrix": (4, 6), "bias": (6,),
    "item_matrix": (4, 6), "product_matrix": (4, 6), "direction": (6,),
}  # fmt: skip
MATRICES = {"w_query": (4, 4), "w_key": (4, 4), "w_value": (4, 4)}


def projected_backward(query, items, w_query, w_key, w_value, g):
    w = A.Projections(w_query, w_key, w_value)
    *inputs, grads = A.projected_attention_vjp(query, items, w, g, MASK)
    return *inputs, *grads[:3]


def multi_head_backward(items, w_query, w_key, w_value, w_output, g):
    w = A.Projections(w_query, w_key, w_value, w_output)
    as_query, as_items, grads = A.multi_head_attention_vjp(items, items, w, N_HEADS, g, CAUSAL)
    return as_query + as_items, *grads


def loss(function, gradient, names=("scores",), **shapes) -> Case:
    """A loss and its gradient, which is one array or a tuple in the order of names."""

    def gradients(**arguments):
        results = gradient(**arguments)
        return dict(zip(names, results if isinstance(results, tuple) else (results,)))

    return Case(normal(5, **(shapes or {"scores": (3, 4)})), function, gradients)


def squared(normalise) -> Case:
    targets = np.random.default_rng(6).normal(size=(3, 4))
    return loss(
        lambda scores: A.squared_error(scores, targets, OBSERVED, normalise),
        lambda scores: A.squared_error_gradient(scores, targets, OBSERVED, normalise),
    )


CASES = {
    "softmax": vjp(
        lambda scores: A.softmax(scores, TEMPERATURE, mask=MASK),
        lambda s, g: A.softmax_vjp(A.softmax(s, TEMPERATURE, mask=MASK), g, TEMPERATURE),
        ["scores"], (3, 2, 5), scores=(3, 2, 5),
    ),
    "softmax over queries": vjp(
        lambda scores: A.softmax(scores, axis=1),
        lambda s, g: A.softmax_vjp(A.softmax(s, axis=1), g, axis=1),
        ["scores"], (3, 2, 5), scores=(3, 2, 5),
    ),
    "sparsemax": vjp(
        lambda scores: A.sparsemax(scores),
        lambda s, g: A.sparsemax_vjp(A.sparsemax(s), g),
        ["scores"], (3, 2, 5), scores=(3, 2, 5), linear=True,
    ),
    "dot": vjp(A.dot_scores, A.dot_scores_vjp, list(QK), (3, 2, 5), **QK),
    "scaled dot": vjp(A.scaled_dot_scores, A.scaled_dot_scores_vjp, list(QK), (3, 2, 5), **QK),
    "cosine": vjp(A.cosine_scores, A.cosine_scores_vjp, list(QK), (3, 2, 5), **QK),
    "bilinear": vjp(
        A.bilinear_scores, A.bilinear_scores_vjp, ["query", "key", "matrix"], (3, 2, 5),
        query=(3, 2, 4), key=(3, 5, 6), matrix=(4, 6),
    ),
    "additive": vjp(
        A.additive_scores, A.additive_scores_vjp, [*QK, *HIDDEN], (3, 2, 5), **QK, **HIDDEN
    ),
    "target": vjp(A.target_scores, A.target_scores_vjp, list(TARGET), (3, 2, 5), **TARGET),
    "attention": vjp(
        lambda query, key, value: A.attention(query, key, value, MASK)[0],
        lambda q, k, v, g: A.attention_vjp(q, k, v, g, MASK),
        ["query", "key", "value"], (3, 2, 6), **QK, value=(3, 5, 6),
    ),
    "projected": vjp(
        lambda query, items, **w: A.projected_attention(
            query, items, A.Projections(*w.values()), MASK
        )[0],
        projected_backward,
        ["query", "items", *MATRICES], (3, 2, 4), query=(3, 2, 4), items=(3, 5, 4), **MATRICES,
    ),
    "multi-head": vjp(
        lambda items, **w: A.multi_head_attention(
            items, items, A.Projections(*w.values()), N_HEADS, CAUSAL
        )[0],
        multi_head_backward,
        ["items", *MATRICES, "w_output"], (3, 4, 4), items=(3, 4, 4), **MATRICES, w_output=(4, 4),
    ),
    "squared error per user": squared("user"),
    "squared error per pair": squared("pair"),
    "squared error per observation": squared("observed"),
    "cross-entropy of classes": loss(
        lambda scores: A.cross_entropy(scores, CLASSES),
        lambda scores: A.cross_entropy_gradient(scores, CLASSES),
    ),
    "cross-entropy of shares": loss(
        lambda scores: A.cross_entropy(scores, SHARES),
        lambda scores: A.cross_entropy_gradient(scores, SHARES),
    ),
    "binary cross-entropy": loss(
        lambda scores: A.binary_cross_entropy(scores, SHARES),
        lambda scores: A.binary_cross_entropy_gradient(scores, SHARES),
    ),
    "bpr": loss(
        A.bpr, A.bpr_gradient, ["positive_scores", "negative_scores"],
        positive_scores=(7,), negative_scores=(7,),
    ),
    "sampled softmax": loss(
        lambda target_scores, negative_scores: A.sampled_softmax(
            target_scores, negative_scores, LOG_Q
        ),
        lambda target_scores, negative_scores: A.sampled_softmax_gradient(
            target_scores, negative_scores, LOG_Q
        ),
        ["target_scores", "negative_scores"], target_scores=(3,), negative_scores=(3, 3),
    ),
}  # fmt: skip
