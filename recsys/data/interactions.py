"""``Interactions`` and ``Baskets``: the two tables that every other room speaks.

Both are immutable and hold NumPy arrays. Users and items are numbered from 0
along sorted vocabularies of the ids found in the source, so that the same data
always gets the same numbers. Rows keep the order of the source file: that order
is itself information, since it decides ties in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recsys.data.errors import DataError


@dataclass(frozen=True)
class Interactions:
    """Who did what, how much of it, and when; one row an event.

    Parameters
    ----------
    users, items : (n,) int array
        Indices into ``user_ids`` and ``item_ids``.
    values : (n,) float array
        A rating, a quantity, or 1.
    times : (n,) int array
        Seconds or days since 1970, as ``time_unit`` says.
    user_ids, item_ids : (n_users,), (n_items,) array
        The ids of the source, one for each index.
    time_unit : str
        ``"second"``, ``"day"`` or ``"step"`` (a position in a list).

    Raises
    ------
    DataError
        If the arrays differ in length, an index is outside its vocabulary, or a
        value is not finite. The message names the first such row.
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    times: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray
    time_unit: str = "second"

    def __post_init__(self) -> None:
        for name, kind in (("users", np.int64), ("items", np.int64), ("values", np.float64),
                           ("times", np.int64), ("user_ids", None), ("item_ids", None)):
            array = np.array(getattr(self, name), dtype=kind)  # our own copy: nobody else can write
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        lengths = {name: len(getattr(self, name)) for name in ("users", "items", "values", "times")}
        if len(set(lengths.values())) != 1:
            raise DataError(f"Interactions need columns of equal length; these came: {lengths}.")
        _check_rows(self.users, "a user index", 0, len(self.user_ids))
        _check_rows(self.items, "an item index", 0, len(self.item_ids))
        bad = np.flatnonzero(~np.isfinite(self.values))
        if bad.size:
            raise DataError(f"Row {bad[0]}: expected a finite value, found {self.values[bad[0]]}.")

    @classmethod
    def from_ids(cls, users, items, values, times, *, time_unit: str = "second",
                 source: str = "interactions") -> Interactions:
        """Build the vocabularies from raw integer ids, and number users and items along them.

        Raises ``DataError`` naming ``source`` and the first row whose id is not an integer.
        """
        user_ids, user_index = np.unique(_integers(users, "user id", source), return_inverse=True)
        item_ids, item_index = np.unique(_integers(items, "item id", source), return_inverse=True)
        return cls(user_index, item_index, values, _integers(times, "time", source),
                   user_ids, item_ids, time_unit)

    @classmethod
    def from_sequences(cls, sequences: Sequence[Sequence[int]], item_ids: np.ndarray) -> Interactions:
        """Histories written by hand: one list of item indices a user, oldest first.

        The result has one user a list, which is the form that ``score(..., history=)`` takes.
        """
        lengths = [len(items) for items in sequences]
        flat = [item for items in sequences for item in items]
        steps = [step for length in lengths for step in range(length)]
        return cls(np.repeat(np.arange(len(lengths)), lengths), np.array(flat, dtype=np.int64),
                   np.ones(len(flat)), np.array(steps, dtype=np.int64),
                   np.arange(len(lengths)), item_ids, time_unit="step")

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
        return Interactions(self.users[rows], self.items[rows], self.values[rows], self.times[rows],
                            self.user_ids, self.item_ids, self.time_unit)

    def of_users(self, users: np.ndarray) -> Interactions:
        """The histories of ``users``, renumbered: row r of the result is ``users[r]``.

        Users must be distinct: of one named twice, only the last row gets the history.
        """
        users = np.asarray(users, dtype=np.int64)
        _check_rows(users, "a user index", 0, self.n_users)
        row_of = np.full(self.n_users, -1)
        row_of[users] = np.arange(len(users))
        rows = np.flatnonzero(row_of[self.users] >= 0)
        return Interactions(row_of[self.users[rows]], self.items[rows], self.values[rows], self.times[rows],
                            self.user_ids[users], self.item_ids, self.time_unit)

    def matrix(self, values: np.ndarray | None = None) -> sparse.csr_matrix:
        """Users by items, ``values`` (default 1) summed where a pair occurs more than once."""
        weights = np.ones(len(self)) if values is None else np.asarray(values, dtype=np.float64)
        matrix = sparse.csr_matrix((weights, (self.users, self.items)), shape=(self.n_users, self.n_items))
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
        """The newest time of each user, ``missing`` for a user without a row: (n_users,) int64."""
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
        counts = np.bincount(self.users, minlength=self.n_users)
        ends = np.cumsum(counts)
        ages = np.empty(len(self), dtype=np.int64)
        ages[order] = ends[self.users[order]] - 1 - np.arange(len(self))
        return ages

    def user_index(self, ids) -> np.ndarray:
        """Indices of user ids; ``DataError`` names the first id that is unknown."""
        return _index(self.user_ids, ids, "user")

    def item_index(self, ids) -> np.ndarray:
        """Indices of item ids; ``DataError`` names the first id that is unknown."""
        return _index(self.item_ids, ids, "item")


@dataclass(frozen=True)
class Baskets:
    """What a user took on one day, as one row; items of basket b are ``items[starts[b]:starts[b + 1]]``.

    Rows are sorted by user, then day. Items within a basket are distinct and have no order.

    Parameters
    ----------
    users, days : (n_baskets,) int array
    starts : (n_baskets + 1,) int array
    items : (n,) int array
    user_ids, item_ids : array
        The vocabularies of the ``Interactions`` they were made from.
    """

    users: np.ndarray
    days: np.ndarray
    starts: np.ndarray
    items: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray

    @classmethod
    def from_interactions(cls, interactions: Interactions) -> Baskets:
        """Group the rows of each user and day; ``interactions.time_unit`` must be ``"day"``."""
        if interactions.time_unit != "day":
            raise DataError(f'Baskets need times in days, but these are in "{interactions.time_unit}". '
                            "Divide the times by the length of a day first.")
        users, days, items = interactions.users, interactions.times, interactions.items
        order = np.lexsort((items, days, users))
        users, days, items = users[order], days[order], items[order]
        new_basket = np.ones(len(users), dtype=bool)
        new_basket[1:] = (np.diff(users) != 0) | (np.diff(days) != 0)
        new_item = new_basket.copy()
        new_item[1:] |= np.diff(items) != 0
        users, days, items, new_basket = users[new_item], days[new_item], items[new_item], new_basket[new_item]
        first = np.flatnonzero(new_basket)
        arrays = (users[first], days[first], np.append(first, len(items)), items)
        for array in arrays:
            array.setflags(write=False)
        return cls(*arrays, interactions.user_ids, interactions.item_ids)

    def __len__(self) -> int:
        return len(self.users)

    def basket(self, b: int) -> np.ndarray:
        """The item indices of basket ``b``."""
        return self.items[self.starts[b]:self.starts[b + 1]]


def _check_rows(array: np.ndarray, what: str, low: int, high: int) -> None:
    bad = np.flatnonzero((array < low) | (array >= high))
    if bad.size:
        raise DataError(f"Row {bad[0]}: expected {what} from {low} to {high - 1}, found {array[bad[0]]}.")


def _integers(column, what: str, source: str) -> np.ndarray:
    array = np.asarray(column)
    if np.issubdtype(array.dtype, np.integer):
        return array
    for row, value in enumerate(array.tolist() if isinstance(column, np.ndarray) else list(column)):
        if isinstance(value, bool) or not (isinstance(value, (int, np.integer)) or
                                           isinstance(value, float) and value.is_integer()):
            raise DataError(f"{source}, row {row}: expected an integer {what}, found {value!r}. "
                            "Number the ids first, or remove the row.")
    return array.astype(np.int64)


def _index(vocabulary: np.ndarray, ids, what: str) -> np.ndarray:
    ids = np.asarray(ids)
    place = np.clip(np.searchsorted(vocabulary, ids), 0, len(vocabulary) - 1)
    unknown = np.flatnonzero(np.atleast_1d(vocabulary[place] != ids))
    if unknown.size:
        raise DataError(f"Unknown {what} id {np.atleast_1d(ids)[unknown[0]]}: the data has "
                        f"{len(vocabulary):,} {what}s, from {vocabulary[0]} to {vocabulary[-1]}.")
    return place
