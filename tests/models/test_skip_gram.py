"""Skip-gram: its loss by hand, its pairs counted, planted topics found."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.batches.words import SkipGramBatches, mean_vectors, skip_gram_pairs
from recsys.training.loop import FitConfig
from tests.framework import fw, needs_torch, start_at, tensor, twin

SkipGram, SkipGramConfig, negative_sampling_loss, train_skip_gram = twin(
    "skip_gram", "SkipGram", "SkipGramConfig", "negative_sampling_loss", "train_skip_gram"
)  # fmt: skip

CONFIG = SkipGramConfig(dim=8, window=2, negatives=4, batch_size=256,
                        training=FitConfig(epochs=3, learning_rate=0.05, clip_norm=10.0))  # fmt: skip


@pytest.fixture(scope="module")
def texts():
    """150 texts of twelve words, each from one of three topics of ten words."""
    rng = np.random.default_rng(0)
    return [10 * (row % 3) + rng.integers(1, 11, 12) for row in range(150)]


@pytest.fixture(scope="module")
def vectors(texts):
    return train_skip_gram(texts, 30, CONFIG)[0]


def test_planted_topics_separate(vectors):
    unit = vectors[1:] / np.linalg.norm(vectors[1:], axis=1, keepdims=True)
    likeness, topic = unit @ unit.T, np.arange(30) // 10
    np.fill_diagonal(likeness, -1)
    assert (topic[likeness.argmax(1)] == topic).all()


def test_words_dealt_out_at_random_do_not(texts):
    mixed = np.random.default_rng(1).permutation(np.concatenate(texts)).reshape(150, 12)
    vectors = train_skip_gram(list(mixed), 30, CONFIG)[0][1:]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness, topic = unit @ unit.T, np.arange(30) // 10
    np.fill_diagonal(likeness, -1)
    assert (topic[likeness.argmax(1)] == topic).mean() < 0.7


def test_the_loss_is_the_formula():
    start_at(0)
    model = SkipGram(5, SkipGramConfig(dim=3)).double()
    fw.nn.init.normal_(model.neighbours.weight)
    batch = (tensor([1, 2]), tensor([3, 4]), tensor([[5, 1], [2, 2]]))
    v, u = model.centres.weight.detach().numpy(), model.neighbours.weight.detach().numpy()
    log_s = lambda x: -np.log1p(np.exp(-x))  # noqa: E731
    expected = -np.mean([log_s(v[c] @ u[o]) + sum(log_s(-v[c] @ u[n]) for n in drawn)
                         for c, o, drawn in ((1, 3, (5, 1)), (2, 4, (2, 2)))])  # fmt: skip
    assert np.isclose(negative_sampling_loss(model, batch).item(), expected, atol=1e-12)


@needs_torch
def test_gradients_are_right():
    start_at(0)
    model = SkipGram(4, SkipGramConfig(dim=2)).double()
    batch = (tensor([1, 2]), tensor([3, 4]), tensor([[2, 1], [2, 2]]))
    start = fw.randn(5, 2, dtype=fw.float64, requires_grad=True)

    class Moved(fw.nn.Module):
        def __init__(self, centres):
            super().__init__()
            self.centres = centres

        def forward(self, centres, words):
            return (model.neighbours(words) @ self.centres[centres][:, :, None])[..., 0]

    fw.nn.init.normal_(model.neighbours.weight)
    assert fw.autograd.gradcheck(lambda c: negative_sampling_loss(Moved(c), batch), (start,))


def test_pairs_are_neighbours_within_reach_and_never_cross_texts():
    texts = [np.array([1, 2, 3, 4, 5]), np.array([6, 7])]
    pairs = skip_gram_pairs(texts, 1, np.random.default_rng(0))
    assert sorted(map(tuple, pairs)) == [(1, 2), (2, 1), (2, 3), (3, 2), (3, 4), (4, 3), (4, 5), (5, 4), (6, 7), (7, 6)]
    wide = {tuple(pair) for seed in range(30) for pair in skip_gram_pairs(texts, 3, np.random.default_rng(seed))}
    assert wide == {(a, b) for text in texts for a in text for b in text if 0 < abs(a - b) <= 3}


def test_near_neighbours_are_drawn_more_often():
    text = [np.arange(1, 2001)]
    distance = np.abs(np.diff(skip_gram_pairs(text, 4, np.random.default_rng(0)), axis=1)).ravel()
    counts = np.bincount(distance)[1:]
    assert np.allclose(counts / counts[0], [1, 3 / 4, 2 / 4, 1 / 4], atol=0.05)


def test_strangers_are_drawn_by_their_counts_to_the_power_three_quarters_and_padding_never():
    counts = np.array([0, 16, 81, 0, 256])
    batches = SkipGramBatches([np.tile([1, 2, 4], 4000)], counts, window=1, negatives=3, batch_size=5000)(0)
    drawn = np.concatenate([strangers.ravel() for _, _, strangers in batches])
    shares = np.bincount(drawn, minlength=5) / len(drawn)
    assert np.allclose(shares, np.array([0, 8, 27, 0, 64]) / 99, atol=0.01) and (shares[[0, 3]] == 0).all()


def test_an_epoch_holds_every_pair_once_in_an_order_of_its_own(texts):
    counts = np.bincount(np.concatenate(texts))
    make = SkipGramBatches(texts, counts, window=1, negatives=2, batch_size=100, seed=3)
    joined = [[np.concatenate(column) for column in zip(*make(epoch))] for epoch in (0, 0, 1)]
    assert max(len(centres) for centres, _, _ in make(0)) == 100
    expected = sorted(map(tuple, skip_gram_pairs(texts, 1, np.random.default_rng(0))))
    for centres, neighbours, strangers in joined:
        assert sorted(zip(centres, neighbours)) == expected and strangers.shape == (len(expected), 2)
    for first, again, other in zip(*joined):
        assert (first == again).all() and (first != other).any()


def test_the_same_seed_gives_the_same_bits(texts, vectors):
    assert (train_skip_gram(texts, 30, CONFIG)[0] == vectors).all()


def test_a_vector_is_a_words_as_the_centre_and_padding_has_none(texts):
    """Almost untrained: a word starts small as a centre, and at nought as a neighbour."""
    config = replace(CONFIG, training=FitConfig(epochs=1, learning_rate=1e-12))
    vectors, _ = train_skip_gram(texts, 30, config)
    assert vectors.shape == (31, 8) and (vectors[0] == 0).all()
    assert 0.05 < np.abs(vectors).max() <= 0.5 / 8 + 1e-6


def test_a_text_is_the_mean_of_its_words_whatever_the_padding(vectors):
    ids = np.array([[3, 4, 0, 0], [0, 0, 0, 0]])
    mean = mean_vectors(vectors, ids)
    assert np.allclose(mean[0], vectors[[3, 4]].mean(0)) and (mean[1] == 0).all()
    assert np.allclose(mean_vectors(vectors, ids[:, :2]), mean)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="expected ids from 1 to 5, got 0 at place 1 of text 1"):
        train_skip_gram([np.array([1]), np.array([2, 0])], 5)
    with pytest.raises(ValueError, match="at least two known words, got none among 2"):
        train_skip_gram([np.array([1]), np.array([], dtype=int)], 5)
    with pytest.raises(ValueError, match="window: expected at least 1, got 0"):
        SkipGramConfig(window=0)
