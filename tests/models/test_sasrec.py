"""SASRec: what may never change a score, what it has to learn, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.baselines import Popularity
from recsys.data import DataError, Interactions
from recsys.evaluation import evaluate, leave_last_out
from recsys.torch.fit import FitConfig
from recsys.torch.mixers import MIXERS
from recsys.torch.output_losses import NegativeSampler
from recsys.torch.sasrec import (
    SASRec, SASRecConfig, SASRecRecommender, attention_on_history, next_item_loss, sampled_next_item_loss,
)  # fmt: skip
from recsys.torch.sequences import NextItemBatches, windows

CLOSE = dict(rtol=1e-4, atol=1e-5)


@pytest.fixture(params=list(MIXERS))
def network(small_config, request):
    torch.manual_seed(0)
    return SASRec(30, replace(small_config, mixer=request.param)).eval()


@pytest.fixture(scope="module", params=list(MIXERS))
def fitted(small_config, walks, request):
    """A recommender with each mixer, trained."""
    return SASRecRecommender(replace(small_config, mixer=request.param)).fit(walks)


@pytest.fixture
def ids():
    return torch.from_numpy(np.random.default_rng(1).integers(1, 31, (3, 8)))


@pytest.mark.parametrize("left, right", [(0, 5), (4, 0), (2, 3)])
def test_padding_length_never_changes_a_score(network, ids, left, right):
    padded = torch.nn.functional.pad(ids, (left, right))
    scores, weights = network(padded)
    alone, own = network(ids)
    real = slice(left, left + 8)
    assert torch.allclose(scores[:, real], alone, **CLOSE)
    assert torch.allclose(weights[:, :, :, real, real], own, **CLOSE)


def test_padding_in_between_never_changes_a_score(network, ids):
    gap = torch.cat([ids[:, :3], torch.zeros(3, 2, dtype=torch.int64), ids[:, 3:]], dim=1)
    assert torch.allclose(network(gap)[0][:, -1], network(ids)[0][:, -1], **CLOSE)


def test_batch_composition_never_changes_a_score(network, ids):
    together = network(ids)[0]
    for row in range(3):
        assert torch.allclose(network(ids[row:row + 1])[0][0], together[row], **CLOSE)


def test_future_items_never_change_a_score(network, ids):
    changed = ids.clone()
    changed[:, 5:] = 7
    assert torch.equal(network(changed)[0][:, :5], network(ids)[0][:, :5])
    assert not torch.allclose(network(changed)[0][:, 5:], network(ids)[0][:, 5:])


def test_weights_sum_to_one_over_the_past(network, ids):
    weights = network(torch.nn.functional.pad(ids, (0, 2)))[1]
    assert weights.shape == (3, 2, 2, 10, 10)
    assert torch.allclose(weights.sum(-1), torch.ones(3, 2, 2, 10))
    assert (weights.triu(1) == 0).all() and (weights[..., :8, 8:] == 0).all()


def test_the_same_seed_gives_the_same_bits_and_another_does_not(fitted, walks):
    users = np.arange(walks.n_users)
    torch.rand(9)
    again = SASRecRecommender(fitted.config).fit(walks).score(users)
    assert (again == fitted.score(users)).all()
    other = replace(fitted.config, training=replace(fitted.config.training, seed=1))
    assert not np.allclose(SASRecRecommender(other).fit(walks).score(users), again)


def test_scores_are_equal_after_save_and_load(fitted, walks, tmp_path):
    fitted.save(tmp_path / "sasrec.safetensors")
    loaded = SASRecRecommender(fitted.config).load(tmp_path / "sasrec.safetensors", walks)
    assert (loaded.score(np.arange(9)) == fitted.score(np.arange(9))).all()


def test_weights_of_another_vocabulary_or_shape_are_refused(trained, walks, small_config, tmp_path):
    path = tmp_path / "sasrec.safetensors"
    trained.save(path)
    renamed = replace(walks, item_ids=walks.item_ids + 1)
    with pytest.raises(ValueError, match="vocabulary expected"):
        SASRecRecommender(small_config).load(path, renamed)
    with pytest.raises(ValueError, match="config expected"):
        SASRecRecommender(replace(small_config, n_heads=1)).load(path, walks)


def test_a_fit_that_was_stopped_goes_on_from_its_checkpoint(trained, walks, small_config, tmp_path, monkeypatch):
    taken = []

    def stop(model, batch):
        taken.append(1)
        if len(taken) == 8:
            raise InterruptedError
        return next_item_loss(model, batch)

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr("recsys.torch.sasrec.next_item_loss", stop)
        SASRecRecommender(small_config, tmp_path / "state").fit(walks)
    resumed = SASRecRecommender(small_config, tmp_path / "state").fit(walks)
    assert (resumed.score(np.arange(9)) == trained.score(np.arange(9))).all()


def test_a_loss_turned_nan_leaves_a_recommender_with_its_last_good_weights(walks, small_config, monkeypatch):
    taken = []

    def spoilt(model, batch):
        taken.append(1)
        return next_item_loss(model, batch) * (float("nan") if len(taken) == 5 else 1.0)

    monkeypatch.setattr("recsys.torch.sasrec.next_item_loss", spoilt)
    model = SASRecRecommender(small_config)
    with pytest.raises(ValueError, match="the loss is nan at step 5 .epoch 0, batch 4.*no checkpoint was given"):
        model.fit(walks)
    scores = model.score(np.arange(9))
    assert np.isfinite(scores).all() and (scores == model.score(np.arange(9))).all()  # no dropout any more


def test_a_history_given_equals_the_history_fitted(fitted, walks):
    users = np.array([3, 0, 11])
    assert np.allclose(fitted.score(users), fitted.score(users, history=walks.of_users(users)), **CLOSE)
    one = np.concatenate([fitted.score([user]) for user in users])
    assert np.allclose(fitted.score(users), one, **CLOSE)


def test_histories_of_several_lengths_are_scored_together_as_alone(trained, walks):
    lists = [[3, 4, 5, 6, 7], [8], [], [20, 21], list(range(30))]
    together = trained.score(np.arange(5), history=Interactions.from_sequences(lists, walks.item_ids))
    for row, items in enumerate(lists):
        alone = trained.score([0], history=Interactions.from_sequences([items], walks.item_ids))
        assert np.allclose(alone[0], together[row], **CLOSE)


def test_only_the_newest_events_are_read(trained, walks):
    long = Interactions.from_sequences([list(range(30)) + list(range(12))], walks.item_ids)
    short = Interactions.from_sequences([list(range(12))], walks.item_ids)
    assert np.allclose(trained.score([0], history=long), trained.score([0], history=short), **CLOSE)


def test_thirty_two_rows_are_learnt_by_heart():
    random = np.random.default_rng(0)
    others = [np.delete(np.arange(1, 41), first) for first in range(32)]
    rows = [np.append(first + 1, random.permutation(others[first])[:5]) for first in range(32)]
    log = Interactions.from_sequences([row - 1 for row in rows], np.arange(40))
    config = SASRecConfig(dim=64, dropout=0.0, training=FitConfig(epochs=200, learning_rate=5e-3))
    model = SASRecRecommender(config).fit(log)
    inputs, targets = zip(*NextItemBatches(windows(rows, 10), 10**6)(0))
    best = model.network(inputs[0])[0].argmax(-1) + 1
    assert (best == targets[0]).all() and model.result.losses[-1] < 0.05


def test_an_item_straight_after_itself_changes_nothing(network):
    """A limit: without a table of positions, a mean of two equal values is that value."""
    once, twice = torch.tensor([[5]]), torch.tensor([[5, 5]])
    assert torch.allclose(network(once)[0][:, -1], network(twice)[0][:, -1], **CLOSE)


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
    assert torch.isfinite(network(torch.zeros(2, 4, dtype=torch.int64))[0]).all()


@pytest.mark.parametrize("bad", [31, -1])
def test_an_id_outside_the_catalogue_is_named(network, ids, bad):
    ids[1, 2] = bad
    with pytest.raises(ValueError, match=rf"expected 0 \(padding\) to 30, got {bad} at row 1, column 2"):
        network(ids)


def test_wrong_shapes_and_dtypes_are_named(network, ids):
    for wrong in (ids[0], ids.float()):
        with pytest.raises(ValueError, match=r"expected int64 \(batch, length\)"):
            network(wrong)


def test_unfitted_models_unknown_users_and_foreign_histories_are_named(trained, walks):
    with pytest.raises(ValueError, match="SASRecRecommender is not fitted"):
        SASRecRecommender().score([0])
    with pytest.raises(DataError, match="a user index from 0 to 119, found 120"):
        trained.score([120])
    with pytest.raises(ValueError, match="over the 30 items the model was fitted on; it is over 3"):
        trained.score([0], history=Interactions.from_sequences([[1]], np.arange(3)))
    with pytest.raises(ValueError, match="n_heads"):
        SASRecConfig(dim=10, n_heads=3)


def test_a_mixer_without_a_name_we_know_is_refused():
    with pytest.raises(ValueError, match="mixer: expected one of attention, decay, mean, last, got 'max'"):
        SASRecConfig(mixer="max")


def test_the_controls_have_every_parameter_of_attention_but_query_key_and_rate(small_config):
    shapes = {name: {key: value.shape for key, value in SASRec(30, replace(small_config, mixer=name)).state_dict().items()}
              for name in MIXERS}  # fmt: skip
    less = {name: set(shapes["attention"]) - set(shapes[name]) for name in MIXERS}
    assert all(set(shapes[name].items()) <= set(shapes["attention"].items()) for name in MIXERS)
    content = {f"blocks.{b}.mixer.{part}.weight" for b in range(2) for part in ("query", "key")}
    rate = {f"blocks.{b}.mixer.raw_rate" for b in range(2)}
    assert less == {"attention": set(), "decay": content, "mean": content | rate, "last": content | rate}


def test_the_sampled_loss_with_every_item_is_the_full_loss_and_touches_few_rows(small_config):
    """Only what occurs has a gradient; with all items drawn once the loss is that of the catalogue."""
    torch.manual_seed(0)
    model = SASRec(30, replace(small_config, negatives=30)).eval()
    batch = (torch.tensor([[1, 2, 3], [4, 5, 0]]), torch.tensor([[2, 3, 9], [5, 6, 0]]))

    class Fixed:
        def __init__(self, items):
            self.items = items

        def draw(self):
            return self.items, torch.full((len(self.items),), -np.log(len(self.items)))

    everything = sampled_next_item_loss(model, batch, Fixed(torch.arange(30)))
    assert torch.allclose(everything, next_item_loss(model, batch), rtol=1e-5)
    sampled_next_item_loss(model, batch, Fixed(torch.tensor([20, 20, 25]))).backward()
    gradient = model.items.weight.grad
    assert gradient.is_sparse
    assert set(gradient.coalesce().indices()[0].tolist()) <= {0, 1, 2, 3, 4, 5, 6, 9, 21, 26}
    assert (gradient.to_dense()[0] == 0).all()


def test_planted_sequences_are_learnt_from_sampled_negatives(walks):
    split = leave_last_out(walks)
    config = SASRecConfig(dim=32, n_blocks=1, max_length=10, tokens=200, dropout=0.1, negatives=10,
                          training=FitConfig(epochs=12, learning_rate=1e-2))  # fmt: skip
    assert evaluate(SASRecRecommender(config), split, on="validation").mean("nDCG@10") > 0.6


def test_training_from_sampled_negatives_resumes_to_the_same_bits(walks, small_config, tmp_path, monkeypatch):
    config = replace(small_config, negatives=6)
    whole = SASRecRecommender(config).fit(walks)
    draw, drawn = NegativeSampler.draw, []

    def stop(self):
        drawn.append(1)
        if len(drawn) == 8:
            raise InterruptedError
        return draw(self)

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(NegativeSampler, "draw", stop)
        SASRecRecommender(config, tmp_path / "state").fit(walks)
    resumed = SASRecRecommender(config, tmp_path / "state").fit(walks)
    assert (resumed.score(np.arange(9)) == whole.score(np.arange(9))).all()


def test_validation_keeps_the_best_epoch(walks, small_config):
    split = leave_last_out(walks)
    model = SASRecRecommender(small_config).fit(split.train, split.validation)
    assert len(model.result.metrics) == 2 and model.result.best_epoch == int(np.argmax(model.result.metrics))
    told = evaluate(_Fitted(model), split, on="validation").mean("nDCG@10")
    assert np.isclose(told, max(model.result.metrics))


class _Fitted:
    """For `evaluate`, a model that is not to be fitted again."""

    def __init__(self, model):
        self.model = model

    def fit(self, interactions):
        return self

    def score(self, users, history=None):
        return self.model.score(users, history)


def test_an_error_before_the_first_step_leaves_the_recommender_as_it_was(walks, small_config):
    model = SASRecRecommender(small_config).fit(walks)
    before, result = model.score(np.arange(5)), model.result
    lonely = Interactions.from_sequences([[1], [2], [3], [4], [5]], walks.item_ids)
    with pytest.raises(ValueError, match="a user needs two events"):
        model.fit(lonely)
    assert (model.score(np.arange(5)) == before).all() and model.result is result
    with pytest.raises(ValueError, match="is not fitted"):
        SASRecRecommender(small_config).score([0])


def test_unknown_users_and_items_are_named(trained, walks):
    with pytest.raises(DataError, match="expected a user index from 0 to 119, found 120"):
        trained.score([3, 120])
    with pytest.raises(DataError, match="expected an item index from 0 to 29, found 30"):
        trained.score([0], history=Interactions.from_sequences([[4, 30]], walks.item_ids))
    with pytest.raises(ValueError, match="over the 30 items the model was fitted on; it is over 31"):
        trained.score([0], history=Interactions.from_sequences([[4, 30]], np.arange(31)))


def test_attention_on_history_is_the_row_of_the_newest_item(trained, walks):
    past = Interactions.from_sequences([[3, 4, 5], [], list(range(30))], walks.item_ids)
    shown = attention_on_history(trained, np.arange(3), past)
    assert [items.tolist() for items, _ in shown] == [[3, 4, 5], [], list(range(18, 30))]
    assert [weights.shape for _, weights in shown] == [(2, 2, 3), (2, 2, 0), (2, 2, 12)]
    direct = trained.network(torch.tensor([[4, 5, 6]]))[1][0, :, :, -1].detach()
    assert np.allclose(shown[0][1], direct) and np.allclose(shown[0][1].sum(-1), 1)
    items, weights = attention_on_history(trained, [7])[0]
    assert items.tolist() == walks.items[walks.users == 7].tolist() and weights.shape == (2, 2, 9)


def test_embeddings_enter_the_first_block_at_unit_scale():
    """They start at a variance of 1 / dim, which suits the scores, and are scaled by sqrt(dim) on the way in."""
    torch.manual_seed(0)
    model, entered = SASRec(500, SASRecConfig(dim=64)).eval(), []
    model.blocks[0].register_forward_pre_hook(lambda block, inputs: entered.append(inputs[0]))
    model(torch.arange(1, 501)[None])
    assert torch.equal(entered[0][0], 8 * model.items.weight[1:])
    assert 0.97 < entered[0].std() < 1.03
