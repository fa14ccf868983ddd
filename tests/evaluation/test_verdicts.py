"""Two-way intervals and tests over seeds and units, Holm, equivalence, verdicts."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recsys import evaluation as ev

HUNDRED = np.random.default_rng(0).normal(0.2, 1, (5, 100))


def drawn(rng, n_seeds, n_units, seed_sd, unit_sd, rest_sd, draw=None):
    """A table without a difference, of three parts."""
    draw = draw or rng.standard_normal
    seeds = seed_sd * rng.standard_normal((n_seeds, 1))
    return seeds + unit_sd * draw((1, n_units)) + rest_sd * draw((n_seeds, n_units))


def exact(rng, n_seeds, n_units, seed_sd, unit_sd, rest_sd):
    """A table whose mean squares are what is expected of these standard deviations, to the last digit."""
    seeds, units = rng.standard_normal((n_seeds, 1)), rng.standard_normal((1, n_units))
    rest = rng.standard_normal((n_seeds, n_units))
    rest = rest - rest.mean(0) - rest.mean(1, keepdims=True) + rest.mean()
    rest *= rest_sd / np.sqrt((rest**2).sum() / ((n_seeds - 1) * (n_units - 1)))
    seeds *= np.sqrt(seed_sd**2 + rest_sd**2 / n_units) / seeds.std(ddof=1)
    units *= np.sqrt(unit_sd**2 + rest_sd**2 / n_seeds) / units.std(ddof=1)
    return seeds - seeds.mean() + units - units.mean() + rest


def false_alarms(tables, level=0.05):
    return np.mean([ev.two_way_test(table).p_value < level for table in tables])


# The bootstrap interval.


def test_with_one_seed_the_interval_is_the_bootstrap_over_units():
    assert ev.two_way_interval(HUNDRED[:1], 0.9, 3) == ev.bootstrap_interval(HUNDRED[0], 0.9, 3)


def test_seeds_that_agree_add_nothing_to_the_bootstrap_over_units():
    one, both = ev.bootstrap_interval(HUNDRED[0]), ev.two_way_interval(np.repeat(HUNDRED[:1], 4, 0))
    assert both.mean == pytest.approx(one.mean) and both[1:] == pytest.approx(one[1:], abs=0.02)


def test_units_that_agree_leave_the_bootstrap_over_seeds():
    seeds = np.arange(30.0) % 7
    one, both = ev.bootstrap_interval(seeds), ev.two_way_interval(np.repeat(seeds[:, None], 9, 1))
    assert both == pytest.approx(one, abs=0.06)


@pytest.mark.parametrize("parts", [(1, 5, 0), (0, 0, 5), (1, 5, 5)])
def test_the_interval_has_the_width_of_the_pigeonhole_variance(parts):
    """With counts of 1 +- 1 - 1/n each, the variance is the sum of three parts that are known."""
    d = drawn(np.random.default_rng(1), 12, 150, *parts)
    seeds, units = d.mean(1) - d.mean(), d.mean(0) - d.mean()
    rest = d - d.mean() - seeds[:, None] - units
    variance = (seeds**2).mean() / 12 + (units**2).mean() / 150 + (rest**2).mean() / d.size
    interval = ev.two_way_interval(d, 0.9, 2)
    assert interval.high - interval.low == pytest.approx(2 * 1.645 * np.sqrt(variance), rel=0.07)


def test_the_interval_ignores_the_order_of_seeds_and_units_but_for_its_draws():
    turned = ev.two_way_interval(HUNDRED[::-1, ::-1])
    assert turned == pytest.approx(ev.two_way_interval(HUNDRED), abs=0.03)


def test_forty_thousand_users_take_bounded_memory():
    table = np.random.default_rng(0).normal(size=(5, 40_000))
    tracemalloc.start()
    ev.two_way_interval(table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # the counts alone would be 640 MB


def test_the_percentile_interval_misses_too_often_where_seeds_vary_most():
    """Why it is no test: five seeds look like many to it."""
    rng = np.random.default_rng(2)
    intervals = [ev.two_way_interval(drawn(rng, 5, 20, 2, 1, 1)) for _ in range(300)]
    assert np.mean([not low < 0 < high for _, low, high in intervals]) > 0.09


# The test.


@pytest.mark.parametrize("table, of", [(HUNDRED[:1], HUNDRED[0]), (np.repeat(HUNDRED[:, :1], 9, 1), HUNDRED[:, 0])])
def test_one_way_tables_give_the_t_test_of_scipy(table, of):
    """One seed: over units. Units that all agree: over seeds."""
    found, expected = ev.two_way_test(table, 0.9), stats.ttest_1samp(of, 0)
    assert found[:4] == pytest.approx([of.mean(), *expected.confidence_interval(0.9), expected.pvalue])
    assert found.degrees_of_freedom == pytest.approx(expected.df)


def test_the_standard_error_is_that_of_the_three_parts():
    error = ev.two_way_test(exact(np.random.default_rng(3), 5, 60, 0.2, 1, 2)).standard_error
    assert error**2 == pytest.approx(0.2**2 / 5 + 1 / 60 + 2**2 / 300)


@pytest.mark.parametrize("parts, freedom", [((1, 0, 0.01), 4), ((0, 1, 0), 59)])
def test_degrees_of_freedom_are_those_of_what_varies(parts, freedom):
    test = ev.two_way_test(exact(np.random.default_rng(3), 5, 60, *parts))
    assert test.degrees_of_freedom == pytest.approx(freedom, rel=1e-3)


MIXTURES = [(0, 1, 0.5), (0, 1, 2), (0, 0, 1), (1, 1, 0), (1, 1, 1), (2.24, 1, 1), (10, 1, 1)]


@pytest.mark.parametrize("n_units", [40, 943])
@pytest.mark.parametrize("seeds, units, rest", MIXTURES)
def test_false_alarms_are_near_5_percent_with_five_seeds(n_units, seeds, units, rest):
    """`seeds` is their standard deviation in standard errors over units."""
    rng = np.random.default_rng([7, n_units])
    parts = seeds / np.sqrt(n_units), units, rest
    found = false_alarms(drawn(rng, 5, n_units, *parts) for _ in range(1_500))
    assert 0.025 < found < 0.067  # 5% +- three standard errors; the least is measured as 3.8%


def test_false_alarms_stay_so_where_three_differences_in_four_are_zero():
    rng = np.random.default_rng(8)

    def sparse(shape):
        return (rng.random(shape) < 0.25) * rng.choice([-1, 1], shape) * rng.beta(2, 2, shape) / 0.27

    found = false_alarms(drawn(rng, 5, 40, 0.15, 1, 1, sparse) for _ in range(1_500))
    assert 0.033 < found < 0.067


def test_the_interval_of_the_test_holds_zero_exactly_if_the_p_value_is_large():
    rng = np.random.default_rng(9)
    tests = [ev.two_way_test(drawn(rng, 4, 20, 1, 1, 1) + 0.8) for _ in range(200)]
    significant = [test.p_value < 0.05 for test in tests]
    assert significant == [not test.low <= 0 <= test.high for test in tests] and 20 < sum(significant) < 180


def test_turning_the_arms_around_mirrors_everything():
    there, back = ev.two_way_test(HUNDRED), ev.two_way_test(-HUNDRED[::-1, ::-1])
    assert [-there.difference, -there.high, -there.low, *there[3:]] == pytest.approx(list(back))


# Holm.


def test_holm_by_hand():
    assert ev.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert ev.holm([0.9, 0.6]).tolist() == [1, 1] and ev.holm([0.2]).tolist() == [0.2] and len(ev.holm([])) == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=9))
def test_holm_rejects_what_the_step_down_procedure_rejects(percents):
    p_values = np.array(percents) / 1_000
    adjusted = ev.holm(p_values)
    for alpha in (0.0105, 0.0505, 0.1995):
        rejected = np.zeros(len(p_values), bool)
        left = list(range(len(p_values)))
        while left and p_values[smallest := min(left, key=lambda i: p_values[i])] * len(left) < alpha:
            rejected[smallest] = True
            left.remove(smallest)
        assert (rejected == (adjusted < alpha)).all()


@pytest.mark.parametrize("wrong", [[0.1, np.nan], [-0.1], [1.1], [[0.1]]])
def test_holm_refuses_what_is_no_list_of_p_values(wrong):
    with pytest.raises(ValueError, match="p_values: expected p-values from 0 to 1, got .*; leave out"):
        ev.holm(wrong)


# Equivalence and verdicts.


def test_equivalent_is_the_90_percent_interval_within_the_margins():
    rng = np.random.default_rng(10)
    found = []
    for _ in range(200):
        table = drawn(rng, 5, 30, 0.3, 1, 1)
        wide = ev.two_way_test(table, 0.9)
        found.append(ev.equivalent(ev.two_way_test(table), 0.6))
        assert found[-1] == (-0.6 < wide.low and wide.high < 0.6)
    assert 20 < sum(found) < 180


def test_arms_that_differ_by_the_margin_pass_as_equivalent_in_5_percent():
    rng = np.random.default_rng(11)
    found = [ev.equivalent(ev.two_way_test(drawn(rng, 5, 40, 0.2, 1, 1) + side), 1) for side in (-1, 1) for _ in range(700)]
    assert 0.033 < np.mean(found) < 0.067


def test_as_many_units_as_needed_give_the_power():
    """For a difference of the margin, with the parts that the first table had."""
    rng = np.random.default_rng(12)
    parts = 0.05, 1, 2
    found = ev.verdict(exact(rng, 5, 60, *parts), np.zeros((5, 60)), 0.25)
    assert found.smallest > 0.25 and found.needed > 60
    seen = [ev.two_way_test(drawn(rng, 5, found.needed, *parts) + 0.25).p_value < 0.05 for _ in range(800)]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.045)


def test_with_the_units_at_hand_the_smallest_is_seen_with_the_power():
    rng = np.random.default_rng(13)
    table = exact(rng, 5, 300, 0.02, 1, 1)
    found = ev.verdict(table, np.zeros_like(table), 1.0)
    assert found.smallest / found.standard_error == pytest.approx(2.85, abs=0.06)
    again = ev.verdict(table, np.zeros_like(table), found.smallest)
    assert again.needed == pytest.approx(300, rel=0.01)
    seen = [ev.two_way_test(drawn(rng, 5, 300, 0.02, 1, 1) + found.smallest).p_value < 0.05 for _ in range(800)]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.045)


def test_no_number_of_units_mends_seeds_that_vary_too_much():
    table = exact(np.random.default_rng(14), 5, 60, 0.3, 1, 1)
    smallest_ever = (stats.t.ppf(0.975, 4) + stats.t.ppf(0.8, 4)) * 0.3 / np.sqrt(5)
    assert ev.verdict(table, 0 * table, 0.97 * smallest_ever).needed is None
    assert ev.verdict(table, 0 * table, 1.03 * smallest_ever).needed > 60


def test_with_one_seed_units_alone_count():
    found = ev.verdict(HUNDRED[:1], np.zeros((1, 100)), 0.1)
    spread = HUNDRED[0].std(ddof=1)
    assert found.needed == pytest.approx((2.8016 * spread / 0.1) ** 2, rel=0.01)


@pytest.mark.parametrize("shift, margin, p_value, expected, within", [
    (1, 0.1, 0.01, "pays", False), (-1, 0.1, 0.01, "costs", False), (1, 3, 0.01, "pays", True),
    (0.01, 1, 0.6, "equal", True), (0.01, 0.02, 0.6, "not decided", False), (1, 0.1, 0.05, "not decided", False),
])  # fmt: skip
def test_a_verdict_is_named_by_significance_first(shift, margin, p_value, expected, within):
    table = exact(np.random.default_rng(15), 5, 60, 0.1, 1, 1) + shift
    found = ev.verdict(2 * table, table, margin)
    assert (found.says(p_value), found.within_margin) == (expected, within)
    test = ev.two_way_test(table)
    assert (found.difference, found.low, found.high, found.p_value, found.standard_error) == pytest.approx(test[:5])


def test_arms_that_never_differ_are_equal():
    same = ev.verdict(np.full((5, 9), 0.3), np.full((5, 9), 0.3), 0.01)
    assert same.says(same.p_value) == "equal" and (same.p_value, same.low, same.high) == (1, 0, 0)


def test_arms_that_always_differ_alike_are_decided():
    assert ev.verdict(np.full((5, 9), 1.5), np.ones((5, 9)), 0.01).says(0.0) == "pays"


@pytest.mark.parametrize("call, message", [
    (lambda: ev.two_way_test(HUNDRED[0]), "differences: expected finite numbers of shape .* got shape .100,. with 0"),
    (lambda: ev.two_way_test(HUNDRED[:, :1]), "differences: expected .* at least two units, got shape .5, 1."),
    (lambda: ev.two_way_interval(np.where(HUNDRED > 1, np.nan, 1)), "differences: expected .* with [1-9].* not finite; .*undefined"),
    (lambda: ev.two_way_interval(HUNDRED, 95), "level: expected between 0 and 1, got 95"),
    (lambda: ev.two_way_test(HUNDRED, 1.0), "level: expected between 0 and 1, got 1.0"),
    (lambda: ev.equivalent(ev.two_way_test(HUNDRED), 0), "margin: expected a finite number above 0, got 0; it is absolute"),
    (lambda: ev.verdict(HUNDRED, HUNDRED, np.nan), "margin: expected a finite number above 0, got nan"),
    (lambda: ev.verdict(HUNDRED, HUNDRED[:1], 1), "a and b: expected the same seeds and units.*repeat the row"),
    (lambda: ev.verdict(HUNDRED, HUNDRED[0], 1), "b: expected finite numbers of shape"),
    (lambda: ev.verdict(HUNDRED, -HUNDRED, 1).says(np.nan), "adjusted_p: expected p-values from 0 to 1, got nan"),
])  # fmt: skip
def test_errors_name_what_came_and_the_mend(call, message):
    with pytest.raises(ValueError, match=message):
        call()
