"""Closed forms and invariances of the six ways to score a query against a key."""

import numpy as np
import pytest

from recsys import attention as A

rng = np.random.default_rng(1)
Q, K = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4))
M = rng.normal(size=(4, 6))
WQ, WK, WP = (rng.normal(size=(4, 6)) for _ in range(3))
B, V = rng.normal(size=6), rng.normal(size=6)


def looped(score):
    """Score every pair by itself, the definition in words."""
    return np.array([[[score(q, k) for k in keys] for q in queries] for queries, keys in zip(Q, K)])


def test_each_score_equals_its_loop():
    def cosine(q, k):
        return q @ k / np.sqrt((q @ q) * (k @ k))

    def target(c, h):
        return V @ np.tanh(c @ WQ + B + h @ WK + (c * h) @ WP)

    pairs = [
        (A.dot_scores(Q, K), lambda q, k: sum(a * b for a, b in zip(q, k))),
        (A.scaled_dot_scores(Q, K), lambda q, k: q @ k / 2),
        (A.bilinear_scores(Q, K @ M, M), lambda q, k: q @ M @ M.T @ k),
        (A.cosine_scores(Q, K), cosine),
        (A.additive_scores(Q, K, WQ, WK, V), lambda q, k: V @ np.tanh(q @ WQ + k @ WK)),
        (A.target_scores(Q, K, WQ, B, WK, WP, V), target),
    ]
    for matrix_form, score in pairs:
        np.testing.assert_allclose(matrix_form, looped(score), rtol=1e-12, atol=1e-13)


def test_cosine_alone_ignores_the_length_of_a_vector():
    np.testing.assert_allclose(A.cosine_scores(3 * Q, K / 7), A.cosine_scores(Q, K), rtol=1e-12)
    assert np.abs(A.dot_scores(3 * Q, K) - A.dot_scores(Q, K)).max() > 1


def test_cosine_beside_a_zero_vector_is_zero_and_so_is_its_gradient():
    zero = np.zeros_like(Q)
    np.testing.assert_array_equal(A.cosine_scores(zero, K), 0)
    grad_zero, _ = A.cosine_scores_vjp(zero, K, np.ones((2, 3, 5)))
    np.testing.assert_array_equal(grad_zero, 0)


def test_scaling_keeps_the_variance_of_scores_at_one_for_every_dimension():
    for dim in (8, 128, 512):
        q, k = (np.random.default_rng(0).normal(size=(2, 2000, dim)))
        scores = A.scaled_dot_scores(q[:, None, :], k[:, None, :])
        assert 0.9 < scores.var() < 1.1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_keep_the_dtype(dtype):
    q, k, m, b, v = (array.astype(dtype) for array in (Q, K, WQ, B, V))
    results = [
        A.dot_scores(q, k),
        A.scaled_dot_scores(q, k),
        A.bilinear_scores(q, k @ m, m),
        A.cosine_scores(q, k),
        A.additive_scores(q, k, m, m, v),
        A.target_scores(q, k, m, b, m, m, v),
        A.attention(q, k, k)[0],
        A.sparsemax(q),
        A.log_softmax(q),
        A.softmax(q, mask=q > 0),
    ]
    assert {result.dtype for result in results} == {np.dtype(dtype)}


@pytest.mark.parametrize("score", [A.dot_scores, A.scaled_dot_scores, A.cosine_scores])
def test_queries_and_keys_that_do_not_belong_together_are_refused(score):
    with pytest.raises(ValueError, match="query and key: expected the same last axis, got 4 and 6"):
        score(Q, np.ones((2, 5, 6)))
    with pytest.raises(ValueError, match="equal leading axes"):
        score(Q, K[:1])
    with pytest.raises(ValueError, match="equal leading axes"):
        score(Q[0, 0], K[0])


def test_learned_scores_refuse_batches_that_differ():
    with pytest.raises(ValueError, match="equal leading axes"):
        A.additive_scores(Q, K[:1], WQ, WK, V)
    with pytest.raises(ValueError, match="equal leading axes"):
        A.target_scores(Q, K[:1], WQ, B, WK, WP, V)
