"""`Baskets`: what each user took on each day, made from `Interactions`.

A small immutable table with the same vocabularies. A basket has no order and no item
twice; what a row of the log was worth is not kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.data.columns import ids as ids_of
from recsys.data.columns import whole_numbers
from recsys.data.errors import DataError
from recsys.data.interactions import Interactions
from recsys.data.tables import Table, check_range, check_starts, frozen


@dataclass(frozen=True, eq=False)
class Baskets(Table):
    """What a user took on one day, as one row.

    The items of basket b are `items[starts[b]:starts[b + 1]]`.

    Rows are sorted by user, then day. Items within a basket are distinct and have no order.

    Args:
        users: (n_baskets,) integer indices into `user_ids`.
        days: (n_baskets,) integers.
        starts: (n_baskets + 1,) integers, where each basket's items begin.
        items: (n,) integer indices into `item_ids`.
        user_ids: the vocabulary of the `Interactions` they were made from.
        item_ids: likewise.

    Raises:
        DataError: lengths disagree, an index is outside its vocabulary, a basket is empty, or
            baskets are not sorted by user and day.
    """

    users: np.ndarray
    days: np.ndarray
    starts: np.ndarray
    items: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray

    def __post_init__(self) -> None:
        for name in ("users", "days", "starts", "items"):
            column = whole_numbers(
                getattr(self, name),
                "an integer",
                name,
                "take it from Baskets.from_interactions",
            )
            object.__setattr__(self, name, frozen(column))
        for name in ("user_ids", "item_ids"):
            column = ids_of(
                getattr(self, name),
                "id",
                name,
                "take it from Baskets.from_interactions",
            )
            object.__setattr__(self, name, frozen(column))
        if not len(self.users) == len(self.days) == len(self.starts) - 1:
            raise DataError(
                "users, days and starts: expected two of one length and starts one longer, got "
                f"{len(self.users)}, {len(self.days)} and {len(self.starts)}; make them with "
                "Baskets.from_interactions"
            )
        check_starts(self.starts, len(self.items), "Baskets")
        check_range(self.users, "a user index", len(self.user_ids))
        check_range(self.items, "an item index", len(self.item_ids))
        same_user = np.diff(self.users) == 0
        later_day = np.diff(self.days) > 0
        follows = (np.diff(self.users) > 0) | (
            same_user & later_day
        )  # each basket but the first
        if not follows.all():
            raise DataError(
                f"Row {follows.argmin() + 1}: expected baskets sorted by user, then day, one a day; "
                "make them with Baskets.from_interactions"
            )

    @classmethod
    def from_interactions(cls, interactions: Interactions) -> Baskets:
        """Group the rows of each user and day.

        Raises:
            DataError: times that are not days.
        """
        if interactions.time_unit != "day":
            raise DataError(
                f'interactions: expected times in days, got "{interactions.time_unit}"; '
                "divide the times by the length of a day first"
            )
        order = np.lexsort((interactions.items, interactions.times, interactions.users))
        users = interactions.users[order]
        days = interactions.times[order]
        items = interactions.items[order]
        new_basket = np.ones(len(users), dtype=bool)
        new_basket[1:] = (np.diff(users) != 0) | (np.diff(days) != 0)
        new_item = new_basket.copy()
        new_item[1:] |= np.diff(items) != 0
        first = np.flatnonzero(new_basket[new_item])
        starts = np.append(first, new_item.sum())
        return cls(
            users[new_item][first],
            days[new_item][first],
            starts,
            items[new_item],
            interactions.user_ids,
            interactions.item_ids,
        )

    def __len__(self) -> int:
        return len(self.users)

    def basket(self, b: int) -> np.ndarray:
        """The item indices of basket `b`."""
        return self.items[self.starts[b] : self.starts[b + 1]]
