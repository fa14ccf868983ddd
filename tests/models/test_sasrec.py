"""SASRec: what may never change a score, what it has to learn, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.baselines import Popularity
from recsys.batches.sequences import NextItemBatches, windows
from recsys.data import Interactions
from recsys.evaluation import evaluate, leave_last_out
from recsys.neural.sasrec import MIXER_NAMES, attention_on_history
from recsys.training.loop import FitConfig
from tests.framework import equal, fw, needs_torch, start_at, tensor, twin

MIXERS, causal_ages = twin("mixers", "MIXERS", "causal_ages")
Block, SASRec, SASRecConfig, SASRecRecommender, next_item_loss, sampled_next_item_loss = twin(
    "sasrec", "Block", "SASRec", "SASRecConfig", "SASRecRecommender", "next_item_loss", "sampled_next_item_loss"
)  # fmt: skip

CLOSE = dict(rtol=1e-4, atol=1e-5)


@pytest.fixture(params=list(MIXERS))
def network(small_config, request):
    start_at(0)
    return SASRec(30, replace(small_config, mixer=request.param)).eval()


@pytest.fixture
def ids():
    return tensor(np.random.default_rng(1).integers(1, 31, (3, 8)))


@pytest.mark.parametrize("left, right", [(0, 5), (4, 0), (2, 3)])
def test_padding_length_never_changes_a_score(network, ids, left, right):
    padded = fw.nn.functional.pad(ids, (left, right))
    scores, weights = network(padded)
    alone, own = network(ids)
    real = slice(left, left + 8)
    assert fw.allclose(scores[:, real], alone, **CLOSE)
    assert fw.allclose(weights[:, :, :, real, real], own, **CLOSE)


def test_padding_in_between_never_changes_a_score(network, ids):
    gap = fw.cat([ids[:, :3], fw.zeros(3, 2, dtype=fw.int64), ids[:, 3:]], dim=1)
    assert fw.allclose(network(gap)[0][:, -1], network(ids)[0][:, -1], **CLOSE)


def test_batch_composition_never_changes_a_score(network, ids):
    together = network(ids)[0]
    for row in range(3):
        assert fw.allclose(network(ids[row:row + 1])[0][0], together[row], **CLOSE)


def test_future_items_never_change_a_score(network, ids):
    changed = ids.clone()
    changed[:, 5:] = 7
    assert equal(network(changed)[0][:, :5], network(ids)[0][:, :5])
    assert not fw.allclose(network(changed)[0][:, 5:], network(ids)[0][:, 5:])


def test_weights_sum_to_one_over_the_past(network, ids):
    weights = network(fw.nn.functional.pad(ids, (0, 2)))[1]
    assert weights.shape == (3, 2, 2, 10, 10)
    whole = 0 if network.config.mixer == "recurrent" else 1  # a recurrence has no weights
    assert fw.allclose(weights.sum(-1), fw.full((3, 2, 2, 10), float(whole)))
    assert (weights.triu(1) == 0).all() and (weights[..., :8, 8:] == 0).all()


def test_only_the_newest_events_are_read(trained, walks):
    newest = list(range(18, 6, -1))
    long = Interactions.from_sequences([list(range(30)) + newest], walks.item_ids)
    short = Interactions.from_sequences([newest], walks.item_ids)
    assert np.allclose(trained.score([0], history=long), trained.score([0], history=short), **CLOSE)


def test_thirty_two_rows_are_learnt_by_heart():
    random = np.random.default_rng(0)
    others = [np.delete(np.arange(1, 41), first) for first in range(32)]
    rows = [np.append(first + 1, random.permutation(others[first])[:5]) for first in range(32)]
    log = Interactions.from_sequences([row - 1 for row in rows], np.arange(40))
    config = SASRecConfig(dim=64, dropout=0.0, training=FitConfig(epochs=200, learning_rate=5e-3))
    model = SASRecRecommender(config).fit(log)
    [(inputs, targets)] = NextItemBatches(windows(rows, 10), 10**6)(0)
    scores, _ = model.run(model.network, inputs)
    assert (scores.argmax(-1) + 1 == targets).all() and model.result.losses[-1] < 0.05


def test_an_item_straight_after_itself_changes_nothing(network):
    """A limit: without a table of positions, a mean of two equal values is that value."""
    if network.config.mixer == "recurrent":
        pytest.skip("a recurrence counts")
    once, twice = tensor([[5]]), tensor([[5, 5]])
    assert fw.allclose(network(once)[0][:, -1], network(twice)[0][:, -1], **CLOSE)


def test_planted_sequences_are_learnt(walks):
    split = leave_last_out(walks)
    config = SASRecConfig(dim=32, n_blocks=1, max_length=10, tokens=200, dropout=0.1,
                          training=FitConfig(epochs=12, learning_rate=1e-2))  # fmt: skip
    learnt = evaluate(SASRecRecommender(config), split, on="validation").mean("nDCG@10")
    popular = evaluate(Popularity(), split, on="validation").mean("nDCG@10")
    assert learnt > 0.6 and learnt > popular + 0.3


def test_an_empty_history_scores_by_popularity(trained, walks):
    nobody = Interactions.from_sequences([[], [4]], walks.item_ids)
    scores = trained.score([0, 1], history=nobody)
    popularity = np.bincount(walks.items, minlength=30)
    assert np.allclose(scores[0], np.log1p(popularity)) and np.isfinite(scores[1]).all()
    assert trained.score([], history=Interactions.from_sequences([], walks.item_ids)).shape == (0, 30)


def test_padding_alone_gives_finite_numbers(network):
    assert fw.isfinite(network(fw.zeros(2, 4, dtype=fw.int64))[0]).all()


def test_settings_that_cannot_be_are_named():
    with pytest.raises(ValueError, match="mixer: expected one of attention, content, decay, .*, recurrent, got 'max'"):
        SASRecConfig(mixer="max")
    with pytest.raises(ValueError, match="dim and n_heads: expected a dim that divides"):
        SASRecConfig(dim=10, n_heads=3)


def test_the_controls_have_every_parameter_of_attention_but_query_key_and_rate(small_config):
    shapes = {name: {key: tuple(value.shape) for key, value in SASRec(30, replace(small_config, mixer=name)).state_dict().items()}
              for name in MIXERS}  # fmt: skip
    assert tuple(MIXERS) == MIXER_NAMES
    content = {f"blocks.{b}.mixer.{part}.weight" for b in range(2) for part in ("query", "key")}
    rate = {f"blocks.{b}.mixer.raw_rate" for b in range(2)}
    less = {"attention": set(), "linear": set(), "content": rate, "decay": content, "mean": content | rate, "last": content | rate}
    for name, missing in less.items():
        assert set(shapes["attention"].items()) - set(shapes[name].items()) == {(key, shapes["attention"][key]) for key in missing}
        assert set(shapes[name].items()) <= set(shapes["attention"].items())
    gates = {key: shape for key, shape in shapes["gate"].items() if key not in shapes["mean"]}
    assert gates == {f"blocks.{b}.mixer.gate.weight": shapes["attention"][f"blocks.{b}.mixer.query.weight"] for b in range(2)}
    assert set(shapes["mean"]) - set(shapes["recurrent"]) == {f"blocks.{b}.mixer.value.weight" for b in range(2)}


@needs_torch
def test_the_sampled_loss_with_every_item_is_the_full_loss_and_touches_few_rows(small_config):
    """Only what occurs has a gradient; with all items drawn once the loss is that of the catalogue."""
    start_at(0)
    model = SASRec(30, replace(small_config, negatives=30)).eval()
    batch = (tensor([[1, 2, 3], [4, 5, 0]]), tensor([[2, 3, 9], [5, 6, 0]]))

    def with_drawn(ids):
        return (*batch, ids, fw.full((len(ids),), -np.log(len(ids))))

    everything = sampled_next_item_loss(model, with_drawn(fw.arange(1, 31)))
    assert fw.allclose(everything, next_item_loss(model, batch), rtol=1e-5)
    sampled_next_item_loss(model, with_drawn(tensor([21, 21, 26]))).backward()
    gradient = model.items.weight.grad
    assert gradient.is_sparse
    assert set(gradient.coalesce().indices()[0].tolist()) <= {0, 1, 2, 3, 4, 5, 6, 9, 21, 26}
    assert (gradient.to_dense()[0] == 0).all()


def test_planted_sequences_are_learnt_from_sampled_negatives(walks):
    split = leave_last_out(walks)
    config = SASRecConfig(dim=32, n_blocks=1, max_length=10, tokens=200, dropout=0.1, negatives=10,
                          training=FitConfig(epochs=12, learning_rate=1e-2))  # fmt: skip
    assert evaluate(SASRecRecommender(config), split, on="validation").mean("nDCG@10") > 0.6


def test_validation_keeps_the_best_epoch(walks, small_config):
    split = leave_last_out(walks)
    model = SASRecRecommender(small_config).fit(split.train, split.validation)
    assert len(model.result.metrics) == 2 and model.result.best_epoch == int(np.argmax(model.result.metrics))
    told = evaluate(model, split, on="validation", fit=False).mean("nDCG@10")
    assert np.isclose(told, max(model.result.metrics))




def test_attention_on_history_is_the_row_of_the_newest_item(trained, walks):
    past = Interactions.from_sequences([[3, 4, 5], [], list(range(30))], walks.item_ids)
    shown = attention_on_history(trained, np.arange(3), past)
    assert [items.tolist() for items, _ in shown] == [[3, 4, 5], [], list(range(18, 30))]
    assert [weights.shape for _, weights in shown] == [(2, 2, 3), (2, 2, 0), (2, 2, 12)]
    direct = trained.network(tensor([[4, 5, 6]]))[1][0, :, :, -1].detach()
    assert np.allclose(shown[0][1], direct) and np.allclose(shown[0][1].sum(-1), 1)
    items, weights = attention_on_history(trained, [7])[0]
    assert items.tolist() == walks.items[walks.users == 7].tolist() and weights.shape == (2, 2, 9)


def test_embeddings_enter_the_first_block_at_unit_scale():
    """They start at a variance of 1 / dim, which suits the scores, and are scaled by sqrt(dim) on the way in."""
    start_at(0)
    model, entered = SASRec(500, SASRecConfig(dim=64)).eval(), []
    model.blocks[0].register_forward_pre_hook(lambda block, inputs: entered.append(inputs[0]))
    model(fw.arange(1, 501)[None])
    assert equal(entered[0][0], 8 * model.items.weight[1:])
    assert 0.97 < entered[0].std() < 1.03


@pytest.mark.parametrize("tokens", [12, 50, 10**6])
def test_the_loss_it_reports_is_the_mean_over_targets_however_they_are_batched(walks, small_config, tokens):
    """At a learning rate of next to nothing the loss is that of all targets at once."""
    log = walks.select(np.random.default_rng(1).random(len(walks)) < 0.7)  # histories of unequal length
    config = replace(small_config, dropout=0.0, tokens=tokens, training=FitConfig(epochs=1, learning_rate=1e-12))
    model = SASRecRecommender(config)
    model.fit(log)
    first = model._new(log)
    past = [log.items[log.users == user] + 1 for user in range(log.n_users)]
    [everything] = NextItemBatches(windows(past, config.max_length), 10**6)(0)
    expected = model.run(lambda *batch: next_item_loss(first, batch), *everything)
    assert model.result.losses[0] == pytest.approx(float(expected), rel=1e-5)


def test_the_gradient_by_an_embedding_of_padding_is_nothing(small_config):
    model = SASRec(30, small_config)
    next_item_loss(model, (tensor([[1, 2, 0]]), tensor([[2, 3, 0]]))).backward()
    assert (model.items.weight.grad[0] == 0).all() and (model.items.weight[0] == 0).all()


def test_a_block_that_adds_nothing_is_the_identity(small_config):
    """Both of its parts stand beside a residual."""
    block = Block(small_config).eval()
    with fw.no_grad():
        block.mixer.output.weight.zero_()
        block.narrow.weight.zero_()
    states = fw.randn(2, 5, 16)
    out, _ = block(states, *causal_ages(fw.ones(2, 5, dtype=fw.int64)))
    assert equal(out, states)


def test_the_weights_it_returns_are_those_of_each_block(network, ids):
    states = network.items(ids) * np.sqrt(16)
    _, weights = network(ids)
    for place, block in enumerate(network.blocks):
        states, own = block(states, *causal_ages(ids))
        assert fw.allclose(weights[:, place], own, **CLOSE)
