"""``Impressions``: what was shown together to a person and clicked; ``ImpressionLog``: the clicks before it, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.errors import DataError
from recsys.data.interactions import Interactions


@dataclass(frozen=True)
class Impressions:
    """One row an impression; what it showed is ``items[starts[r]:starts[r + 1]]``, in the order of the source.

    The place in that list is the position where the source kept it (MIND shuffled
    it). No data set here logs with what probability something was shown, so there
    is no propensity.

    Parameters
    ----------
    users : (n,) int array
        Indices into ``user_ids``.
    times : (n,) int array
        Seconds since 1970, in the clock of the source; the number of the slate where readers are simulated.
    starts : (n + 1,) int array
        Where each impression's items begin.
    items, clicked : (m,) int and bool array
        What was shown, as indices into ``item_ids``, and whether it was clicked.
    user_ids, item_ids : array
        The ids of the source, one for each index.

    Raises
    ------
    DataError
        If lengths disagree, an index is outside its vocabulary, or an impression shows nothing.
    """

    users: np.ndarray
    times: np.ndarray
    starts: np.ndarray
    items: np.ndarray
    clicked: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray

    def __post_init__(self) -> None:
        for name, kind in (("users", np.int64), ("times", np.int64), ("starts", np.int64), ("items", np.int64),
                           ("clicked", bool), ("user_ids", None), ("item_ids", None)):
            given = np.array(getattr(self, name))
            with np.errstate(invalid="ignore"):
                array = given if kind is None else given.astype(kind)
            if kind is not None and (array != given).any():
                raise DataError(f"{name}: expected whole numbers, or True and False for clicked; found "
                                f"{given[array != given][0]}.")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        lengths = {name: len(getattr(self, name)) for name in ("users", "times", "starts", "items", "clicked")}
        rows, shown = lengths["users"], lengths["items"]
        if not (rows == lengths["times"] == lengths["starts"] - 1 and shown == lengths["clicked"]):
            raise DataError(f"Impressions need users and times of one length, starts one longer, and items and "
                            f"clicked of one length; these came: {lengths}.")
        if self.starts[0] != 0 or self.starts[-1] != len(self.items) or (np.diff(self.starts) < 1).any():
            raise DataError("Impressions need starts that rise from 0 to the number of items: each shows something.")
        for name, size in (("users", len(self.user_ids)), ("items", len(self.item_ids))):
            indices = getattr(self, name)
            bad = np.flatnonzero((indices < 0) | (indices >= size))
            if bad.size:
                raise DataError(f"{name}[{bad[0]}]: expected an index from 0 to {size - 1}, found {indices[bad[0]]}.")

    def __len__(self) -> int:
        return len(self.users)

    def shown(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """The item indices of impression ``row``, and whether each was clicked."""
        part = slice(self.starts[row], self.starts[row + 1])
        return self.items[part], self.clicked[part]


@dataclass(frozen=True)
class ImpressionLog:
    """Impressions with what each person had clicked before, and the articles.

    ``histories`` has one user for each row of ``impressions``, with the clicks
    before that impression, oldest first: the form that ``score(..., history=)``
    takes. ``items`` has one row for each entry of ``impressions.item_ids``, with
    category, subcategory, title and abstract; a missing text is "".
    """

    impressions: Impressions
    histories: Interactions
    items: pd.DataFrame

    def __len__(self) -> int:
        """The number of headlines shown."""
        return len(self.impressions.items)

    def content(self) -> Iterator[bytes]:
        """What a content hash is taken over: impressions, then histories, as little-endian 64-bit integers."""
        shown, before = self.impressions, self.histories
        for column in (shown.users, shown.times, shown.starts, shown.items, shown.clicked, before.users, before.items):
            yield np.ascontiguousarray(column, dtype="<i8").tobytes()

    def tables(self) -> Iterator[pd.DataFrame]:
        """The articles."""
        yield self.items
