"""The log of a feed: complete, closed against the ledger, cleaned without a leak, labelled, read for conversion."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.economy import (
    FeedLog, State, clean, conversion, draw_log, fit_cleaning, inverse_propensities, labels, planted_world, play_round,
    purchase_chances, sampled_slates, start, utilities,
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn():
    """A world, its slates with propensities, and a log of them."""
    world = planted_world(40_000, 30, n_slots=5, seed=4, outside=1.0)
    scores = (world.tastes[:, world.topics] + world.quality) / 2
    slates, chances = sampled_slates(scores, 5, seed=1)
    log = draw_log(world, start(world), slates, seed=2, propensities=chances, round=3)
    return world, slates, chances, log


def within(estimate, truth, error):
    assert abs(estimate - truth) < 5 * error, (estimate, truth, error)


def test_every_row_is_an_impression_that_was_shown(drawn):
    world, slates, chances, log = drawn
    assert len(log) == slates.size and (log.round == 3).all()
    assert np.array_equal(log.item, slates[log.user, log.position])
    assert np.array_equal(log.propensity, chances[log.user, log.position])
    assert np.bincount(log.user, log.click).max() == 1  # one choice of a slate
    assert log.view[log.click].all()
    for follows in (log.like, log.purchase, log.dwell > 0, ~np.isnan(log.rating)):
        assert follows.any() and not (follows & ~log.click).any()
    assert set(np.unique(log.rating[~np.isnan(log.rating)])) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert not log.imputed.any()


def test_who_has_left_is_shown_nothing():
    world = planted_world(5000, 20, n_slots=4, seed=4)
    slates = np.tile(np.arange(4), (5000, 1))
    state = State(np.zeros(world.tastes.shape), np.zeros(5000), np.where(np.arange(5000) < 2500, 0.0, 0.5))
    log = draw_log(world, state, slates, seed=0)
    there = np.unique(log.user)
    assert (there >= 2500).all() and np.isnan(log.propensity).all()
    within(len(there), 1250, np.sqrt(625))
    assert not len(draw_log(world, replace(state, weight=np.zeros(5000)), slates, seed=0))


def test_clicks_dwell_and_views_close_against_the_ledger(drawn):
    world, slates, _, log = drawn
    divided, ledger, _ = play_round(world, start(world), slates)
    p = divided.items
    within(log.click.sum(), p.sum(), np.sqrt((p * (1 - p)).sum()))
    within(log.dwell.sum(), ledger.feed.sum(), log.dwell.std() * np.sqrt(len(log)))
    for slot in range(5):
        own, e = log.position == slot, world.examination[slot]
        seen = (p[:, slot] + (1 - p[:, slot]) * e).mean()
        within(log.view[own].mean(), seen, np.sqrt(seen * (1 - seen) / own.sum()) + 1e-12)


def test_a_disappointed_click_is_left_early_more_often(drawn):
    world, slates, _, log = drawn
    kept = (utilities(world, start(world), slates) - world.lure[slates])[log.user, log.position]
    early = log.dwell < 0.05 * world.minutes
    good, bad = log.click & (kept > 1), log.click & (kept < 0)
    assert early[bad].mean() > 2 * early[good].mean()


def test_a_lure_brings_clicks_and_no_purchases(drawn):
    world, slates, _, _ = drawn
    louder = replace(world, lure=world.lure + 1)
    truth = purchase_chances(world, start(world), slates)
    assert purchase_chances(louder, start(louder), slates) == pytest.approx(truth, rel=1e-12)
    assert (play_round(louder, start(louder), slates)[0].outside < play_round(world, start(world), slates)[0].outside).all()


def test_conversion_over_the_entire_space_finds_the_planted_truth(drawn):
    world, slates, _, log = drawn
    chances = play_round(world, start(world), slates)[0].items[log.user, log.position]
    truth = purchase_chances(world, start(world), slates)[log.user, log.position]
    read = conversion(log, chances)
    bought = log.purchase / chances
    within(read.entire_space, truth.mean(), bought.std() / np.sqrt(len(log)))
    within(read.per_impression, (chances * truth).mean(), np.sqrt(read.per_impression / len(log)))
    share = (chances * truth).sum() / chances.sum()
    within(read.per_click, share, np.sqrt(share * (1 - share) / log.click.sum()))
    assert read.per_click > 1.3 * truth.mean()  # who clicks likes it more


def test_inverse_propensities_read_the_log_as_if_slates_were_drawn_evenly():
    world = planted_world(60_000, 4, n_topics=4, n_slots=2, seed=0, outside=0.5)
    world = replace(world, tastes=np.tile(world.tastes[:1], (60_000, 1)))
    scores = world.tastes[:, world.topics]
    slates, chances = sampled_slates(scores, 2, seed=1)
    log = draw_log(world, start(world), slates, seed=2, propensities=chances)
    weights = inverse_propensities(log)
    assert weights == pytest.approx(1 / chances.prod(axis=1)[log.user])
    pairs = [[a, b] for a in range(4) for b in range(4) if a != b]
    few = replace(world, tastes=world.tastes[:12])
    truth = play_round(few, start(few), np.array(pairs))[0].items.sum(axis=1).mean()
    value = log.click * weights / 12  # 12 slates that are as likely under an even draw
    within(value.sum() / 60_000, truth, np.bincount(log.user, value).std() / np.sqrt(60_000))
    naive = log.click.sum() / 60_000
    assert abs(naive - truth) > 10 * np.sqrt(naive * (1 - naive) / 60_000)


def test_each_behaviour_is_counted_with_its_weight(drawn):
    log = drawn[3]
    for name in ("view", "click", "like", "purchase", "dwell", "rating"):
        column = np.nan_to_num(getattr(log, name).astype(float))
        assert np.array_equal(labels(log, {name: 2.0}), 2 * column) and column.any()
    mixed = labels(log, {"click": 1.0, "purchase": 5.0, "dwell": 0.1})
    assert mixed == pytest.approx(log.click + 5.0 * log.purchase + 0.1 * log.dwell)
    lost = replace(log, dwell=np.full(len(log), np.nan))
    assert not labels(lost, {"dwell": 1.0}).any() and not labels(log, {}).any()


@pytest.fixture(scope="module")
def dirty(drawn):
    """The first 4,000 users with doubles, lost dwell, and a bot that clicks on everything."""
    log = drawn[3].rows(drawn[3].user < 4000)
    rng = np.random.default_rng(0)
    bot = log.user == 17
    click, dwell = log.click | bot, np.where(bot, 0.01, log.dwell)
    dwell = np.where(click & ~bot & (rng.random(len(log)) < 0.1), np.nan, dwell)
    log = replace(log, click=click, dwell=dwell)
    return log.rows(np.append(np.arange(len(log)), rng.integers(len(log), size=500)))


def same(one, other):
    pairs = zip(one.columns().values(), other.columns().values(), strict=True)
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


def test_cleaning_takes_what_was_put_in(drawn, dirty):
    fitted = fit_cleaning(dirty, shortest=1.0)
    cleaned = clean(dirty, fitted)
    raw = drawn[3].rows((drawn[3].user < 4000) & (drawn[3].user != 17))
    assert len(cleaned) == len(raw) and np.array_equal(cleaned.item, raw.item)
    assert not np.isnan(cleaned.dwell).any()
    lost = cleaned.imputed
    assert 50 < lost.sum() < 800 and (cleaned.dwell[lost] == fitted.dwell).all()
    assert np.array_equal(cleaned.dwell[~lost], raw.dwell[~lost])
    assert np.array_equal(cleaned.click, raw.click & (cleaned.dwell >= 1.0)) and (raw.click & ~cleaned.click).any()


def test_to_clean_twice_is_to_clean_once(dirty):
    fitted = fit_cleaning(dirty, shortest=1.0)
    once = clean(dirty, fitted)
    assert same(clean(once, fitted), once) and not same(once, dirty)


def test_the_test_log_is_cleaned_by_the_training_log_alone(dirty):
    train, test = dirty.rows(dirty.user < 2000), dirty.rows(dirty.user >= 2000)
    fitted = fit_cleaning(train)
    slower = replace(test, dwell=test.dwell * 10)
    lost = np.isnan(test.dwell)
    for log in (test, slower, slower.rows(slower.user > 3000)):
        cleaned = clean(log, fitted)
        assert (cleaned.dwell[cleaned.imputed] == fitted.dwell).all()
    assert lost.any() and fitted != fit_cleaning(test)
    users = [clean(test.rows(test.user == user), fitted) for user in range(2000, 2020)]
    together = clean(test.rows(test.user < 2020), fitted)
    assert len(together) == sum(map(len, users))


def test_cleaning_an_empty_log_gives_an_empty_log(dirty):
    assert not len(clean(dirty.rows(np.zeros(len(dirty), bool)), fit_cleaning(dirty)))


def test_bad_logs_are_named(drawn):
    world, slates, chances, log = drawn
    few = log.rows(np.arange(20))
    zero = replace(few, propensity=np.where(np.arange(20) == 7, 0.0, few.propensity))
    silent = replace(few, click=np.zeros(20, bool))
    cases = [
        (lambda: inverse_propensities(replace(few, propensity=np.full(20, np.nan))), "propensity: .*got nan in row 0"),
        (lambda: inverse_propensities(zero), "propensity: .*got 0.0 in row 7"),
        (lambda: inverse_propensities(replace(few, propensity=few.propensity + 1)), "propensity: .*at most 1"),
        (lambda: labels(few, {"stare": 1.0}), "weights: .*got 'stare'"),
        (lambda: conversion(silent, np.ones(20)), "log: expected a click"),
        (lambda: conversion(few, np.zeros(20)), "click_chances: .*above 0"),
        (lambda: conversion(few, np.ones(3)), "click_chances: .*shape"),
        (lambda: fit_cleaning(silent), "train: expected a click"),
        (lambda: fit_cleaning(few.rows(np.array([], int))), "train: expected a click"),
        (lambda: fit_cleaning(few, shortest=-1.0), "shortest: "),
        (lambda: draw_log(world, start(world), slates, seed=0, propensities=chances[:, 0]), "propensities: "),
        (lambda: FeedLog(**{**few.columns(), "item": np.arange(3)}), "columns: "),
    ]
    for call, words in cases:
        with pytest.raises(ValueError, match=f"^{words}"):
            call()
