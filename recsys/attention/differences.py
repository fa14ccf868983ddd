r"""Is a gradient right? Two checks against the function itself, in float64.

`gradient_check` compares every entry with a central difference, (f(x+h) - f(x-h)) / 2h,
whose error is of order h^2 + rounding / h. `taylor_check` looks at one random direction
d and at the remainder |f(x + h d) - f(x) - h <g, d>|: it falls like h^2 exactly when g
is the gradient, so its slope on double-logarithmic paper is 2, and 1 for a wrong
gradient. Where the remainder is below rounding there is no slope to measure: a function
that is linear along the direction (piecewise linear ones such as sparsemax inside a
piece, and zero gradients of constants).

Sources: Baydin and others, 2018, section 2.1 (https://arxiv.org/abs/1502.05767);
Griewank and Walther, 2008.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys.checks import check_same_shape

CENTRAL_STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
TAYLOR_STEPS = 0.01 * 0.5 ** np.arange(14)
ROUNDING = 1000 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class GradientCheck:
    """Largest error of each gradient: |given - difference| / max(1, |difference|)."""

    errors: dict[str, float]
    tolerance: float

    @property
    def passed(self) -> bool:
        """Every error is at most the tolerance."""
        return all(error <= self.tolerance for error in self.errors.values())

    def __str__(self) -> str:
        lines = [f"{name}: {error:.1e}" for name, error in self.errors.items()]
        verdict = "agree" if self.passed else "DISAGREE"
        return "\n".join(lines + [f"gradients {verdict} within {self.tolerance:.0e}"])


@dataclass(frozen=True)
class TaylorCheck:
    """Remainders of the first-order expansion and the slope with which they fall.

    steps, remainders: (n,); rounding: below it a remainder is noise; slope: None where
    fewer than three remainders are above it.
    """

    steps: np.ndarray
    remainders: np.ndarray
    rounding: float
    slope: float | None

    @property
    def passed(self) -> bool:
        """The slope could be measured and is 2 within 0.1."""
        return self.slope is not None and abs(self.slope - 2) <= 0.1

    def __str__(self) -> str:
        if self.slope is None:
            return (
                f"no slope: remainders up to {self.remainders.max():.1e} are below rounding "
                f"({self.rounding:.1e}); the function is linear along this direction"
            )
        return f"slope {self.slope:.3f}, expected 2"


def _check_gradients(arguments: dict, gradients: dict) -> None:
    unknown = set(gradients) - set(arguments)
    if unknown or not gradients:
        raise ValueError(
            f"gradients: expected one or more of the arguments {sorted(arguments)}, got "
            f"{sorted(gradients)}"
        )
    for name, gradient in gradients.items():
        argument = np.asarray(arguments[name])
        if argument.dtype != np.float64:
            raise ValueError(
                f"arguments[{name!r}]: expected float64, got {argument.dtype}; differences "
                "lose half of the digits, so convert first"
            )
        check_same_shape(
            f"arguments[{name!r}]", argument, "its gradient", np.asarray(gradient)
        )


def central_differences(
    function: Callable[..., float], arguments: dict[str, np.ndarray], name: str
) -> np.ndarray:
    """Differentiate a function by one of its arguments, entry by entry.

    Args:
        function: takes the arguments by name and returns a number.
        arguments: float64 arrays; those that are not differentiated may be anything.
        name: the argument to differentiate by.

    Returns:
        Approximate gradient in the shape of that argument.
    """
    point = np.array(arguments[name], dtype=np.float64)
    gradient = np.empty_like(point)
    for index in np.ndindex(point.shape):
        step = CENTRAL_STEP * max(1.0, abs(point[index]))
        values = []
        for signed in (step, -step):
            moved = point.copy()
            moved[index] += signed
            values.append(function(**{**arguments, name: moved}))
        gradient[index] = (values[0] - values[1]) / (2 * step)
    return gradient


def gradient_check(
    function: Callable[..., float],
    arguments: dict[str, np.ndarray],
    gradients: dict[str, np.ndarray],
    tolerance: float = 1e-7,
) -> GradientCheck:
    """Compare gradients, by hand or from autograd, with central differences.

    Args:
        function: takes the arguments by name and returns a number.
        arguments: arrays; those with a gradient are float64.
        gradients: for one or more of the arguments, the gradient in the argument's
            shape.
        tolerance: largest error allowed, relative to max(1, |difference|).

    Returns:
        A `GradientCheck`; print it, or ask whether it `passed`.

    Raises:
        ValueError: a gradient without its argument, of another shape, or not in
            float64.
    """
    _check_gradients(arguments, gradients)
    errors = {}
    for name, gradient in gradients.items():
        expected = central_differences(function, arguments, name)
        error = np.abs(gradient - expected) / np.maximum(1, np.abs(expected))
        errors[name] = float(error.max(initial=0))
    return GradientCheck(errors, tolerance)


def taylor_check(
    function: Callable[..., float],
    arguments: dict[str, np.ndarray],
    gradients: dict[str, np.ndarray],
    seed: int = 0,
) -> TaylorCheck:
    """Measure the slope of the Taylor remainder along a random direction of length one.

    Args:
        function: takes the arguments by name and returns a number.
        arguments: arrays; those with a gradient are float64 and are moved together.
        gradients: for one or more of the arguments, the gradient in the argument's
            shape.
        seed: of the direction.

    Returns:
        A `TaylorCheck`; its slope is 2 for a right gradient, 1 for a wrong one, and
        None where the remainder is below rounding.

    Raises:
        ValueError: a gradient without its argument, of another shape, or not in
            float64.
    """
    _check_gradients(arguments, gradients)
    rng = np.random.default_rng(seed)
    direction = {
        name: rng.standard_normal(np.shape(arguments[name])) for name in gradients
    }
    length = np.sqrt(sum((part**2).sum() for part in direction.values()))
    direction = {name: part / length for name, part in direction.items()}
    value = function(**arguments)
    promised = sum((gradients[name] * part).sum() for name, part in direction.items())
    remainders = []
    for step in TAYLOR_STEPS:
        moved = {
            name: arguments[name] + step * part for name, part in direction.items()
        }
        remainders.append(
            abs(function(**{**arguments, **moved}) - value - step * promised)
        )
    remainders = np.array(remainders)
    rounding = ROUNDING * max(abs(value), abs(promised) * float(TAYLOR_STEPS[0]))
    above = remainders > rounding
    slope = None
    if above.sum() >= 3:
        slope = float(
            np.polyfit(np.log(TAYLOR_STEPS[above]), np.log(remainders[above]), 1)[0]
        )
    return TaylorCheck(TAYLOR_STEPS, remainders, rounding, slope)
