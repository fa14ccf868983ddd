"""What every table of the package is: read-only arrays, indices and starts in range."""

import numpy as np

from recsys.data.errors import DataError


class Table:
    """A frozen dataclass of arrays: a copy by pickle or deepcopy is read-only too."""

    def __setstate__(self, state: dict) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, frozen(value))


def frozen(value):
    """The value itself; an array can no longer be written."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    return value


def check_range(array: np.ndarray, what: str, size: int) -> None:
    """Require indices of `size` things.

    Raises:
        DataError: another number; the message names the first such row.
    """
    bad = np.flatnonzero((array < 0) | (array >= size))
    if bad.size:
        raise DataError(
            f"Row {bad[0]}: expected {what} from 0 to {size - 1}, got {array[bad[0]]}"
        )


def check_starts(starts: np.ndarray, n_items: int, name: str) -> None:
    """Require starts that rise from 0 to the number of items.

    Raises:
        DataError: they do not.
    """
    if starts[0] != 0 or starts[-1] != n_items or (np.diff(starts) < 1).any():
        raise DataError(
            f"starts: expected numbers that rise from 0 to {n_items}, the number of items, got "
            f"others; each of {name} shows something"
        )
