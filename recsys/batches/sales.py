"""What a log says of its products: late sales, earlier sales, repurchases."""

import numpy as np

from recsys.batches.repeats import Repeats
from recsys.data import Interactions

HALF_LIVES = (1, 3, 10)
"""Days in which a sale of late loses half its weight."""


class LateSales:
    """Share of each product in the sales before a day, the late ones weighing more.

    Args:
        interactions: a log with times in days.

    Attributes:
        first, last: days of the log.
        shares: float32 (half-lives, days, n_items); place d of the days is what was
            sold before the day `first + d`, and the last place is what was sold in all.
    """

    def __init__(self, interactions: Interactions):
        self.first = int(interactions.times.min())
        self.last = int(interactions.times.max())
        days_after = (
            interactions.times - self.first + 1
        )  # a sale counts from the day after it
        n_days = self.last - self.first + 2
        sold = np.zeros((n_days, interactions.n_items), dtype=np.float32)
        np.add.at(sold, (days_after, interactions.items), 1)
        shares = [_decayed_shares(sold, half_life) for half_life in HALF_LIVES]
        self.shares = np.stack(shares)

    def places(self, days: np.ndarray) -> np.ndarray:
        """Where days stand in `shares`; the first or last place for days outside."""
        return np.clip(days - self.first, 0, self.last + 1 - self.first)

    def before(self, days: np.ndarray, half_life: int) -> np.ndarray:
        """Shares of all products before each day.

        Args:
            days: int (n,).
            half_life: a place in `HALF_LIVES`.

        Returns:
            Float32 (n, n_items).
        """
        return self.shares[half_life][self.places(days)]


def _decayed_shares(sold: np.ndarray, half_life: float) -> np.ndarray:
    """Rows of a day, (days, n_items), to shares of their sum, decayed by the day."""
    kept = 0.5 ** (1 / half_life)
    decayed = sold.copy()
    for day in range(1, len(decayed)):
        decayed[day] += kept * decayed[day - 1]
    totals = decayed.sum(axis=1, keepdims=True)
    return decayed / np.maximum(totals, 1)


def repurchases(interactions: Interactions) -> dict[str, np.ndarray]:
    """Tell of each product how it is bought again, from the whole of a log.

    Args:
        interactions: a log with times in days.

    Returns:
        Float (n_items,) each, smoothed where buyers are few: "share that buys again" of
        the buyers, "rows per buyer", and "usual gap", the mean of days between a
        customer's rows.
    """
    order = interactions.by_time()
    taken = Repeats(
        interactions.users[order],
        interactions.items[order],
        interactions.times[order],
        interactions.n_items,
    )

    def by_item(weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(taken.kinds, weights=weights, minlength=interactions.n_items)

    buyers = by_item()
    again = by_item(taken.counts > 1)
    rows = by_item(taken.counts)
    days = by_item(taken.newest - taken.oldest)
    gaps = by_item(taken.counts - 1)
    return {
        "share that buys again": (again + 1) / (buyers + 20),
        "rows per buyer": (rows + 1) / (buyers + 1),
        "usual gap": (days + 30) / (gaps + 1),
    }


def sales_before(
    days: np.ndarray, items: np.ndarray, interactions: Interactions, groups: np.ndarray
) -> dict[str, np.ndarray]:
    """Count what a log says of products before a day, without the day itself.

    Args:
        days, items: int (n,), a day and a product each.
        interactions: the log, times in days.
        groups: int (n_items,), from 0.

    Returns:
        Float (n,) each, NaN where there is nothing to count from: "share of sales" of
        the item, "share of sales of group", and "repurchase rate", the share of its
        customers who came back for it on another day.
    """
    marks, place = np.unique(days, return_inverse=True)

    def sold_before(rows: np.ndarray | slice) -> np.ndarray:
        return _before(
            marks,
            interactions.times[rows],
            interactions.items[rows],
            interactions.n_items,
        )

    sold = sold_before(slice(None))  # (marks, n_items)
    sold_of_group = _before(
        marks, interactions.times, groups[interactions.items], groups.max() + 1
    )
    first, second = _first_and_second_visits(interactions)
    tried = sold_before(first)
    came_back = sold_before(second)
    total = sold.sum(axis=1)[place]  # (n,)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "share of sales": sold[place, items] / total,
            "share of sales of group": sold_of_group[place, groups[items]] / total,
            "repurchase rate": came_back[place, items] / tried[place, items],
        }


def _first_and_second_visits(
    interactions: Interactions,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows at which a customer takes a product first, and on a second day."""
    order = np.lexsort((interactions.times, interactions.items, interactions.users))
    other_user = np.diff(interactions.users[order]) != 0
    other_item = np.diff(interactions.items[order]) != 0
    other_day = np.diff(interactions.times[order]) != 0
    new_pair = np.ones(len(order), dtype=bool)
    new_pair[1:] = other_user | other_item
    new_visit = new_pair.copy()
    new_visit[1:] |= other_day
    visits = order[new_visit]  # one row for each customer, product and day
    first = new_pair[new_visit]
    second = np.zeros(len(visits), dtype=bool)
    second[1:] = first[:-1] & ~first[1:]
    return visits[first], visits[second]


def _before(
    marks: np.ndarray, days: np.ndarray, what: np.ndarray, n: int
) -> np.ndarray:
    """How often each of n things stands on a day before each mark, int (n_marks, n).

    Marks ascend.
    """
    counts = np.zeros((len(marks) + 1, n), dtype=np.int32)
    places = np.searchsorted(marks, days, side="right")
    np.add.at(counts, (places, what), 1)
    return np.cumsum(counts, axis=0)[:-1]
