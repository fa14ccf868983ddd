"""Rounds of the feed: the books close, drawn choices agree with them, states follow, bad slates are named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.economy import State, World, best_slates, draw_choices, planted_world, play_round, start, utilities

RUN = {"fatigue_gain": 1.0, "memory_gain": 1.0, "attachment": 2.0, "load": 0.2, "nuisance": 0.5}


@st.composite
def worlds(draw):
    """A small world in any corner: one user, one item, no advert, nobody leaves, everybody does."""
    number = st.floats(0, 3)
    counts = {name: draw(st.integers(1, 6)) for name in ("n_users", "n_items", "n_topics", "n_creators", "n_slots")}
    numbers = {
        name: draw(number) for name in ("load", "nuisance", "price", "fatigue_gain", "memory_gain", "attachment")
    }
    numbers |= {name: draw(st.floats(0, 1)) for name in ("creators_share", "fatigue_kept", "memory_kept")}
    numbers |= {"leave": draw(st.sampled_from([-np.inf, -1.0, np.inf])), "temperature": draw(st.floats(0.02, 10))}
    numbers |= {"minutes": draw(st.sampled_from([0.0, 1.0, 90.0])), "outside": draw(st.floats(-30, 30))}
    world = planted_world(**counts, seed=draw(st.integers(0, 99)), **numbers)
    paid = np.where(np.arange(world.n_items) % 3 == 0, draw(number), 0)
    return replace(
        world, fees=paid, tastes=world.tastes * draw(st.floats(0, 20)), lure=world.lure * draw(st.floats(-2, 5))
    )


def drawn_slates(world, seed=0, k=None):
    rng = np.random.default_rng(seed)
    k = k or min(len(world.examination), world.n_items)
    return rng.permuted(np.tile(np.arange(world.n_items), (world.n_users, 1)), axis=1)[:, :k]


@given(worlds())
@settings(max_examples=150)
def test_the_three_books_close_in_every_drawn_world(world):
    state = start(world)
    for number in range(4):
        _, ledger, state = play_round(world, state, drawn_slates(world, number))
        gaps = ledger.gaps()
        assert gaps.keys() == {"minutes", "money", "utility"}
        assert max(gaps.values()) < 1e-12, gaps
        assert ((state.weight >= 0) & (state.weight <= ledger.weight)).all()


def test_when_everybody_is_gone_the_books_are_empty_and_close():
    world = planted_world(20, 30, leave=np.inf, load=0.3, seed=1)
    _, ledger, state = play_round(world, start(world), drawn_slates(world))
    assert ledger.advertisers > 0 and not state.weight.any()
    _, ledger, state = play_round(world, state, drawn_slates(world))
    assert ledger.advertisers == ledger.platform == ledger.feed.sum() == ledger.creators.sum() == 0
    assert max(ledger.gaps().values()) < 1e-12 and not state.weight.any()


def test_a_ledger_that_is_wrong_shows_it():
    world = planted_world(50, 30, load=0.3, seed=1)
    _, ledger, _ = play_round(world, start(world), drawn_slates(world))
    assert replace(ledger, platform=ledger.platform * 1.001).gaps()["money"] > 1e-5
    assert replace(ledger, outside=ledger.outside * 1.001).gaps()["minutes"] > 1e-5
    assert replace(ledger, realised=ledger.promised).gaps()["utility"] > 1e-2  # forgets what bait takes


def test_a_round_by_hand():
    world = planted_world(
        1, 9, n_topics=3, n_creators=2, n_slots=4, seed=5, minutes=30.0, leave=-1.0, outside=0.4, temperature=0.7,
        price=2.0, creators_share=0.6, **RUN,
    )  # fmt: skip
    world = replace(world, fees=np.where(np.arange(9) == 2, 0.1, 0.0))
    state = State(np.array([[0.3, 0.0, 0.1]]), np.array([0.2]), np.array([0.5]))
    slate = [7, 2, 0, 5]
    divided, ledger, after = play_round(world, state, np.array([slate]))
    u = [world.tastes[0, t] - state.fatigue[0, t] for t in world.topics[slate]]
    u = [x + world.quality[i] + world.lure[i] - 0.2 - 0.5 * 0.2 for x, i in zip(u, slate, strict=True)]
    assert utilities(world, state, np.array([slate]))[0] == pytest.approx(u)
    e = [1 / np.log2(k + 2) for k in range(4)]
    parts = [e[k] * np.exp(u[k] / 0.7) for k in range(4)] + [np.exp(0.4 / 0.7)]
    p = np.array(parts) / sum(parts)
    assert divided.items[0] == pytest.approx(p[:4])
    assert ledger.feed == pytest.approx([15 * p[:4].sum()]) and ledger.outside == pytest.approx([15 * p[4]])
    paid = [15 * p[k] * (0.2 * 2 + (0.1 if i == 2 else 0)) for k, i in enumerate(slate)]
    assert ledger.advertisers == pytest.approx(sum(paid))
    owed = [0.6 * 0.2 * 2 * sum(15 * p[k] for k, i in enumerate(slate) if world.creators[i] == c) for c in (0, 1)]
    assert ledger.creators == pytest.approx(owed)
    lost = sum(p[k] * world.lure[i] for k, i in enumerate(slate))
    kept = 0.7 * np.log(sum(parts)) - lost
    assert ledger.realised == pytest.approx([kept]) and ledger.disappointment == pytest.approx([lost])
    tired = [sum(p[k] for k, i in enumerate(slate) if world.topics[i] == t) for t in range(3)]
    assert after.fatigue[0] == pytest.approx(0.5 * state.fatigue[0] + np.array(tired))
    assert after.memory == pytest.approx([0.5 * 0.2 + lost])
    assert after.weight == pytest.approx([0.5 / (1 + np.exp(-1.0 - 2 * (kept - 0.4)))])


def test_users_do_not_touch_each_other_across_blocks():
    world = planted_world(2500, 40, seed=2, leave=-1.0, **RUN)
    slates, rng = drawn_slates(world), np.random.default_rng(0)
    state = State(rng.random(world.tastes.shape), rng.random(2500), rng.random(2500))
    divided, ledger, after = play_round(world, state, slates)
    rows = np.array([0, 1023, 1024, 2499])
    part = State(state.fatigue[rows], state.memory[rows], state.weight[rows])
    alone, own, then = play_round(replace(world, tastes=world.tastes[rows]), part, slates[rows])
    assert np.array_equal(alone.items, divided.items[rows])
    assert np.array_equal(own.realised, ledger.realised[rows])
    assert np.array_equal(then.fatigue, after.fatigue[rows]) and np.array_equal(then.weight, after.weight[rows])
    assert ledger.items.sum() == pytest.approx(ledger.feed.sum(), rel=1e-12)


def test_a_round_leaves_its_arguments_alone():
    world = planted_world(30, 40, seed=2, leave=-1.0, **RUN)
    state, slates = start(world), drawn_slates(world)
    kept = [array.copy() for array in (state.fatigue, state.memory, state.weight, slates)]
    play_round(world, state, slates)
    assert all(
        np.array_equal(a, b) for a, b in zip(kept, (state.fatigue, state.memory, state.weight, slates), strict=True)
    )


def test_a_million_drawn_choices_are_what_the_shares_expect():
    world = planted_world(2000, 1000, seed=3, outside=1.0)
    slates = drawn_slates(world)
    divided, _, _ = play_round(world, start(world), slates)
    rng, n = np.random.default_rng(7), 500  # 500 choices of each of 2,000 users
    counts, outside = np.zeros(world.n_items), 0
    for _ in range(n):
        slots = draw_choices(divided.items, rng)
        inside = slots < 10
        counts += np.bincount(slates[inside, slots[inside]], minlength=1000)
        outside += (~inside).sum()
    shown, p = slates.ravel(), divided.items.ravel()
    expected = n * np.bincount(shown, p, minlength=1000)
    error = np.sqrt(n * np.bincount(shown, p * (1 - p), minlength=1000))
    assert counts.sum() + outside == 1_000_000
    assert np.abs((counts - expected) / error).max() < 5
    other = divided.outside
    assert abs(outside - n * other.sum()) < 5 * np.sqrt(n * (other * (1 - other)).sum())


def run(world, lured, rounds=40):
    """First-round minutes and all minutes of the ranker by taste + quality + lured * lure."""
    state, minutes = start(world), []
    for _ in range(rounds):
        scores = world.quality + lured * world.lure
        slates = best_slates(world.tastes - state.fatigue, scores, world.topics, 10)
        _, ledger, state = play_round(world, state, slates)
        minutes.append(ledger.feed.sum())
    return minutes[0], sum(minutes)


def test_bait_wins_the_first_round_and_loses_where_users_remember_and_leave():
    world = planted_world(200, 200, seed=1, outside=2.5, leave=-3.0, **RUN)
    (first, total), (bait_first, bait_total) = run(world, 0), run(world, 1)
    assert bait_first > first and bait_total < total
    captive = replace(world, leave=-np.inf, memory_gain=0.0)
    assert run(captive, 1)[1] > run(captive, 0)[1]


SMALL = planted_world(3, 12, n_slots=4, seed=0)


@pytest.mark.parametrize(
    ("slates", "words"),
    [
        ([[0, 1, 2, 0], [0, 1, 2, 3], [0, 1, 2, 3]], "no item twice in a slate, got item 0 twice for user 0"),
        ([[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 12]], "items from 0 to 11, got 12 for user 2 in slot 3"),
        ([[0, 1, 2, 3], [0, -1, 2, 3], [0, 1, 2, 3]], "items from 0 to 11, got -1 for user 1 in slot 1"),
        ([[0, 1], [2, 3]], r"shape \(3 users, slots\), got int64 of shape \(2, 2\)"),
        ([0, 1, 2], "shape"),
        ([[0.0], [1.0], [2.0]], "whole numbers .* got float64"),
        ([[], [], []], "got float64"),
        (np.zeros((3, 0), int), "1 to 4 slots, got 0"),
        (np.tile(np.arange(5), (3, 1)), "1 to 4 slots, got 5"),
    ],
)
def test_a_bad_slate_is_named(slates, words):
    for call in (play_round, utilities):
        with pytest.raises(ValueError, match=f"^slates: expected .*{words}"):
            call(SMALL, start(SMALL), slates)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("minutes", -1.0), ("minutes", np.inf), ("temperature", 0.0), ("temperature", -2.0), ("load", -0.1),
        ("price", np.nan), ("creators_share", 1.1), ("fatigue_kept", 2.0), ("outside", np.inf), ("leave", np.nan),
        ("quality", np.zeros(3)), ("fees", np.full(12, -1.0)), ("lure", np.full(12, np.nan)), ("topics", np.full(12, 16)),
        ("creators", np.full(12, -1)), ("examination", np.array([1.0, 0.0])), ("examination", np.array([2.0])),
        ("tastes", np.zeros((0, 16))),
    ],
)  # fmt: skip
def test_a_bad_world_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name}: expected .*got"):
        replace(SMALL, **{name: value})


def test_a_state_of_another_world_is_named():
    with pytest.raises(ValueError, match="^state: expected .*got .*begin with"):
        play_round(SMALL, start(planted_world(4, 12, n_slots=4)), drawn_slates(SMALL))


def test_a_world_without_items_or_users_is_refused():
    with pytest.raises(ValueError, match="^n_items: expected at least 1"):
        planted_world(3, 0)
    with pytest.raises(ValueError, match="^n_users: expected at least 1"):
        planted_world(0, 3)
    assert isinstance(planted_world(1, 1, n_topics=1, n_creators=1, n_slots=1), World)
