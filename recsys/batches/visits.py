"""Histories as baskets: which of a user's visits an event belongs to, counted from either end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recsys.data import Interactions


class Visits(NamedTuple):
    """For each row of a log: its basket's place from the start, from the end, and its user's number of baskets.

    ``place`` is 0 for a user's first basket, ``age`` 0 for the newest; ``n_baskets`` is (n_users,).
    """

    place: np.ndarray
    age: np.ndarray
    n_baskets: np.ndarray


def visits(interactions: Interactions) -> Visits:
    """Number each user's baskets; all rows of one user and one time are one basket.

    Returns
    -------
    Visits, with two (n,) int arrays along the rows and one (n_users,) int array
    """
    order = interactions.by_time()
    users, times = interactions.users[order], interactions.times[order]
    new_user = np.diff(users, prepend=-1) != 0
    new_basket = new_user | (np.diff(times, prepend=0) != 0)
    number = np.cumsum(new_basket) - 1  # of the basket, over all users
    n_baskets = np.bincount(users[new_basket], minlength=interactions.n_users)
    first = np.cumsum(n_baskets) - n_baskets
    place = np.empty(len(interactions), dtype=np.int64)
    place[order] = number - first[users]
    return Visits(place, n_baskets[interactions.users] - 1 - place, n_baskets)
