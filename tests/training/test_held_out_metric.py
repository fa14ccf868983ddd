"""Held-out events as the metric of a recommender, and what is left of a recommender after an error."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from recsys.evaluation import evaluate, leave_last_out
from recsys.neural.held_out import held_out_ndcg
from recsys.neural.recommender import NetworkRecommender, config_from, settings_of
from recsys.torch import engine
from recsys.training.checkpoint import write_checkpoint
from recsys.training.loop import FitConfig
from tests.training.small_run import bits

TRAINING = FitConfig(epochs=4, learning_rate=0.3, save_every=2)


@dataclass(frozen=True)
class TableConfig:
    training: FitConfig = TRAINING
    sizes: tuple[int, ...] = (40,)


class Table(nn.Module):
    """A score for each item, the same for every user."""

    def __init__(self, n_items, config):
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(n_items))

    def forward(self):
        return self.scores


class TableRecommender(NetworkRecommender):
    """As small as a recommender can be."""

    engine, network_class, config_class = engine, Table, TableConfig

    def __init__(self, training=TRAINING, checkpoint=None, log=None, factor=None):
        super().__init__(TableConfig(training), checkpoint, log)
        self.popular = factor or Popular()

    def fit(self, interactions, validation=None):
        starts = range(self.config.sizes[0], len(interactions), self.config.sizes[0])
        parts = [(items,) for items in np.split(interactions.items, starts)]
        return self.train_on(interactions, lambda epoch: parts, validation)

    def score(self, users, history=None):
        self.check_fitted()
        return np.tile(self.run(self.network), (len(users), 1))

    def _engine(self, network):
        return self.engine.Engine(network, self.popular, self.config.training)


class Popular:
    """Cross-entropy of the items taken; the call of number `bad` is not finite."""

    def __init__(self, bad=None):
        self.calls, self.bad = 0, bad

    def __call__(self, network, batch):
        items = batch[0]
        self.calls += 1
        loss = nn.functional.cross_entropy(network.scores.expand(len(items), -1), items)
        return loss * float("nan") if self.calls == self.bad else loss


@pytest.fixture(scope="module")
def split(walks):
    return leave_last_out(walks)


def test_the_metric_is_what_evaluate_says_of_the_same_weights(split):
    model = TableRecommender()
    expected = evaluate(model, split, on="validation").mean("nDCG@10")
    metric = held_out_ndcg(TableRecommender(), split.train, split.validation)
    assert metric(model.network) == pytest.approx(expected, abs=1e-12) and 0 < expected < 1


def test_the_metric_does_not_depend_on_how_many_users_are_scored_at_once(split, monkeypatch):
    model = TableRecommender().fit(split.train)
    whole = held_out_ndcg(model, split.train, split.validation)(model.network)
    monkeypatch.setattr("recsys.evaluation.lists.CHUNK_BYTES", 8 * 30 * 7)
    assert held_out_ndcg(model, split.train, split.validation)(model.network) == pytest.approx(whole, abs=1e-12)


def test_the_best_epoch_on_held_out_events_is_kept_and_patience_ends_the_training(split):
    model = TableRecommender(replace(TRAINING, epochs=30, patience=2)).fit(split.train, split.validation)
    result = model.result
    best = result.metrics[result.best_epoch]
    assert len(result.metrics) == result.best_epoch + 3 < 30 and max(result.metrics) == best
    assert held_out_ndcg(TableRecommender(), split.train, split.validation)(model.network) == best


def test_other_held_out_events_do_not_go_on_from_a_checkpoint(split, tmp_path):
    TableRecommender(checkpoint=tmp_path / "state").fit(split.train, split.validation)
    with pytest.raises(ValueError, match="something else: validation expected '.{16}', got '.{16}'"):
        TableRecommender(checkpoint=tmp_path / "state").fit(split.train, split.test)
    with pytest.raises(ValueError, match="something else: data expected '.{16}', got '.{16}'"):
        TableRecommender(checkpoint=tmp_path / "state").fit(split.test, split.validation)


def test_held_out_events_that_cannot_be_read_are_refused_before_training(split):
    model = TableRecommender(factor=Popular())
    with pytest.raises(ValueError, match="validation: expected at least one held-out event, got none"):
        model.fit(split.train, split.validation.select(np.zeros(0, dtype=int)))
    for name in ("user_ids", "item_ids"):
        other = replace(split.validation, **{name: getattr(split.validation, name) + 1})
        with pytest.raises(ValueError, match=f"validation: expected the {name} of the interactions to fit, got others"):
            model.fit(split.train, other)
    few = split.interactions.select(split.interactions.items < 9)
    few = replace(few, items=few.items, item_ids=few.item_ids[:9])
    with pytest.raises(ValueError, match="validation: expected at least 10 items for nDCG@10, got 9; pass None"):
        model.fit(few, few)
    assert model.popular.calls == 0 and not hasattr(model, "network")


def test_an_error_before_the_first_step_leaves_a_recommender_as_it_was(split, tmp_path):
    TableRecommender(checkpoint=tmp_path / "state").fit(split.test)  # of other events
    fresh = TableRecommender(checkpoint=tmp_path / "state")
    with pytest.raises(ValueError, match="belongs to something else: data expected"):
        fresh.fit(split.train)
    assert not hasattr(fresh, "network") and not hasattr(fresh, "interactions")
    for cause in ("checkpoint", "first step"):
        model = TableRecommender().fit(split.train)
        before, result = bits(model.network), model.result
        if cause == "checkpoint":
            model.checkpoint = tmp_path / "state"
        else:
            model.popular.bad = model.popular.calls + 1
        with pytest.raises(ValueError):
            model.fit(split.validation)
        assert bits(model.network) == before and model.result is result and len(model.interactions) == len(split.train)


@pytest.mark.parametrize("fitted_before", [False, True])
def test_an_error_in_training_leaves_the_weights_of_the_last_good_step(split, fitted_before):
    model = TableRecommender()
    if fitted_before:
        model.fit(split.test)
    model.popular = Popular(bad=6)
    with pytest.raises(ValueError, match="the loss is nan at step 6"):
        model.fit(split.train)
    assert model.interactions is not None and len(model.interactions) == len(split.train) and model.result is None
    scores = model.network.scores
    assert not model.network.training and (scores != 0).any() and torch.isfinite(scores).all()


def test_an_error_on_the_first_step_after_resuming_leaves_the_weights_of_the_checkpoint(split, tmp_path):
    path = tmp_path / "state"
    stopped = TableRecommender(checkpoint=path, factor=Popular(bad=6))
    with pytest.raises(ValueError, match="nan at step 6"):
        stopped.fit(split.train)
    model = TableRecommender(checkpoint=path, factor=Popular(bad=1))
    with pytest.raises(ValueError, match="nan at step 6"):
        model.fit(split.train)
    assert bits(model.network) == bits(stopped.network)


# Weights in a file


def test_the_settings_of_weights_are_in_their_file(split, tmp_path):
    trained = TableRecommender(replace(TRAINING, epochs=3)).fit(split.train)
    trained.save(tmp_path / "weights")
    with pytest.raises(ValueError, match="config expected {'training': {'epochs': 4}}, got {'training': {'epochs': 3}}"):
        TableRecommender().load(tmp_path / "weights", split.train)
    settings = settings_of(tmp_path / "weights", TableConfig)
    assert settings == trained.config
    loaded = TableRecommender(settings.training).load(tmp_path / "weights", split.train)
    assert (loaded.score([0, 1]) == trained.score([0, 1])).all()
    with pytest.raises(ValueError, match="expected weights with the settings of a FitConfig, got"):
        settings_of(tmp_path / "weights", FitConfig)
    with pytest.raises(FileNotFoundError, match="no checkpoint here"):
        settings_of(tmp_path / "other", TableConfig)


@pytest.mark.parametrize("scores", [
    np.full(30, np.nan, dtype=np.float32), np.zeros(30, dtype=np.int32), np.zeros(29, dtype=np.float32),
])  # fmt: skip
def test_weights_that_do_not_fit_are_refused_with_the_place_and_the_recommender_stays(split, tmp_path, scores):
    model = TableRecommender().fit(split.train)
    before, path = bits(model.network), tmp_path / "weights"
    write_checkpoint(path, {"scores": scores}, {}, model._identity(split.train))
    with pytest.raises(ValueError, match=rf"^{path}: weights: expected "):
        model.load(path, split.train)
    assert bits(model.network) == before


def test_unfitted_recommenders_have_no_weights_to_save(tmp_path):
    with pytest.raises(ValueError, match="TableRecommender is not fitted: call fit"):
        TableRecommender().save(tmp_path / "weights")


def test_a_flat_dict_of_settings_is_a_config_whose_training_has_the_names_of_fit_config():
    config = config_from(TableConfig, {"seed": 3, "epochs": 2})
    assert config == TableConfig(training=FitConfig(epochs=2, seed=3))
    with pytest.raises(TypeError, match="unheard_of"):
        config_from(TableConfig, {"unheard_of": 1})
