"""`Interactions`: the table that every other room speaks.

It is immutable and holds NumPy arrays. Users and items are numbered from 0 along
sorted vocabularies of the ids found in the source, so that the same data always
gets the same numbers. Rows keep the order of the source file: that order is itself
information, since it decides ties in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from recsys.data.columns import (
    DATE_CODES,
    ids as ids_of,
    numbers,
    times as times_of,
    vocabulary,
    whole_numbers,
)
from recsys.data.errors import DataError
from recsys.data.frames import log_columns
from recsys.data.tables import Table, check_range, frozen

TIME_UNITS = (*DATE_CODES, "step")
NUMBER_FIRST = "number the ids first, or remove the row"
TAKE_INDICES = "take indices from user_index(ids) and item_index(ids)"


@dataclass(frozen=True, eq=False)
class Interactions(Table):
    """Who did what, how much of it, and when; one row an event.

    `user_ids` and `item_ids` are distinct and in rising order. Only the result of `of_users`
    has its users in another order, the one asked for, and may have one of them twice.

    Args:
        users: (n,) integer indices into `user_ids`.
        items: (n,) integer indices into `item_ids`.
        values: (n,) finite numbers: a rating, a quantity, or 1.
        times: (n,) integers, seconds or days since 1970 as `time_unit` says, or datetime64.
        user_ids: (n_users,) the ids of the source, one for each index: integers or text.
        item_ids: (n_items,) likewise.
        time_unit: "second", "day" or "step" (a position in a list).

    Raises:
        DataError: the arrays differ in length, an index is outside its vocabulary, a vocabulary
            is not sorted and distinct, or a row can't be held as it is. The message names the
            first such row.
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    times: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray
    time_unit: str = "second"

    def __post_init__(self) -> None:
        if self.time_unit not in TIME_UNITS:
            raise DataError(
                f"time_unit: expected one of {', '.join(TIME_UNITS)}, got {self.time_unit!r}; "
                "convert the times first"
            )
        checked = {
            "users": whole_numbers(
                self.users, "an integer index", "users", TAKE_INDICES
            ),
            "items": whole_numbers(
                self.items, "an integer index", "items", TAKE_INDICES
            ),
            "values": numbers(self.values, "values"),
            "times": times_of(self.times, self.time_unit, "times"),
        }
        lengths = {name: len(column) for name, column in checked.items()}
        if len(set(lengths.values())) != 1:
            raise DataError(
                f"columns: expected equal lengths, got {lengths}; hand in one value a row"
            )
        checked["user_ids"] = vocabulary(self.user_ids, "user_ids")
        checked["item_ids"] = vocabulary(self.item_ids, "item_ids")
        check_range(checked["users"], "a user index", len(checked["user_ids"]))
        check_range(checked["items"], "an item index", len(checked["item_ids"]))
        self._set(checked)

    @classmethod
    def from_ids(
        cls,
        users,
        items,
        values,
        times,
        *,
        time_unit: str = "second",
        source: str = "interactions",
    ) -> Interactions:
        """Build the vocabularies from raw ids, and number users and items along them.

        Args:
            users: (n,) ids, all integers or all text; text is sorted as text.
            items: (n,) ids likewise.
            values: (n,) finite numbers.
            times: (n,) integers in `time_unit`, or datetime64, counted in it from 1970.
            time_unit: "second", "day" or "step".
            source: what the message of an error starts with.

        Raises:
            DataError: an id or a time is of another kind, or can't be held exactly; it names
                `source` and the first such row.
        """
        named_users = ids_of(users, "user id", source, NUMBER_FIRST)
        named_items = ids_of(items, "item id", source, NUMBER_FIRST)
        user_ids, user_index = np.unique(named_users, return_inverse=True)
        item_ids, item_index = np.unique(named_items, return_inverse=True)
        counted = times_of(times, time_unit, source)
        return cls(
            user_index, item_index, values, counted, user_ids, item_ids, time_unit
        )

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        user: str = "user",
        item: str = "item",
        time: str = "time",
        value: str | None = None,
        *,
        time_unit: str = "second",
        source: str = "frame",
    ) -> Interactions:
        """Read a pandas table of one's own, a row an event.

        Rows are put in the order of time, before it is rounded; those of one time keep
        theirs.

        Args:
            frame: any columns; four of them are read.
            user: the column of user ids: whole numbers, text, or dates, which become
                text.
            item: the column of item ids, likewise.
            time: the column of times: numbers in `time_unit`; or dates, of pandas or as
                text of ISO 8601, in UTC where they name no zone. Fractions are rounded
                down.
            value: the column of finite numbers, a rating or a quantity; None counts 1.
            time_unit: "second", "day" or "step", in which the result is counted; or
                "millisecond", for numbers that become seconds.
            source: what the message of an error starts with.

        Raises:
            DataError: a column is missing, or an id, a time or a value; it names the
                first such row by its label in the frame's index, and the mend.
        """
        names = {"user": user, "item": item, "time": time}
        if value is not None:
            names["value"] = value
        return cls(**log_columns(frame, names, time_unit, source))

    @classmethod
    def from_sequences(
        cls, sequences: Sequence[Sequence[int]], item_ids: np.ndarray
    ) -> Interactions:
        """Histories written by hand: one list of item indices a user, oldest first.

        The result has one user a list, which is the form that `score(..., history=)` takes.
        """
        lengths = [len(items) for items in sequences]
        rows = np.arange(len(lengths))
        flat = [item for items in sequences for item in items]
        steps = [step for length in lengths for step in range(length)]
        return cls(
            np.repeat(rows, lengths),
            flat,
            np.ones(len(flat)),
            steps,
            rows,
            item_ids,
            time_unit="step",
        )

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    def select(self, rows: np.ndarray) -> Interactions:
        """The rows of a boolean mask or an index array, with the same vocabularies."""
        return self._of_rows(rows, self.users[rows], self.user_ids)

    def taken(self) -> Interactions:
        """The rows whose value is above 0, with the same vocabularies: 0 is an offer left."""
        return self.select(self.values > 0)

    def with_times(self, times: np.ndarray, time_unit: str) -> Interactions:
        """The same rows with other times.

        Args:
            times: (n,) integers in `time_unit`.
            time_unit: "second", "day" or "step".

        Raises:
            DataError: not one time a row, or a time that is no whole number.
        """
        counted = times_of(times, time_unit, "times")
        if len(counted) != len(self):
            raise DataError(f"times: expected {len(self)}, one for each row, got {len(counted)}")
        table = self._of_rows(np.arange(len(self)), self.users, self.user_ids)
        object.__setattr__(table, "times", counted)
        object.__setattr__(table, "time_unit", time_unit)
        return table

    def of_users(self, users: np.ndarray) -> Interactions:
        """The histories of `users`, renumbered: row r of the result is `users[r]`.

        Args:
            users: (n,) integer indices; one that stands there twice has its history twice.

        Returns:
            A table of n users. Its events keep the order of this one; where a user stands there
            twice they are grouped by row of `users` instead, in the order of this one within each.

        Raises:
            DataError: one of `users` is no index of a user.
        """
        users = whole_numbers(
            users, "a user index", "users", "take it from interactions.user_index(ids)"
        )
        check_range(users, "a user index", self.n_users)
        n_asked = np.bincount(users, minlength=self.n_users)  # (n_users,)
        if (n_asked > 1).any():
            rows, row_of = self._rows_of(users)
            return self._of_rows(rows, row_of, self.user_ids[users])
        place = np.full(self.n_users, -1)
        place[users] = np.arange(len(users))
        row_of_event = place[self.users]
        rows = np.flatnonzero(row_of_event >= 0)
        return self._of_rows(rows, row_of_event[rows], self.user_ids[users])

    def _rows_of(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows of each of `users`, one after the other, and whose each is."""
        by_user = np.argsort(self.users, kind="stable")
        counts = self.user_counts()
        starts = np.cumsum(counts) - counts
        lengths = counts[users]  # (len(users),)
        row_of = np.repeat(np.arange(len(users)), lengths)
        before = np.cumsum(lengths) - lengths
        nth = np.arange(len(row_of)) - before[row_of]  # place within the user's rows
        first = starts[users]  # (len(users),)
        return by_user[first[row_of] + nth], row_of

    def matrix(self, values: np.ndarray | None = None) -> sparse.csr_matrix:
        """Users by items, `values` (default 1) summed where a pair occurs more than once."""
        weights = (
            np.ones(len(self))
            if values is None
            else np.asarray(values, dtype=np.float64)
        )
        places = (self.users, self.items)
        shape = (self.n_users, self.n_items)
        matrix = sparse.csr_matrix((weights, places), shape=shape)
        matrix.sum_duplicates()
        return matrix

    def seen(self) -> sparse.csr_matrix:
        """Users by items, 1 where the user has the item at least once."""
        matrix = self.matrix()
        matrix.data[:] = 1.0
        return matrix

    def item_counts(self) -> np.ndarray:
        """How many rows each item has: (n_items,) int64."""
        return np.bincount(self.items, minlength=self.n_items)

    def user_counts(self) -> np.ndarray:
        """How many rows each user has: (n_users,) int64."""
        return np.bincount(self.users, minlength=self.n_users)

    def rows_by_user(self) -> list[np.ndarray]:
        """The row numbers of each user, oldest first; times that tie take the order of the file."""
        ends = np.cumsum(self.user_counts())
        return np.split(self.by_time(), ends[:-1]) if self.n_users else []

    def newest_times(self, missing: int) -> np.ndarray:
        """The newest time of each user, `missing` for a user without a row: (n_users,) int64."""
        newest = np.full(self.n_users, missing, dtype=np.int64)
        order = np.argsort(self.times, kind="stable")
        newest[self.users[order]] = self.times[order]  # of several, the last is kept
        return newest

    def by_time(self) -> np.ndarray:
        """Row numbers sorted by user, then time, then place in the file (a stable sort)."""
        return np.lexsort((self.times, self.users))

    def ages(self) -> np.ndarray:
        """How many of its user's later events stand after each row: 0 for the newest."""
        order = self.by_time()
        ends = np.cumsum(self.user_counts())
        ages = np.empty(len(self), dtype=np.int64)
        ages[order] = ends[self.users[order]] - 1 - np.arange(len(self))
        return ages

    def user_index(self, ids) -> np.ndarray:
        """Look up the indices of user ids.

        Raises:
            DataError: an id is unknown, or there twice; the message names the first.
        """
        return _index(self.user_ids, ids, "user")

    def item_index(self, ids) -> np.ndarray:
        """Look up the indices of item ids.

        Raises:
            DataError: an id is unknown; the message names the first.
        """
        return _index(self.item_ids, ids, "item")

    def _of_rows(
        self, rows: np.ndarray, users: np.ndarray, user_ids: np.ndarray
    ) -> Interactions:
        """Rows of this table, users numbered along `user_ids`; not checked a second time."""
        table = object.__new__(Interactions)
        table._set(
            {
                "users": users,
                "items": self.items[rows],
                "values": self.values[rows],
                "times": self.times[rows],
                "user_ids": user_ids,
                "item_ids": self.item_ids,
                "time_unit": self.time_unit,
            }
        )
        return table

    def _set(self, columns: dict) -> None:
        for name, column in columns.items():
            object.__setattr__(self, name, frozen(column))


def _index(known: np.ndarray, ids, what: str) -> np.ndarray:
    """The place in `known` of each of `ids`, or of the one id."""
    asked = [ids] if np.ndim(ids) == 0 else ids
    column = ids_of(asked, f"{what} id", f"{what} ids", "look it up in the source")
    if not len(column):
        return np.zeros(0, dtype=np.int64)
    if not len(known) or column.dtype.kind != known.dtype.kind:
        raise DataError(_unknown(known, column[0], what))
    order = np.argsort(known, kind="stable")  # of_users keeps the order asked for
    least = known[order]
    places = np.searchsorted(least, column)  # where an id stands if it is known
    found = least[np.minimum(places, len(known) - 1)] == column
    if not found.all():
        raise DataError(_unknown(least, column[found.argmin()], what))
    after = np.searchsorted(least, column, side="right")
    doubled = after - places > 1
    if doubled.any():
        raise DataError(
            f"The {what} id {column[doubled.argmax()].item()!r} stands for several {what}s of this table, "
            "which of_users made; ask the table that it was made from"
        )
    index = order[places]
    return index[0] if np.ndim(ids) == 0 else index


def _unknown(known: np.ndarray, value: np.generic, what: str) -> str:
    if not len(known):
        return f"Unknown {what} id {value.item()!r}: the data has no {what}s."
    kind = ""
    if known.dtype.kind != value.dtype.kind:
        kind = f", and ids of {what}s are {'text' if known.dtype.kind == 'U' else 'integers'}"
    return (
        f"Unknown {what} id {value.item()!r}: the data has {len(known):,} {what}s, "
        f"from {known[0]} to {known[-1]}{kind}."
    )
