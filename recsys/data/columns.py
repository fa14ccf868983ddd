"""What a column must be before a table holds it: whole numbers, ids, times, values.

Each function takes what a caller hands in (a list, an array, a pandas column) and returns a
NumPy array that holds the same values, or raises `DataError` naming the first row that it
cannot hold. Indices, ids and times are held exactly: nothing is cut, wrapped or filled in.
Values are float64, the nearest to what was given.
"""

import numpy as np

from recsys.data.errors import DataError

LARGEST = 2**63 - 1
DATE_CODES = {"second": "s", "day": "D"}
"""NumPy's codes of the units that a date can be counted in."""

TOO_WIDE = "hand such ids in as text; of a time, look at its unit"


def whole_numbers(column, expected: str, where: str, mend: str) -> np.ndarray:
    """Read a column of whole numbers.

    Args:
        column: (n,) integers, or floats without a fraction.
        expected: what a row is, such as "an integer time".
        where: the file or the column, for the message.
        mend: what the caller can do about a row that is something else.

    Returns:
        (n,) int64 array, a copy.

    Raises:
        DataError: a row is no whole number, is masked, or is not held exactly by an int64.
    """
    array = _unmerged(column, where)
    if array.dtype.kind == "i":
        return array.astype(np.int64)
    if array.dtype.kind == "u":
        _refuse_first(
            array > LARGEST, array, f"{expected} of at most 2**63 - 1", where, TOO_WIDE
        )
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        return _whole_floats(array, expected, where, mend)
    if (
        array.dtype.kind in "mM"
    ):  # tolist() would give counts of a unit that nobody named
        raise DataError(f"{where}: expected {expected}, got {array.dtype}; {mend}")
    return _whole_objects(array, expected, where, mend)


def ids(column, expected: str, where: str, mend: str) -> np.ndarray:
    """Read a column of ids, all whole numbers or all text.

    Args:
        column: (n,) integers or text.
        expected: what the ids are of, such as "user id".
        where: the file or the column, for the message.
        mend: what the caller can do about a row that is neither.

    Returns:
        (n,) array of int64, or of text as wide as its longest.

    Raises:
        DataError: a row is of another kind than the first, or no id at all.
    """
    array = _unmerged(column, where)
    starts_as_text = len(array) > 0 and isinstance(array[0], str)
    if not starts_as_text:
        return whole_numbers(array, f"an integer {expected}", where, mend)
    texts = array.tolist()
    for row, value in enumerate(texts):
        if not isinstance(value, str):
            raise DataError(
                f"{where}, row {row}: expected the {expected} as text, like the first, "
                f"got {_plain(value)!r}; {mend}"
            )
        if value.endswith("\0"):
            raise DataError(
                f"{where}, row {row}: expected the {expected} as text, got {value!r}; "
                "NumPy drops zero bytes at the end: take them off"
            )
    return np.array(texts, dtype=str)


def times(column, time_unit: str, where: str) -> np.ndarray:
    """Read a column of times: whole numbers in `time_unit`, or dates of any unit of NumPy.

    Args:
        column: (n,) integers or datetime64.
        time_unit: "second", "day" or "step".
        where: the file or the column, for the message.

    Returns:
        (n,) int64 array, counted from 1970 where the column holds dates.

    Raises:
        DataError: a row is neither, is NaT, or is no whole number of units.
    """
    array = _one_axis(column, where)
    if array.dtype.kind != "M":
        return whole_numbers(
            column,
            "an integer time",
            where,
            "hand dates in as datetime64, or remove the row",
        )
    if time_unit not in DATE_CODES:
        raise DataError(
            f'{where}: expected places in a list, as integers, for time_unit="{time_unit}", got '
            f'{array.dtype}; say time_unit="second" or time_unit="day"'
        )
    _refuse_first(
        np.isnat(array), array, "a time", where, "fill in the date, or remove the row"
    )
    counted = array.astype(f"datetime64[{DATE_CODES[time_unit]}]")
    is_cut = counted.astype(array.dtype) != array
    mend = f'cut them yourself: times.astype("{counted.dtype}")'
    _refuse_first(is_cut, array, f"a time in whole {time_unit}s", where, mend)
    return counted.astype(np.int64)


def numbers(column, where: str) -> np.ndarray:
    """Read a column of finite numbers.

    Args:
        column: (n,) integers, floats or booleans.
        where: the column, for the message.

    Returns:
        (n,) float64 array, a copy.

    Raises:
        DataError: a row is no number, is masked, or is not finite.
    """
    array = _one_axis(column, where)
    if array.dtype.kind not in "biufO":
        raise DataError(
            f"{where}: expected numbers, got {array.dtype}; convert the column first"
        )
    if array.dtype.kind == "O":
        read = [_number(value, row, where) for row, value in enumerate(array.tolist())]
        array = np.array(read, dtype=np.float64)
    with np.errstate(
        over="ignore"
    ):  # a longdouble that is wider than a float64: infinite, and refused
        values = array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise DataError(
            f"Row {bad[0]}: expected a finite value, got {values[bad[0]]}"
        )
    return values


def booleans(column, where: str) -> np.ndarray:
    """Read a column of True and False, or of 1 and 0: (n,) bool array, a copy.

    Raises:
        DataError: a row is something else.
    """
    array = _one_axis(column, where)
    if array.dtype.kind not in "biuf" and len(array):
        raise DataError(
            f"{where}: expected True and False, got {array.dtype}; compare first: column == 1"
        )
    neither = (array != 0) & (array != 1)
    _refuse_first(neither, array, "True or False", where, "compare first: column == 1")
    return array.astype(bool)


def vocabulary(column, name: str) -> np.ndarray:
    """Read ids that stand for the indices 0, 1, ...: distinct and in rising order.

    Args:
        column: (n,) integers or text.
        name: of the column, for the message.

    Returns:
        (n,) array of int64 or text, never of objects, whose bytes are addresses.

    Raises:
        DataError: an id is no integer or text, stands there twice, or is less than the one before.
    """
    mend = "build the table with from_ids, which sorts the ids and numbers rows along them"
    array = ids(column, "id", name, mend)
    wrong = np.flatnonzero(array[1:] <= array[:-1])
    if wrong.size:
        before, found = array[wrong[0] : wrong[0] + 2].tolist()
        raise DataError(
            f"{name}, position {wrong[0] + 1}: expected distinct ids in rising order, got {found!r} "
            f"after {before!r}; {mend}"
        )
    return array


def _one_axis(column, where: str) -> np.ndarray:
    """The column as an array of one axis, without masked entries."""
    if np.ma.isMaskedArray(column):
        masked = np.ma.getmaskarray(column).ravel()
        if masked.any():
            raise DataError(
                f"{where}, row {masked.argmax()}: expected a value, got a masked entry; "
                "remove the masked rows first"
            )
        column = column.data
    try:
        array = np.asarray(column)
    except ValueError as error:  # lists of unlike lengths
        raise DataError(
            f"{where}: expected one column, got {error}; hand in one value a row"
        ) from error
    if array.ndim != 1:
        raise DataError(
            f"{where}: expected one column, got shape {array.shape}; hand in one value a row"
        )
    return array


def _unmerged(column, where: str) -> np.ndarray:
    """As `_one_axis`, but as objects where NumPy would merge types: ints and floats, or text."""
    array = _one_axis(column, where)
    if hasattr(column, "dtype") or array.dtype.kind in "iumM":
        return array
    objects = np.empty(len(array), dtype=object)
    objects[:] = list(column)
    return objects


def _whole_floats(
    array: np.ndarray, expected: str, where: str, mend: str
) -> np.ndarray:
    is_whole = np.isfinite(array) & (array == np.trunc(array))
    _refuse_first(~is_whole, array, expected, where, mend)
    n_bits = _exact_bits(array.dtype)
    exact = f"{expected} of at most 2**{n_bits}, up to which a {array.dtype} is exact"
    is_wide = np.abs(array) > 2**n_bits
    _refuse_first(is_wide, array, exact, where, TOO_WIDE)
    return array.astype(np.int64)


def _exact_bits(float_type) -> int:
    """Up to which power of 2 all whole numbers are floats of this type.

    Above it neighbours are one float, so what was meant is lost already. A float that is
    wider than float64 counts as that.
    """
    return min(np.finfo(float_type).nmant + 1, 53)


def _whole_objects(
    array: np.ndarray, expected: str, where: str, mend: str
) -> np.ndarray:
    whole = np.empty(len(array), dtype=np.int64)
    for row, value in enumerate(array.tolist()):
        is_integer = isinstance(value, (int, np.integer)) and not isinstance(
            value, (bool, np.timedelta64)
        )
        is_whole_float = (
            isinstance(value, (float, np.floating)) and float(value).is_integer()
        )
        if not (is_integer or is_whole_float):
            raise DataError(
                f"{where}, row {row}: expected {expected}, got {_plain(value)!r}; {mend}"
            )
        limit = LARGEST if is_integer else 2 ** _exact_bits(type(value))
        if not -limit - 1 <= value <= limit:
            raise DataError(
                f"{where}, row {row}: expected {expected} that 64 bits hold exactly, got "
                f"{_plain(value)!r}; {TOO_WIDE}"
            )
        whole[row] = int(value)
    return whole


def _number(value, row: int, where: str) -> float:
    try:
        if isinstance(value, str):
            raise ValueError("text")
        return float(value)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{where}, row {row}: expected a number, got {value!r}; fill it in, or remove the "
            "row"
        ) from error


def _plain(value):
    """A NumPy scalar as Python prints it."""
    return value.item() if isinstance(value, np.generic) else value


def _refuse_first(
    bad: np.ndarray, array: np.ndarray, expected: str, where: str, mend: str
) -> None:
    if bad.any():
        row = int(bad.argmax())
        found = array[row].item() if array.dtype.kind != "M" else array[row]
        raise DataError(
            f"{where}, row {row}: expected {expected}, got {found}; {mend}"
        )
