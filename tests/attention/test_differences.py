"""The checks themselves: they pass what is right, fail what is wrong, and say when they can't."""

import numpy as np
import pytest

from recsys.attention import central_differences, gradient_check, taylor_check

X = np.array([[0.3, -1.2], [2.0, 0.7]])


def cubes(x):
    return float((x**3).sum())


def test_central_differences_of_cubes():
    np.testing.assert_allclose(central_differences(cubes, {"x": X}, "x"), 3 * X**2, rtol=1e-8)


def test_a_right_gradient_passes_both_checks():
    gradients = {"x": 3 * X**2}
    check = gradient_check(cubes, {"x": X}, gradients)
    slope = taylor_check(cubes, {"x": X}, gradients)
    assert check.passed and check.errors["x"] < 1e-8 and "agree within" in str(check)
    assert slope.passed and str(slope).startswith("slope 2.0")


ONE_ENTRY = np.array([[1e-3, 0], [0, 0]])


@pytest.mark.parametrize("wrong", [-3 * X**2, 3.01 * X**2, 3 * X**2 + ONE_ENTRY])
def test_a_wrong_gradient_fails_both_checks(wrong):
    check = gradient_check(cubes, {"x": X}, {"x": wrong})
    assert not check.passed and "DISAGREE" in str(check)
    assert not taylor_check(cubes, {"x": X}, {"x": wrong}).passed


def test_a_wrong_gradient_has_slope_one():
    assert taylor_check(cubes, {"x": X}, {"x": -3 * X**2}).slope == pytest.approx(1, abs=0.1)


def test_a_linear_function_has_no_slope_and_says_so():
    check = taylor_check(lambda x: float((2 * x).sum()), {"x": X}, {"x": np.full_like(X, 2)})
    assert check.slope is None and not check.passed and "below rounding" in str(check)
    zero = taylor_check(lambda x: 1.0, {"x": X}, {"x": np.zeros_like(X)})
    assert zero.slope is None


def test_only_arguments_with_a_gradient_are_moved():
    def product(x, scale):
        return float((x**2).sum() * scale)

    arguments = {"x": X, "scale": 3}
    assert gradient_check(product, arguments, {"x": 6 * X}).passed
    assert taylor_check(product, arguments, {"x": 6 * X}).passed


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(ValueError, match=r"one or more of the arguments \['x'\], got \['y'\]"):
        gradient_check(cubes, {"x": X}, {"y": X})
    with pytest.raises(ValueError, match="expected float64, got float32"):
        taylor_check(cubes, {"x": X.astype(np.float32)}, {"x": X})
    with pytest.raises(ValueError, match="expected equal shapes"):
        gradient_check(cubes, {"x": X}, {"x": X[0]})
