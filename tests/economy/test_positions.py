"""Chances of looks from clicks: planted curves, exact counts, and what the algorithm may never do."""

import numpy as np
import pytest

from recsys.economy import fit_positions, slot_rates


def table(e, g, shown):
    """Rows whose counts are what the model expects, shown times clicked."""
    rows = []
    for k in range(len(e)):
        for i in range(len(g)):
            clicks = round(shown * e[k] * g[i])
            rows += [(i, k, n < clicks) for n in range(shown)]
    items, slots, clicks = (np.array(column) for column in zip(*rows, strict=True))
    return items, slots, clicks


def test_the_model_finds_what_was_planted_and_items_in_the_first_slot():
    e, g = np.array([0.8, 0.4, 0.2]), np.array([0.5, 0.25, 0.1, 0.05])
    items, slots, clicks = table(e, g, 1000)
    found = fit_positions(items, slots, clicks, n_steps=3000)
    assert np.allclose(found.examination, e / e[0], atol=1e-3)
    assert np.allclose(found.liking, e[0] * g, atol=1e-3)


def test_rates_are_told_by_the_first_slot_even_where_another_is_looked_at_more():
    slots = np.repeat([0, 1, 2], 100)
    clicks = np.concatenate([np.arange(100) < n for n in (20, 50, 5)])
    assert slot_rates(slots, clicks, 3) == pytest.approx([1, 2.5, 0.25])


def test_no_step_lowers_the_likelihood():
    rng = np.random.default_rng(0)
    items, slots = rng.integers(6, size=4000), rng.integers(4, size=4000)
    clicks = rng.random(4000) < np.array([0.9, 0.5, 0.3, 0.2])[slots] * rng.random(6)[items]

    def likelihood(n_steps):
        e, g = fit_positions(items, slots, clicks, n_steps)
        chance = e[slots] * g[items]
        return np.log(np.where(clicks, chance, 1 - chance)).sum()

    steps = [likelihood(n) for n in range(1, 12)]
    assert (np.diff(steps) > -1e-9).all() and steps[-1] > steps[0]


def test_dealt_slots_need_no_model_and_ranked_ones_do():
    rng = np.random.default_rng(1)
    e, g = np.array([1.0, 0.5, 0.25]), np.array([0.6, 0.3, 0.1])
    ranked = np.argsort(-np.log(g) - rng.gumbel(size=(60_000, 3)), axis=1)
    dealt = rng.permuted(ranked, axis=1)
    slots = np.broadcast_to(np.arange(3), ranked.shape).ravel()
    clicks = {name: (rng.random(shown.shape) < e * g[shown]).ravel() for name, shown in (("ranked", ranked), ("dealt", dealt))}
    assert np.allclose(slot_rates(slots, clicks["dealt"], 3), e, atol=0.02)
    assert slot_rates(slots, clicks["ranked"], 3)[2] < 0.15, "the first slot has the better items"
    assert np.allclose(fit_positions(ranked.ravel(), slots, clicks["ranked"], 500).examination, e, atol=0.03)


@pytest.mark.parametrize("call, said", [
    (lambda: slot_rates(np.array([0, 2]), np.array([True, True]), 3), "got none in slot 1"),
    (lambda: slot_rates(np.array([0, 1]), np.array([False, True]), 2), "expected one in the first slot, got none"),
    (lambda: slot_rates(np.array([0, 5]), np.array([False, True]), 2), "from 0 to 1, got 5"),
    (lambda: fit_positions(np.array([0, 2]), np.array([0, 0]), np.array([True, False])), "number them without gaps"),
    (lambda: fit_positions(np.array([0]), np.array([0, 0]), np.array([True, False])), "expected one length"),
])  # fmt: skip
def test_what_can_not_be_told_apart_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
