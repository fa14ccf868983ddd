"""statsmodels as a second opinion: tests, intervals, sizes, and adjustment as a regression."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.proportion import (
    proportion_confint,
    proportions_chisquare,
    proportions_ztest,
    samplesize_proportions_2indep_onetail,
)
from statsmodels.stats.weightstats import CompareMeans

from recsys.economy import cuped, mean_difference, rate_difference, ratio_mismatch, sample_size, wald, wilson

CASES = [(0, 50), (1, 50), (3, 50), (25, 50), (50, 50), (38, 10_000), (4999, 10_000)]


@pytest.mark.parametrize(("k", "n"), CASES)
def test_intervals_of_a_rate(k, n):
    assert np.allclose(wilson(k, n), proportion_confint(k, n, method="wilson"), rtol=0, atol=1e-11)
    clipped = np.clip(wald(k, n), 0, 1)  # which statsmodels does
    assert np.allclose(clipped, proportion_confint(k, n, method="normal"), rtol=0, atol=1e-11)


@pytest.mark.parametrize(("base", "difference"), [(0.05, 0.005), (0.1, 0.01), (0.0035, 0.0015), (0.4, -0.05)])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_how_many_units_an_arm(base, difference, power):
    n = samplesize_proportions_2indep_onetail(difference, base, power, alpha=0.05, alternative="two-sided")
    assert sample_size(base, difference, power=power) == int(np.ceil(n))


def test_the_test_of_two_rates():
    for treated, control in ((30, 20), (5, 9), (0, 4)):
        z, p = proportions_ztest([treated, control], [100, 110])
        found = rate_difference(treated, 100, control, 110)
        assert found.p_value == pytest.approx(p, abs=1e-12)
        assert np.sign(found.difference) == np.sign(z)


def test_welchs_test():
    rng = np.random.default_rng(0)
    treated, control = rng.exponential(2, 40), rng.normal(1, 3, 25)
    theirs = CompareMeans.from_data(treated, control)
    found = mean_difference(treated, control)
    assert found.p_value == pytest.approx(theirs.ttest_ind(usevar="unequal")[1], abs=1e-12)
    assert [found.low, found.high] == pytest.approx(list(theirs.tconfint_diff(usevar="unequal")), abs=1e-11)


def test_adjustment_is_the_coefficient_of_a_regression():
    rng = np.random.default_rng(1)
    before, treated = rng.exponential(1, 300), rng.random(300) < 0.4
    outcomes = 0.6 * before + 0.2 * treated + rng.normal(size=300)
    adjusted = cuped(outcomes, before, treated)
    fitted = sm.OLS(outcomes, np.column_stack([np.ones(300), treated, before])).fit()
    assert adjusted[treated].mean() - adjusted[~treated].mean() == pytest.approx(fitted.params[1], abs=1e-11)


def test_the_ratio_of_arms():
    chi, p, _ = proportions_chisquare([2023], [4000], value=0.5)
    assert ratio_mismatch([2023, 1977], [0.5, 0.5]) == pytest.approx(p, abs=1e-12) and chi > 0
