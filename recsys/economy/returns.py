r"""How long until something happens, when for some it has not happened yet.

Who came late has been watched for less time. Whoever has not left (or come back) when the
log ends is *censored*: all that is known is a time that was not yet the end. The
Kaplan-Meier curve asks at each time only those who are still watched:

S(t) = prod_{s <= t} (1 - d_s / n_s),

with d_s ends at s among the n_s who were watched until s. It needs that who is watched
for how long has nothing to do with how long they stay.

Source: Kaplan and Meier (1958), Journal of the American Statistical Association 53; the
error is Greenwood's (1926).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recsys.checks import check_axes, check_same_shape


class Survival(NamedTuple):
    """A curve that falls at each time at which something ended.

    Args:
        times: float (n_times,), in rising order.
        shares: float (n_times,), for whom it has not ended after each of them.
        errors: float (n_times,), standard errors of the shares.
        watched: int (n_times,), who could have ended then.
    """

    times: np.ndarray
    shares: np.ndarray
    errors: np.ndarray
    watched: np.ndarray

    def at(self, times: np.ndarray) -> np.ndarray:
        """The share for whom it has not ended after each of `times`."""
        place = np.searchsorted(self.times, times, side="right")
        return np.concatenate([[1.0], self.shares])[place]


def kaplan_meier(durations: np.ndarray, ended: np.ndarray) -> Survival:
    """For whom has it not ended yet, by time since the beginning?

    Args:
        durations: float (n,), time until the end or until the last look, at least 0.
        ended: bool (n,), whether the end was seen. Who was last looked at when another
            ended is counted among those who could have ended then.

    Returns:
        The curve at the times at which something ended.

    Raises:
        ValueError: other shapes, nobody, or a duration that is negative or not finite.
    """
    durations, ended = np.asarray(durations, float), np.asarray(ended, dtype=bool)
    check_axes("durations", durations, ("units",))
    check_same_shape("durations", durations, "ended", ended)
    wrong = ~(np.isfinite(durations) & (durations >= 0))
    if wrong.any() or not len(durations):
        found = f"{durations[wrong][0]} for unit {wrong.argmax()}" if len(wrong) else "none"
        raise ValueError(
            f"durations: expected finite times from 0, got {found}; give who has not "
            "ended the time until the last look"
        )
    times, ends = np.unique(durations[ended], return_counts=True)
    ordered = np.sort(durations)
    watched = len(ordered) - np.searchsorted(ordered, times, side="left")
    shares = np.cumprod(1 - ends / watched)
    left = np.maximum(watched - ends, 1)  # where nobody is left the share is 0
    errors = shares * np.sqrt(np.cumsum(ends / (watched * left)))
    return Survival(times, shares, errors, watched)
