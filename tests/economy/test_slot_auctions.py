"""Auctions of slots: against brute force, closed forms, and their textbook case."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.economy import (
    best_deviation,
    first_price,
    generalised_second_price,
    lowest_envy_free_bids,
    profits_by_bid,
    soft_auction,
    vcg,
)

RULES = (first_price, generalised_second_price, vcg)


@st.composite
def markets(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_bidders, n_slots = draw(st.integers(2, 5)), draw(st.integers(1, 6))
    return rng.exponential(1, n_bidders), np.sort(rng.uniform(0.05, 1, n_slots))[::-1]


def most(bids, clicks):
    """The largest sum of bids times clicks, over every way to hand out slots."""
    slots = np.r_[clicks, np.zeros(len(bids))]
    return max(bids @ slots[list(way)] for way in permutations(range(len(slots)), len(bids)))


@settings(max_examples=25, deadline=None)
@given(markets())
def test_vcg_charges_what_the_others_lose_over_every_way_to_hand_out_slots(market):
    bids, clicks = market
    sold = vcg(bids, clicks[:3])
    for i in range(len(bids)):
        with_it = most(bids, clicks[:3]) - bids[i] * sold.clicks[i]
        without = most(np.delete(bids, i), clicks[:3])
        assert sold.payments[i] == pytest.approx(without - with_it, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(markets(), st.sampled_from([0.0, 0.4, 2.0]))
def test_no_bid_of_a_fine_grid_beats_the_truth_in_vcg_at_any_reserve(market, reserve):
    values, clicks = market

    def rule(bids, rates):
        return vcg(bids, rates, reserve=reserve)

    honest = rule(values, clicks).profits(values)
    for i in range(len(values)):
        earned = profits_by_bid(rule, values, clicks, i, np.linspace(0, 4, 401))
        assert earned.max() <= honest[i] + 1e-12
    assert best_deviation(rule, values, clicks) <= 1e-9


def test_the_textbook_lie_in_the_generalised_second_price_auction():
    values, clicks = np.array([10.0, 4.0, 2.0]), np.array([200.0, 199.0])
    earned = profits_by_bid(generalised_second_price, values, clicks, 0, np.array([10, 3]))
    assert earned.tolist() == [1200, 1592]
    assert vcg(values, clicks).payments.tolist() == [402, 398, 0]
    assert best_deviation(generalised_second_price, values, clicks) == 392


@settings(max_examples=50, deadline=None)
@given(markets())
def test_the_best_deviation_is_not_beaten_by_a_grid(market):
    values, clicks = market
    for rule in RULES:
        honest = rule(values, clicks).profits(values)
        grids = [profits_by_bid(rule, values, clicks, i, np.linspace(0, 5, 301)) for i in range(len(values))]
        found = max(g.max() - h for g, h in zip(grids, honest, strict=True))
        assert best_deviation(rule, values, clicks) >= found - 1e-6


@settings(max_examples=50, deadline=None)
@given(markets())
def test_lowest_envy_free_bids_bring_vcgs_payments_and_are_an_equilibrium(market):
    values, clicks = market
    bids = lowest_envy_free_bids(values, clicks)
    sold = generalised_second_price(bids, clicks)
    np.testing.assert_allclose(sold.payments, vcg(values, clicks).payments, atol=1e-12)
    assert best_deviation(generalised_second_price, values, clicks, bids=bids) <= 1e-12
    envied = values[:, None] * sold.clicks - sold.payments  # (bidders, whose slot)
    assert (envied <= sold.profits(values)[:, None] + 1e-12).all()


@settings(max_examples=25, deadline=None)
@given(markets())
def test_prices_are_between_the_reserve_and_the_bid_and_in_order(market):
    bids, clicks = market
    first, second, last = (rule(bids, clicks, reserve=0.3) for rule in RULES)
    assert (first.payments >= second.payments).all()
    assert (second.payments >= last.payments - 1e-12).all()
    assert (last.payments >= 0.3 * last.clicks - 1e-12).all()
    assert not first.clicks[bids < 0.3].any()


@pytest.mark.parametrize("rule", RULES)
def test_a_batch_of_auctions_is_its_auctions(rule):
    bids = np.random.default_rng(0).uniform(size=(7, 4))
    together = rule(bids, np.array([1, 0.5]), reserve=0.2)
    alone = [rule(row, np.array([1, 0.5]), reserve=0.2) for row in bids]
    assert (together.payments == [sold.payments for sold in alone]).all()
    assert (together.clicks == [sold.clicks for sold in alone]).all()


@pytest.mark.parametrize("rule", RULES)
def test_of_equal_bids_the_first_wins_and_pays_its_bid(rule):
    sold = rule(np.array([1.0, 3.0, 3.0]), np.array([2.0]))
    assert sold.clicks.tolist() == [0, 2, 0] and sold.payments.tolist() == [0, 6, 0]


def test_with_one_slot_second_price_is_vcg():
    bids = np.random.default_rng(0).uniform(size=(50, 4))
    sold = [rule(bids, np.array([0.7]), reserve=0.5).payments for rule in RULES[1:]]
    assert (sold[0] == sold[1]).all()


def test_the_soft_auction_is_truthful_and_turns_into_second_price_when_it_is_cold():
    values = np.random.default_rng(0).uniform(size=5)
    for temperature in (0.05, 0.5, 5.0):
        sold = soft_auction(values, temperature)
        share = sold.clicks
        closed = share * values + temperature * np.log1p(-share)
        np.testing.assert_allclose(sold.payments, closed, atol=1e-12)

        def rule(bids, _, temperature=temperature):
            return soft_auction(bids, temperature)

        honest = sold.profits(values)
        for i in range(5):
            earned = profits_by_bid(rule, values, None, i, np.linspace(-1, 3, 401))
            assert earned.max() <= honest[i] + 1e-12
    cold = soft_auction(values, 1e-4).payments
    hard = generalised_second_price(values, np.ones(1)).payments
    np.testing.assert_allclose(cold, hard, atol=1e-12)


def test_what_is_refused():
    for bids, clicks, reserve in (([-1.0, 1], [1.0], 0), ([1.0, 1], [0.5, 1], 0), ([1.0, np.nan], [1.0], 0), ([1.0, 2], [1.0], -1)):
        with pytest.raises(ValueError, match="expected"):
            vcg(np.array(bids), np.array(clicks), reserve=reserve)
    with pytest.raises(ValueError, match="temperature"):
        soft_auction(np.ones(2), 0.0)
