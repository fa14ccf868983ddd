"""`load(name)` and its kin: the one call that a chapter makes for its data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from recsys.data.baskets import Baskets
from recsys.data.entries import entry
from recsys.data.errors import DataError
from recsys.data.fetching import read
from recsys.data.impressions import ImpressionLog
from recsys.data.interactions import Interactions
from recsys.data.logged import LoggedChoices
from recsys.data.texts import StaticEmbeddings, Texts


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as chapters use it.

    `users` and `items` are feature tables with one row for each entry of
    `interactions.user_ids` and `interactions.item_ids`, in that order.
    `rows`, where the source has it, is a table with one row for each
    interaction: which file it comes from, what else is known of it.
    """

    name: str
    interactions: Interactions
    users: pd.DataFrame
    items: pd.DataFrame
    rows: pd.DataFrame | None = None

    def baskets(self) -> Baskets:
        """The interactions grouped by user and day, or step where the source numbers baskets."""
        data = self.interactions
        return Baskets.from_interactions(
            replace(data, time_unit="day") if data.time_unit == "step" else data
        )


def load(name: str) -> Dataset:
    """Load a data set of the catalogue, fetching it first if it is not on this machine.

    Args:
        name: of the catalogue.

    Returns:
        The interactions, and the tables beside them.

    Raises:
        DataError: an unknown name, damaged files, or no place that has it.
    """
    _check(name, "load")
    parsed = read(name)
    data = parsed.interactions
    return Dataset(
        name,
        data,
        parsed.users.loc[data.user_ids],
        parsed.items.loc[data.item_ids],
        parsed.rows,
    )


def load_texts(name: str) -> Texts:
    """Load documents that have no readers on record.

    Raises:
        DataError: as `load`.
    """
    _check(name, "load_texts")
    return read(name)


def load_static_embeddings(name: str = "wordllama") -> StaticEmbeddings:
    """Load a vector for each token and the tokenizer that goes with them.

    Raises:
        DataError: as `load`.
    """
    _check(name, "load_static_embeddings")
    return read(name)


def load_impressions(name: str) -> ImpressionLog:
    """Load impressions with the clicks before each.

    Raises:
        DataError: as `load`.
    """
    _check(name, "load_impressions")
    return read(name)


def load_choices(name: str) -> LoggedChoices:
    """Load what random policies showed, with what chance, and what was clicked.

    Raises:
        DataError: as `load`.
    """
    _check(name, "load_choices")
    return read(name)


def _check(name: str, loader: str) -> None:
    wanted = entry(name).loader
    if wanted != loader:
        raise DataError(f'{name} is of another kind: load it with {wanted}("{name}")')
