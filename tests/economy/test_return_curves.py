"""How long until the end: closed forms, statsmodels as a second opinion, a planted truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight

from recsys.economy import kaplan_meier

UNITS = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60)


@given(UNITS)
def test_statsmodels_has_the_same_curve_and_the_same_errors(units):
    durations, ended = np.array(units).T
    ended = ended.astype(bool)
    ours, theirs = kaplan_meier(durations, ended), SurvfuncRight(durations, ended.astype(int))
    some = theirs.n_events > 0
    assert np.array_equal(ours.times, theirs.surv_times[some])
    assert np.array_equal(ours.watched, theirs.n_risk[some])
    assert np.allclose(ours.shares, theirs.surv_prob[some], rtol=0, atol=1e-12)
    known = ours.shares > 0  # where nobody is left statsmodels has no error
    assert np.allclose(ours.errors[known], theirs.surv_prob_se[some][known], rtol=0, atol=1e-12)
    assert (ours.errors[~known] == 0).all()


def test_without_censoring_it_is_the_share_of_those_who_lasted_longer():
    durations = np.random.default_rng(0).geometric(0.2, 500)
    curve = kaplan_meier(durations, np.ones(500, dtype=bool))
    asked = np.arange(30)
    assert np.allclose(curve.at(asked), [(durations > t).mean() for t in asked], atol=1e-12)
    lasted = (durations[:, None] > curve.times).mean(axis=0)
    assert np.allclose(curve.errors, np.sqrt(lasted * (1 - lasted) / 500), atol=1e-12)


def test_who_was_last_looked_at_when_another_ended_could_have_ended_then():
    curve = kaplan_meier([1, 1, 2, 2], [True, False, True, False])
    assert curve.shares.tolist() == [0.75, 0.375] and curve.watched.tolist() == [4, 2]
    assert curve.at([0, 1, 1.5, 9]).tolist() == [1, 0.75, 0.75, 0.375]


def test_a_planted_rate_of_leaving_is_found_whoever_came_late():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        stayed, watched = rng.geometric(0.1, 800), rng.integers(1, 40, 800)
        curve = kaplan_meier(np.minimum(stayed, watched), stayed <= watched)
        place = np.searchsorted(curve.times, 10)
        found.append([curve.shares[place], curve.errors[place]])
    shares, errors = np.array(found).T
    truth = 0.9**10
    assert abs(shares.mean() - truth) < 4 * shares.std() / np.sqrt(200)
    assert errors.mean() == pytest.approx(shares.std(), rel=0.15)
    assert (np.abs(shares - truth) < 1.96 * errors).mean() > 0.9


def test_if_nobody_ended_the_curve_stays_at_one():
    curve = kaplan_meier([3.0, 5.0], [False, False])
    assert len(curve.times) == 0 and curve.at([0, 9]).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("durations", "ended", "message"),
    [
        ([-1.0, 2], [True, True], "durations: .* -1.0 for unit 0"),
        ([1.0, np.nan], [True, True], "durations: .* nan for unit 1"),
        ([], [], "durations: .* got none"),
        ([1.0, 2], [True], "durations"),
        ([[1.0]], [[True]], "durations"),
    ],
)
def test_bad_durations_are_named(durations, ended, message):
    with pytest.raises(ValueError, match=message):
        kaplan_meier(durations, ended)
