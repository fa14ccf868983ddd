"""NRMS and its candidate-aware form: invariances, a second implementation, planted readers, bad input."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys import attention
from recsys.batches.slates import SlateBatches, Slates, last_histories, read_once, slates
from recsys.data import DataError, ImpressionLog, Impressions, Interactions
from recsys.data.words import Vocabulary
from recsys.evaluation.metrics import auc_per_user
from recsys.evaluation.lists import recommend
from recsys.simulate.readers import planted_readers, planted_topics
from recsys.neural import news
from recsys.neural.news import slate_auc
from recsys.training.loop import FitConfig
from tests.conftest import ROOT
from tests.framework import fw, needs_torch, start_at, tensor, twin

tensors = twin("engine", "tensors")
NRMS, DecayReader, NewsRecommender, NRMSConfig, VectorEncoder, WordEncoder, click_loss = twin(
    "nrms", "NRMS", "DecayReader", "NewsRecommender", "NRMSConfig", "VectorEncoder", "WordEncoder", "click_loss"
)  # fmt: skip
load_arrays, to_arrays = twin("parameters", "load_arrays", "to_arrays")

READERS = ("self", "target", "mean", "decay")
SMALL = NRMSConfig(dim=8, n_heads=2, hidden_dim=6, max_history=6)
PLANTED = NRMSConfig(dim=16, n_heads=2, dropout=0.0, training=FitConfig(epochs=3, learning_rate=0.02))


@pytest.fixture(scope="module")
def articles():
    """Twelve headlines of up to seven words out of thirty; the last one has no known word."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 31, (12, 7)) * (np.arange(7) < rng.integers(2, 8, (12, 1)))
    ids[-1] = 0
    return ids


@pytest.fixture(scope="module", params=READERS)
def network(request):
    start_at(1)
    config = replace(SMALL, reader=request.param)
    return NRMS(WordEncoder(30, config), config).double().eval()


def score(network, articles, history, candidates):
    history, candidates = np.array(history, dtype=np.int64), np.array(candidates)
    return network(*tensors(read_once(articles, history, candidates)))


def test_weights_are_a_distribution_over_the_real_history(network, articles):
    scores, weights = score(network, articles, [[1, 5, 3, 0], [2, 0, 0, 0]], [[4, 6], [4, 0]])
    assert scores.shape == (2, 2) and weights.shape == (2, 2, 4)
    assert fw.allclose(weights.sum(-1), fw.ones(2, 2, dtype=fw.float64))
    assert (weights[0, :, 3] < 1e-12).all() and fw.allclose(weights[1, :, 0], fw.ones(2, dtype=fw.float64))


def test_padding_and_place_in_the_history_never_change_a_score(network, articles):
    scores, _ = score(network, articles, [[1, 5, 3]], [[4, 6]])
    moved = [] if isinstance(network.reader, DecayReader) else [[3, 0, 5, 1]]
    for history in ([1, 5, 3, 0, 0], [0, 1, 0, 5, 3], *moved):
        assert fw.allclose(score(network, articles, [history], [[4, 6]])[0], scores, atol=1e-12)


def test_padding_of_words_never_changes_a_score(network, articles):
    scores, _ = score(network, articles, [[1, 5, 3]], [[4, 6]])
    wider = np.pad(articles, ((0, 0), (0, 4)))
    assert fw.allclose(score(network, wider, [[1, 5, 3]], [[4, 6]])[0], scores, atol=1e-12)


def test_batch_composition_never_changes_a_score(network, articles):
    history, candidates = [[1, 5, 3], [2, 7, 0], [8, 0, 0]], [[4, 6], [1, 3], [2, 9]]
    together, _ = score(network, articles, history, candidates)
    for row in range(3):
        alone, _ = score(network, articles, history[row:row + 1], candidates[row:row + 1])
        assert fw.allclose(alone[0], together[row], atol=1e-12)


def test_other_candidates_never_change_a_score(network, articles):
    both, _ = score(network, articles, [[1, 5, 3]], [[4, 6]])
    for column, candidate in enumerate((4, 6)):
        alone, _ = score(network, articles, [[1, 5, 3]], [[candidate, 9, 2]])
        assert fw.allclose(alone[0, 0], both[0, column], atol=1e-12)


def test_only_the_candidate_aware_reader_gives_weights_that_depend_on_the_candidate(articles):
    for kind in READERS:
        start_at(2)
        network = NRMS(WordEncoder(30, SMALL), replace(SMALL, reader=kind)).eval()
        _, weights = score(network, articles, [[1, 5, 3]], [[4, 6]])
        differ = not fw.allclose(weights[0, 0], weights[0, 1], atol=1e-6)
        assert differ == (kind == "target")


def test_a_headline_without_a_known_word_scores_nought_and_is_passed_over(network, articles):
    scores, weights = score(network, articles, [[1, 12, 3]], [[4, 12]])
    assert scores[0, 1] == 0 and (weights[0, :, 1] < 1e-12).all()
    assert fw.allclose(scores, score(network, articles, [[1, 3]], [[4, 12]])[0], atol=1e-12)


def test_decay_weighs_by_age_counted_in_real_events(articles):
    start_at(1)
    config = replace(SMALL, reader="decay")
    network = NRMS(WordEncoder(30, config), config).double().eval()
    load_arrays(network, {**to_arrays(network), "reader.raw_rate": np.log(np.expm1([0.7]))})
    expected = np.exp(-0.7 * np.array([2, 1, 0]))
    for history, real in (([1, 5, 3], [0, 1, 2]), ([0, 1, 0, 5, 3, 0], [1, 3, 4])):
        _, weights = score(network, articles, [history], [[4, 6]])
        assert np.allclose(weights[0, 0].detach().numpy()[real], expected / expected.sum(), atol=1e-6)
        assert np.isclose(weights.sum().item(), 2)


@pytest.mark.parametrize("kind", READERS)
def test_the_reader_of_what_was_skipped_is_taken_off_or_skips_are_passed_over(kind, articles):
    start_at(1)
    config = replace(SMALL, reader=kind)
    alone = NRMS(WordEncoder(30, config), config).double().eval()
    both = NRMS(WordEncoder(30, config), replace(config, skips=True)).double().eval()
    load_arrays(both, to_arrays(alone))
    candidates, liked = [[4, 6]], tensor([[True, False, True, True, False]])
    clicked, skipped = (score(alone, articles, [past], candidates) for past in ([1, 3, 2], [5, 7]))

    def given(network, **told):
        batch = tensors(read_once(articles, np.array([[1, 5, 3, 2, 7]]), np.array(candidates)))
        return network(*batch, **told)

    assert fw.allclose(given(alone, liked=liked)[0], clicked[0], atol=1e-12)
    scores, weights = given(both, liked=liked)
    assert fw.allclose(scores, clicked[0] - skipped[0], atol=1e-12) and not fw.allclose(scores, clicked[0], atol=1e-3)
    assert fw.allclose(weights[:, :, [0, 2, 3]], clicked[1], atol=1e-12)
    assert fw.allclose(weights[:, :, [1, 4]], skipped[1], atol=1e-12)
    assert fw.allclose(given(both)[0], given(alone)[0], atol=1e-12)  # nothing was skipped


@pytest.mark.parametrize("kind", READERS)
def test_an_article_without_a_vector_scores_nought_and_is_passed_over(kind):
    start_at(6)
    config = replace(SMALL, reader=kind)
    network = NRMS(VectorEncoder(3, config), config).double().eval()
    vectors = np.random.default_rng(0).normal(size=(12, 3))
    vectors[-1] = 0
    scores, weights = score(network, vectors, [[1, 12, 3]], [[4, 12]])
    assert scores[0, 0] != 0 and scores[0, 1] == 0 and (weights[0, :, 1] < 1e-12).all()
    assert fw.allclose(scores, score(network, vectors, [[1, 3, 0]], [[4, 12]])[0], atol=1e-12)


def test_an_empty_history_scores_nought_and_weighs_nothing(network, articles):
    for history in ([[0, 0, 0]], [[12, 0, 0]], [[]]):  # nothing clicked; nothing but an article without text
        scores, weights = score(network, articles, history, [[4, 6]])
        assert (scores == 0).all() and (weights == 0).all()


def test_the_word_encoder_equals_the_numpy_reference(articles):
    start_at(3)
    encoder = WordEncoder(30, SMALL).double().eval()
    arrays, ids = to_arrays(encoder), articles
    words, real = arrays["words.weight"][ids], ids != 0
    heads = {name: attention.split_heads(words @ arrays[f"pooling.attention.{name}.weight"], 2)
             for name in ("query", "key", "value")}  # fmt: skip
    mixed, _ = attention.attention(heads["query"], heads["key"], heads["value"], mask=real[:, None, None, :])
    seen = attention.merge_heads(mixed) @ arrays["pooling.attention.output.weight"]
    hidden = np.tanh(seen @ arrays["pooling.pooling.key.weight"] + arrays["pooling.pooling.query.weight"])
    weights = attention.softmax((hidden @ arrays["pooling.pooling.direction.weight"])[..., 0], mask=real)
    vectors, given = encoder(tensor(articles))
    assert np.allclose(given.detach().numpy(), weights, atol=1e-10)
    assert np.allclose(vectors.detach().numpy(), (weights[..., None] * seen).sum(1), atol=1e-10)


@needs_torch
def test_gradients_are_right(articles):
    start_at(4)
    config = replace(SMALL, reader="target")
    network = NRMS(WordEncoder(30, config), config).double().eval()
    data = Slates(np.arange(2), np.array([[1, 5, 0], [2, 3, 7]]), np.array([[4, 6, 8], [1, 9, 0]]),
                  np.array([[True, False, False], [False, True, False]]))  # fmt: skip
    batch = tensors(SlateBatches(data, articles, 2)(0)[0])

    def loss(direction):
        changed = {"encoder.pooling.pooling.direction.weight": direction}
        return click_loss(lambda *inputs: fw.func.functional_call(network, changed, inputs), batch)

    start = network.encoder.pooling.pooling.direction.weight.detach().clone().requires_grad_()
    assert fw.autograd.gradcheck(loss, (start,))


def loss_of(scores, clicked, skipped):
    """`click_loss` of a network that gives these scores."""
    return click_loss(lambda *_: (scores, None), (None, None, None, None, clicked, skipped))


def test_the_loss_is_cross_entropy_of_each_click_against_the_skips():
    scores = tensor([[1.0, 2.0, 0.5, 9.0], [0.0, 1.0, 3.0, -1.0]])
    clicked = tensor([[False, True, False, False], [True, False, True, False]])
    skipped = tensor([[True, False, True, False], [False, True, False, True]])  # the 9.0 is padding
    e = np.exp(scores.numpy().astype(float))
    terms = [e[0, 1] / (e[0, 0] + e[0, 1] + e[0, 2]), *(c / (c + e[1, 1] + e[1, 3]) for c in (e[1, 0], e[1, 2]))]
    assert np.isclose(loss_of(scores, clicked, skipped).item(), -np.log(terms).mean(), atol=1e-6)


@needs_torch
def test_a_click_without_a_skip_costs_nothing_and_pulls_nothing():
    scores = tensor([[1.0, 2.0], [3.0, -1.0]], requires_grad=True)
    clicked = tensor([[True, False], [True, True]])
    loss = loss_of(scores, clicked, tensor([[False, True], [False, False]]))
    loss.backward()
    assert np.isclose(loss.item(), np.log1p(np.e) / 3)
    assert (scores.grad[1] == 0).all() and scores.grad[0].abs().min() > 0


IN_PADDLE = """
from recsys.paddle.nrms import click_loss
import paddle

scores = paddle.to_tensor([[1.0, 2.0], [3.0, -1.0]], stop_gradient=False)
clicked, skipped = paddle.to_tensor([[True, False], [True, True]]), paddle.to_tensor([[False, True], [False, False]])
loss = click_loss(lambda *_: (scores, None), (None, None, None, None, clicked, skipped))
loss.backward()
print(loss.item(), *scores.grad[1].tolist())
"""


def test_in_paddle_too_a_click_without_a_skip_costs_nothing():
    """Its logsumexp of minus infinities alone is NaN."""
    done = subprocess.run([sys.executable, "-c", IN_PADDLE], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    loss, *pulled = map(float, done.stdout.split())
    assert np.isclose(loss, np.log1p(np.e) / 3) and pulled == [0, 0]


@pytest.fixture(scope="module")
def world():
    """Six topics in twelve dimensions, readers with three of them; train and test readers."""
    rng = np.random.default_rng(5)
    vectors = np.repeat(rng.normal(size=(6, 12)), 20, axis=0) + 0.5 * rng.normal(size=(120, 12))
    vectors = (vectors - vectors.mean(0)) / np.linalg.norm(vectors - vectors.mean(0), axis=1, keepdims=True)
    fit = planted_topics(vectors, 6)
    return vectors, *(planted_readers(fit, n, 3, 14, 5, sharpness=8, seed=seed) for n, seed in ((250, 0), (150, 1)))


def weight_auc(weights, data, truth):
    """AUC of the clicked candidate's weights against "was read for the same planted interest"."""
    clicked = data.clicked.argmax(1)
    rows = np.arange(len(clicked))
    same = truth.reasons(data.users, np.maximum(data.history - 1, 0)) == truth.reasons(data.users, data.shown - 1)[rows, clicked][:, None]
    real = data.history > 0
    return np.nanmean(auc_per_user(np.nonzero(real)[0], same[real], weights[rows, clicked][real]))


def test_target_attention_beats_the_mean_and_its_weights_find_the_planted_topic(world):
    vectors, train, test = world
    data = slates(test.log, 50)
    data = data.select((data.history > 0).sum(1) >= 9)
    result = {}
    for kind in READERS:
        scores, weights = NewsRecommender(vectors, replace(PLANTED, reader=kind)).fit(train.log).score_slates(data)
        result[kind] = np.nanmean(slate_auc(scores, data)), weight_auc(weights, data, test)
        lie = replace(test, fit=np.random.default_rng(0).permutation(test.fit))  # topics dealt out at random
        assert abs(weight_auc(weights, data, lie) - 0.5) < 0.03
    assert result["target"][0] > result["mean"][0] + 0.02 and result["target"][1] > 0.72
    assert result["self"][0] < result["target"][0] - 0.02 and abs(result["self"][1] - 0.5) < 0.06


@pytest.fixture(scope="module")
def trained(world):
    vectors, train, _ = world
    config = replace(PLANTED, reader="target", max_history=5, training=FitConfig(epochs=1, learning_rate=0.02))
    return NewsRecommender(vectors, config).fit(train.log)


def given(*sequences):
    return Interactions.from_sequences(sequences, np.arange(120))


def test_a_stranger_is_served_and_the_list_has_nothing_read(trained):
    ranked = recommend(trained, np.array([0]), k=5, history=given([3, 50, 7]))[0]
    assert len(set(ranked.tolist())) == 5 and not {3, 50, 7} & set(ranked.tolist())


def test_of_a_long_history_the_newest_clicks_are_read(trained):
    long, cut = trained.score([0, 1], given([9, 8, 7, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5]))
    assert np.allclose(long, cut, atol=1e-6)


def test_a_stranger_is_served_by_what_they_skipped_too(world):
    vectors, train, _ = world
    config = replace(PLANTED, reader="target", skips=True, training=FitConfig(epochs=1, learning_rate=0.02))
    model = NewsRecommender(vectors, config).fit(train.log)
    past = given([3, 50, 7])
    as_skips = replace(past, values=np.zeros(3))
    assert np.allclose(model.score([0], as_skips), -model.score([0], past), atol=1e-6)
    assert np.abs(model.score([0], past)).max() > 0.1
    assert (model.interactions.values == 0).sum() == 250 * 4  # of the last slate


def test_a_stranger_without_a_click_scores_nought(trained):
    assert (trained.score([0, 1], given([], [3]))[0] == 0).all()


def test_fitted_readers_are_scored_by_all_they_clicked(trained, world):
    log = world[1].log
    clicks = log.impressions.items.reshape(250, 14, 5)[log.impressions.clicked.reshape(250, 14, 5)].reshape(250, 14)
    assert np.allclose(trained.score([4]), trained.score([0], given(clicks[4])), atol=1e-6)


def leaking(world):
    log = world[1].log
    past = log.histories
    items = past.items.copy()
    row = int(np.flatnonzero(past.users == 3)[0])
    items[row] = log.impressions.shown(3)[0][0]
    return ImpressionLog(log.impressions, replace(past, items=items), log.items)


def test_a_planted_leak_is_caught_before_training(world):
    with pytest.raises(DataError, match="stands in its own history"):
        NewsRecommender(world[0], PLANTED).fit(leaking(world))


def test_what_was_saved_scores_as_before_and_serves_the_log_it_is_given(trained, world, tmp_path):
    vectors, train, test = world
    trained.save(tmp_path / "news")
    loaded = NewsRecommender(vectors, trained.config).load(tmp_path / "news", test.log)
    fresh = Interactions.from_sequences([[3, 4], [5]], np.arange(120))
    assert (loaded.score([0, 1], fresh) == trained.score([0, 1], fresh)).all()
    own = last_histories(test.log).of_users([7, 2])
    assert (loaded.score([7, 2]) == trained.score([0, 1], own)).all()
    slate = slates(test.log, 5).select(np.arange(9))
    assert (loaded.score_slates(slate)[0] == trained.score_slates(slate)[0]).all()


def test_weights_of_other_articles_or_settings_are_refused(trained, world, tmp_path):
    vectors, train, _ = world
    trained.save(tmp_path / "news")
    for articles, config in ((vectors[::-1], trained.config), (vectors, replace(trained.config, max_history=4))):
        model = NewsRecommender(articles, config)
        with pytest.raises(ValueError, match="belongs to something else"):
            model.load(tmp_path / "news", train.log)
        assert not hasattr(model, "network")
    with pytest.raises(ValueError, match="is not fitted"):
        NewsRecommender(vectors).save(tmp_path / "other")


def test_a_checkpoint_belongs_to_the_slates_that_validate(world, tmp_path):
    vectors, train, test = world
    config = replace(PLANTED, reader="mean", training=FitConfig(epochs=1, learning_rate=0.02))
    validation = slates(test.log, 50)
    NewsRecommender(vectors, config, checkpoint=tmp_path / "state").fit(train.log, validation)
    few = validation.select(np.arange(9))
    with pytest.raises(ValueError, match="belongs to something else: validation expected"):
        NewsRecommender(vectors, config, checkpoint=tmp_path / "state").fit(train.log, few)


def clicks_in_plenty():
    """Slates with one click or three."""
    shown = Impressions(np.arange(9), np.arange(9), 5 * np.arange(10), np.tile(np.arange(5), 9),
                        np.tile([1, 0, 0, 0, 0] + [1, 1, 1, 0, 0] + [0, 0, 0, 1, 0], 3), np.arange(9), np.arange(12))  # fmt: skip
    past = Interactions.from_sequences([[6 + row % 6] for row in range(9)], np.arange(12))
    return ImpressionLog(shown, past, pd.DataFrame(index=range(12)))


def test_the_loss_that_is_told_is_the_mean_over_clicks(articles):
    log = clicks_in_plenty()
    config = replace(SMALL, dropout=0.0, batch_size=2, training=FitConfig(epochs=1, learning_rate=1e-12))
    model = NewsRecommender(articles, config).fit(log)
    batch = tensors(SlateBatches(slates(log, 6), articles, 9)(0)[0])
    assert np.isclose(model.result.losses[0], click_loss(model.network, batch).item(), atol=1e-6)


def test_words_are_read_end_to_end():
    vocabulary = Vocabulary.from_texts(["cup final tonight", "bank rate cut", "final score cup", "rate rise bank"])
    articles = vocabulary.encode(["cup final tonight", "bank rate cut", "final score cup", "rate rise bank", "???"], 6)
    shown = Impressions([0, 1], [0, 0], [0, 2, 4], [2, 3, 2, 3], [1, 0, 0, 1], [0, 1], np.arange(5))
    log = ImpressionLog(shown, Interactions.from_sequences([[0], [1]], np.arange(5)), pd.DataFrame(index=range(5)))
    config = replace(SMALL, reader="target", dropout=0.0, training=FitConfig(epochs=40, learning_rate=0.02))
    model = NewsRecommender(articles, config).fit(log)
    scores = model.score([0, 1], Interactions.from_sequences([[0], [1]], np.arange(5)))
    assert scores[0, 2] > scores[0, 3] and scores[1, 3] > scores[1, 2] and (scores[:, 4] == 0).all()


def test_bad_input_is_named(world, trained):
    data = slates(world[1].log, 6).select(np.arange(2))
    for name in ("history", "shown"):
        wrong = getattr(data, name).copy()
        wrong[1, 2] = 121
        asked = replace(data, **{name: wrong})
        words = rf"{name}: expected ids from 0 \(padding\) to 120, got 121 at row 1, column 2"
        with pytest.raises(ValueError, match=words):
            trained.score_slates(asked)
        with pytest.raises(ValueError, match=f"{name}: expected ids from 0"):
            trained.fit(world[1].log, asked)
    with pytest.raises(ValueError, match="history: expected ids as int64 of shape"):
        trained.score_slates(replace(data, history=np.ones((2, 3))))
    with pytest.raises(ValueError, match="articles: expected ids from 0"):
        NewsRecommender(np.array([[3, -1]]))
    with pytest.raises(ValueError, match="reader: expected one of self, target, mean, decay, got 'last'"):
        NRMSConfig(reader="last")
    with pytest.raises(ValueError, match="articles: expected finite numbers with two axes"):
        NewsRecommender(np.array([[np.nan]]))
    with pytest.raises(ValueError, match="expected 3 items, one for each article, got 120"):
        NewsRecommender(np.ones((3, 2))).fit(world[1].log)
    with pytest.raises(ValueError, match="is not fitted"):
        NewsRecommender(np.ones((3, 2))).score([0])
    with pytest.raises(ValueError, match="is not fitted"):
        NewsRecommender(np.ones((3, 2))).score_slates(slates(world[1].log, 6))
    for name in ("dim", "hidden_dim", "max_history", "batch_size"):
        with pytest.raises(ValueError, match=f"{name}: expected at least 1, got 0"):
            NRMSConfig(**{name: 0})


def test_a_leak_is_caught_in_what_validates_and_in_what_is_scored(trained, world):
    clean = slates(world[1].log, 6)
    history = clean.history.copy()
    history[0, 0] = clean.shown[0, 0]
    leaky = replace(clean, history=history)
    with pytest.raises(DataError, match="stands in its own history"):
        trained.score_slates(leaky)
    model = NewsRecommender(world[0], trained.config)
    with pytest.raises(DataError, match="stands in its own history"):
        model.fit(world[1].log, leaky)
    with pytest.raises(ValueError, match="validation: expected at least one slate"):
        model.fit(world[1].log, clean.select(np.zeros(len(clean), dtype=bool)))
    assert not hasattr(model, "network")


def test_how_many_are_scored_at_a_time_changes_nothing(trained, world, monkeypatch):
    users, data = np.arange(20), slates(world[1].log, 6)
    scores, (of_slates, weights) = trained.score(users), trained.score_slates(data)
    monkeypatch.setattr(news, "CELLS", 1)
    assert np.allclose(trained.score(users), scores, atol=1e-6)
    again = trained.score_slates(data.select(np.arange(7)))
    assert np.allclose(again[0], of_slates[:7], atol=1e-6) and np.allclose(again[1], weights[:7], atol=1e-6)


def test_the_auc_of_a_slate_counts_pairs_and_leaves_padding_out():
    data = Slates(np.arange(3), np.ones((3, 1), int), np.array([[1, 2, 3], [1, 2, 0], [1, 2, 0]]),
                  np.array([[True, False, False], [True, False, False], [True, True, False]]))  # fmt: skip
    auc = slate_auc(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, -9.0], [1.0, 2.0, 0.0]]), data)
    assert auc[:2].tolist() == [0.75, 0.0] and np.isnan(auc[2])
