"""`Impressions`: what was shown and clicked; `ImpressionLog`: the clicks before it, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.columns import booleans, times, vocabulary, whole_numbers
from recsys.data.errors import DataError
from recsys.data.interactions import Interactions
from recsys.data.tables import Table, check_starts, frozen

MEND = "take indices from the places of the ids in a sorted vocabulary"


@dataclass(frozen=True, eq=False)
class Impressions(Table):
    """What was shown together to a person, one row an impression, and what was clicked.

    Impression r showed `items[starts[r]:starts[r + 1]]`, in the order of the source.

    The place in that list is the position where the source kept it (MIND shuffled
    it). No log of this form says with what probability something was shown;
    `LoggedChoices` does.

    Args:
        users: (n,) integer indices into `user_ids`.
        times: (n,) integers, seconds since 1970 in the clock of the source, or datetime64; the
            number of the slate where readers are simulated.
        starts: (n + 1,) integers, where each impression's items begin.
        items: (m,) integer indices into `item_ids`: what was shown.
        clicked: (m,) booleans, whether it was clicked.
        user_ids: the ids of the source, one for each index: distinct, in rising order.
        item_ids: likewise.

    Raises:
        DataError: lengths disagree, an index is outside its vocabulary, an impression shows
            nothing, or a row can't be held as it is.
    """

    users: np.ndarray
    times: np.ndarray
    starts: np.ndarray
    items: np.ndarray
    clicked: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray

    def __post_init__(self) -> None:
        checked = {
            "users": whole_numbers(self.users, "an integer index", "users", MEND),
            "times": times(self.times, "second", "times"),
            "starts": whole_numbers(
                self.starts,
                "an integer",
                "starts",
                "count the items of each impression",
            ),
            "items": whole_numbers(self.items, "an integer index", "items", MEND),
            "clicked": booleans(self.clicked, "clicked"),
        }
        lengths = {name: len(column) for name, column in checked.items()}
        rows = lengths["users"]
        one_a_row = rows == lengths["times"] == lengths["starts"] - 1
        if not (one_a_row and lengths["items"] == lengths["clicked"]):
            raise DataError(
                "columns: expected users and times of one length, starts one longer, and items and "
                f"clicked of one length, got {lengths}; count the items of each impression"
            )
        check_starts(checked["starts"], lengths["items"], "Impressions")
        checked["user_ids"] = vocabulary(self.user_ids, "user_ids")
        checked["item_ids"] = vocabulary(self.item_ids, "item_ids")
        _check_indices(checked, "users", "user_ids")
        _check_indices(checked, "items", "item_ids")
        for name, column in checked.items():
            object.__setattr__(self, name, frozen(column))

    def __len__(self) -> int:
        return len(self.users)

    def shown(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """The item indices of impression `row`, and whether each was clicked."""
        part = slice(self.starts[row], self.starts[row + 1])
        return self.items[part], self.clicked[part]


def _check_indices(columns: dict[str, np.ndarray], name: str, ids: str) -> None:
    indices, size = columns[name], len(columns[ids])
    bad = np.flatnonzero((indices < 0) | (indices >= size))
    if bad.size:
        raise DataError(
            f"{name}[{bad[0]}]: expected an index from 0 to {size - 1}, got {indices[bad[0]]}"
        )


@dataclass(frozen=True, eq=False)
class ImpressionLog:
    """Impressions with what each person had clicked before, and the articles.

    `histories` has one user for each row of `impressions`, with the clicks
    before that impression, oldest first: the form that `score(..., history=)`
    takes. `items` has one row for each entry of `impressions.item_ids`, with
    category, subcategory, title and abstract; a missing text is "".

    Raises:
        DataError: not one history for each impression, or other item ids in one of the three.
    """

    impressions: Impressions
    histories: Interactions
    items: pd.DataFrame

    def __post_init__(self) -> None:
        shown, before = self.impressions, self.histories
        if before.n_users != len(shown):
            raise DataError(
                f"histories: expected {len(shown)} users, one for each impression, got "
                f"{before.n_users}; give an impression without clicks an empty history"
            )
        for name, ids in (("histories", before.item_ids), ("items", self.items.index)):
            if not np.array_equal(ids, shown.item_ids):
                raise DataError(
                    f"{name}: expected the item ids of the impressions in their order, got "
                    "others; make both from one list of ids"
                )

    def __len__(self) -> int:
        """The number of headlines shown."""
        return len(self.impressions.items)

    def content(self) -> Iterator[bytes]:
        """What a content hash is taken over: impressions, then histories.

        As little-endian 64-bit integers.
        """
        shown, before = self.impressions, self.histories
        for column in (
            shown.users,
            shown.times,
            shown.starts,
            shown.items,
            shown.clicked,
            before.users,
            before.items,
        ):
            yield np.ascontiguousarray(column, dtype="<i8").tobytes()

    def tables(self) -> Iterator[pd.DataFrame]:
        """The articles."""
        yield self.items
