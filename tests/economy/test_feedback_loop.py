"""The loop: what is shown, logged and learned from; factors of pairs, their denominators and updates."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.baselines import Popularity
from recsys.economy import best_slates, planted_world
from recsys.economy.loop import from_clicks, joined, run_loop, spread
from recsys.economy.pair_factors import PairFactors, pair_sums

WORLD = planted_world(40, 60, n_topics=4, n_slots=5, seed=3, temperature=0.5, outside=2.0)
TRUTH = WORLD.tastes[:, WORLD.topics] + WORLD.quality + WORLD.lure


def oracle(log):
    return TRUTH


def clicks_of_items(log):
    return np.bincount(log.item, log.click, minlength=60)


@given(st.integers(0, 99), st.floats(0, 1), st.integers(0, 4))
@settings(max_examples=30, deadline=None)
def test_slates_hold_nothing_twice_nothing_unborn_and_the_log_holds_them_all(seed, chance, late):
    born = np.where(np.arange(60) < 20, 0, late)
    run = run_loop([WORLD] * 3, oracle, explore=np.full(5, chance), born=born, seed=seed)
    assert run.slates.shape == (3, 40, 5) and len(run.log) == 3 * 40 * 5
    assert (np.diff(np.sort(run.slates, axis=2), axis=2) > 0).all()
    assert all(born[run.slates[number]].max() <= number for number in range(3))
    assert np.array_equal(run.log.item, run.slates.ravel()) and np.array_equal(run.log.round, np.repeat([0, 1, 2], 200))


def test_without_exploration_the_best_are_shown_in_order_with_ties_by_item_index():
    run = run_loop([WORLD] * 2, oracle)
    assert np.array_equal(run.slates[1], best_slates(WORLD.tastes, WORLD.quality + WORLD.lure, WORLD.topics, 5))
    assert (run_loop([WORLD] * 2, lambda log: np.zeros(60)).slates[1] == np.arange(5)).all()


def test_exploration_comes_with_its_chance_evenly_and_from_outside_the_list():
    crowd = replace(WORLD, tastes=np.zeros((20_000, 4)))
    scores = -np.arange(60.0)
    run = run_loop([crowd] * 2, lambda log: scores, explore=np.array([0, 0.3, 0, 0, 1]), seed=1)
    slates = run.slates[1]
    assert (slates[:, [0, 2, 3]] == [0, 2, 3]).all()
    assert abs((slates[:, 1] != 1).mean() - 0.3) < 5 * np.sqrt(0.21 / 20_000)
    for slot in (1, 4):
        counts = np.bincount(slates[:, slot], minlength=60)[5:]
        assert np.abs(counts / counts.sum() - 1 / 55).max() < 5 * np.sqrt(1 / 55 / counts.sum())
    assert (slates[:, 4] >= 5).all()


def test_exploration_is_even_where_just_enough_is_left():
    crowd = planted_world(20_000, 10, n_slots=5)
    run = run_loop([crowd] * 2, lambda log: -np.arange(10.0), explore=np.ones(5), seed=1)
    for slot in range(5):
        counts = np.bincount(run.slates[1][:, slot], minlength=10)
        assert np.abs(counts[5:] / 20_000 - 0.2).max() < 5 * np.sqrt(0.16 / 20_000)


def test_learners_see_the_log_of_all_rounds_before_and_nothing_of_the_round_to_come():
    seen = []

    def spy(log):
        seen.append((sorted(set(log.round)), len(log)))
        return np.zeros(60)

    run_loop([WORLD] * 4, spy)
    assert seen == [([0], 200), ([0, 1], 400), ([0, 1, 2], 600)]


def test_expected_clicks_are_what_is_drawn():
    run = run_loop([WORLD] * 400, oracle, seed=5)
    drawn, expected = run.log.click.sum(), run.clicks.sum()
    assert abs(drawn - expected) < 5 * np.sqrt((run.clicks * (1 - run.clicks)).sum())


def test_people_come_as_often_as_they_do_and_a_change_of_taste_counts_from_its_round():
    coming = np.where(np.arange(40) < 20, 1.0, 0.25)
    other = replace(WORLD, tastes=-WORLD.tastes)
    run = run_loop([WORLD] * 100 + [other] * 100, oracle, coming=coming, seed=2)
    rows = np.bincount(run.log.user, minlength=40) / 5
    assert (rows[:20] == 200).all() and abs(rows[20:].mean() - 50) < 5 * np.sqrt(37.5 / 20)
    assert np.ptp(run.clicks[1:100], axis=0).max() == 0 == np.ptp(run.clicks[100:], axis=0).max()
    assert run.clicks[99].mean() > run.clicks[100].mean() + 0.1


def test_the_same_seed_is_the_same_run_and_first_slates_do_not_depend_on_the_learner():
    a, b = (run_loop([WORLD] * 3, clicks_of_items, seed=4) for _ in range(2))
    assert np.array_equal(a.slates, b.slates) and np.array_equal(a.log.click, b.log.click)
    assert np.array_equal(run_loop([WORLD] * 2, oracle, seed=4).slates[0], a.slates[0])
    assert not np.array_equal(run_loop([WORLD] * 2, oracle, seed=5).slates[0], a.slates[0])


def test_a_recommender_of_the_contract_is_a_learner():
    run = run_loop([WORLD] * 3, from_clicks(Popularity(), WORLD), seed=4)
    assert np.array_equal(run.slates, run_loop([WORLD] * 3, clicks_of_items, seed=4).slates)


def test_spread_by_hand():
    told = spread(np.array([[0, 1], [0, 2], [3, 0]]), 5)
    assert told["coverage"] == pytest.approx(0.8) and told["overlap"] == pytest.approx(1 / 3)
    assert told["gini"] == pytest.approx((2 * (1 * 0 + 2 * 1 + 3 * 1 + 4 * 1 + 5 * 3) / 6 - 6) / 5)
    assert spread(np.tile([4, 2], (7, 1)), 5)["overlap"] == 1


LOG = run_loop([WORLD] * 6, clicks_of_items, explore=np.full(5, 0.5), seed=8).log


def loss(model, weight, residual, users, items, ridge, user_prior=0.0, item_prior=0.0):
    label = np.divide(residual, weight, out=np.zeros_like(weight), where=weight > 0)
    error = (weight * (label - users @ items.T) ** 2).sum()
    return error + ridge * (((users - user_prior) ** 2).sum() + ((items - item_prior) ** 2).sum())


@pytest.mark.parametrize("looks", [None, np.ones(5), WORLD.examination])
def test_factors_are_where_no_small_move_of_them_lowers_the_loss(looks):
    model = PairFactors((40, 60), looks, factors=3, l2=0.5, sweeps=1000, seed=1)
    model(LOG)
    clicks = pair_sums(LOG, LOG.click, (40, 60))
    weight = np.ones((40, 60)) if looks is None else pair_sums(LOG, looks[LOG.position], (40, 60))
    residual = clicks - weight * clicks.sum() / weight.sum()
    least = loss(model, weight, residual, model.users, model.items, 0.5)
    rng = np.random.default_rng(0)
    for _ in range(40):
        moves = rng.normal(size=(2, 1)) * 1e-3
        users = model.users + moves[0] * rng.normal(size=model.users.shape)
        items = model.items + moves[1] * rng.normal(size=model.items.shape)
        assert loss(model, weight, residual, users, items, 0.5) > least


def test_an_update_solves_the_newest_round_and_is_pulled_to_where_it_stood():
    model = PairFactors((40, 60), WORLD.examination, factors=3, l2=0.7, sweeps=1000, replay=0, seed=1)
    model.users, model.items = (np.random.default_rng(n).normal(size=(n, 3)) for n in (40, 60))
    users, items = model.users, model.items
    newest = LOG.rows(LOG.round == 5)
    model(LOG)
    weight = pair_sums(newest, WORLD.examination[newest.position], (40, 60))
    residual = pair_sums(newest, newest.click, (40, 60)) - weight * newest.click.sum() / weight.sum()
    least = loss(model, weight, residual, model.users, model.items, 0.7, users, items)
    rng = np.random.default_rng(0)
    for _ in range(40):
        move = 1e-3 * rng.normal(size=(100, 3))
        moved = (model.users + move[:40], model.items + move[40:])
        assert loss(model, weight, residual, *moved, 0.7, users, items) > least
    unseen = np.setdiff1d(np.arange(60), newest.item)
    assert unseen.size and model.items[unseen] == pytest.approx(items[unseen], rel=1e-12)


def test_replay_adds_as_many_older_rows_as_it_says_and_none_twice():
    for times, expected in ((0, 200), (1, 400), (2.5, 700), (99, 1200)):
        rows = PairFactors((40, 60), None, replay=times)._newest(LOG)
        assert len(rows) == expected and (rows.round == 5).sum() == 200
        assert len(np.unique(np.stack([rows.round, rows.user, rows.position]), axis=1).T) == expected


def test_rows_fade_by_their_age():
    model, log = PairFactors((40, 60), np.ones(5), kept=0.5), LOG.rows(LOG.round >= LOG.user % 6)
    weight, _ = model._pairs(log)
    expected = sum(0.5 ** (5 - r) * np.bincount(log.user[log.round == r], minlength=40) for r in range(6))
    assert weight.sum(axis=1) == pytest.approx(expected)


def test_a_pair_that_was_never_shown_is_worth_the_mean_unless_every_pair_counts():
    log = LOG.rows(LOG.item != 7)
    assert not PairFactors((40, 60), np.ones(5))(log)[:, 7].any()
    assert PairFactors((40, 60), None, sweeps=20)(log)[:, 7].mean() < -0.01  # nobody likes what nobody saw


def test_joined_is_what_was_cut():
    whole = joined([LOG.rows(LOG.round == r) for r in range(6)])
    assert all(np.array_equal(a, LOG.columns()[name], equal_nan=True) for name, a in whole.columns().items())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"explore": np.full(5, 1.5)}, "^explore: expected 5 chances from 0 to 1"),
        ({"explore": np.zeros(4)}, "^explore: expected 5 chances"),
        ({"coming": np.full(40, -0.1)}, "^coming: expected 40 chances"),
        ({"coming": np.full(40, np.nan)}, "^coming: expected 40 chances"),
        ({"born": np.zeros(59)}, "^born: expected a round for each of 60 items"),
        ({"born": np.arange(60)}, "^born: .* 0 for at least 5"),
        ({"born": np.arange(60) // 6, "explore": np.ones(5)}, "^born: .* 0 for at least 10"),
        ({"learn": lambda log: np.zeros((40, 59))}, r"^learn: expected scores of shape \(40, 60\)"),
        ({"learn": lambda log: np.full(60, np.nan)}, "^learn: .*without NaN"),
        ({"worlds": []}, "^worlds: expected at least 1"),
    ],
)
def test_what_a_loop_cannot_run_with_is_named(given, words):
    asked = {"worlds": [WORLD] * 2, "learn": oracle} | given
    with pytest.raises(ValueError, match=words):
        run_loop(asked.pop("worlds"), asked.pop("learn"), **asked)
