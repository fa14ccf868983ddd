"""Bridging rank: its loss, its minimum, and planted camps whose truth is known."""

import numpy as np
import pytest
from scipy.optimize import minimize

from recsys.economy.bridging import FACTOR_PENALTY, HELPFUL_FROM, INTERCEPT_PENALTY, fit_bridging


def planted(seed=0, n_raters=200, each=10, a_note=40, own=0.9):
    """Notes that both camps like (0), that camp 0 likes (1), that camp 1 likes (2), that nobody does (3)."""
    rng = np.random.default_rng(seed)
    camp, kind = rng.integers(0, 2, n_raters), np.repeat(np.arange(4), each)
    likes = np.array([[1, 1], [1, 0], [0, 1], [0, 0]])
    raters = []
    for k in kind:
        seen = np.where(camp == k - 1, own, 1 - own) if k in (1, 2) else np.ones(n_raters)
        raters.append(rng.choice(n_raters, a_note, replace=False, p=seen / seen.sum()))
    raters, notes = np.concatenate(raters), np.repeat(np.arange(len(kind)), a_note)
    ratings = np.where(rng.random(len(notes)) < 0.05, 1, 0) ^ likes[kind[notes], camp[raters]]
    return np.unique(raters, return_inverse=True)[1], notes, ratings.astype(float), kind, camp


def published_loss(parameters, raters, notes, ratings):
    """Mean squared error plus penalties on means of squares, written from the documentation."""
    n_raters, n_notes = raters.max() + 1, notes.max() + 1
    mean, i_u, f_u, i_n, f_n = np.split(parameters, np.cumsum([1, n_raters, n_raters, n_notes]))
    error = ratings - mean - i_u[raters] - i_n[notes] - f_u[raters] * f_n[notes]
    intercepts = mean[0] ** 2 + (i_u**2).mean() + (i_n**2).mean()
    return (error**2).mean() + INTERCEPT_PENALTY * intercepts + FACTOR_PENALTY * ((f_u**2).mean() + (f_n**2).mean())


def flat(fitted):
    return np.concatenate([[fitted.mean], *fitted.raters.T, *fitted.notes.T])


def test_the_fit_is_a_minimum_of_the_published_loss_that_descent_finds_too():
    raters, notes, ratings, _, _ = planted(n_raters=40, each=4, a_note=15)
    fitted = fit_bridging(raters, notes, ratings)
    loss = published_loss(flat(fitted), raters, notes, ratings)
    assert fitted.loss == pytest.approx(loss, rel=1e-12)
    start = np.random.default_rng(1).normal(scale=0.1, size=flat(fitted).size)
    descent = minimize(published_loss, start, args=(raters, notes, ratings), method="L-BFGS-B", options={"maxiter": 3000, "maxfun": 10**6})
    assert fitted.loss == pytest.approx(descent.fun, abs=1e-5)
    near = flat(fitted) + np.random.default_rng(2).normal(scale=1e-3, size=(50, flat(fitted).size))
    assert min(published_loss(p, raters, notes, ratings) for p in near) > loss


def test_the_numbers_are_those_of_the_documentation():
    assert (INTERCEPT_PENALTY, FACTOR_PENALTY, HELPFUL_FROM) == (0.15, 0.03, 0.40)


def test_more_sweeps_never_raise_the_loss_and_starts_agree():
    log = planted()[:3]
    losses = [fit_bridging(*log, sweeps=sweeps).loss for sweeps in (1, 2, 5, 20, 100)]
    assert losses == sorted(losses, reverse=True)
    one, other = (fit_bridging(*log, seed=seed) for seed in (0, 1))
    assert one.notes[:, 0] == pytest.approx(other.notes[:, 0], abs=1e-6)
    assert np.abs(one.notes[:, 1]) == pytest.approx(np.abs(other.notes[:, 1]), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_only_notes_that_both_camps_like_pass_and_factors_find_the_camps(seed):
    raters, notes, ratings, kind, _ = planted(seed)
    fitted = fit_bridging(raters, notes, ratings)
    passes = fitted.notes[:, 0] >= HELPFUL_FROM
    assert passes[kind == 0].all() and not passes[kind == 3].any()
    assert passes[(kind == 1) | (kind == 2)].mean() < 0.1
    sides = np.sign(fitted.notes[:, 1])
    assert len(set(sides[kind == 1])) == len(set(sides[kind == 2])) == 1 and sides[kind == 1][0] != sides[kind == 2][0]


@pytest.mark.parametrize("seed", range(3))
def test_swapped_penalties_let_a_camp_pass_its_own_notes(seed):
    raters, notes, ratings, kind, _ = planted(seed)
    swapped = fit_bridging(raters, notes, ratings, intercept_penalty=FACTOR_PENALTY, factor_penalty=INTERCEPT_PENALTY)
    published = fit_bridging(raters, notes, ratings)
    one_camp = (kind == 1) | (kind == 2)
    assert (swapped.notes[one_camp, 0] > published.notes[one_camp, 0]).all()
    assert (swapped.notes[one_camp, 0] >= HELPFUL_FROM).mean() > 0.2


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="one of each a rating"):
        fit_bridging(np.zeros(3, int), np.zeros(2, int), np.zeros(3))
    with pytest.raises(ValueError, match="penalties"):
        fit_bridging(np.zeros(2, int), np.arange(2), np.zeros(2), factor_penalty=0)
    with pytest.raises(ValueError, match="notes: expected at least one rating each, got none of number 1"):
        fit_bridging(np.arange(2), np.array([0, 2]), np.zeros(2))
