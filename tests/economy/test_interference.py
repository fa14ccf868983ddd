"""Worlds where arms touch: each design beside the truth, where it is right and where it lies."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.economy import Stream, budget_spend, feed_minutes, planted_world, sales_by_city, stream_clicks

NOBODY, EVERYBODY, USERS, OWN, TURNS = range(5)


def designs(n_steps, period):
    steps = np.array([[0.0], [1.0], [0.5], [0.5], [0.0]]) + np.zeros(n_steps)
    steps[TURNS] = np.arange(n_steps) // period % 2
    return steps, [False, False, False, True, False]


def truth(arms):
    return arms.rates[EVERYBODY, :, 1] / arms.rates[NOBODY, :, 0] - 1


@pytest.fixture(scope="module")
def exploring():
    return stream_clicks(Stream(explored=0.1), *designs(12_000, 1000), 40, seed=5)


def test_a_user_test_of_exploring_reads_its_price_and_not_what_it_earns(exploring):
    assert truth(exploring).mean() > 0.15
    assert exploring.lifts[USERS].mean() < -0.02
    assert exploring.lifts[OWN].mean() > 0.05
    assert exploring.lifts[TURNS].mean() < truth(exploring).mean() / 2  # the table is carried over


def test_a_user_test_is_right_where_the_treatment_is_not_in_the_table():
    arms = stream_clicks(Stream(lift=0.5), *designs(6000, 500), 60, seed=6)
    for design in (USERS, TURNS):
        error = arms.lifts[design].std() / np.sqrt(60)
        assert abs(arms.lifts[design].mean() - 0.5) < 3 * error + 0.02 and error < 0.05


def test_a_stream_counts_every_visitor_once(exploring):
    assert (exploring.exposed.sum(axis=2) == 12_000).all()
    assert (exploring.outcome <= exploring.exposed).all() and (exploring.outcome >= 0).all()
    assert (exploring.exposed[NOBODY, :, 1] == 0).all() and (exploring.exposed[EVERYBODY, :, 0] == 0).all()
    assert np.isnan(exploring.lifts[NOBODY]).all()
    assert (exploring.exposed[TURNS] == 6000).all()


def test_without_a_treatment_designs_that_share_see_the_same_stream():
    arms = stream_clicks(Stream(), *designs(3000, 500), 5, seed=7)
    clicks = arms.outcome.sum(axis=2)
    assert (clicks[[EVERYBODY, USERS, TURNS]] == clicks[NOBODY]).all()
    assert (clicks[OWN] != clicks[NOBODY]).any()


def test_a_ranker_that_knows_finds_the_better_article():
    calm = Stream(n_articles=2, life=10**6, clicks=1, skips=1, prior=0.5, explored=1.0)
    arms = stream_clicks(calm, np.array([[0.0] * 4000, [1.0] * 4000]), [False, False], 30, seed=8)
    assert arms.rates[0, :, 0].mean() > arms.rates[1, :, 1].mean() + 0.08


BIDS = np.random.default_rng(0).lognormal(3, 1, 100)


@pytest.mark.parametrize(("tightness", "share"), [(0.3, 0.0), (1.0, 0.5), (50.0, 1.0)])
def test_a_user_test_reads_the_bids_whatever_the_budgets_allow(tightness, share):
    arms = budget_spend(BIDS, tightness * BIDS, 0.2, *designs(10, 1), 40, seed=1)
    assert arms.lifts[USERS].mean() == pytest.approx(0.2, abs=0.01)
    assert truth(arms).mean() == pytest.approx(0.2 * share, abs=0.06 if share == 0.5 else 0.01)
    assert arms.lifts[TURNS].mean() == pytest.approx(truth(arms).mean(), abs=0.01)
    assert arms.lifts[OWN].mean() == pytest.approx(truth(arms).mean(), abs=0.02)


@given(st.integers(1, 6), st.integers(1, 5), st.floats(0, 3), st.integers(0, 99))
@settings(max_examples=40)
def test_nobody_pays_more_than_the_budgets(n, n_days, tightness, seed):
    bids = np.random.default_rng(seed).lognormal(1, 1, n)
    steps, own = designs(n_days, 1)
    arms = budget_spend(bids, tightness * bids, 0.5, steps, own, 3, seed)
    assert (arms.outcome.sum(axis=2) <= n_days * tightness * bids.sum() + 1e-9).all()
    assert np.allclose(arms.exposed.sum(axis=2), n_days)


REMEMBERING = {"outside": 2.5, "leave": -5.0, "attachment": 1.0, "memory_gain": 0.1, "memory_kept": 0.98}


def test_memory_turns_a_switchback_and_time_turns_a_user_test():
    world = planted_world(200, 200, seed=3, **REMEMBERING)
    everybody, arm = np.ones((60, 200), dtype=bool), np.arange(200) % 2 == 0
    bait, honest = feed_minutes(world, everybody), feed_minutes(world, ~everybody)
    assert bait[0].sum() > honest[0].sum() and bait.sum() < 0.95 * honest.sum()
    on = np.arange(60) // 2 % 2 == 0
    turned = feed_minutes(world, everybody & on[:, None])
    assert turned[on].sum() > 1.02 * turned[~on].sum()
    tested = feed_minutes(world, everybody & arm)
    assert np.array_equal(tested[:, arm], bait[:, arm]) and np.array_equal(tested[:, ~arm], honest[:, ~arm])


def test_where_nobody_remembers_or_leaves_a_switchback_is_exact():
    world = planted_world(100, 100, seed=4, outside=2.5)
    everybody, on = np.ones((6, 100), dtype=bool), np.arange(6) % 2 == 0
    bait, honest = feed_minutes(world, everybody), feed_minutes(world, ~everybody)
    turned = feed_minutes(world, everybody & on[:, None])
    assert turned[on].mean() / turned[~on].mean() == pytest.approx(bait.mean() / honest.mean(), rel=1e-12)


def test_without_lures_there_is_nothing_to_promise():
    world = planted_world(50, 60, seed=5, **REMEMBERING)
    world = replace(world, lure=np.zeros(60))
    on = np.ones((4, 50), dtype=bool)
    assert np.array_equal(feed_minutes(world, on), feed_minutes(world, ~on))


@given(st.integers(1, 12), st.floats(0, 1), st.integers(0, 99))
def test_all_stock_is_sold_and_no_more(n, own_share, seed):
    demand, stock = np.random.default_rng(seed).lognormal(0, 1, (2, n))
    sales = sales_by_city(demand, stock, own_share)
    assert (sales > 0).all() and sales.sum() == pytest.approx(stock.sum())


def test_leakage_brings_back_one_less_the_square_of_what_stays():
    treated = np.arange(1000) % 2 == 0
    for own_share in (1.0, 0.9, 0.7, 0.5, 0.0):
        sales = sales_by_city(np.where(treated, 1.01, 1.0), np.ones(1000), own_share)
        bias = sales[treated].mean() / sales[~treated].mean() - 1
        assert bias / 0.01 == pytest.approx(1 - own_share**2, abs=0.005)


def test_a_city_that_keeps_to_itself_gets_its_own_stock():
    demand, stock = np.random.default_rng(0).lognormal(0, 1, (2, 8))
    assert np.allclose(sales_by_city(demand, stock, 1.0), stock)
    assert np.allclose(sales_by_city(demand, stock, 0.0), demand / demand.sum() * stock.sum())


HALF = np.full((1, 4), 0.5)
WORLD = planted_world(3, 12, n_slots=4, seed=0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Stream(n_articles=0), "^n_articles: expected at least 1"),
        (lambda: Stream(life=3), "^life: expected from 20 to inf, got 3"),
        (lambda: Stream(prior=2.0), "^prior: expected from 0 to 1"),
        (lambda: Stream(explored=-0.1), "^explored: expected"),
        (lambda: Stream(lift=-2), "^lift: expected"),
        (lambda: stream_clicks(Stream(), HALF + 1, [False], 2, 0), "^chances: expected from 0 to 1"),
        (lambda: stream_clicks(Stream(), HALF * np.nan, [False], 2, 0), "^chances: expected from 0 to 1"),
        (lambda: stream_clicks(Stream(), HALF[0], [False], 2, 0), "^chances: expected the axes"),
        (lambda: stream_clicks(Stream(), HALF, [False, True], 2, 0), "^own: expected one for each of 1 designs"),
        (lambda: stream_clicks(Stream(), HALF, [False], 0, 0), "^n_replicas: expected at least 1"),
        (lambda: budget_spend([1, 2], [1], 0.2, HALF, [True], 1, 0), "^bids and budgets: expected at least 0 for each"),
        (lambda: budget_spend([1], [-1], 0.2, HALF, [True], 1, 0), "^bids and budgets: .*-1"),
        (lambda: budget_spend([1], [1], -2.0, HALF, [True], 1, 0), "^lift: expected at least -1"),
        (lambda: feed_minutes(WORLD, np.ones((2, 4), bool)), "^treated: expected a column for each of 3 users, got 4"),
        (lambda: feed_minutes(WORLD, np.ones(3, bool)), "^treated: expected the axes"),
        (lambda: sales_by_city([1, 0], [1, 1], 0.5), "^demand and stock: expected a number above 0"),
        (lambda: sales_by_city([1, 1], [1], 0.5), "^demand and stock"),
        (lambda: sales_by_city([1], [1], 1.5), "^own_share: expected from 0 to 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
