"""A game solved backwards: no rule is better, and what is played is what was computed."""

from itertools import product

import numpy as np
import pytest

from recsys.economy import Game, play_game, policy_value, solve, trust_game

GAME = trust_game()
RULES = np.eye(2)[list(product([0, 1], repeat=5))]  # all 32 that look at trust alone


def test_no_rule_that_looks_at_trust_beats_the_optimum_and_the_best_baits_at_full_trust():
    values, actions = solve(GAME)
    earned = policy_value(GAME, RULES)
    assert earned.max() <= values[0, GAME.start]
    assert RULES[earned.argmax(), :, 1].tolist() == [0, 0, 0, 0, 1]
    assert actions[0].tolist() == [0, 0, 0, 0, 1] and (actions[-1] == 1).all()


def test_the_sizes_of_the_chapter():
    bait, honest = policy_value(GAME, np.eye(2)[[[1] * 5, [0] * 5]])
    assert [round(bait), round(honest), round(policy_value(GAME, RULES).max())] == [237, 422, 499]


def test_the_optimum_is_that_of_all_plans_of_a_short_game():
    """A second way: every map from visit and trust to an action, two visits long."""
    game = trust_game(horizon=2)
    plans = np.eye(2)[list(product([0, 1], repeat=4))]  # first visit, then trust 2, 3 and 4
    best = -np.inf
    for first, *then in plans:
        second = np.zeros((5, 2))
        second[2:] = then
        later = (second * game.rewards).sum(axis=1)
        best = max(best, first @ (game.rewards[3] + game.moves[3] @ later))
    assert np.isclose(solve(game)[0][0, 3], best)


def test_one_visit_or_trust_that_never_moves_makes_bait_the_best():
    for game in (trust_game(horizon=1), trust_game(moving=0)):
        always = policy_value(game, np.eye(2)[[1] * 5])
        assert np.isclose(solve(game)[0][0, game.start], always)


def test_drawn_episodes_earn_the_exact_value():
    policies = np.random.default_rng(0).dirichlet([1, 1], (3, 5))
    drawn = play_game(GAME, policies, 4000, np.random.default_rng(1)).rewards.sum(-1)
    z = (drawn.mean(1) - policy_value(GAME, policies)) / (drawn.std(1) / np.sqrt(4000))
    # a drawn visit has its expected reward given that the user came to the one before
    assert (np.abs(z) < 4).all()


def test_who_left_never_comes_back():
    seen = play_game(GAME, RULES[:4], 50, np.random.default_rng(2))
    gone = seen.states < 0
    assert gone.any() and (np.diff(gone.astype(int), axis=-1) >= 0).all()
    assert (seen.rewards[gone] == 0).all() and (seen.actions[gone] == -1).all()


def test_bad_games_and_policies_are_named():
    with pytest.raises(ValueError, match="moves: expected chances"):
        Game(GAME.rewards, GAME.moves * 2, 3, 10)
    with pytest.raises(ValueError, match="moves: expected shape"):
        Game(GAME.rewards[:, :1], GAME.moves, 3, 10)
    with pytest.raises(ValueError, match="start"):
        Game(GAME.rewards, GAME.moves, 5, 10)
    with pytest.raises(ValueError, match="moving"):
        trust_game(moving=1.5)
    with pytest.raises(ValueError, match="sum to 1"):
        policy_value(GAME, RULES * 2)
    with pytest.raises(ValueError, match="n_states, n_actions"):
        policy_value(GAME, RULES[:, :3])
