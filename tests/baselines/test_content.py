"""Attention without training: the formula by hand, limits, and the guard against its own evidence."""

import numpy as np
import pytest

from recsys.baselines.content import ContentAttention
from recsys.data import Interactions


@pytest.fixture(scope="module")
def vectors():
    vectors = np.random.default_rng(0).normal(size=(8, 4))
    vectors[7] = 0  # an article without text
    return vectors


def log(clicked, skipped, n=8):
    items = [*clicked, *skipped]
    return Interactions(np.zeros(len(items), int), items, [1] * len(clicked) + [0] * len(skipped),
                        np.arange(len(items)), [0], np.arange(n), "step")


def test_a_score_is_the_softmax_mean_of_the_clicked_minus_that_of_the_skipped(vectors):
    unit = vectors[:7] / np.linalg.norm(vectors[:7], axis=1, keepdims=True)
    expected = 0.0
    for sign, side in ((1, [1, 2]), (-1, [3, 4, 5])):
        e = [np.exp(3 * unit[0] @ unit[h]) for h in side]
        expected += sign * sum(w * (unit[0] @ unit[h]) for w, h in zip(e, side)) / sum(e)
    model = ContentAttention(vectors, 3).fit(log([1, 2], [3, 4, 5]))
    assert np.isclose(model.score([0])[0, 0], expected, atol=1e-12)


def test_sharpness_nought_is_the_mean_and_a_large_one_the_nearest(vectors):
    unit = vectors[:7] / np.linalg.norm(vectors[:7], axis=1, keepdims=True)
    likeness = unit[0] @ unit[[1, 2, 3]].T
    for sharpness, value in ((0, likeness.mean()), (1e6, likeness.max())):
        assert np.isclose(ContentAttention(vectors, sharpness).fit(log([1, 2, 3], [])).score([0])[0, 0], value)


def test_an_article_is_never_evidence_for_itself(vectors):
    without = ContentAttention(vectors, 5).fit(log([1, 2], [3, 4]))
    for own in (log([0, 1, 2], [3, 4]), log([1, 2], [3, 4, 0])):
        assert np.isclose(ContentAttention(vectors, 5).fit(own).score([0])[0, 0], without.score([0])[0, 0])


def test_articles_without_text_and_empty_histories_score_nought(vectors):
    model = ContentAttention(vectors, 5).fit(log([1, 7], [3]))
    assert model.score([0])[0, 7] == 0
    assert np.allclose(model.score([0]), ContentAttention(vectors, 5).fit(log([1], [3])).score([0]))
    assert (model.score([0], log([], [])) == 0).all() and (model.score([0], log([7], [])) == 0).all()


def test_users_are_scored_alone_and_order_does_not_matter(vectors):
    both = Interactions([0, 1, 1, 0], [1, 2, 3, 4], [1, 1, 0, 0], [0, 0, 1, 1], [5, 6], np.arange(8), "step")
    scores = ContentAttention(vectors).fit(both).score([1, 0])
    assert np.allclose(scores[0], ContentAttention(vectors).fit(log([2], [3])).score([0])[0])
    assert np.allclose(scores[1], ContentAttention(vectors).fit(log([1], [4])).score([0])[0])


def test_weights_explain_the_score(vectors):
    model = ContentAttention(vectors, 4)
    likeness, weights = model.explain([0, 1], [1, 2, 7])
    assert np.allclose(weights.sum(1), 1) and (weights[:, 2] == 0).all() and weights[1, 0] == 0
    assert np.allclose(likeness, (weights * (model.vectors[[0, 1]] @ model.vectors[[1, 2, 7]].T)).sum(1))
    assert model.explain([0], [])[0].tolist() == [0]


def test_bad_input_is_named(vectors):
    with pytest.raises(ValueError, match="vectors: expected finite numbers"):
        ContentAttention(np.array([[np.inf]]))
    with pytest.raises(ValueError, match=r"vectors: expected \(n_items, dim\) with an item, got shape \(0, 4\)"):
        ContentAttention(np.ones((0, 4)))
    with pytest.raises(ValueError, match="sharpness: expected at least 0, got -1"):
        ContentAttention(vectors, -1)
    with pytest.raises(ValueError, match="over 8 items, one for each vector, got 3"):
        ContentAttention(vectors).fit(log([1], [2], n=3))
    with pytest.raises(ValueError, match="is not fitted"):
        ContentAttention(vectors).score([0])
