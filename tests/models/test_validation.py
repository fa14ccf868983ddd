"""Held-out events as the metric of a recommender, and what is left of a recommender after an error."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_run import bits, counting
from torch import nn

from recsys.data import Interactions
from recsys.evaluation import evaluate, leave_last_out
from recsys.torch.factorisation import FactorisationConfig, FactorisationRecommender
from recsys.torch.fit import FitConfig
from recsys.torch.validation import fit_recommender, held_out_ndcg

TRAINING = FitConfig(epochs=4, learning_rate=0.3, save_every=2)


class Table(nn.Module):
    """A score for each item, the same for every user."""

    def __init__(self, n_items):
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(n_items))


class TableRecommender:
    """As small as a recommender can be, written by the convention."""

    def __init__(self, training=TRAINING, checkpoint=None, log=None, factor=None):
        self.config, self.checkpoint, self.log = SimpleNamespace(training=training), checkpoint, log
        self.loss = factor or Popular()

    def fit(self, interactions, validation=None):
        network = Table(interactions.n_items)
        parts = torch.tensor(interactions.items).split(40)
        identity = {"model": "Table"}
        return fit_recommender(self, network, interactions, lambda epoch: parts, self.loss, identity, validation)

    def score(self, users, history=None):
        return np.tile(self.network.scores.detach().numpy(), (len(users), 1))


class Popular:
    """Cross-entropy of the items taken; the call of number `bad` is not finite."""

    def __init__(self, bad=None):
        self.calls, self.bad = 0, bad

    def __call__(self, network, items):
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
    monkeypatch.setattr("recsys.torch.validation.CHUNK_BYTES", 8 * 30 * 7)
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
        with pytest.raises(ValueError, match=f"validation: its {name} are not those of the interactions to fit"):
            model.fit(split.train, other)
    assert model.loss.calls == 0 and not hasattr(model, "network")


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
            model.loss.bad = model.loss.calls + 1
        with pytest.raises(ValueError):
            model.fit(split.validation)
        assert bits(model.network) == before and model.result is result and len(model.interactions) == len(split.train)


@pytest.mark.parametrize("fitted_before", [False, True])
def test_an_error_in_training_leaves_the_weights_of_the_last_good_step(split, fitted_before):
    model = TableRecommender()
    if fitted_before:
        model.fit(split.test)
    model.loss = Popular(bad=6)
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


# The same of a recommender of the package


@pytest.fixture
def ratings():
    random = np.random.default_rng(2)
    users, items = np.nonzero(random.random((30, 20)) < 0.5)
    return Interactions.from_ids(users, items, random.normal(3, 1, len(users)), np.arange(len(users)))


def factorisation(checkpoint=None, **options):
    return FactorisationRecommender(FactorisationConfig(dim=2, batch_size=32, training=TRAINING), checkpoint, **options)


def test_factorisation_stays_unfitted_after_a_checkpoint_of_something_else(ratings, tmp_path):
    factorisation(tmp_path / "state").fit(ratings)
    other = ratings.select(np.arange(100))
    model = factorisation(tmp_path / "state")
    with pytest.raises(ValueError, match="belongs to something else: data expected"):
        model.fit(other)
    with pytest.raises(ValueError, match="FactorisationRecommender is not fitted: call fit"):
        model.score(np.arange(3))
    model = factorisation().fit(other)
    scores, model.checkpoint = model.score(np.arange(3)), tmp_path / "state"
    with pytest.raises(ValueError, match="belongs to something else"):
        model.fit(other)
    assert (model.score(np.arange(3)) == scores).all()


def test_factorisation_has_the_last_good_weights_after_a_loss_that_is_not_finite(ratings):
    model, untrained = factorisation(), factorisation()
    model._loss = counting(6, lambda: float("nan"), model._loss)
    with pytest.raises(ValueError, match="the loss is nan at step 6"):
        model.fit(ratings)
    assert np.isfinite(model.score(np.arange(3))).all()
    assert bits(model.network) != bits(untrained._new(ratings))
