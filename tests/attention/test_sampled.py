"""BPR, sampled softmax and the sampler of negatives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recsys import attention as A

fixed = settings(derandomize=True, deadline=None, database=None, max_examples=60)


def test_bpr_costs_log_two_at_equal_scores_and_falls_with_the_margin():
    scores = np.zeros(5)
    assert A.bpr(scores, scores) == pytest.approx(np.log(2))
    assert A.bpr(scores + 1, scores) == pytest.approx(np.log1p(np.exp(-1)))
    assert A.bpr(scores - 800, scores) == 800 and A.bpr(scores + 800, scores) == 0


def test_sampled_softmax_with_every_other_item_drawn_once_is_cross_entropy():
    scores = np.random.default_rng(0).normal(size=(1, 9))
    uniform = np.full((1, 8), -np.log(8))
    sampled = A.sampled_softmax(scores[:, 0], scores[:, 1:], uniform)
    assert sampled == pytest.approx(A.cross_entropy(scores, np.array([0])), rel=1e-13)


def test_sampled_softmax_approaches_cross_entropy_from_a_skewed_sampler():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=20)
    q = rng.dirichlet(np.ones(19))
    drawn = rng.choice(19, size=(1, 200_000), p=q)
    sampled = A.sampled_softmax(scores[:1], scores[1:][drawn], np.log(q)[drawn])
    assert sampled == pytest.approx(A.cross_entropy(scores[None], np.array([0])), abs=0.02)


def test_sampled_softmax_refuses_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="negative_scores and log_q: expected equal shapes"):
        A.sampled_softmax(np.zeros(2), np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="target_scores and negative_scores"):
        A.sampled_softmax(np.zeros((2, 1)), np.zeros((2, 3)), np.zeros((2, 3)))


@fixed
@given(st.integers(0, 999), st.integers(2, 12), st.integers(1, 15))
def test_negatives_are_never_positive_and_never_padding(seed, n_items, length):
    rng = np.random.default_rng(seed)
    positives = rng.integers(0, n_items, size=(6, length))  # n_items itself stays free
    negatives = A.sample_negatives(rng, positives, n_items, 50)
    assert negatives.shape == (6, 50)
    assert negatives.min() >= 1 and negatives.max() <= n_items
    assert not (negatives[:, :, None] == positives[:, None, :]).any()


def test_negatives_are_uniform_over_the_items_that_are_left():
    positives = np.array([[3, 1, 3, 0, 7]])
    drawn = A.sample_negatives(np.random.default_rng(0), positives, 9, 60_000)
    items, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(items, [2, 4, 5, 6, 8, 9])
    assert stats.chisquare(counts).pvalue > 0.001


def test_negatives_repeat_under_a_seed_and_differ_between_rows():
    positives = np.zeros((2, 1), dtype=int)
    first, again = (A.sample_negatives(np.random.default_rng(5), positives, 100, 20) for _ in "ab")
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).any()


def test_impossible_negatives_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="got none in row 1; drop rows that hold all 3 items"):
        A.sample_negatives(rng, np.array([[1, 2, 2], [3, 1, 2]]), 3, 1)
    with pytest.raises(ValueError, match="expected ids from 0"):
        A.sample_negatives(rng, np.array([[1, 9]]), 3, 1)
    with pytest.raises(ValueError, match=r"positives: expected the axes \(batch, length\)"):
        A.sample_negatives(rng, np.array([1, 2]), 3, 1)
