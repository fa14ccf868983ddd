"""The filter behind published next-basket numbers on Ta-Feng, as a function from the raw log."""

from __future__ import annotations

import numpy as np

from recsys.data.errors import DataError
from recsys.data.interactions import Interactions

MIN_DAYS = 5
"""Distinct days a user needs."""
MIN_ROWS = 10
"""Rows an item needs."""


def taiw_filter(interactions: Interactions) -> Interactions:
    """Leave out rare users, rare items and users who buy unusually much, and number the rest anew.

    1. Keep the rows of users with at least `MIN_DAYS` distinct days and items with at
       least `MIN_ROWS` rows; both are counted on the whole log, once.
    2. On what is left, a user's rate is rows / (last day - first day + 1). Leave out
       users whose rate is at or above the mean + 2 standard deviations of all users
       that are left, and users of a single day.

    Of Ta-Feng's 817,741 rows it leaves 368,951: 7,358 users, 11,202 items. A user may
    end with fewer than `MIN_DAYS` days, since their rare items went; row order stays.

    Args:
        interactions: the raw log, times in days.

    Returns:
        What is left, users and items numbered anew.

    Raises:
        DataError: times that are not in days, or nothing is left.

    Source: Romanov and others (2023), as their published program does it.
    """
    if interactions.time_unit != "day":
        raise DataError(
            f'interactions: expected times in days, got "{interactions.time_unit}"; '
            "divide the times by the length of a day first"
        )
    kept = _without_rare(interactions)
    if len(kept):
        kept = kept.select(_usual(kept)[kept.users])
    if not len(kept):
        raise DataError(
            f"No row is left: users need {MIN_DAYS} days and items {MIN_ROWS} rows in the raw log, "
            f"and this one has {len(interactions):,} rows"
        )
    return _renumbered(kept)


def _without_rare(interactions: Interactions) -> Interactions:
    order = interactions.by_time()
    users, times = interactions.users[order], interactions.times[order]
    new_day = (np.diff(users, prepend=-1) != 0) | (np.diff(times, prepend=0) != 0)
    n_days = np.bincount(users[new_day], minlength=interactions.n_users)
    n_rows = interactions.item_counts()
    return interactions.select(
        (n_days[interactions.users] >= MIN_DAYS)
        & (n_rows[interactions.items] >= MIN_ROWS)
    )


def _usual(interactions: Interactions) -> np.ndarray:
    """Who has more than one day, and a rate below mean + 2 deviations: bool (n_users,)."""
    users, rows = np.unique(interactions.users, return_counts=True)
    first = np.full(interactions.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, interactions.users, interactions.times)
    last = interactions.newest_times(missing=0)
    rate = rows / (last[users] - first[users] + 1)
    usual = np.zeros(interactions.n_users, dtype=bool)
    usual[users] = (rate < rate.mean() + 2 * rate.std()) & (last[users] > first[users])
    return usual


def _renumbered(interactions: Interactions) -> Interactions:
    return Interactions.from_ids(
        interactions.user_ids[interactions.users],
        interactions.item_ids[interactions.items],
        interactions.values,
        interactions.times,
        time_unit=interactions.time_unit,
    )
