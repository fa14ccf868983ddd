"""Rankers: the merge against a full sort, Plackett-Luce chances, mixed slates under gaps."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.economy import best_slates, compose, sampled_slates, slot_kinds
from recsys.economy.rankers import ADVERT, CONTENT, EXPLORATION


def full_sort(tastes, item_scores, topics, k):
    scores = tastes[:, topics] + item_scores
    index = np.broadcast_to(np.arange(len(topics)), scores.shape)
    return np.lexsort((index, -scores), axis=1)[:, :k]


@given(
    st.integers(1, 5), st.integers(1, 30), st.integers(1, 5), st.sampled_from([0.0, 0.3, 1.0, 1e-16]), st.integers(0, 10**6)
)  # fmt: skip
@settings(max_examples=200)
def test_the_merge_is_a_full_sort_with_ties_by_item_index(n_users, n_items, n_topics, step, seed):
    rng = np.random.default_rng(seed)
    tastes, scores = rng.normal(size=(n_users, n_topics)), rng.normal(size=n_items)
    if step == 1e-16:  # ties that only the rounding of the sum makes
        scores = rng.permutation(n_items) * 1e-17
    elif step:
        tastes, scores = np.rint(tastes / step) * step, np.rint(scores / step) * step
    topics, k = rng.integers(n_topics, size=n_items), int(rng.integers(1, n_items + 1))
    assert np.array_equal(best_slates(tastes, scores, topics, k), full_sort(tastes, scores, topics, k))


def test_the_merge_is_a_full_sort_across_blocks():
    rng = np.random.default_rng(0)
    tastes, scores, topics = rng.normal(size=(2100, 16)), rng.normal(size=500), rng.integers(16, size=500)
    tastes[1030] = 0
    scores[:100] = scores.max()
    assert np.array_equal(best_slates(tastes, scores, topics, 10), full_sort(tastes, scores, topics, 10))


def by_hand(weights, slate):
    left, chances = sum(weights), []
    for item in slate:
        chances.append(weights[item] / left)
        left -= weights[item]
    return chances


def test_propensities_are_the_formula_and_all_slates_sum_to_one():
    scores = np.array([0.3, -1.0, 1.2, 0.0, 0.5])
    slates, chances = sampled_slates(np.tile(scores, (60_000, 1)), 3, temperature=0.7, seed=1)
    weights = np.exp(scores / 0.7)
    assert sum(np.prod(by_hand(weights, slate)) for slate in permutations(range(5), 3)) == pytest.approx(1)
    for slate, chance in zip(slates[:50], chances, strict=False):
        assert chance == pytest.approx(by_hand(weights, slate), rel=1e-12)
    drawn, counts = np.unique(slates, axis=0, return_counts=True)
    assert len(drawn) == 60
    expected = np.array([np.prod(by_hand(weights, slate)) for slate in drawn])
    error = np.sqrt(60_000 * expected * (1 - expected))
    assert np.abs((counts - 60_000 * expected) / error).max() < 5


def test_a_cold_draw_ranks_and_the_last_item_left_is_sure():
    scores = np.random.default_rng(0).normal(size=(40, 6))
    slates, chances = sampled_slates(scores, 6, temperature=1e-4)
    assert np.array_equal(slates, np.argsort(-scores, axis=1))
    assert chances[:, -1] == pytest.approx(1)
    again, _ = sampled_slates(scores, 6, temperature=1.0, seed=3)
    assert np.array_equal(again, sampled_slates(scores, 6, temperature=1.0, seed=3)[0])


@given(st.integers(1, 20), st.integers(0, 6), st.integers(0, 5), st.integers(0, 4))
def test_kinds_keep_their_gaps_or_say_that_they_do_not_fit(n_slots, n_adverts, gap, n_explored):
    settings = {"n_adverts": n_adverts, "gap": gap, "n_explored": n_explored}
    if n_adverts * (gap + 1) + n_explored > n_slots:
        with pytest.raises(ValueError, match="^n_slots: expected at least .*show fewer adverts"):
            slot_kinds(n_slots, **settings)
        return
    kinds = slot_kinds(n_slots, **settings)
    places = np.flatnonzero(kinds == ADVERT)
    assert len(kinds) == n_slots and len(places) == n_adverts
    assert (np.diff(places) > gap).all() and (places >= gap).all()
    assert (np.flatnonzero(kinds == EXPLORATION) == n_slots - n_explored + np.arange(n_explored)).all()
    assert (kinds == CONTENT).sum() == n_slots - n_adverts - n_explored


def test_slates_are_mixed_from_the_lists_in_order_and_hold_nothing_twice():
    rng = np.random.default_rng(0)
    kinds = slot_kinds(10, n_adverts=2, gap=3, n_explored=1)
    content = rng.permuted(np.tile(np.arange(20), (300, 1)), axis=1)[:, :12]
    adverts = np.tile([20, 21, 22], (300, 1))
    explored = rng.integers(20, size=(300, 1))
    slates = compose(kinds, content, adverts, explored)
    assert (slates[:, kinds == ADVERT] == [20, 21]).all()
    assert np.array_equal(slates[:, kinds == EXPLORATION], explored)
    for slate, own, new in zip(slates, content, explored, strict=True):
        assert len(set(slate)) == 10
        assert slate[kinds == CONTENT].tolist() == [item for item in own if item != new][:7]


def test_the_last_slot_costs_least_of_what_exploration_takes():
    kinds = slot_kinds(4, n_explored=1)
    slates = compose(kinds, np.array([[5, 4, 3, 2]]), np.empty((1, 0), int), np.array([[9]]))
    assert slates.tolist() == [[5, 4, 3, 9]]


ONE = np.zeros((1, 2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: best_slates(ONE, np.zeros(3), [0, 1, 2], 1), "topics"),
        (lambda: best_slates(ONE, np.zeros(3), [0, 1], 1), "topics"),
        (lambda: best_slates(ONE, np.zeros(3), [0, 1, 1], 4), "k"),
        (lambda: best_slates(ONE, np.zeros(3), [0, 1, 1], 0), "k"),
        (lambda: best_slates(ONE, [0, np.nan, 1], [0, 1, 1], 1), "item_scores"),
        (lambda: best_slates(np.zeros(2), np.zeros(3), [0, 1, 1], 1), "tastes"),
        (lambda: sampled_slates(ONE, 3), "k"),
        (lambda: sampled_slates(ONE, 1, temperature=0), "temperature"),
        (lambda: sampled_slates([[np.inf, 0]], 1), "scores"),
        (lambda: sampled_slates([0, 1], 1), "scores"),
        (lambda: slot_kinds(5, n_adverts=-1), "n_adverts"),
        (lambda: compose([CONTENT] * 3, [[1, 2]], ONE, ONE), "content"),
        (lambda: compose([CONTENT, ADVERT], [[1], [1]], [[2], [1]], [[], []]), "content"),
        (lambda: compose([ADVERT], [[1]], [[2], [3]], [[]]), "adverts"),
    ],
)
def test_bad_rankings_are_named(call, words):
    with pytest.raises(ValueError, match=f"^{words}.*: expected .*got"):
        call()
