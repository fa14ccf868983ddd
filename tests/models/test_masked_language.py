"""The masked language model: what is hidden, what may be seen, and that a planted grammar is learnt."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.batches.words import HiddenWordBatches, hide_words, text_windows
from recsys.training.loop import FitConfig
from tests.framework import fw, start_at, tensor, twin

MaskedLanguageConfig, MaskedLanguageModel, masked_accuracy, masked_loss, text_vectors, train_masked_language = twin(
    "masked_language", "MaskedLanguageConfig", "MaskedLanguageModel", "masked_accuracy", "masked_loss", "text_vectors", "train_masked_language"
)  # fmt: skip

CONFIG = MaskedLanguageConfig(dim=32, n_blocks=1, n_heads=2, dropout=0.0, max_length=8, batch_size=40,
                              training=FitConfig(epochs=12, learning_rate=0.02))  # fmt: skip


def grammar(n, seed):
    """Texts that count up by one from a random start, modulo 12: a hidden word follows from its neighbours."""
    starts = np.random.default_rng(seed).integers(12, size=n)
    return [(start + np.arange(8)) % 12 + 1 for start in starts]


@pytest.fixture(scope="module")
def trained():
    return train_masked_language(grammar(320, 0), 12, CONFIG)[0]


@pytest.fixture(scope="module")
def network():
    start_at(0)
    return MaskedLanguageModel(12, replace(CONFIG, n_blocks=2)).double().eval()


def test_masked_accuracy_is_well_above_chance_on_texts_held_out(trained):
    held_out = grammar(100, 1)
    chance = np.bincount(np.concatenate(held_out)).max() / 800
    assert chance < 0.15 < 0.9 < masked_accuracy(trained, held_out)


def test_on_shuffled_words_there_is_nothing_to_learn():
    rng = np.random.default_rng(2)
    noise = [rng.integers(1, 13, 8) for _ in range(320)]
    model, _ = train_masked_language(noise, 12, CONFIG)
    assert masked_accuracy(model, [rng.integers(1, 13, 8) for _ in range(200)]) < 0.2


def test_a_word_sees_both_ways_and_padding_is_never_seen(network):
    ids = tensor([[1, 2, 3, 4, 0, 0]])
    scores, weights = network(ids)
    assert scores.shape == (1, 6, 12) and weights.shape == (1, 2, 2, 6, 6)
    assert (weights[..., 4:] < 1e-12).all() and (weights[..., :4, :4] > 0).all()
    assert fw.allclose(network(ids[:, :4])[0], scores[:, :4], atol=1e-12)
    assert not fw.allclose(network(tensor([[1, 2, 3, 5]]))[0][0, 0], scores[0, 0])


def test_batch_composition_never_changes_a_score(network):
    ids = tensor([[1, 2, 3, 4], [5, 6, 0, 0]])
    together, _ = network(ids)
    assert fw.allclose(network(ids[1:, :2])[0][0], together[1, :2], atol=1e-12)


def test_words_are_hidden_in_the_stated_shares():
    ids = np.full((200, 100), 7)
    ids[:, 90:] = 0
    inputs, targets = hide_words(ids, 50, 0.2, np.random.default_rng(0))
    chosen = targets > 0
    assert (targets[chosen] == 7).all() and (inputs[~chosen] == ids[~chosen]).all() and not chosen[:, 90:].any()
    assert abs(chosen[:, :90].mean() - 0.2) < 0.01
    assert abs((inputs[chosen] == 51).mean() - 0.8) < 0.02
    assert abs((inputs[chosen] == 7).mean() - (0.1 + 0.1 / 50)) < 0.02
    assert inputs[chosen].min() >= 1


def test_the_loss_looks_at_chosen_words_only_and_none_chosen_costs_nothing(network):
    inputs, targets = tensor([[1, 13, 3]]), tensor([[0, 2, 0]])
    scores, _ = network(inputs)
    assert fw.isclose(masked_loss(network, (inputs, targets)), -fw.nn.functional.log_softmax(scores[0, 1], -1)[1])
    assert masked_loss(network, (inputs, fw.zeros_like(targets))) == 0


def test_an_epoch_holds_every_window_once_with_fresh_words_hidden():
    rows = text_windows(grammar(50, 0), 8)
    make = HiddenWordBatches(rows, 12, 0.3, batch_size=16, seed=4)
    assert [len(inputs) for inputs, _ in make(0)] == [16, 16, 16, 2]
    joined = [[np.concatenate(column) for column in zip(*make(epoch))] for epoch in (0, 0, 1)]
    for inputs, targets in joined:
        known = np.where(targets > 0, targets, inputs)
        assert sorted(map(tuple, known)) == sorted(map(tuple, rows))
    (first, named), (again, _), (_, others) = joined
    assert (first == again).all() and (named != others).any()


def test_the_loss_that_is_told_is_the_mean_over_the_words_to_be_named():
    """Batches of one window, of which many have nothing to name."""
    config = replace(CONFIG, masked=0.05, batch_size=1, training=FitConfig(epochs=1, learning_rate=1e-12))
    model, course = train_masked_language(grammar(40, 0), 12, config)
    batches = HiddenWordBatches(text_windows(grammar(40, 0), 8), 12, 0.05, 1, config.training.seed)(0)
    assert min((targets > 0).sum() for _, targets in batches) == 0
    whole = [tensor(np.concatenate(column)) for column in zip(*batches)]
    assert np.isclose(course.losses[0], masked_loss(model, whole).item(), atol=1e-5)


def test_windows_hold_every_word_once():
    rows = text_windows([np.arange(1, 11), np.array([3]), np.array([], dtype=int)], 4)
    assert rows.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 0, 0], [3, 0, 0, 0]]


def test_a_text_without_a_known_word_has_vector_nought_and_padding_does_not_matter(trained):
    vectors = text_vectors(trained, np.array([[1, 2, 0, 0], [0, 0, 0, 0]]))
    assert (vectors[1] == 0).all() and vectors[0].any()
    assert np.allclose(text_vectors(trained, np.array([[1, 2]]))[0], vectors[0], atol=1e-5)


def test_the_same_seed_gives_the_same_bits():
    short = replace(CONFIG, training=replace(CONFIG.training, epochs=1))
    one, two = (train_masked_language(grammar(40, 0), 12, short)[0].words.weight for _ in range(2))
    assert (one == two).all()


def test_bad_input_is_named(network):
    with pytest.raises(ValueError, match=r"ids: expected ids from 0 \(padding\) to 13, got 14 at row 0, column 1"):
        text_vectors(network, np.array([[1, 14]]))
    with pytest.raises(ValueError, match="ids: expected at most 8 columns, got 9"):
        text_vectors(network, np.ones((1, 9), dtype=np.int64))
    with pytest.raises(ValueError, match="texts: expected ids from 1 to 12, got 13 at place 1 of text 0"):
        masked_accuracy(network, [np.array([1, 13])])
    with pytest.raises(ValueError, match="masked: expected a share between 0 and 1, got 0"):
        MaskedLanguageConfig(masked=0)
    for name in ("dim", "n_blocks", "max_length", "batch_size"):
        with pytest.raises(ValueError, match=f"{name}: expected at least 1, got 0"):
            MaskedLanguageConfig(**{name: 0})
    with pytest.raises(ValueError, match="texts: expected ids from 1 to 5, got 6 at place 1 of text 0"):
        train_masked_language([np.array([1, 6])], 5, CONFIG)
    with pytest.raises(ValueError, match="expected a word to mask, got none of 2"):
        masked_accuracy(network, [np.array([1, 2])], share=1e-9)
    with pytest.raises(ValueError, match="texts: expected one with a known word, got none among 1"):
        train_masked_language([np.array([], dtype=int)], 5, CONFIG)
