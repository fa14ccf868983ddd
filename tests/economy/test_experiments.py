"""Reading an experiment: false alarms, power, units, adjustment, looks; what is wrong is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recsys.economy import (
    always_valid_radius,
    by_unit,
    cuped,
    lift,
    mean_difference,
    mixture_ratio,
    rate_difference,
    ratio_mismatch,
    sample_size,
    wald,
    weighted_difference,
    wilson,
)

BAND = 1.96 * np.sqrt(0.05 * 0.95 / 10_000)  # of a share of 5% in 10,000 runs


def like(mean, deviation, n):
    """Numbers with exactly this mean and standard deviation."""
    drawn = np.random.default_rng(0).normal(size=n)
    return mean + deviation * (drawn - drawn.mean()) / drawn.std(ddof=1)


def test_a_test_of_nothing_finds_something_in_one_run_of_twenty():
    rng = np.random.default_rng(1)
    clicks = rng.binomial(1000, 0.1, (2, 10_000))
    assert abs((rate_difference(clicks[0], 1000, clicks[1], 1000).p_value < 0.05).mean() - 0.05) < 1.5 * BAND
    spent = rng.exponential(size=(2, 10_000, 100))
    assert abs((mean_difference(*spent).p_value < 0.05).mean() - 0.05) < 1.5 * BAND
    assert abs((lift(*spent + 5).p_value < 0.05).mean() - 0.05) < 2 * BAND


def test_rows_are_no_units():
    rng = np.random.default_rng(2)
    users = rng.beta(1, 9, (2, 4000, 200))
    clicks = rng.binomial(10, users)  # ten rows a user
    by_row = rate_difference(*(number for arm in clicks.sum(axis=2) for number in (arm, 2000)))
    assert (by_row.p_value < 0.05).mean() > 0.12
    assert abs((mean_difference(*clicks / 10).p_value < 0.05).mean() - 0.05) < 2.4 * BAND


@pytest.mark.parametrize(("base", "difference"), [(0.05, 0.005), (0.1, 0.01), (0.0035, 0.0015), (0.5, -0.1)])
def test_as_many_units_as_planned_see_the_effect_as_often_as_planned(base, difference):
    n = sample_size(base, difference)
    rng = np.random.default_rng(3)
    treated, control = rng.binomial(n, base + difference, 20_000), rng.binomial(n, base, 20_000)
    assert abs((rate_difference(treated, n, control, n).p_value < 0.05).mean() - 0.8) < 0.012
    assert sample_size(base, difference, power=0.9) > n > sample_size(base, difference, alpha=0.1)


def test_an_interval_holds_the_effect_in_nineteen_runs_of_twenty():
    rng = np.random.default_rng(4)
    treated, control = rng.normal(1.3, 1, (10_000, 80)), rng.normal(1, 2, (10_000, 50))
    found = mean_difference(treated, control)
    assert abs(((found.low < 0.3) & (0.3 < found.high)).mean() - 0.95) < 1.5 * BAND
    treated, control = rng.normal(12, 4, (10_000, 300)), rng.normal(10, 3, (10_000, 200))
    found = lift(treated, control)
    assert abs(((found.low < 0.2) & (0.2 < found.high)).mean() - 0.95) < 2 * BAND


def test_growthbooks_printed_numbers_come_out():
    # GrowthBook's gbstats (MIT), tests/frequentist/test_tests.py: two arms by mean, deviation and number
    treated, control = like(0.70, 6.2, 3461), like(0.41, 3.9, 3407)
    found = mean_difference(treated, control)
    assert [found.difference, found.low, found.high] == pytest.approx([0.29, 0.04538, 0.53462], abs=1e-5)
    assert found.p_value == pytest.approx(0.02016, abs=1e-5)
    found = lift(treated, control)
    assert [found.difference, found.standard_error] == pytest.approx([0.70732, 0.37879], abs=1e-5)
    assert [found.low, found.high, found.p_value] == pytest.approx([-0.03526, 1.44989, 0.06191], abs=3e-4)  # theirs by t


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(0, 99))
def test_units_keep_every_row(units, seed):
    rng = np.random.default_rng(seed)
    units, arms = np.array(units), rng.random(31) < 0.5
    outcomes = rng.normal(size=len(units))
    treated, sums, rows = by_unit(units, arms[units], outcomes)
    assert treated.tolist() == arms[np.unique(units)].tolist()
    assert rows.sum() == len(units) and sums.sum() == pytest.approx(outcomes.sum())
    order = rng.permutation(len(units))
    assert np.allclose(by_unit(units[order], arms[units][order], outcomes[order])[1], sums)


def test_what_was_known_before_takes_its_share_of_the_variance():
    rng = np.random.default_rng(5)
    for rho in (0.3, 0.5, 0.7, 0.9):
        before = rng.normal(size=(1500, 400))
        after = rho * before + np.sqrt(1 - rho**2) * rng.normal(size=before.shape)
        treated = np.arange(400) < 150
        plain = after[:, treated].mean(1) - after[:, ~treated].mean(1)
        less = [row[treated].mean() - row[~treated].mean() for row in map(cuped, after, before, [treated] * 1500)]
        assert np.var(less) / np.var(plain) == pytest.approx(1 - rho**2, rel=0.15)
        assert abs(np.mean(less)) < 0.02


def test_adjusting_leaves_the_mean_and_takes_away_a_known_slope():
    rng = np.random.default_rng(6)
    before, treated = rng.normal(3, 1, 500), rng.random(500) < 0.3
    exact = cuped(7 * before + 2 * treated, before, treated)
    assert exact[treated].mean() - exact[~treated].mean() == pytest.approx(2)
    assert exact[treated].std() < 1e-9 and exact.mean() == pytest.approx((7 * before + 2 * treated).mean())


def test_a_broken_assignment_is_seen_and_a_sound_one_is_not():
    rng = np.random.default_rng(7)
    alarms = {
        share: np.mean([ratio_mismatch([k, 100_000 - k], [0.5, 0.5]) < 0.001 for k in rng.binomial(100_000, share, 2000)])
        for share in (0.5, 0.51)
    }
    assert alarms[0.5] < 0.004 and alarms[0.51] > 0.99
    assert ratio_mismatch([300, 100], [0.75, 0.25]) == pytest.approx(1)


def test_tea_tastings_printed_ratio_lies_beside_ours():
    # tea-tasting (MIT), docs/user-guide.md: 2023 : 1977 has p .477, with a correction for whole numbers
    assert ratio_mismatch([2023, 1977], [0.5, 0.5]) == pytest.approx(0.467, abs=5e-4)
    assert stats.chi2.sf(2 * (23 - 0.5) ** 2 / 2000, 1) == pytest.approx(0.477, abs=5e-4)


def test_weights_mend_a_ramp_that_a_plain_difference_does_not():
    rng = np.random.default_rng(8)
    weekend = rng.random(200_000) < 0.5  # buys more, and was treated more often
    chances = np.where(weekend, 0.5, 0.1)
    treated = rng.random(200_000) < chances
    bought = rng.random(200_000) < 0.1 + 0.2 * weekend
    assert bought[treated].mean() - bought[~treated].mean() > 0.05
    assert abs(weighted_difference(bought, treated, chances)) < 0.008
    even = np.full(200_000, 0.3)
    assert weighted_difference(bought, treated, even) == pytest.approx(bought[treated].mean() - bought[~treated].mean())


def paths(n_runs, n_looks, effect, rng):
    """Differences of arms with unit variance after each look, and their variances."""
    n = np.arange(1, n_looks + 1)
    return effect + np.sqrt(2) * rng.normal(size=(n_runs, n_looks)).cumsum(axis=1) / n, 2 / n


def test_looking_ten_times_finds_too_much_and_the_mixture_does_not():
    rng = np.random.default_rng(9)
    difference, variance = paths(4000, 1000, 0, rng)
    alarm = np.abs(difference) > 1.96 * np.sqrt(variance)
    assert alarm[:, 99::100].any(axis=1).mean() == pytest.approx(0.193, abs=0.02)  # ten looks; Armitage et al. (1969)
    for tau in (0.05, 0.2, 1.0):
        assert (np.abs(difference) > always_valid_radius(variance, tau)).any(axis=1).mean() < 0.05
    with_effect = paths(500, 1000, 0.3, rng)[0]
    assert (np.abs(with_effect) > always_valid_radius(variance, 0.2)).any(axis=1).mean() > 0.95


@given(st.floats(1e-4, 10), st.floats(1e-3, 10), st.floats(0.001, 0.5))
def test_the_ratio_reaches_its_bound_at_the_edge_of_the_interval(variance, tau, alpha):
    edge = always_valid_radius(np.array([variance]), tau, alpha)
    assert mixture_ratio(edge, np.array([variance]), tau)[0] == pytest.approx(1 / alpha, rel=1e-6)


def test_without_an_effect_the_ratio_has_mean_one_at_every_look():
    difference, variance = paths(200_000, 8, 0, np.random.default_rng(10))
    ratios = mixture_ratio(difference, variance, 0.3)
    error = ratios.std(axis=0) / np.sqrt(len(ratios))
    assert (np.abs(ratios.mean(axis=0) - 1) < 4 * error).all() and error.max() < 0.01


def test_the_ratio_is_that_of_two_normal_densities():
    d, v, tau = 0.7, 0.4, 0.5
    densities = stats.norm.pdf(d, 0, np.sqrt(v + tau**2)) / stats.norm.pdf(d, 0, np.sqrt(v))
    assert mixture_ratio(d, v, tau) == pytest.approx(densities)


def test_growthbooks_printed_sequential_interval_comes_out():
    # gbstats, tests/frequentist/test_tests.py: arms by sum, sum of squares and number, tuned to 1,000 units
    def arm(total, squares, n):
        return like(total / n, np.sqrt((squares - total**2 / n) / (n - 1)), n)

    found = lift(arm(2422.7, 134698.29, 3461), arm(1396.87, 52377.9767, 3000))
    wanted = -2 * np.log(0.05)
    rho = np.sqrt((wanted + np.log(wanted + 1)) / 1000)  # their equation 161
    radius = always_valid_radius(found.standard_error**2, rho * found.standard_error * np.sqrt(6461))
    assert found.difference == pytest.approx(0.50336, abs=1e-5)
    assert [found.difference - radius, found.difference + radius] == pytest.approx([-0.55844, 1.56516], abs=1e-5)


def coverage(interval, n, rate):
    """Exactly: the chance of each count, if its interval holds the rate."""
    counts = np.arange(n + 1)
    low, high = interval(counts, n)
    return stats.binom.pmf(counts, n, rate)[(low <= rate) & (rate <= high)].sum()


@pytest.mark.parametrize(
    ("n", "rate", "of_wilson", "of_wald"),
    [(50, 0.02, 0.922, 0.635), (100, 0.05, 0.966, 0.877), (1000, 0.0038, 0.960, 0.887), (10_000, 0.0038, 0.958, 0.949)],
)
def test_wilsons_interval_covers_where_walds_does_not(n, rate, of_wilson, of_wald):
    assert coverage(wilson, n, rate) == pytest.approx(of_wilson, abs=6e-4)
    assert coverage(wald, n, rate) == pytest.approx(of_wald, abs=6e-4)


@given(st.integers(1, 200), st.data())
@settings(max_examples=50)
def test_wilsons_interval_is_one_of_rates_and_turns_with_the_question(n, data):
    k = data.draw(st.integers(0, n))
    low, high = wilson(k, n)
    assert -1e-12 <= low <= k / n + 1e-12 and k / n - 1e-12 <= high <= 1 + 1e-12
    assert [1 - high, 1 - low] == pytest.approx(list(wilson(n - k, n)))


ONES = np.ones(4)
ARMS = np.array([True, True, False, False])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: by_unit([1, 1, 2], [True, False, True], ONES[:3]), "^treated: .*1 that changed midway, first unit 1 with 1 of its 2"),
        (lambda: by_unit([1, 2], [True], ONES[:2]), "^units and treated: expected equal shapes"),
        (lambda: by_unit([1, 2], [True, False], [1, np.nan]), "^outcomes: expected finite"),
        (lambda: mean_difference([1.0], ONES), "^outcomes: expected at least two units an arm, got 1"),
        (lambda: mean_difference([1.0, np.inf], ONES), "^outcomes: expected finite"),
        (lambda: lift(ONES, np.zeros(4)), "^control: expected a mean other than 0"),
        (lambda: rate_difference(5, 4, 1, 4), "^successes: expected from 0 to 4"),
        (lambda: rate_difference(1, 4, 0, 0), "^successes: .*at least one unit"),
        (lambda: sample_size(0.1, 0), "^base and difference: .*differ"),
        (lambda: sample_size(0.9, 0.2), "^base and difference: .*between 0 and 1"),
        (lambda: sample_size(0.1, 0.01, power=0.01), "^alpha and power: "),
        (lambda: cuped(ONES, ONES, ARMS), "^before: expected numbers that differ within an arm"),
        (lambda: cuped(ONES, ARMS * 1.0, ARMS), "^before: expected numbers that differ within an arm"),
        (lambda: cuped(ONES, ONES[:3], ARMS), "^outcomes and before: expected equal shapes"),
        (lambda: cuped(ONES, np.arange(4), ONES > 0), "^treated: expected units in both arms, got 4 of 4"),
        (lambda: ratio_mismatch([5, 5], [1, 0]), "^shares: expected chances above 0"),
        (lambda: ratio_mismatch([5, 5], [0.5, 0.6]), "^shares: .*sum to 1"),
        (lambda: ratio_mismatch([0, 0], [0.5, 0.5]), "^counts: expected at least one unit"),
        (lambda: weighted_difference(ONES, ARMS, [0.5, 0, 0.5, 0.5]), "^chances: expected above 0 .*got 0.0 for unit 1"),
        (lambda: weighted_difference(ONES, ARMS, [0.5, 0.5, 1, 0.5]), "^chances: .*below 1, got 1.0 for unit 2"),
        (lambda: weighted_difference(ONES, ONES > 0, ONES / 2), "^treated: expected units in both arms"),
        (lambda: mixture_ratio(1.0, 0.0, 1.0), "^variance and tau: "),
        (lambda: always_valid_radius(1.0, 0.0), "^variance and tau: "),
        (lambda: wilson(-1, 4), "^successes: "),
        (lambda: wald(1, 0), "^successes: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
