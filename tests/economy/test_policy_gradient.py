"""Gradients against differences, fixed points in closed form, and what learning reaches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from recsys.attention import softmax
from recsys.economy import (
    ActionLog,
    fit_policy,
    planted_logger,
    policy_value,
    reinforce,
    score_gradient,
    solve,
    top_k_factor,
    top_k_optimum,
    trust_game,
)
from recsys.economy.policy_gradient import _episode_gradient
from recsys.economy.repeat_visits import Episodes, play_game


def ascend(gradient, n_actions, n_steps, rate):
    scores = np.zeros(n_actions)
    for _ in range(n_steps):
        scores += rate * gradient(softmax(scores))
    return softmax(scores)


def expected(chances, weights):
    """Score gradient, the mean over actions of which each has its weight."""
    n = len(chances)
    return score_gradient(np.tile(chances, (n, 1)), np.arange(n), weights).sum(axis=0)


def test_score_gradient_is_that_of_the_log_chance():
    rng = np.random.default_rng(0)
    scores, weights, actions = rng.normal(size=(4, 5)), rng.normal(size=4), np.array([0, 4, 2, 2])
    found = score_gradient(softmax(scores), actions, weights)
    for n, a in np.ndindex(4, 5):
        step = 1e-6 * (np.arange(5) == a)
        up, down = (np.log(softmax(scores[n] + s)[actions[n]]) for s in (step, -step))
        assert np.isclose(found[n, a], weights[n] * (up - down) / 2e-6, atol=1e-7)
    assert np.allclose(found.sum(axis=1), 0)


def test_without_correction_the_loggers_habits_stay():
    """The first simulation of Chen et al. (2019): ten items, the best seldom shown; 5.5 of 10."""
    rewards = np.arange(1.0, 11)
    logger = (11 - rewards) / 55
    kept = ascend(lambda p: expected(p, logger * rewards), 10, 3000, 1.0)
    assert np.allclose(kept, logger * rewards / (logger @ rewards), atol=1e-12)
    assert abs(kept @ rewards - 5.5) < 1e-9
    weighted = ascend(lambda p: expected(p, logger * rewards * p / logger), 10, 3000, 1.0)
    assert weighted @ rewards > 9.99


def test_the_top_k_gradient_ends_where_water_filling_says():
    rewards = np.array([10.0, 9, *[1] * 8])
    optimum = top_k_optimum(rewards, 2)
    assert np.allclose(optimum[:2], [10 / 19, 9 / 19], atol=1e-9) and (optimum[2:] == 0).all()
    end = ascend(lambda p: expected(p, rewards * p * top_k_factor(p, 2)), 10, 8000, 0.1)
    assert np.allclose(end, optimum, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=6), st.integers(2, 5))
def test_water_filling_is_the_best_division(rewards, k):
    rewards = np.array(rewards)
    optimum = top_k_optimum(rewards, k)

    def worth(chances):
        return rewards @ (1 - (1 - chances) ** k)

    n = len(rewards)
    found = minimize(
        lambda p: -worth(p), np.full(n, 1 / n), bounds=[(0, 1)] * n, method="SLSQP",
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
    )  # fmt: skip
    assert np.isclose(optimum.sum(), 1) and worth(optimum) >= -found.fun - 1e-6
    slopes = rewards * top_k_factor(optimum, k)
    assert slopes[optimum > 0].min() >= slopes.max() - 1e-6 * slopes.max()


def test_the_factor_is_how_a_chance_in_k_draws_moves_with_that_in_one():
    chances, h = np.linspace(0.05, 0.95, 7), 1e-6
    assert (top_k_factor(chances, 1) == 1).all()
    for k in (2, 5):
        up, down = (1 - (1 - chances - step) ** k for step in (h, -h))
        assert np.allclose(top_k_factor(chances, k), (up - down) / (2 * h), rtol=1e-6)


@pytest.mark.parametrize("k", [None, 1, 3])
def test_fitting_is_adam_up_the_score_gradient_with_a_rate_that_falls(k):
    log = planted_logger(1.0, n_items=4, n_features=2, seed=2).draw(300, 3)
    log = ActionLog(*(column[log.rewards > 0] for column in log))
    x, coefficients = np.column_stack([log.contexts, np.ones(len(log.contexts))]), np.zeros((3, 4))
    mean, square, rows = 0.0, 0.0, np.arange(len(x))
    for step in range(1, 6):  # every step sees the whole log
        chances = softmax(x @ coefficients)
        taken = chances[rows, log.actions]
        weights = log.rewards if k is None else log.rewards * taken / log.propensities * k * (1 - taken) ** (k - 1)
        gradient = x.T @ (weights[:, None] * (np.eye(4)[log.actions] - chances)) / len(x)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        direction = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        coefficients += 0.1 * (1 - (step - 1) / 5) * direction
    found = fit_policy(log, 4, k, n_epochs=5, rate=0.1, n_rows=1000)
    assert np.allclose(found, coefficients, rtol=0, atol=1e-8)


def test_a_log_of_one_context_ends_at_the_closed_forms():
    rng = np.random.default_rng(3)
    logger, rewards = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.5, 0.9])
    actions = rng.choice(3, 20_000, p=logger)
    clicks = (rng.random(20_000) < rewards[actions]).astype(float)
    log = ActionLog(np.zeros((20_000, 1)), actions, clicks, logger[actions])
    cloned, one, two = (softmax(fit_policy(log, 3, k, n_epochs=200)[-1]) for k in (None, 1, 2))
    share = np.bincount(actions, clicks) / clicks.sum()
    assert np.allclose(cloned, share, atol=0.01)
    assert one[2] > 0.97
    weighed = np.bincount(actions, clicks / log.propensities) / 20_000
    assert np.allclose(two, top_k_optimum(weighed, 2), atol=0.02)


def test_rows_without_reward_change_nothing():
    log = planted_logger(1.0, n_items=8, n_features=3).draw(500, 4)
    rewarded = ActionLog(*(column[log.rewards > 0] for column in log))
    assert np.array_equal(fit_policy(log, 8, 5), fit_policy(rewarded, 8, 5))


def test_the_loggers_chances_are_those_it_draws_by():
    world = planted_logger(2.0, n_items=6, n_features=2, seed=1)
    log = world.draw(40_000, 5)
    chances = softmax(world.logger_scores(log.contexts))
    assert np.array_equal(log.propensities, chances[np.arange(40_000), log.actions])
    drawn = np.bincount(log.actions, minlength=6)
    error = np.sqrt((chances * (1 - chances)).sum(axis=0))
    assert (np.abs(drawn - chances.sum(axis=0)) < 4 * error).all()
    more = planted_logger(2.0, n_items=6, n_features=2, n_interests=2, seed=1)
    persons = log.contexts[:200]
    assert (more.click_chances(persons) >= world.click_chances(persons)).all()


@pytest.mark.parametrize("baseline", [False, True])
def test_the_gradient_of_episodes_is_that_of_the_exact_value(baseline):
    game = trust_game(horizon=4)
    scores = np.random.default_rng(5).normal(size=(1, 5, 2))
    episodes = play_game(game, softmax(scores), 100_000, np.random.default_rng(6))
    found = _episode_gradient(softmax(scores), episodes, baseline)
    for place in np.ndindex(scores.shape):
        step = np.zeros(scores.shape)
        step[place] = 1e-5
        up, down = (policy_value(game, softmax(scores + s))[0] for s in (step, -step))
        assert abs(found[place] - (up - down) / 2e-5) < 0.15


def test_the_baseline_is_what_was_usual_in_a_state():
    """Three users in one state, two visits each; by hand."""
    states, actions = np.zeros((1, 3, 2), int), np.array([[[0, 1], [1, 1], [1, 0]]])
    rewards = np.array([[[1.0, 0], [2, 3], [1, 1]]])  # to come: 1, 0; 5, 3; 2, 1, the mean is 2
    found = _episode_gradient(np.full((1, 1, 2), 0.5), Episodes(states, actions, rewards), baseline=True)
    first, second = (1 - 2) + (1 - 2), (0 - 2) + (5 - 2) + (3 - 2) + (2 - 2)
    assert found[0, 0] == pytest.approx(np.array([first, second]) / 3)
    same = Episodes(states[..., :1], actions[..., :1], np.full((1, 3, 1), 7.0))
    assert not _episode_gradient(np.full((1, 1, 2), 0.5), same, baseline=True).any()


def test_reinforce_reaches_the_optimum_in_every_replica():
    game = trust_game()
    rules, earned = reinforce(game, 5, seed=7)
    best = solve(game)[0][0, game.start]
    assert (policy_value(game, rules) >= 0.98 * best).all()
    assert (earned[-20:].mean(axis=0) > earned[0] + 50).all()


def test_bad_input_is_named():
    log = ActionLog(np.zeros((2, 1)), np.zeros(2, int), np.ones(2), np.array([0.5, 0.0]))
    with pytest.raises(ValueError, match="propensities"):
        fit_policy(log, 2, 1)
    with pytest.raises(ValueError, match="n_epochs"):
        fit_policy(log, 2, 1, n_epochs=0)
    with pytest.raises(ValueError, match="actions and weights"):
        score_gradient(np.ones((2, 3)) / 3, np.zeros(3, int), np.ones(3))
    with pytest.raises(ValueError, match="k: expected at least 2"):
        top_k_optimum(np.ones(3), 1)
    with pytest.raises(ValueError, match="rewards"):
        top_k_optimum(np.array([1.0, 0.0]), 2)
    with pytest.raises(ValueError, match="k: expected at least 1"):
        top_k_factor(np.ones(2), 0)
    with pytest.raises(ValueError, match="n_iterations"):
        reinforce(trust_game(), 1, n_iterations=0)
    with pytest.raises(ValueError, match="bias"):
        planted_logger(-1.0)
    with pytest.raises(ValueError, match="n_rows"):
        planted_logger(1.0).draw(0, 0)
