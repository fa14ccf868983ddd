"""`LoggedChoices`: what random policies showed, with what chance, what was clicked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.errors import DataError

COLUMNS = ("policy", "campaign", "time", "item", "position", "click", "propensity")


@dataclass(frozen=True, eq=False)
class LoggedChoices:
    """Rows of slots that a random policy filled.

    Args:
        table: one row a slot: `policy` that filled it and `campaign` (text), `time`
            (seconds since 1970), `item` (int, numbered in each campaign), `position`
            (int, from 0), `click` (bool), `propensity` (the chance that this item was
            drawn for this slot, above 0 and at most 1).

    Raises:
        DataError: other columns, or a propensity that is no such chance.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        if tuple(self.table.columns) != COLUMNS:
            raise DataError(
                f"table: expected the columns {', '.join(COLUMNS)}, got "
                f"{', '.join(map(str, self.table.columns))}; name them so"
            )
        chances = self.table["propensity"].to_numpy()
        wrong = np.flatnonzero(~((chances > 0) & (chances <= 1)))
        if wrong.size:
            raise DataError(
                f"Row {wrong[0]}: expected a propensity above 0 and at most 1, got "
                f"{chances[wrong[0]]}; what was shown had a chance"
            )

    def __len__(self) -> int:
        return len(self.table)

    def of(self, policy: str, campaign: str) -> pd.DataFrame:
        """The rows of one policy in one campaign, numbered from 0.

        Raises:
            DataError: there are none; the message lists what there is.
        """
        there = self.table
        rows = there[(there["policy"] == policy) & (there["campaign"] == campaign)]
        if rows.empty:
            known = there[["policy", "campaign"]].drop_duplicates().to_numpy().tolist()
            raise DataError(
                f"expected one of {', '.join(' in '.join(pair) for pair in known)}, "
                f"got {policy} in {campaign}"
            )
        return rows.reset_index(drop=True)

    def content(self) -> Iterator[bytes]:
        """What the content hash is taken over: column by column.

        Text as a line a cell, the rest as little-endian numbers of 64 bits.
        """
        for name, column in self.table.items():
            if name in ("policy", "campaign"):
                yield "".join(f"{cell}\n" for cell in column).encode()
            else:
                kind = "<f8" if name == "propensity" else "<i8"
                yield np.ascontiguousarray(column, dtype=kind).tobytes()

    def tables(self) -> Iterator[pd.DataFrame]:
        """No table beside the content."""
        return iter(())
