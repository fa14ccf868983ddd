"""Budgets and quotas by a price: never overspent, optimal by a linear programme, stable."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from recsys.economy import boost_for, control, hindsight, pace


def day(seed, n=400, campaigns=3):
    rng = np.random.default_rng(seed)
    return rng.lognormal(0, 0.5, (n, campaigns)), rng.lognormal(0, 0.5, (n, campaigns)), rng


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 0.5), st.booleans())
def test_no_budget_is_overspent_and_hindsight_not_exceeded(seed, step, by_coin):
    values, rivals, rng = day(seed)
    budgets = rng.uniform(0.5, 300, 3)
    coins = rng.random(values.shape) if by_coin else None
    bought = pace(values, rivals, budgets, step=step, coins=coins)
    assert (bought.spent <= budgets).all()
    for i in range(3):
        assert bought.value[i] <= hindsight(values[:, i], rivals[:, i], budgets[i])[0] + 1e-9


@pytest.mark.parametrize("budget", [5.0, 40.0, 1000.0])
def test_hindsight_is_the_optimum_of_its_programme_and_its_price_the_dual(budget):
    values, rivals, _ = day(1, n=60)
    v, d = values[:, 0], rivals[:, 0]
    value, price = hindsight(v, d, budget)
    found = linprog(d - v, A_ub=d[None], b_ub=[budget], bounds=(0, 1))
    assert value - found.x @ d == pytest.approx(-found.fun, abs=1e-9) or price == 0
    assert found.x @ v == pytest.approx(value, abs=1e-9)
    assert price == pytest.approx(-found.ineqlin.marginals[0], abs=1e-9)


def test_a_budget_that_buys_everything_has_no_price():
    values, rivals = np.array([6.0, 4.0, 1.0]), np.array([2.0, 2.0, 2.0])
    assert hindsight(values, rivals, 4.0) == (10.0, 0.0)  # the third is worth less than it costs
    assert hindsight(values, rivals, 3.0) == (8.0, 1.0)
    assert hindsight(values, rivals, 1.0) == (3.0, 2.0)


@pytest.mark.parametrize("by_coin", [False, True])
def test_pacing_is_its_rule_written_out(by_coin):
    values, rivals, rng = day(4, n=60)
    coins, budgets = rng.random(values.shape), np.array([4.0, 15.0, 60.0])
    bought = pace(values, rivals, budgets, step=0.4, coins=coins if by_coin else None)
    for i, budget in enumerate(budgets):
        left, mu, value = budget, 0.0, 0.0
        for t in range(60):
            v, d, paid = values[t, i], rivals[t, i], 0.0
            assert bought.prices[t, i] == pytest.approx(mu, abs=1e-12)
            enters = not by_coin or coins[t, i] < 1 / (1 + mu)
            bid = min(v if by_coin else v / (1 + mu), left) if enters else 0.0
            if bid >= d:
                paid, value = d, value + v
            assert bought.paid[t, i] == paid
            left -= paid
            mu = max((1 + mu) * np.exp(0.4 * (paid / (budget / 60) - 1)), 1.0) - 1
        assert bought.value[i] == pytest.approx(value) and bought.spent[i] == pytest.approx(budget - left)


def test_pacing_settles_at_the_price_of_hindsight():
    values, rivals, _ = day(2, n=20_000, campaigns=1)
    bought = pace(values, rivals, np.array([2000.0]), step=0.003)
    value, price = hindsight(values[:, 0], rivals[:, 0], 2000.0)
    assert np.median(bought.prices[5000:]) == pytest.approx(price, rel=0.05)
    assert bought.value[0] > 0.97 * value


def test_without_a_step_the_value_is_bid_until_the_budget_is_gone():
    values, rivals, _ = day(3, campaigns=1)
    bought = pace(values, rivals, np.array([1e9]), step=0.0)
    assert bought.value[0] == pytest.approx(values[values >= rivals].sum())
    assert (bought.paid == np.where(values >= rivals, rivals, 0)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 1))
def test_the_boost_is_what_the_last_exposure_of_a_quota_costs(seed, quota):
    gaps = np.random.default_rng(seed).normal(1, 1, 200)
    needed = int(np.ceil(quota * 200 - 1e-9))
    cost = np.cumsum(np.sort(gaps))  # of the cheapest exposures, one by one
    last = cost[needed - 1] - (cost[needed - 2] if needed > 1 else 0)
    boost = boost_for(gaps, quota)
    assert boost == pytest.approx(max(last, 0), abs=1e-12)
    assert (gaps <= boost).mean() >= quota - 1e-12


def test_the_controller_finds_the_boost_and_swings_above_the_bound():
    rng = np.random.default_rng(0)
    gaps = rng.uniform(0, 2, (400, 5000))  # density 1/2: stable below a gain of 4
    boosts, shares = control(gaps, 0.3, 1.0)
    assert boosts[50:].mean() == pytest.approx(0.6, abs=0.01)
    assert shares[50:].mean() == pytest.approx(0.3, abs=0.002)
    spread = [control(gaps, 0.3, gain)[1][200:].std() for gain in (3.6, 4.4)]
    assert spread[0] < 0.03 < 0.2 < spread[1]


def test_a_group_that_has_its_share_is_left_alone():
    gaps = np.random.default_rng(1).normal(-1, 1, (50, 400))  # inside wins five times in six
    boosts, shares = control(gaps, 0.3, 2.0)
    assert not boosts.any() and boost_for(gaps[0], 0.3) == 0
    assert (shares == (gaps <= 0).mean(axis=1)).all()


def test_what_is_refused():
    values, rivals, _ = day(0, n=5)
    with pytest.raises(ValueError, match="budgets"):
        pace(values, rivals, np.zeros(3), step=0.1)
    with pytest.raises(ValueError, match="step"):
        pace(values, rivals, np.ones(3), step=-0.1)
    with pytest.raises(ValueError, match="quota"):
        boost_for(values[:, 0], 0.0)
    with pytest.raises(ValueError, match="gain"):
        control(values, 0.2, -1.0)
