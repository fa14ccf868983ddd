"""Creators: exposures, play by turns, thresholds against second derivatives, Shapley by its definition."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.economy.creators import exposure, mean_thresholds, rests, shapley_shares, take_turns


def circle(degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=-1)


def planted_users(seed=0, dim=2, n=30):
    users = np.random.default_rng(seed).normal(size=(n, dim)) + 1.5 * np.eye(dim)[0]
    return users / np.linalg.norm(users, axis=1, keepdims=True)


def at_mean(users, n):
    mean = users.mean(axis=0)
    return np.tile(mean / np.linalg.norm(mean), (n, 1))


def moved(users, n, steps, direction):
    """All at the mean user, creator i moved by angle steps[i] along a direction across it."""
    mean = at_mean(users, 1)[0]
    return np.cos(steps)[:, None] * mean + np.sin(steps)[:, None] * direction


def slope(users, n, steps, direction, creator, temperature, h=1e-5):
    step = h * (np.arange(n) == creator)
    ends = [exposure(users, moved(users, n, steps + sign * step, direction), temperature)[creator] for sign in (1, -1)]
    return (ends[0] - ends[1]) / (2 * h)


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.05, 5), st.integers(1, 7))
def test_exposures_share_one_whole_and_equal_places_share_alike(seed, temperature, n):
    users = planted_users(seed, dim=3)
    creators = planted_users(seed + 1, dim=3, n=n)
    shares = exposure(users, creators, temperature)
    assert shares.sum() == pytest.approx(1) and (shares > 0).all()
    assert exposure(users, at_mean(users, n), temperature) == pytest.approx(np.full(n, 1 / n))
    by_loop = [np.mean([np.exp(c @ s / temperature) / np.exp(creators @ c / temperature).sum() for c in users]) for s in creators]
    assert shares == pytest.approx(np.array(by_loop))


@pytest.mark.parametrize("n", [2, 3, 4, 6, 10, 50])
@pytest.mark.parametrize("dim", [2, 5])
def test_alone_is_where_the_own_second_derivative_changes_sign(n, dim):
    users = planted_users(3, dim)
    mean, alone = at_mean(users, 1)[0], mean_thresholds(users, n).alone
    across = users - np.outer(users @ mean, mean)
    steepest = np.linalg.svd(across)[2][0]

    def curvature(temperature, h=2e-3):
        at = [moved(users, n, step * (np.arange(n) == 0), steepest) for step in (-h, 0, h)]
        low, middle, high = (exposure(users, places, temperature)[0] for places in at)
        return (low - 2 * middle + high) / h**2

    assert curvature(alone + 1e-3) < 0
    if n > 2:
        assert curvature(alone - 1e-3) > 0
    else:
        assert alone == 0


@pytest.mark.parametrize("n", [3, 4, 6])
def test_together_is_where_the_matrix_of_cross_slopes_turns(n):
    users = planted_users(4)
    direction = np.array([-1, 1]) * at_mean(users, 1)[0][::-1]
    together = mean_thresholds(users, n).together

    def top(temperature, h=1e-3):
        columns = []
        for mover in range(n):
            step = h * (np.arange(n) == mover)
            columns.append([(slope(users, n, step, direction, i, temperature) - slope(users, n, -step, direction, i, temperature)) / (2 * h) for i in range(n)])
        return np.linalg.eigvalsh((np.array(columns) + np.array(columns).T) / 2).max()

    assert top(together * 1.01) < 0 < top(together * 0.99)


@pytest.mark.parametrize("n", [3, 6])
def test_turns_return_to_the_mean_above_together_and_leave_it_between(n):
    users = planted_users(5)
    mean = np.degrees(np.arctan2(*at_mean(users, 1)[0][::-1]))
    fine = circle(mean + np.arange(-600, 601) / 10)
    alone, together = mean_thresholds(users, n)
    start = 600 + 10 * (-1) ** np.arange(n)
    between = take_turns(users, fine, start, (alone + together) / 2, rounds=300)
    above = take_turns(users, fine, start, 1.05 * together, rounds=300)
    assert above.period == 1 and np.abs(above.places[-1] - 600).max() <= 10
    assert np.abs(between.places[-1] - 600).max() > 50


def test_at_rest_nobody_gains_and_a_cycle_repeats_itself():
    users, candidates = circle(np.repeat([0, 60, 120], [15, 9, 6])), circle(np.arange(0, 360, 5))
    periods = set()
    for seed, heat in product(range(5), (0.02, 0.1, 0.5)):
        start = np.random.default_rng(seed).integers(0, len(candidates), 3)
        turns = take_turns(users, candidates, start, heat, rounds=300)
        periods.add(turns.period > 1)
        last = turns.places[-1]
        assert (last == turns.places[-1 - turns.period]).all() and turns.period > 0
        now = exposure(users, candidates[last], heat)
        gains = [
            exposure(users, candidates[np.where(np.arange(3) == i, k, last)], heat)[i] - now[i]
            for i in range(3)
            for k in range(len(candidates))
        ]
        assert (max(gains) < 1e-11) == (turns.period == 1)
    assert periods == {True, False}


def test_too_few_rounds_decide_nothing():
    users = planted_users(1)
    turns = take_turns(users, circle(np.arange(0, 360, 5)), np.array([3, 40, 60]), 0.01, rounds=1)
    assert turns.period == 0 and turns.places.shape == (2, 3)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_shapley_shares_are_the_mean_of_what_each_adds_over_all_orders(satisfaction):
    n, value = len(satisfaction), np.zeros(len(satisfaction))
    orders = list(permutations(range(n)))
    for order in orders:
        best = 0.0
        for player in order:
            value[player] += max(satisfaction[player] - best, 0) / len(orders)
            best = max(best, satisfaction[player])
    shares = shapley_shares(np.array(satisfaction))
    assert shares == pytest.approx(value, abs=1e-12)
    assert shares.sum() == pytest.approx(max(satisfaction))


def test_shapley_shares_of_many_users_are_those_of_each():
    drawn = np.random.default_rng(0).random((4, 6, 3))
    kept = drawn.copy()
    each = np.array([[shapley_shares(row) for row in block] for block in drawn])
    assert np.array_equal(shapley_shares(drawn), each) and np.array_equal(drawn, kept)


def test_rests_are_those_found_by_trying_every_deviation():
    payoffs = np.random.default_rng(1).integers(0, 4, (3, 2, 3, 4)).astype(float)
    found = rests(payoffs)
    for profile in product(*map(range, (2, 3, 4))):
        content = all(
            payoffs[i][profile] >= payoffs[i][profile[:i] + (other,) + profile[i + 1 :]]
            for i, size in enumerate((2, 3, 4))
            for other in range(size)
        )
        assert found[profile] == content
    pennies = np.array([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    assert not rests(pennies).any()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 3), st.integers(2, 4))
def test_every_game_under_the_shapley_mediator_has_a_rest(seed, n, choices):
    """Its potential: for each user the integral over the bar of 1 + 1/2 + ... + 1/k, k creators above it."""
    likes = np.random.default_rng(seed).random((n, choices, 5))  # (creators, choices, users)
    shape, payoffs, potential = (choices,) * n, np.zeros((n, *(choices,) * n)), np.zeros((choices,) * n)
    for profile in product(range(choices), repeat=n):
        met = likes[np.arange(n), profile].T  # (users, creators)
        payoffs[(slice(None), *profile)] = shapley_shares(met).sum(axis=0)
        ranked = -np.sort(-met, axis=1)  # the k-th best adds its height / k
        potential[profile] = (ranked / np.arange(1, n + 1)).sum()
    assert rests(payoffs).any() and rests(payoffs)[np.unravel_index(potential.argmax(), shape)]
    for i in range(n):  # a move changes the potential by what the mover gains
        assert np.diff(payoffs[i], axis=i) == pytest.approx(np.diff(potential, axis=i), abs=1e-12)


def test_what_does_not_fit_is_named():
    users = planted_users()
    with pytest.raises(ValueError, match="temperature"):
        exposure(users, users, 0)
    with pytest.raises(ValueError, match="creators: expected at least one row of length 2"):
        exposure(users, np.ones((3, 3)), 1)
    with pytest.raises(ValueError, match="start: expected rows"):
        take_turns(users, users, np.array([0, 30]), 1)
    with pytest.raises(ValueError, match="mean that is not zero"):
        mean_thresholds(circle(np.array([0, 180])), 3)
    with pytest.raises(ValueError, match="at least 2"):
        mean_thresholds(users, 1)
    with pytest.raises(ValueError, match="from 0 to 1"):
        shapley_shares(np.array([0.5, 1.5]))
    with pytest.raises(ValueError, match="axes of choices"):
        rests(np.ones((2, 3)))
