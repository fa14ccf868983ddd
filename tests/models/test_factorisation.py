"""Biased factorisation against its formulas, planted ratings, and what it refuses."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from recsys.data import Interactions
from recsys.evaluation import random_ratio
from recsys.training.loop import FitConfig
from tests.framework import equal, fw, needs_torch, tensor, twin

FactorisationConfig, FactorisationRecommender, rating_loss = twin(
    "factorisation", "FactorisationConfig", "FactorisationRecommender", "rating_loss"
)  # fmt: skip

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
    with fw.no_grad():
        extreme.network.user_bias[:2] = tensor([-50.0, 50.0])
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


@needs_torch
def test_a_stranger_gets_the_minimum_of_the_loss_with_items_held_fixed(trained, ratings):
    past = ratings.of_users([7])
    solved = tensor(trained.solve(past)[0], requires_grad=True)
    a = {name: value.double() for name, value in trained.network.state_dict().items()}
    items = tensor(past.items)
    predicted = a["mean"] + a["item_bias"][items] + solved[0] + a["item_factors"][items] @ solved[1:]
    loss = ((predicted - tensor(past.values)) ** 2 + CONFIG.l2 * (solved**2).sum()).mean()
    assert fw.autograd.grad(loss, solved)[0].abs().max() < 1e-9


def test_a_history_given_ranks_much_like_the_history_fitted(trained, ratings):
    users = np.arange(60)
    fitted, given = trained.score(users), trained.score(users, history=ratings.of_users(users))
    assert np.corrcoef(fitted.ravel(), given.ravel())[0, 1] > 0.98


def test_an_empty_history_gets_mean_and_item_biases(trained, ratings):
    scores = trained.score([0], history=Interactions.from_sequences([[]], ratings.item_ids))
    state = trained.network.state_dict()
    assert np.allclose(scores[0], (state["mean"] + state["item_bias"]).numpy())


def test_a_user_without_a_rating_gets_mean_and_item_biases(ratings):
    model = FactorisationRecommender(CONFIG).fit(ratings.select(ratings.users < 50))
    state = model.network.state_dict()
    expected = (state["mean"] + state["item_bias"]).numpy()
    users = np.array([55, 3, 59])
    scores, predicted = model.score(users), model.predict(users, [7, 7, 7])
    empty = model.score([0], history=Interactions.from_sequences([[]], ratings.item_ids))
    assert (scores[[0, 2]] == empty).all() and np.allclose(scores[0], expected)
    assert predicted[0] == predicted[2] == pytest.approx(expected[7], abs=1e-6)
    assert scores[1, 7] == pytest.approx(predicted[1], abs=1e-5) and not np.allclose(scores[1], expected, atol=0.1)


def test_the_order_of_the_file_never_changes_what_a_stranger_gets(trained, ratings):
    mixed = ratings.select(np.random.default_rng(0).permutation(len(ratings)))
    assert np.allclose(trained.solve(ratings), trained.solve(mixed), atol=1e-10)


def test_the_loss_is_squared_error_plus_the_penalty_by_hand(trained):
    network = trained.network
    users, items, given = tensor([3, 5]), tensor([1, 1]), tensor([4.0, 2.0])
    squares = sum((table[rows] ** 2).sum() for table, rows in (
        (network.user_bias, users), (network.item_bias, items),
        (network.user_factors, users), (network.item_factors, items)))
    error = ((network(users, items) - given) ** 2).sum()
    assert fw.isclose(rating_loss(network, (users, items, given), 0.3), (error + 0.3 * squares) / 2)


def test_the_epoch_with_the_lowest_error_on_held_out_ratings_is_kept(ratings):
    split = random_ratio(ratings)
    long = replace(CONFIG, l2=1e-6, dim=20, training=replace(CONFIG.training, epochs=60, patience=3))
    model = FactorisationRecommender(long).fit(split.train, split.validation)
    assert rmse(model, split.validation) == -max(model.result.metrics) and len(model.result.metrics) < 60
    assert model.result.best_epoch == int(np.argmax(model.result.metrics))
    with pytest.raises(ValueError, match="validation: expected at least one held-out event, got none"):
        FactorisationRecommender(CONFIG).fit(split.train, split.validation.select(np.zeros(0, dtype=int)))


def test_the_seed_of_the_training_decides_what_the_first_batch_holds(ratings, monkeypatch):
    first = {}

    def stop(network, batch, l2):
        first[seed] = fw.cat([part.flatten().double() for part in batch])
        raise InterruptedError

    for seed in (0, 1):
        training = replace(CONFIG.training, seed=seed)
        monkeypatch.setattr(FactorisationRecommender, "loss", stop)
        with pytest.raises(InterruptedError):
            FactorisationRecommender(replace(CONFIG, training=training)).fit(ratings)
    assert not equal(first[0], first[1])


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
