"""Histories as baskets: which of a user's visits an event belongs to."""

from typing import NamedTuple

import numpy as np

from recsys.data import Interactions


class Visits(NamedTuple):
    """For each row of a log, the place of its basket among its user's.

    Attributes:
        place: (n,) int, 0 for a user's first basket.
        age: (n,) int, 0 for a user's newest basket.
        n_baskets: (n_users,) int.
    """

    place: np.ndarray
    age: np.ndarray
    n_baskets: np.ndarray


def visits(interactions: Interactions) -> Visits:
    """Number each user's baskets; all rows of one user and one time are one basket.

    Args:
        interactions: the log, in any order.

    Returns:
        Place and age of each row's basket, and each user's number of baskets.
    """
    order = interactions.by_time()
    found = visits_in_order(
        interactions.users[order], interactions.times[order], interactions.n_users
    )
    place = np.empty(len(interactions), dtype=np.int64)
    age = np.empty(len(interactions), dtype=np.int64)
    place[order] = found.place
    age[order] = found.age
    return Visits(place, age, found.n_baskets)


def visits_in_order(users: np.ndarray, times: np.ndarray, n_users: int) -> Visits:
    """As `visits`, of rows that are sorted by user and then by time.

    Args:
        users: (n,) int.
        times: (n,) int.
        n_users: how many there are.

    Returns:
        Place and age of each row's basket, and each user's number of baskets.
    """
    user_step = np.diff(users, prepend=-1)
    time_step = np.diff(times, prepend=0)
    new_basket = (user_step != 0) | (time_step != 0)
    number = np.cumsum(new_basket) - 1  # of the basket, over all users
    user_of_basket = users[new_basket]
    n_baskets = np.bincount(user_of_basket, minlength=n_users)
    first = np.cumsum(n_baskets) - n_baskets  # (n_users,), number of the first basket
    place = number - first[users]
    newest = n_baskets[users] - 1
    return Visits(place, newest - place, n_baskets)


def once_a_basket(interactions: Interactions, place: np.ndarray) -> np.ndarray:
    """Rows that name each item of a basket once.

    Args:
        interactions: the log.
        place: (n,) int, the basket of each row.

    Returns:
        (n_kept,) int, rows by user, basket and item; of several the first.
    """
    cells = np.stack([interactions.users, place, interactions.items])  # (3, n)
    _, rows = np.unique(cells, axis=1, return_index=True)
    return rows
