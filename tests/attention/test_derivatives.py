"""Every gradient by hand, against central differences and by its Taylor slope."""

import numpy as np

from recsys.attention import gradient_check, taylor_check


def test_hand_gradient_equals_central_differences(case):
    check = gradient_check(case.value, case.arguments, case.gradients(**case.arguments))
    assert check.passed, str(check)


def test_taylor_remainder_falls_with_slope_two(case):
    check = taylor_check(case.value, case.arguments, case.gradients(**case.arguments))
    if case.linear:
        assert check.slope is None, str(check)
    else:
        assert 1.9 <= check.slope <= 2.1, str(check)


def test_hand_gradient_has_the_shape_of_its_argument(case):
    gradients = case.gradients(**case.arguments)
    assert set(gradients) == set(case.arguments) - {"cotangent"}
    for name, gradient in gradients.items():
        assert gradient.shape == case.arguments[name].shape
        assert gradient.dtype == np.float64
