"""Biased factorisation against its formulas, planted ratings, and what it refuses."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.data import Interactions
from recsys.evaluation import random_ratio
from recsys.torch.factorisation import FactorisationConfig, FactorisationRecommender
from recsys.torch.fit import FitConfig

CONFIG = FactorisationConfig(dim=4, l2=0.02, batch_size=64,
                             training=FitConfig(epochs=15, learning_rate=0.03, clip_norm=10.0))  # fmt: skip


@pytest.fixture(scope="module")
def ratings():
    """Sixty users rate half of forty items: biases, two tastes, a little noise."""
    random = np.random.default_rng(2)
    users, items = np.nonzero(random.random((60, 40)) < 0.5)
    tastes = random.normal(size=(60, 2)) @ random.normal(size=(2, 40))
    truth = 3 + random.normal(size=(60, 1)) / 2 + random.normal(size=40) / 2 + tastes
    values = truth[users, items] + random.normal(size=len(users)) / 10
    return Interactions.from_ids(users, items, values, np.arange(len(users)))


@pytest.fixture(scope="module")
def trained(ratings):
    return FactorisationRecommender(CONFIG).fit(ratings)


def rmse(model, held_out):
    return np.sqrt(((model.predict(held_out.users, held_out.items) - held_out.values) ** 2).mean())


def test_a_prediction_is_mean_plus_biases_plus_product(trained, ratings):
    a = {name: value.numpy() for name, value in trained.network.state_dict().items()}
    expected = a["mean"] + a["user_bias"][3] + a["item_bias"][5] + a["user_factors"][3] @ a["item_factors"][5]
    low, high = ratings.values.min(), ratings.values.max()
    assert np.isclose(trained.predict([3], [5])[0], np.clip(expected, low, high), atol=1e-5)
    assert np.isclose(trained.score([3])[0, 5], expected, atol=1e-5)


def test_predictions_stay_within_the_ratings_fitted_and_scores_do_not(trained, ratings):
    extreme = copy.deepcopy(trained)
    with torch.no_grad():
        extreme.network.user_bias[:2] = torch.tensor([-50.0, 50.0])
    low, high = ratings.values.min(), ratings.values.max()
    assert extreme.predict([0, 1], [5, 5]).tolist() == [low, high]
    assert extreme.score([0])[0, 5] < low and extreme.score([1])[0, 5] > high


def test_planted_tastes_are_learnt_beyond_biases(ratings):
    split = random_ratio(ratings)
    factors = rmse(FactorisationRecommender(CONFIG).fit(split.train), split.validation)
    biases = rmse(FactorisationRecommender(replace(CONFIG, l2=5.0)).fit(split.train), split.validation)
    assert factors < 0.6 < 1.2 < biases


def test_thirty_two_ratings_are_learnt_by_heart(ratings):
    few = ratings.select(np.arange(32))
    config = replace(CONFIG, l2=1e-6, dim=8, training=replace(CONFIG.training, epochs=300))
    assert rmse(FactorisationRecommender(config).fit(few), few) < 0.01


def test_a_stranger_gets_the_minimum_of_the_loss_with_items_held_fixed(trained, ratings):
    past = ratings.of_users([7])
    solved = torch.tensor(trained._solve(past)[0], requires_grad=True)
    a = {name: value.double() for name, value in trained.network.state_dict().items()}
    items = torch.tensor(past.items)
    predicted = a["mean"] + a["item_bias"][items] + solved[0] + a["item_factors"][items] @ solved[1:]
    loss = ((predicted - torch.tensor(past.values)) ** 2 + CONFIG.l2 * (solved**2).sum()).mean()
    assert torch.autograd.grad(loss, solved)[0].abs().max() < 1e-9


def test_a_history_given_ranks_much_like_the_history_fitted(trained, ratings):
    users = np.arange(60)
    fitted, given = trained.score(users), trained.score(users, history=ratings.of_users(users))
    assert np.corrcoef(fitted.ravel(), given.ravel())[0, 1] > 0.98


def test_batch_composition_never_changes_a_score(trained, ratings):
    users = np.array([3, 0, 11])
    for history in (None, ratings.of_users(users)):
        together = trained.score(users, history)
        for row, user in enumerate(users):
            alone = trained.score([user], None if history is None else ratings.of_users([user]))
            assert np.allclose(alone[0], together[row], atol=1e-10)


def test_an_empty_history_gets_mean_and_item_biases(trained, ratings):
    scores = trained.score([0], history=Interactions.from_sequences([[]], ratings.item_ids))
    state = trained.network.state_dict()
    assert np.allclose(scores[0], (state["mean"] + state["item_bias"]).numpy())


def test_the_same_seed_gives_the_same_bits_and_another_does_not(trained, ratings):
    users = np.arange(60)
    assert (FactorisationRecommender(CONFIG).fit(ratings).score(users) == trained.score(users)).all()
    other = replace(CONFIG, training=replace(CONFIG.training, seed=1))
    assert not np.allclose(FactorisationRecommender(other).fit(ratings).score(users), trained.score(users))


def test_scores_are_equal_after_save_and_load(trained, ratings, tmp_path):
    trained.save(tmp_path / "factors.safetensors")
    loaded = FactorisationRecommender(CONFIG).load(tmp_path / "factors.safetensors", ratings)
    assert (loaded.score(np.arange(60)) == trained.score(np.arange(60))).all()
    with pytest.raises(ValueError, match="vocabulary expected"):
        FactorisationRecommender(CONFIG).load(
            tmp_path / "factors.safetensors", replace(ratings, item_ids=ratings.item_ids + 1))


def test_unknown_indices_and_settings_out_of_range_are_named(trained, ratings):
    with pytest.raises(ValueError, match="is not fitted: call fit"):
        FactorisationRecommender().predict([0], [0])
    with pytest.raises(ValueError, match="items: expected indices from 0 to 39, got 40 at place 1"):
        trained.predict([0, 1], [0, 40])
    with pytest.raises(ValueError, match="users: expected indices from 0 to 59, got -1"):
        trained.predict([-1], [0])
    with pytest.raises(ValueError, match="expected pairs"):
        trained.predict([0, 1], [0])
    with pytest.raises(ValueError, match="expected at least one rating"):
        FactorisationRecommender().fit(ratings.select(np.zeros(0, dtype=int)))
    with pytest.raises(ValueError, match="l2: expected a number above 0, got 0"):
        FactorisationConfig(l2=0)
