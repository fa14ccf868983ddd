"""``load(name)``: the one call that a chapter makes for its data."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from recsys.data.fetch import read
from recsys.data.interactions import Baskets, Interactions


@dataclass(frozen=True)
class Dataset:
    """A data set as chapters use it.

    ``users`` and ``items`` are feature tables with one row for each entry of
    ``interactions.user_ids`` and ``interactions.item_ids``, in that order.
    """

    name: str
    interactions: Interactions
    users: pd.DataFrame
    items: pd.DataFrame

    def baskets(self) -> Baskets:
        """The interactions grouped by user and day; needs times in days."""
        return Baskets.from_interactions(self.interactions)


def load(name: str) -> Dataset:
    """Load a data set of the catalogue, fetching it first if it is not on this machine.

    Raises ``DataError`` for an unknown name, for damaged files, and where no place has it.
    """
    parsed = read(name)
    data = parsed.interactions
    return Dataset(name, data, parsed.users.loc[data.user_ids], parsed.items.loc[data.item_ids])
