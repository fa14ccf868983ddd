"""A policy's value from the log of another: closed forms, planted worlds, a second implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from recsys.economy import (
    Predicted,
    cell_means,
    direct,
    doubly_robust,
    effective_size,
    ips,
    ips_error,
    self_normalised,
)

N_CONTEXTS, N_ACTIONS = 20, 10


def planted(seed):
    rng = np.random.default_rng(seed)
    liking = rng.normal(size=(N_CONTEXTS, N_ACTIONS))
    logged = softmax(rng.normal(size=liking.shape), axis=1)
    return rng.dirichlet(np.full(N_CONTEXTS, 5.0)), expit(liking - 1), logged, softmax(1.5 * liking, axis=1)


def logs(world, n, seed, many=1000):
    contexts, rates, logged, _ = world
    rng = np.random.default_rng(seed)
    x = rng.choice(N_CONTEXTS, (many, n), p=contexts)
    a = np.minimum((rng.random((many, n, 1)) > logged.cumsum(axis=1)[x]).sum(axis=2), N_ACTIONS - 1)
    return x, a, 1.0 * (rng.random((many, n)) < rates[x, a])


def truth_of(world):
    contexts, rates, _, target = world
    return (contexts[:, None] * target * rates).sum()


def z_of(values, truth):
    off = values - truth
    return off.mean() / off.std(ddof=1) * np.sqrt(len(off))


@pytest.fixture(scope="module", params=range(5))
def world_and_log(request):
    world = planted(request.param)
    x, a, r = logs(world, 600, seed=50 + request.param)
    return world, x, a, r, (world[3] / world[2])[x, a]


def test_weights_and_cross_fitting_are_unbiased_and_the_same_log_is_not(world_and_log):
    """Over 1,000 logs in five worlds."""
    world, x, a, r, w = world_and_log
    truth = truth_of(world)
    folded, same = (doubly_robust(w, r, cell_means(x, a, r, world[3], folds)) for folds in (2, 1))
    assert abs(z_of(ips(w, r).value, truth)) < 3
    assert abs(z_of(folded.value, truth)) < 3
    assert abs(z_of(same.value, truth)) > 5


def test_the_formula_of_the_error_is_that_of_a_thousand_logs(world_and_log):
    world, x, a, r, w = world_and_log
    assert ips(w, r).value.std() == pytest.approx(ips_error(world[0], world[2], world[3], world[1], 600), rel=0.1)
    of_one = ips_error(world[0], world[2], world[2], world[1], 600)
    rate = (world[0][:, None] * world[2] * world[1]).sum()
    assert of_one == pytest.approx(np.sqrt(rate * (1 - rate) / 600), rel=1e-12), "the log's own policy: a plain rate"


def test_right_predictions_make_up_for_wrong_chances_and_the_other_way_round(world_and_log):
    world, x, a, r, w = world_and_log
    contexts, rates, _, target = world
    wrong = np.ones_like(r)  # as if the log were the judged policy's own
    right = Predicted(rates[x, a], (target * rates).sum(axis=1)[x])
    constant = Predicted(np.full_like(r, 0.7), np.full_like(r, 0.7))
    assert abs(z_of(ips(wrong, r).value, truth_of(world))) > 5
    assert abs(z_of(doubly_robust(wrong, r, right).value, truth_of(world))) < 3.5
    assert abs(z_of(doubly_robust(w, r, constant).value, truth_of(world))) < 3.5


@given(st.integers(0, 10_000), st.integers(2, 40), st.floats(-5, 5))
@settings(max_examples=40, deadline=None)
def test_a_constant_reward_is_read_exactly_by_the_self_normalised(seed, n, reward):
    rng = np.random.default_rng(seed)
    w = rng.exponential(size=n) + 1e-3
    found = self_normalised(w, np.ones(n))
    assert found.value == 1 and found.high == found.low == 1
    assert self_normalised(w, np.full(n, reward)).value == pytest.approx(reward, abs=1e-12)
    r = rng.random(n)
    assert self_normalised(7 * w, r).value == pytest.approx(self_normalised(w, r).value), "the scale of weights is free"
    assert r.min() - 1e-12 <= self_normalised(w, r).value <= r.max() + 1e-12


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_cell_means_of_the_same_log_take_the_weights_away(seed):
    world = planted(seed)
    x, a, r = logs(world, 30, seed, many=2)
    w = (world[3] / world[2])[x, a]
    predicted = cell_means(x, a, r, world[3], folds=1)
    assert np.allclose(doubly_robust(w, r, predicted).value, direct(predicted).value, atol=1e-12)


def loops(x, a, r, target, folds):
    """Cell means with one log, row by row."""
    taken, expected = [], []
    for i in range(len(x)):
        use = [j for j in range(len(x)) if folds == 1 or j % folds != i % folds]

        def mean(action, use=use, i=i):
            cell = [r[j] for j in use if x[j] == x[i] and a[j] == action]
            return np.mean(cell) if cell else np.mean([r[j] for j in use])

        taken.append(mean(a[i]))
        expected.append(sum(target[x[i], b] * mean(b) for b in range(target.shape[1])))
    return taken, expected


@pytest.mark.parametrize("folds", [1, 2, 3])
def test_cell_means_are_those_of_a_loop_and_stacked_logs_those_of_each(folds):
    world = planted(3)
    x, a, r = logs(world, 25, seed=4, many=3)
    stacked = cell_means(x, a, r, world[3], folds)
    for log in range(3):
        one = cell_means(x[log], a[log], r[log], world[3], folds)
        taken, expected = loops(x[log], a[log], r[log], world[3], folds)
        assert np.allclose(one.taken, taken) and np.allclose(one.target, expected)
        assert (stacked.taken[log] == one.taken).all() and (stacked.target[log] == one.target).all()


def test_a_row_never_speaks_for_itself_across_folds():
    world = planted(5)
    x, a, r = logs(world, 40, seed=6, many=1)
    before = cell_means(x, a, r, world[3], folds=2)
    changed = r.copy()
    changed[0, 7] = 99
    after = cell_means(x, a, changed, world[3], folds=2)
    odd = np.arange(40) % 2 == 1
    assert (after.taken[0, odd] == before.taken[0, odd]).all() and (after.target[0, odd] == before.target[0, odd]).all()
    assert (after.target[0, ~odd] != before.target[0, ~odd]).any()


def test_equal_policies_make_every_estimator_the_plain_mean_or_nearly():
    r = np.random.default_rng(7).random(50)
    w = np.ones(50)
    assert ips(w, r).value == self_normalised(w, r).value == r.mean()
    assert effective_size(w) == 50 and effective_size(np.eye(1, 50)[0]) == 1


@pytest.mark.parametrize("call, said", [
    (lambda: ips(np.array([1.0, -1]), np.ones(2)), "weights: expected at least 0, got -1.0"),
    (lambda: ips(np.ones(3), np.ones(2)), "weights and rewards: expected equal shapes"),
    (lambda: ips(np.ones(1), np.ones(1)), "rows: expected at least two, got 1"),
    (lambda: ips(np.array([1, np.nan]), np.ones(2)), "weights"),
    (lambda: self_normalised(np.zeros(2), np.ones(2)), "expected a row above 0 in each log"),
    (lambda: doubly_robust(np.ones(2), np.ones(2), Predicted(np.ones(3), np.ones(2))), "rewards and predicted.taken"),
    (lambda: cell_means(np.zeros(2, int), np.zeros(2, int), np.ones(2), np.ones((1, 1)), 3), "folds: expected at most the 2 rows"),
    (lambda: cell_means(np.zeros(2, int), np.zeros(2, int), np.ones(2), np.ones((1, 1)), 0), "folds: expected at least 1"),
    (lambda: ips_error(np.ones(1), np.array([[1.0, 0]]), np.array([[0.5, 0.5]]), np.ones((1, 2)), 9), "context 0, action 1"),
])  # fmt: skip
def test_what_can_not_be_read_is_said_with_its_mend(call, said):
    with pytest.raises(ValueError, match=said):
        call()
