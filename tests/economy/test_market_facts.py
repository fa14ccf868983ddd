"""What the chapter on the market proves: the worth of a newcomer, its neighbours, loads, unit of utility, a fit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from recsys.economy import (
    draw_log,
    inattentive,
    nested_shares,
    planted_world,
    play_round,
    sampled_slates,
    shares,
    start,
)
from recsys.evaluation.conditional_logit import fit_weights


@given(st.lists(st.floats(-8, 8), min_size=2, max_size=8), st.floats(0.5, 10))
def test_a_newcomer_is_worth_minus_t_log_of_what_it_leaves(utilities, heat):
    utilities = np.array([utilities])
    before = shares(utilities[:, :-1], temperature=heat)
    after = shares(utilities, temperature=heat)
    worth = -heat * np.log1p(-after.items[0, -1])
    assert after.surplus[0] - before.surplus[0] == pytest.approx(worth, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("inner", [0.5, 1.0, 1.5, 3.0])
def test_a_small_newcomer_helps_its_nest_exactly_where_the_nest_is_small(inner):
    utilities = np.random.default_rng(0).normal(0, 1.5, (2000, 5))
    utilities[:, 4] = -15 * inner
    nests = np.array([0, 0, 1, 1, 0])
    before = nested_shares(utilities[:, :4], nests[:4], inner)
    after = nested_shares(utilities, nests, inner)
    rule = before[:, :2].sum(axis=1) < 1 - 1 / inner
    assert np.array_equal(after[:, 0] > before[:, 0] + 1e-15, rule)
    assert rule.any() == (inner > 1)


def test_an_action_is_taken_by_the_inattentive_from_the_stake_at_which_it_is_worth_looking():
    prior, heat = np.array([0.2, 0.8]), 0.5
    sure, gamble = [0.5, 0.5], [1.0, 0.0]  # if the gamble pays, if it fails
    worth = np.exp(np.array([sure, gamble]) / heat)

    def stake(y):
        w = prior * y
        return heat * np.log(np.roots([w[1], -1, w[0]]).max())

    enters, switch = stake(1 / worth[0]), stake(np.linalg.solve(worth * prior, [1, 1]))
    habits = [
        inattentive(np.array([sure, gamble, [-x, x]]).T, prior, heat, 20_000)[1]
        for x in (enters - 0.01, enters + 0.01, switch - 0.01, switch + 0.01)
    ]
    assert np.array_equal(np.array(habits) > 1e-3, [[1, 0, 0], [1, 0, 1], [1, 0, 1], [0, 1, 1]])


@pytest.mark.parametrize("seed", range(3))
def test_users_who_differ_are_charged_by_their_mean_share_weighted_by_minutes(seed):
    world = planted_world(200, 40, seed=seed, outside=2.0, nuisance=1.5, temperature=0.8)
    slates = sampled_slates(np.zeros((200, 40)), 5, seed=10 + seed)[0]

    def share(load):
        return 1 - play_round(replace(world, load=load), start(world), slates)[0].outside

    found = minimize_scalar(lambda a: -a * share(a).sum(), bounds=(0.1, 10), method="bounded", options={"xatol": 1e-7})
    s = share(found.x)
    assert found.x == pytest.approx(0.8 / (1.5 * (1 - (s**2).sum() / s.sum())), rel=1e-4)
    assert found.x > 0.8 / (1.5 * (1 - s.mean()))


@given(st.floats(0.1, 10), st.integers(0, 5))
def test_a_log_does_not_know_the_unit_of_utility(unit, seed):
    world = planted_world(30, 20, seed=seed, outside=1.0, temperature=0.7)
    scaled = replace(
        world, tastes=unit * world.tastes, quality=unit * world.quality, lure=unit * world.lure,
        outside=unit, temperature=0.7 * unit,
    )  # fmt: skip
    slates = sampled_slates(np.zeros((30, 20)), 10, seed=50 + seed)[0]
    (p, first, _), (q, second, _) = (play_round(w, start(w), slates) for w in (world, scaled))
    assert q.items == pytest.approx(p.items, abs=1e-12)
    assert second.promised == pytest.approx(unit * first.promised, rel=1e-9, abs=1e-9)
    assert second.realised == pytest.approx(unit * first.realised, rel=1e-9, abs=1e-9)


def test_a_fitted_log_gives_back_the_planted_weights_over_the_temperature():
    heat, n, k = 0.5, 8000, 10
    world = planted_world(n, 60, seed=0, temperature=heat, outside=2.0)
    slates = sampled_slates(np.zeros((n, 60)), k, seed=1)[0]
    click = draw_log(world, start(world), slates, seed=2).click.reshape(n, k)
    took = np.where(click.any(axis=1), click.argmax(axis=1), k)
    seen = np.zeros((n, k + 1, 5))
    seen[:, :k, 0] = np.take_along_axis(world.tastes, world.topics[slates], axis=1)
    seen[:, :k, 1], seen[:, :k, 2] = world.quality[slates], world.lure[slates]
    seen[:, :k, 3], seen[:, :k, 4] = np.log(world.examination), 1
    errors = np.array([0.028, 0.045, 0.035, 0.045, 0.06])  # of this many choices
    assert (np.abs(fit_weights(seen, took) - [2, 2, 2, 1, -4]) < 4 * errors).all()
