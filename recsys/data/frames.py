"""From a pandas table of one's own to the columns of `Interactions`.

Ids may be whole numbers, text or dates, times numbers or dates. What can't be held is
refused: the first such row is named by the label of the frame's index, how many there
are is said, and nothing is dropped or filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype

from recsys.data.columns import DATE_CODES, LARGEST, TOO_WIDE
from recsys.data.errors import DataError

FILL_IN = "fill it in, or remove the row"
AS_TEXT = "turn the whole column into text: astype(str)"
FRAME_UNITS = ("second", "millisecond", "day", "step")
LATEST = {"second": 10**11, "millisecond": 10**14, "day": 10**6}
"""Beyond the year 4700 in each unit: what is larger was counted in another unit."""

WHOLE = ("integer", "floating", "mixed-integer-float")
DATES = ("datetime64", "datetime", "date")
EXPECTED = {
    "user": "a user id",
    "item": "an item id",
    "time": "a time",
    "value": "a value",
}


@dataclass(frozen=True)
class _Column:
    """A column of a frame, what it should hold, and where it is from."""

    cells: pd.Series
    expected: str
    where: str

    @property
    def kind(self) -> str:
        """What pandas takes the cells for, missing ones left out."""
        return infer_dtype(self.cells, skipna=True)

    def refuse(self, bad: np.ndarray, expected: str = "", mend: str = FILL_IN) -> None:
        """Name the first bad row, if there is one."""
        if bad.any():
            raise self.error(np.flatnonzero(bad), expected, mend)

    def refuse_empty(self) -> None:
        """Refuse missing cells, and text of blanks."""
        empty = self.cells.isna().to_numpy(bool)
        if self.cells.dtype.kind not in "biufmM":
            blank = [isinstance(cell, str) and not cell.strip() for cell in self.cells]
            empty = empty | np.array(blank)
        if empty.any():
            raise self.error(np.flatnonzero(empty), "", FILL_IN, found="nothing")

    def error(
        self, rows: np.ndarray, expected: str, mend: str, found: str = ""
    ) -> DataError:
        """What is wrong in the first of these rows, and how many more there are."""
        index = self.cells.index
        row = f"{index.name or 'row'} {index[rows[0]]}"
        cell = self.cells.iloc[rows[0]]
        found = found or repr(cell.item() if isinstance(cell, np.generic) else cell)
        more = f", the first of {len(rows):,} such rows" if len(rows) > 1 else ""
        return DataError(
            f"{self.where}, {row}: expected {expected or self.expected} in column "
            f"{self.cells.name!r}, got {found}{more}; {mend}"
        )

    def of_another_kind(self, mend: str) -> DataError:
        """What is wrong with a column none of whose rows will do."""
        return self.error(np.arange(1), "", mend)


def log_columns(
    frame: pd.DataFrame, names: Mapping[str, str], time_unit: str, where: str
) -> dict:
    """Read the columns of a log, in the order of time.

    Args:
        frame: one row an event.
        names: the frame's column for each of "user", "item", "time", and "value" if
            there is one.
        time_unit: of numbers, one of `FRAME_UNITS`; of dates "second" or "day".
        where: what the message of an error starts with.

    Returns:
        The arguments of `Interactions`, by name.

    Raises:
        DataError: a column is missing, or a row can't be held; it names the first.
    """
    if time_unit not in FRAME_UNITS:
        raise DataError(
            f"time_unit: expected one of {', '.join(FRAME_UNITS)}, got {time_unit!r}; "
            "say in what the times are counted"
        )
    _check_frame(frame, names, where)
    column = {
        role: _Column(_plain(frame[name]), EXPECTED[role], where)
        for role, name in names.items()
    }
    users, user_ids = _numbered(column["user"])
    items, item_ids = _numbered(column["item"])
    exact, counted = _times(column["time"], time_unit)
    values = _values(column["value"]) if "value" in names else np.ones(len(frame))
    order = np.argsort(exact, kind="stable")
    return {
        "users": users[order],
        "items": items[order],
        "values": values[order],
        "times": counted[order],
        "user_ids": user_ids,
        "item_ids": item_ids,
        "time_unit": "second" if time_unit == "millisecond" else time_unit,
    }


def _check_frame(frame: pd.DataFrame, names: Mapping[str, str], where: str) -> None:
    """Require a table with rows and the named columns."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"{where}: expected a pandas DataFrame, got {type(frame).__name__}; "
            "make one with pandas.DataFrame(columns)"
        )
    check_names(frame.columns, names, where)
    if not len(frame):
        raise DataError(f"{where}: expected a row an event, got no row; add some")


def check_names(found: Iterable, names: Mapping[str, str], where: str) -> None:
    """Require each named column once.

    Args:
        found: names of the columns that there are.
        names: the column for each role.
        where: what the message of an error starts with.

    Raises:
        DataError: one is missing, or there twice.
    """
    found = list(found)
    for role, name in names.items():
        if found.count(name) != 1:
            there = "none" if name not in found else f"{found.count(name)} of them"
            raise DataError(
                f"{where}: expected one column {name!r} with the {role}, got {there} "
                f"among {', '.join(map(str, found))}; name yours with {role}= "
                f"(--{role} at the command line)"
            )


def _numbered(column: _Column) -> tuple[np.ndarray, np.ndarray]:
    """The index of each row's id, (n,) int64, and the ids in rising order."""
    codes, found = pd.factorize(_ids(column))
    ids = np.array(found, dtype=str if infer_dtype(found) == "string" else np.int64)
    order = np.argsort(ids, kind="stable")
    place = np.empty(len(ids), dtype=np.int64)
    place[order] = np.arange(len(ids))
    return place[codes], ids[order]


def _plain(cells: pd.Series) -> pd.Series:
    """The column itself; of a categorical one its cells."""
    if isinstance(cells.dtype, pd.CategoricalDtype):
        return cells.astype(cells.cat.categories.dtype)
    return cells


def _ids(column: _Column) -> np.ndarray:
    """Ids as int64 or as objects that are text: (n,)."""
    column.refuse_empty()
    kind, cells = column.kind, column.cells
    if kind == "string":
        texts = cells.to_numpy(object)
        cut = np.array([text.endswith("\0") for text in texts])
        column.refuse(cut, mend="take off the zero bytes at its end")
        return texts
    if kind in DATES:
        return _dates_as_text(cells)
    if kind in WHOLE:
        return _whole_ids(column)
    first, *others = cells.tolist()
    unlike = np.array([False, *(type(cell) is not type(first) for cell in others)])
    column.refuse(unlike, f"{column.expected} like the first, {first!r},", AS_TEXT)
    raise column.of_another_kind(AS_TEXT)


def _whole_ids(column: _Column) -> np.ndarray:
    """Whole numbers as int64, or as text where 64 bits don't hold them: (n,)."""
    cells = column.cells
    if cells.dtype.kind == "i":
        return cells.to_numpy(np.int64)
    raw = cells.to_numpy()
    if column.kind == "integer":
        fits = all(-LARGEST <= number <= LARGEST for number in raw)
        as_text = np.array([str(number) for number in raw], dtype=object)
        return raw.astype(np.int64) if fits else as_text
    floats = raw if raw.dtype.kind == "f" else raw.astype(np.float64)
    whole = np.isfinite(floats) & (floats == np.trunc(floats))
    column.refuse(~whole, f"{column.expected} as a whole number", AS_TEXT)
    n_bits = min(np.finfo(floats.dtype).nmant + 1, 53)
    exact = f"{column.expected} that a float holds exactly"
    column.refuse(np.abs(floats) > 2.0**n_bits, exact, TOO_WIDE)
    return floats.astype(np.int64)


def _dates_as_text(cells: pd.Series) -> np.ndarray:
    """Days as 2024-01-05, and times of a day as 2024-01-05T10:11:12."""
    texts = [cell.isoformat() for cell in cells]
    days = [text.removesuffix("T00:00:00") for text in texts]
    are_days = all(len(day) == len("2024-01-05") for day in days)
    return np.array(days if are_days else texts, dtype=object)


def _times(column: _Column, time_unit: str) -> tuple[np.ndarray, np.ndarray]:
    """What orders the rows, and the times in whole units rounded down: (n,) each."""
    column.refuse_empty()
    if column.kind in DATES:
        dates = pd.to_datetime(column.cells, utc=True)
        return _counted_dates(column, dates, time_unit)
    if column.kind == "boolean":
        raise column.of_another_kind("hand in numbers, or dates")
    if isinstance(column.cells.iloc[0], str) and not _is_number(column.cells.iloc[0]):
        return _dates_of_text(column, time_unit)
    return _counted_numbers(column, time_unit)


def _dates_of_text(column: _Column, time_unit: str) -> tuple[np.ndarray, np.ndarray]:
    texts = column.cells.astype(object)
    dates = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    iso = "a time as a number, or as a date such as 2024-01-31 or 2024-01-31 18:30:00,"
    column.refuse(dates.isna().to_numpy(), iso, "write it so, or remove the row")
    return _counted_dates(column, dates, time_unit)


def _counted_dates(
    column: _Column, dates: pd.Series, time_unit: str
) -> tuple[np.ndarray, np.ndarray]:
    if time_unit not in DATE_CODES:
        mend = f'say time_unit="second" or "day": dates are not counted in {time_unit}s'
        raise column.of_another_kind(mend)
    exact = dates.dt.tz_convert(None).to_numpy()  # datetime64 in UTC
    counted = exact.astype(f"datetime64[{DATE_CODES[time_unit]}]")  # rounds down
    return exact.astype(np.int64), counted.astype(np.int64)


def _counted_numbers(
    column: _Column, time_unit: str
) -> tuple[np.ndarray, np.ndarray]:
    exact = _finite(column)
    too_far = np.abs(exact.astype(np.float64)) > LATEST.get(time_unit, 2**53)
    column.refuse(
        too_far,
        f"a time in {time_unit}s",
        f"as {time_unit}s it is too far away: say its unit with time_unit= "
        "(--time-unit at the command line)",
    )
    per_unit = 1000 if time_unit == "millisecond" else 1
    return exact, np.floor_divide(exact, per_unit).astype(np.int64)


def _values(column: _Column) -> np.ndarray:
    """Finite numbers: (n,) float64."""
    column.refuse_empty()
    return _finite(column).astype(np.float64)


def _finite(column: _Column) -> np.ndarray:
    """Numbers, or text that holds numbers, if all are finite: (n,) int64 or float64."""
    if column.cells.dtype.kind == "i":
        return column.cells.to_numpy(np.int64)
    is_date = column.kind in (*DATES, "timedelta64", "timedelta")
    numbers = (
        pd.Series(np.nan, column.cells.index)
        if is_date
        else pd.to_numeric(column.cells, errors="coerce")
    )
    whole = numbers.dtype.kind == "i"
    array = numbers.to_numpy(np.int64 if whole else np.float64, na_value=np.nan)
    column.refuse(~np.isfinite(array), f"{column.expected} as a finite number")
    return array


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
