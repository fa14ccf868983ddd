"""Weights mend what is known, alpha finds a planted reliability, and bad answers are named."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from recsys.economy import cronbach_alpha, stratified_mean


def test_one_stratum_is_the_plain_mean_with_its_error():
    answers = np.random.default_rng(0).normal(size=40)
    found = stratified_mean(answers, np.zeros(40, dtype=int), [100])
    assert found.mean == pytest.approx(answers.mean())
    error = answers.std(ddof=1) / np.sqrt(40) * np.sqrt(1 - 40 / 100)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * error, rel=1e-6)


def test_if_all_answer_nothing_is_uncertain():
    answers, strata = np.array([1.0, 2, 3, 9]), np.array([0, 0, 1, 1])
    assert stratified_mean(answers, strata, [2, 2]) == (3.75, 3.75, 3.75)


def test_it_is_a_weighted_regression_on_a_constant():
    rng = np.random.default_rng(1)
    strata, sizes = rng.integers(3, size=90), np.array([500, 100, 400])
    answers = rng.normal(strata, 1)
    weights = (sizes / np.bincount(strata))[strata]
    fitted = sm.WLS(answers, np.ones(90), weights).fit()
    assert stratified_mean(answers, strata, sizes).mean == pytest.approx(fitted.params[0])


def test_its_interval_holds_the_mean_of_all_where_strata_explain_who_answers():
    rng = np.random.default_rng(2)
    strata = np.repeat([0, 1, 2], [2000, 1000, 500])
    opinions = rng.normal([3.0, 4.0, 2.0], 1, (3500, 3))[np.arange(3500), strata]
    held, naive = [], []
    for _ in range(500):
        answered = rng.random(3500) < np.array([0.1, 0.4, 0.2])[strata]
        found = stratified_mean(opinions[answered], strata[answered], [2000, 1000, 500])
        held.append(found.low <= opinions.mean() <= found.high)
        naive.append(opinions[answered].mean())
    assert 0.92 < np.mean(held) < 0.975
    assert np.mean(naive) - opinions.mean() > 0.2


@pytest.mark.parametrize(
    ("answers", "strata", "sizes", "message"),
    [
        ([1.0, 2, 3], [0, 0, 1], [5, 5], "strata: .* 1 of 5 people in stratum 1"),
        ([1.0, 2, 3], [0, 0, 0], [2], "strata: .* 3 of 2 people in stratum 0"),
        ([1.0, 2], [0, 1], [9], "strata: expected indices from 0 to 0"),
        ([1.0, np.nan], [0, 0], [9], "answers"),
        ([1.0, 2], [0], [9], "answers"),
    ],
)
def test_bad_surveys_are_named(answers, strata, sizes, message):
    with pytest.raises(ValueError, match=message):
        stratified_mean(answers, np.array(strata), sizes)


def parallel(n, k, error, rng):
    """Answers of one true score and errors of one variance, and the true score."""
    score = rng.normal(size=n)
    return score[:, None] + rng.normal(0, error, (n, k)), score


@pytest.mark.parametrize(("k", "error"), [(2, 1.0), (5, 1.5), (10, 0.5)])
def test_of_parallel_questions_it_is_the_squared_correlation_with_the_true_score(k, error):
    answers, score = parallel(200_000, k, error, np.random.default_rng(3))
    truth = k / (k + error**2)
    assert cronbach_alpha(answers).mean == pytest.approx(truth, abs=0.005)
    squared = np.corrcoef(answers.sum(axis=1), score)[0, 1] ** 2
    assert squared == pytest.approx(truth, abs=0.005)


def test_two_questions_of_one_variance_give_spearman_and_browns_formula():
    rng = np.random.default_rng(4)
    answers = parallel(300, 2, 1.0, rng)[0]
    answers = (answers - answers.mean(axis=0)) / answers.std(axis=0)
    r = np.corrcoef(answers.T)[0, 1]
    assert cronbach_alpha(answers).mean == pytest.approx(2 * r / (1 + r), abs=1e-12)


@given(st.integers(2, 8), st.integers(0, 9))
def test_the_same_question_many_times_has_alpha_one(k, seed):
    answer = np.random.default_rng(seed).normal(size=20)
    assert cronbach_alpha(np.tile(answer[:, None], k)).mean == pytest.approx(1, abs=1e-9)


def test_its_interval_holds_a_planted_reliability():
    rng = np.random.default_rng(5)
    found = [cronbach_alpha(parallel(40, 5, 1.5, rng)[0]) for _ in range(2000)]
    truth = 5 / (5 + 1.5**2)
    held = np.mean([low <= truth <= high for _, low, high in found])
    assert 0.94 < held < 0.96


def test_the_interval_is_that_of_a_published_example():
    """Seven questions, 89 people, alpha .85: [.7971254, .8931436] by statpsych's manual."""
    rng = np.random.default_rng(6)
    answers = rng.normal(size=(89, 7))
    common = np.linalg.qr(np.column_stack([np.ones(89), rng.normal(size=(89, 8))]))[0][:, 1:]
    answers = common[:, :7] + common[:, [7]] * np.sqrt(0.85 / 0.15 / 7)
    found = cronbach_alpha(answers)
    assert found.mean == pytest.approx(0.85, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((0.7971254, 0.8931436), abs=1e-4)  # theirs: n (k - 1)


@pytest.mark.parametrize(
    "answers", [np.ones((1, 3)), np.ones((5, 1)), np.ones((5, 3)), np.ones(5), [[1.0, np.nan], [2, 3]]]
)
def test_bad_answers_are_named(answers):
    with pytest.raises(ValueError, match="answers: "):
        cronbach_alpha(answers)
