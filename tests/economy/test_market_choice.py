"""How a budget is divided: sums, slopes, concentration, rivals that hurt or help, the price of adverts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import lambertw

from recsys.attention import central_differences, effective_number
from recsys.economy import inattentive, nested_shares, shares

UTILITIES = st.lists(st.floats(-30, 30), min_size=1, max_size=8)
HEAT = st.floats(0.05, 20)


def draws(count, n_items, seed):
    return np.random.default_rng(seed).normal(0, 1.5, (count, n_items))


@given(UTILITIES, HEAT, st.floats(-30, 30))
def test_shares_sum_to_one_and_a_copy_of_the_formula_agrees(utilities, heat, outside):
    examination = 1 / np.arange(1, len(utilities) + 1)
    divided = shares([utilities], temperature=heat, outside=outside, examination=examination)
    assert divided.items.sum() + divided.outside[0] == pytest.approx(1, abs=1e-14)
    top = max(*utilities, outside)
    parts = [e * np.exp((u - top) / heat) for e, u in zip([*examination, 1], [*utilities, outside], strict=True)]
    assert np.append(divided.items[0], divided.outside) == pytest.approx(np.array(parts) / sum(parts), abs=1e-14)
    assert divided.surplus[0] == pytest.approx(top + heat * np.log(sum(parts)), rel=1e-12, abs=1e-12)


@given(UTILITIES, st.floats(0.3, 5))
def test_the_slope_of_the_surplus_is_the_share(utilities, heat):
    utilities, examination = np.array(utilities), 0.8 ** np.arange(len(utilities))
    settings = {"temperature": heat, "outside": 1.0, "examination": examination}
    slope = central_differences(lambda u: shares(u[None], **settings).surplus[0], {"u": utilities}, "u")
    assert slope == pytest.approx(shares(utilities[None], **settings).items[0], abs=2e-6)


def test_a_rival_scales_every_incumbent_by_what_it_leaves():
    utilities = draws(10_000, 6, seed=0)
    before = shares(utilities[:, :5])
    after = shares(utilities)
    left = 1 - after.items[:, 5:]
    assert np.abs(after.items[:, :5] - before.items * left).max() < 1e-14
    assert (after.items[:, :5] < before.items).all() and (after.outside < before.outside).all()
    assert (after.surplus > before.surplus).all()


@pytest.mark.parametrize("inner", [0.2, 0.7, 1.0])
def test_a_rival_in_nests_up_to_one_raises_nobody(inner):
    utilities, nests = draws(2000, 5, seed=1), np.array([0, 0, 1, 1, 0])
    before = nested_shares(utilities[:, :4], nests[:4], inner)
    after = nested_shares(utilities, nests, inner)[:, :4]
    assert (after <= before + 1e-14).all()
    assert after.sum(axis=1) == pytest.approx(1 - nested_shares(utilities, nests, inner)[:, 4])


def test_nests_at_one_are_softmax():
    utilities = draws(50, 5, seed=2)
    plain = shares(utilities, outside=-np.inf).items
    assert nested_shares(utilities, [3, 3, 9, 9, 3], 1.0) == pytest.approx(plain, abs=1e-14)


@pytest.mark.parametrize(("inner", "least"), [(1.5, 300), (3.0, 800)])
def test_a_rival_in_a_nest_above_one_raises_an_incumbent(inner, least):
    utilities, nests = draws(2000, 5, seed=3), np.array([0, 0, 1, 1, 0])
    before = nested_shares(utilities[:, :4], nests[:4], inner)
    after = nested_shares(utilities, nests, inner)[:, :4]
    raised = (after > before + 1e-12).any(axis=0), (after > before + 1e-12).any(axis=1).sum()
    assert raised[0].tolist() == [True, True, False, False]  # only its own nest
    assert raised[1] >= least


@pytest.mark.parametrize(("heat", "good", "alone", "beside"), [(0.5, 0.2, 0.0, 0.2325), (0.3, 0.4, 0.3534, 0.4340)])
def test_a_third_action_makes_the_inattentive_look_at_a_gamble(heat, good, alone, beside):
    prior = np.array([good, 1 - good])
    sure, gamble, third = [0.5, 0.5], [1.0, 0.0], [-0.75, 0.75]  # in the good state, in the bad
    _, before = inattentive(np.array([sure, gamble]).T, prior, heat)
    _, after = inattentive(np.array([sure, gamble, third]).T, prior, heat)
    assert before[1] == pytest.approx(alone, abs=5e-5)
    assert after[1] == pytest.approx(beside, abs=5e-5)


@pytest.mark.parametrize(
    ("heat", "top", "items"), [(2, 0.081, 787), (1, 0.391, 180), (0.5, 0.943, 5.1), (0.25, 1.0, 1.4)]
)
def test_shares_concentrate_as_the_temperature_falls(heat, top, items):
    utilities = -np.log(np.arange(1, 1001))[None]
    divided = shares(utilities, temperature=heat, outside=-np.inf).items[0]
    assert divided[:10].sum() == pytest.approx(top, abs=5e-4)
    assert effective_number(divided) == pytest.approx(items, rel=0.02)


def test_colder_is_more_concentrated_in_every_drawn_market():
    heats = [4, 2, 1, 0.5, 0.25, 0.1]
    counts = [effective_number(shares(draws(200, 20, 4), temperature=t, outside=-np.inf).items) for t in heats]
    assert (np.diff(counts, axis=0) <= 1e-9).all()


@pytest.mark.parametrize(("utility", "heat", "nuisance"), [(3.0, 1.0, 2.0), (1.0, 0.5, 0.7), (-1.0, 2.0, 1.0)])
def test_the_best_advert_load_is_a_price(utility, heat, nuisance):
    loads = np.linspace(0.01, 4, 400_000) * heat / nuisance
    divided = shares((utility - nuisance * loads)[:, None], temperature=heat)
    best = np.argmax(loads * divided.items[:, 0])
    share = divided.items[best, 0]
    assert loads[best] == pytest.approx(heat / (nuisance * (1 - share)), rel=1e-4)
    closed = heat / nuisance * (1 + lambertw(np.exp(utility / heat - 1)).real)
    assert loads[best] == pytest.approx(closed, rel=1e-4)


@pytest.mark.parametrize(("platforms", "load"), [(1, 1.279), (2, 0.887), (3, 0.726), (5, 0.620), (10, 0.555)])
def test_rivals_lower_the_load_and_nobody_gains_by_another(platforms, load):
    def own(at, others):
        utilities = 3 - 2 * np.append(at, np.full(platforms - 1, others))
        return shares(utilities[None]).items[0, 0]

    settled = brentq(lambda x: x - 1 / (2 * (1 - own(x, x))), 0.5, 3)
    assert settled == pytest.approx(load, abs=5e-4)
    others = np.linspace(0.1, 3, 500)
    assert max(x * own(x, settled) for x in others) <= settled * own(settled, settled) + 1e-12


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: shares(np.zeros((1, 2)), temperature=0), "temperature"),
        (lambda: shares(np.zeros((1, 2)), temperature=-1), "temperature"),
        (lambda: shares(np.zeros(2)), "utilities"),
        (lambda: shares([[0, np.nan]]), "utilities"),
        (lambda: shares([[0.0]], outside=np.nan), "outside"),
        (lambda: shares([[0.0, 1.0]], examination=[1.0]), "examination"),
        (lambda: shares([[0.0, 1.0]], examination=[1.0, 0.0]), "examination"),
        (lambda: nested_shares([[0.0, 1.0]], [0, 1], 0), "inner"),
        (lambda: nested_shares([[0.0, 1.0]], [0], 1), "nests"),
        (lambda: inattentive([[0.0, 1.0]], [0.5], 1), "prior"),
        (lambda: inattentive([[0.0, np.inf]], [1.0], 1), "values"),
    ],
)
def test_bad_input_is_named_with_what_was_expected(call, words):
    with pytest.raises(ValueError, match=rf"^{words}: expected .*got"):
        call()
