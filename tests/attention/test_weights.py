"""What softmax, sparsemax, entropy and the effective number always do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from recsys import attention as A

fixed = settings(derandomize=True, deadline=None, database=None, max_examples=60)
floats = st.floats(-50, 50, allow_nan=False)
shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=6)
scores = hnp.arrays(np.float64, shapes, elements=floats)


@fixed
@given(scores, st.floats(0.1, 10))
def test_softmax_equals_scipy_at_every_temperature(u, temperature):
    expected = special.softmax(u / temperature, axis=-1)
    np.testing.assert_allclose(A.softmax(u, temperature), expected, rtol=1e-12, atol=1e-15)


@fixed
@given(scores, st.data())
def test_softmax_sums_to_one_along_the_axis_asked_for(u, data):
    axis = data.draw(st.integers(-u.ndim, u.ndim - 1))
    weights = A.softmax(u, axis=axis)
    np.testing.assert_allclose(weights.sum(axis=axis), 1, rtol=1e-12)


@fixed
@given(scores, st.floats(-30, 30))
def test_softmax_ignores_a_shift_of_a_whole_row(u, shift):
    np.testing.assert_allclose(A.softmax(u + shift), A.softmax(u), rtol=1e-9, atol=1e-15)


def test_softmax_has_its_closed_form():
    u = np.log(np.array([1.0, 3.0]))
    np.testing.assert_allclose(A.softmax(u), [0.25, 0.75], rtol=1e-15)
    np.testing.assert_allclose(A.softmax(u, temperature=0.5), [0.1, 0.9], rtol=1e-15)


def test_softmax_satisfies_the_kkt_conditions_of_its_problem():
    u, temperature = np.random.default_rng(0).normal(size=9), 0.7
    p = A.softmax(u, temperature)
    price = u - temperature * (np.log(p) + 1)  # the same for every item at the optimum
    assert np.ptp(price) < 1e-9 and abs(p.sum() - 1) < 1e-12 and (p > 0).all()


def test_softmax_does_not_overflow_in_float32():
    weights = A.softmax(np.array([100.0, 50.0, 0.0], dtype=np.float32))
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [1, 1.9287e-22, 3.8e-44], rtol=0.05)


@fixed
@given(scores, st.data())
def test_masked_positions_weigh_nothing_and_the_rest_is_softmax_of_the_rest(u, data):
    mask = data.draw(hnp.arrays(bool, u.shape))
    weights = A.softmax(u, mask=mask)
    assert (weights[~mask] == 0).all()
    for row, real, got in zip(u.reshape(-1, u.shape[-1]), mask.reshape(-1, u.shape[-1]),
                              weights.reshape(-1, u.shape[-1])):
        if real.any():
            np.testing.assert_allclose(got[real], special.softmax(row[real]), rtol=1e-12)


def test_a_large_score_under_the_mask_never_drowns_the_rest():
    weights = A.softmax(np.array([5000.0, 0.0, 0.0]), mask=np.array([False, True, True]))
    np.testing.assert_array_equal(weights, [0, 0.5, 0.5])


def test_a_row_with_everything_masked_has_zero_weights_and_zero_gradient():
    u, mask = np.ones((2, 3)), np.array([[True, False, True], [False, False, False]])
    weights = A.softmax(u, mask=mask)
    np.testing.assert_array_equal(weights, [[0.5, 0, 0.5], [0, 0, 0]])
    np.testing.assert_array_equal(A.softmax_vjp(weights, np.ones((2, 3))), np.zeros((2, 3)))


@fixed
@given(scores)
def test_log_softmax_is_the_logarithm_also_where_softmax_underflows(u):
    np.testing.assert_allclose(A.log_softmax(u), special.log_softmax(u, axis=-1), rtol=1e-12)
    far = np.array([0.0, -2000.0])
    np.testing.assert_allclose(A.log_softmax(far), [0, -2000])


@pytest.mark.parametrize("axis", [0, 1])
def test_log_softmax_normalises_the_axis_asked_for(axis):
    u = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(np.exp(A.log_softmax(u, axis=axis)).sum(axis=axis), 1)


@fixed
@given(scores)
def test_sparsemax_is_the_nearest_point_of_the_simplex(u):
    weights = A.sparsemax(u)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-10)
    assert (weights >= 0).all()
    price = np.where(weights > 0, u - weights, -np.inf).max(axis=-1, keepdims=True)
    np.testing.assert_allclose(np.where(weights > 0, u - weights - price, 0), 0, atol=1e-10)
    assert (np.where(weights == 0, u - price, 0) <= 1e-10).all()


def test_sparsemax_has_its_closed_form_and_an_axis():
    u = np.array([[1.0, 0.5, -1.0], [0.0, 0.0, 3.0]])
    expected = [[0.75, 0.25, 0], [0, 0, 1]]
    np.testing.assert_allclose(A.sparsemax(u), expected)
    np.testing.assert_allclose(A.sparsemax(u.T, axis=0), np.array(expected).T)
    assert A.sparsemax(u.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("n", [1, 2, 7])
def test_effective_number_is_n_for_uniform_and_one_for_one_hot(n):
    weights = np.array([np.full(n, 1 / n), np.eye(n)[0]])
    np.testing.assert_allclose(A.entropy(weights), [np.log(n), 0], atol=1e-15)
    np.testing.assert_allclose(A.effective_number(weights), [n, 1])
    np.testing.assert_allclose(A.effective_number(weights.T, axis=0), [n, 1])


def test_effective_number_of_a_masked_row_is_zero():
    np.testing.assert_array_equal(A.effective_number(np.zeros((1, 4))), [0])


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.inf, np.nan])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature: expected a finite number above 0"):
        A.softmax(np.zeros(3), temperature)
    with pytest.raises(ValueError, match="temperature: expected"):
        A.softmax_vjp(np.ones(1), np.ones(1), temperature)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", [A.softmax, A.sparsemax, A.log_softmax, A.entropy])
def test_numbers_that_are_not_finite_are_refused_with_their_place(function, bad):
    u = np.zeros((2, 3))
    u[1, 2] = bad
    with pytest.raises(ValueError, match=r"expected finite numbers, got .* at index \(1, 2\)"):
        function(u)


def test_a_temperature_so_small_that_scores_overflow_is_refused():
    with pytest.raises(ValueError, match="scores: expected finite numbers, got inf"):
        A.softmax(np.array([1e10, 0.0]), temperature=1e-300)


def test_negative_weights_have_no_entropy():
    with pytest.raises(ValueError, match="weights: expected none below 0"):
        A.entropy(np.array([1.5, -0.5]))
