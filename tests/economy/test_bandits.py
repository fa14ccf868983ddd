"""Bandits: their scores and chances in closed form, growth of regret, and what they refuse."""

import numpy as np
import pytest

from recsys.attention import softmax
from recsys.economy.bandits import EXP3, UCB1, EpsilonGreedy, Thompson
from recsys.economy.linear_bandits import LinearThompson, LinUCB
from recsys.economy.shelf import Shelf, fixed_shelf, growth, news_shelf, play

STEPS = 20_000


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_regret_grows_with_time_only_for_those_who_know_no_context(seed):
    shelf = news_shelf(20, STEPS, 1000, seed)
    slope = lambda bandit: growth(play(bandit, shelf, STEPS, seed).regret, start=2000)
    for bandit in (LinUCB(20, 9, 1.0), LinearThompson(20, 9, 0.5)):
        assert slope(bandit)[2] < 0.5
    for bandit in (UCB1(20, 10), Thompson(20, 10)):
        assert slope(bandit)[1] > 0.85


def test_linucb_is_a_ridge_regression_that_is_solved_anew():
    rng, bandit = np.random.default_rng(0), LinUCB(3, 4, alpha=0.7, l2=2.0)
    rows, wanted = [[], [], []], np.empty((3, 5))
    for _ in range(200):
        contexts = rng.normal(size=(3, 5, 4))
        arms, rewards = bandit.choose(contexts, rng), rng.random(3) < 0.4
        bandit.learn(contexts, arms, rewards)
        for replica, arm in enumerate(arms):
            rows[replica].append((contexts[replica, arm], rewards[replica]))
    contexts = rng.normal(size=(3, 5, 4))
    for replica, seen in enumerate(rows):
        x, y = (np.array(column, dtype=float) for column in zip(*seen))
        A = 2.0 * np.eye(4) + x.T @ x
        theta = np.linalg.lstsq(np.vstack([x, np.sqrt(2.0) * np.eye(4)]), np.append(y, np.zeros(4)))[0]
        for arm, z in enumerate(contexts[replica]):
            wanted[replica, arm] = z @ theta + 0.7 * np.sqrt(z @ np.linalg.solve(A, z))
    assert np.allclose(bandit.scores(contexts), wanted, rtol=0, atol=1e-12)


def test_linear_thompson_draws_from_the_posterior():
    bandit, rng = LinearThompson(20_000, 2, scale=0.5), np.random.default_rng(0)
    contexts = np.tile(np.array([[1.0, 0.0], [0.6, 0.8]]), (20_000, 1, 1))
    bandit.learn(contexts, np.zeros(20_000, dtype=int), np.ones(20_000))
    # theta ~ N((1/2, 0), diag(1/8, 1/4)): the first arm wins if .4 theta_1 - .8 theta_2 > 0
    from scipy.stats import norm

    wanted = norm.cdf(0.2 / np.sqrt(0.16 / 8 + 0.64 / 4))
    assert (bandit.choose(contexts, rng) == 0).mean() == pytest.approx(wanted, abs=0.015)


def test_linear_thompson_draws_with_the_covariance_of_the_posterior():
    bandit, rng = LinearThompson(40_000, 2, scale=0.5), np.random.default_rng(0)
    seen = np.tile(np.array([[3.0, 2.0]]), (40_000, 1, 1))
    bandit.learn(seen, np.zeros(40_000, dtype=int), np.zeros(40_000))  # theta = 0, A = I + x x'
    inverse = np.linalg.inv(np.eye(2) + np.outer([3, 2], [3, 2]))
    a, b = np.array([2.0, 1.0]), np.array([0.0, 1.0])
    ways = np.tile(np.stack([a, b, [0.0, 0.0]]), (40_000, 1, 1))
    drawn = np.random.default_rng(1).multivariate_normal([0, 0], 0.25 * inverse, 400_000)
    wanted = np.bincount((drawn @ np.stack([a, b, [0.0, 0.0]]).T).argmax(axis=1), minlength=3) / 400_000
    shares = np.bincount(bandit.choose(ways, rng), minlength=3) / 40_000
    assert shares == pytest.approx(wanted, abs=0.01)


def test_ucb1_chooses_by_its_formula_and_everything_once():
    bandit, rng = UCB1(1, 3), np.random.default_rng(0)
    first = []
    for _ in range(3):
        arms = bandit.choose(None, rng)
        bandit.learn(None, arms, np.array([False]))
        first.append(int(arms[0]))
    assert sorted(first) == [0, 1, 2]
    bonus = np.sqrt(2 * np.log(100) / np.array([10, 40, 50]))
    for won, best in (([2, 24, 0], 0), ([1, 25, 0], 1)):  # either side of the bonus
        bandit.tried[:], bandit.won[:] = [[10, 40, 50]], [won]
        assert bandit.choose(None, rng)[0] == np.argmax(won / bandit.tried[0] + bonus) == best


def test_epsilon_is_the_share_of_even_draws():
    bandit, rng = EpsilonGreedy(50_000, 4, 0.2), np.random.default_rng(0)
    bandit.tried[:], bandit.won[:] = 10, [1, 2, 3, 4]
    shares = np.bincount(bandit.choose(None, rng), minlength=4) / 50_000
    assert shares == pytest.approx([0.05, 0.05, 0.05, 0.85], abs=0.006)


def test_a_mean_without_data_is_the_largest():
    bandit, rng = EpsilonGreedy(1000, 3, 0.0), np.random.default_rng(0)
    bandit.learn(None, np.zeros(1000, dtype=int), np.ones(1000))
    assert set(bandit.choose(None, rng)) == {1, 2}


def test_thompson_chooses_an_arm_as_often_as_it_is_the_best():
    bandit, rng = Thompson(100_000, 2), np.random.default_rng(0)
    bandit.tried[:], bandit.won[:] = [1, 0], [1, 0]  # Beta(2, 1) against Beta(1, 1): 2/3
    assert (bandit.choose(None, rng) == 0).mean() == pytest.approx(2 / 3, abs=0.006)


def test_a_faded_count_is_a_geometric_sum():
    bandit = Thompson(1, 2, kept=0.9)
    for _ in range(30):
        bandit.learn(None, np.array([1]), np.array([1]))
    assert bandit.tried[0] == pytest.approx([0, (1 - 0.9**30) / 0.1])
    bandit.learn(None, np.array([1]), np.array([0]))
    assert bandit.won[0, 1] == pytest.approx(0.9 * (1 - 0.9**30) / 0.1)
    assert bandit.tried[0, 1] == pytest.approx((1 - 0.9**31) / 0.1)


def test_exp3_estimates_without_bias():
    rewards = np.array([0.2, 0.5, 0.9])
    bandit = EXP3(1, 3, gamma=0.3)
    bandit.weights[:] = [[0.5, 0.3, 0.2]]
    chances, log_growth = bandit.chances()[0], np.zeros(3)
    for arm in range(3):
        one = EXP3(1, 3, gamma=0.3)
        one.weights[:] = bandit.weights
        one.learn(None, np.array([arm]), rewards[[arm]])
        odds = one.weights[0] / one.weights[0, (arm + 1) % 3]
        before = bandit.weights[0] / bandit.weights[0, (arm + 1) % 3]
        log_growth[arm] = chances[arm] * np.log(odds[arm] / before[arm])
    assert log_growth == pytest.approx(0.3 / 3 * rewards)
    assert EXP3(1, 3, 0.3).chances().sum() == pytest.approx(1)


def test_exp3_is_a_softmax_of_what_arms_earned_and_leaves_a_share_to_all():
    bandit, rng, earned = EXP3(1, 4, gamma=0.2), np.random.default_rng(0), np.zeros(4)
    for _ in range(300):
        arms, chances = bandit.choose(None, rng), bandit.chances()[0]
        rewards = rng.random(1) < 0.3
        earned[arms] += rewards / chances[arms]
        bandit.learn(None, arms, rewards)
    assert bandit.weights[0] == pytest.approx(softmax(earned, temperature=4 / 0.2))
    bandit.weights[:] = [[1, 0, 0, 0]]
    assert bandit.chances()[0] == pytest.approx([1 - 0.2 * 3 / 4, 0.05, 0.05, 0.05])


def test_exp3_draws_by_its_chances():
    bandit = EXP3(60_000, 3, gamma=0.3)
    bandit.weights[:] = [0.6, 0.3, 0.1]
    shares = np.bincount(bandit.choose(None, np.random.default_rng(0)), minlength=3) / 60_000
    assert shares == pytest.approx([0.52, 0.31, 0.17], abs=0.008)


def test_exp3_hands_round_a_share_of_all_weight_and_gives_a_newcomer_the_mean():
    plain, shared = EXP3(1, 4, gamma=0.2), EXP3(1, 4, gamma=0.2, shared=0.05)
    for bandit in (plain, shared):
        bandit.weights[:] = [[0.4, 0.3, 0.2, 0.1]]
        bandit.learn(None, np.array([1]), np.array([1.0]))
    assert shared.weights[0] == pytest.approx(0.95 * plain.weights[0] + 0.05 / 4)
    plain.weights[:] = [[0.5, 0.3, 0.1, 0.1]]
    plain.forget(0)
    assert plain.weights[0] == pytest.approx(np.array([0.5 / 3, 0.3, 0.1, 0.1]) / (0.5 + 0.5 / 3))


def test_ties_are_broken_evenly():
    bandit, rng = EpsilonGreedy(30_000, 3, 0.0), np.random.default_rng(0)
    bandit.tried[:], bandit.won[:] = 10, [5, 2, 5]
    shares = np.bincount(bandit.choose(None, rng), minlength=3) / 30_000
    assert shares == pytest.approx([0.5, 0, 0.5], abs=0.01)


def test_a_replaced_article_is_forgotten_by_count_and_not_by_line():
    counted, lined = UCB1(1, 2), LinUCB(1, 2, 1.0)
    for bandit in (counted, lined):
        bandit.learn(np.ones((1, 2, 2)), np.array([1]), np.array([1]))
        bandit.forget(1)
    assert counted.tried.sum() == counted.won.sum() == 0 and lined.total.sum() == 2


@pytest.mark.parametrize("steps", [1, 49, 50, 51, 1000])
def test_articles_come_in_turn_and_regret_is_against_the_shelf(steps):
    rates = np.linspace(0, 1, 60)[None]
    shelf = Shelf(rates, np.ones((1, 60, 1)), n_places=4, life=200)
    run = play(UCB1(1, 4), shelf, steps, 0)
    step = np.arange(steps)[:, None]
    newest = 3 + step // 50
    assert ((newest - 3 <= run.articles) & (run.articles <= newest)).all()
    assert np.allclose(run.regret, (newest - run.articles) / 59)
    assert shelf.needed(steps) == newest[-1, 0] + 1


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_growth_of_a_power_is_its_exponent(power):
    total = np.outer(np.arange(1.0, 5001) ** power, [1, 2, 3])
    regret = np.diff(total, axis=0, prepend=0)
    assert growth(regret, start=500) == pytest.approx([power] * 3, abs=1e-6)


def test_constant_epsilon_pays_in_proportion_to_time():
    """Once the best arm is known the regret of a step is epsilon times the mean gap."""
    shelf = fixed_shelf([0.1, 0.3, 0.8], 50)
    regret = play(EpsilonGreedy(50, 3, 0.3), shelf, 2000, 0).regret
    assert regret[1000:].mean() == pytest.approx(0.3 * (0.7 + 0.5) / 3, rel=0.05)


CONTEXTS = np.ones((2, 3, 4))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: EpsilonGreedy(2, 3, 10), r"epsilon: expected .* 0 to 1, got 10; 10% is 0.1"),
        (lambda: EpsilonGreedy(0, 3, 0.1), "n_replicas: expected at least 1, got 0"),
        (lambda: Thompson(2, 3, kept=0.0), "kept: expected above 0 to 1, got 0.0; 1 forgets"),
        (lambda: EXP3(2, 3, gamma=0.0), "gamma: expected above 0"),
        (lambda: EXP3(2, 3, 0.1, shared=2), "shared: expected .* got 2"),
        (lambda: LinUCB(2, 4, alpha=-1.0), "alpha: expected at least 0, got -1.0; 0 does not"),
        (lambda: LinearThompson(2, 4, scale=-1.0), "scale: expected at least 0"),
        (lambda: LinUCB(2, 4, 1.0, l2=0.0), "l2: expected above 0, got 0.0"),
        (lambda: LinUCB(2, 5, 1.0).scores(CONTEXTS), r"5 features\), got \(2, 3, 4\); make"),
        (lambda: LinearThompson(1, 4, 1.0).choose(CONTEXTS, np.random.default_rng(0)), "1 replicas"),
        (lambda: play(UCB1(2, 4), fixed_shelf([0.1, 0.2], 2), 10, 0), "n_arms 2, got 4; .* n_arms=2"),
        (lambda: play(UCB1(2, 3), fixed_shelf([0.1] * 4, 2), 10, 0), "n_arms 4, got 3; .* n_arms=4"),
        (lambda: play(UCB1(2, 2), Shelf(np.ones((2, 2)), np.ones((2, 2, 1)), 2, 4), 9, 0), "expected 6 articles"),
        (lambda: fixed_shelf([0.1, 1.2], 2), "rates: expected chances from 0 to 1, got 0.1 to 1.2"),
        (lambda: Shelf(np.ones((2, 3)), CONTEXTS, 3, 2), "life: expected at least a step"),
        (lambda: Shelf(np.ones((2, 4)), CONTEXTS, 3), r"contexts: expected .* \(2, 4\)"),
        (lambda: Shelf(np.ones((2, 3)), CONTEXTS, 4), "expected an article for each of 4"),
        (lambda: growth(np.zeros((10, 2)), 5), "regret: expected some before step 5"),
        (lambda: growth(np.ones((10, 2)), 10), "start: expected from 1 to 9, got 10"),
    ],
)
def test_bad_input_names_the_mend(call, words):
    with pytest.raises(ValueError, match=words):
        call()
