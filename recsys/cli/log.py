"""Which log a command reads: a data set of the catalogue, or a file of one's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from recsys.data import DataError, Dataset, load, read_log
from recsys.data.own_log import SUFFIXES

COLUMNS = ("user", "item", "time", "value", "time_unit")

@dataclass(frozen=True)
class Log:
    """A log by name, or a file and what its columns are called.

    Args:
        data: a name of the catalogue, or a path that ends in one of `SUFFIXES`.
        user, item, time, value, time_unit: as for `read_log`; None if nothing was said.

    Raises:
        ValueError: a column is named, but the data are of the catalogue.
    """

    data: str
    user: str | None = None
    item: str | None = None
    time: str | None = None
    value: str | None = None
    time_unit: str | None = None

    def __post_init__(self) -> None:
        if self._columns() and not self.is_file:
            first = next(iter(self._columns())).replace("_", "-")
            raise ValueError(
                f"--{first}: expected with --data a file that ends in "
                f"{', '.join(SUFFIXES)}, got {self.data!r}; the columns of the "
                "catalogue's data are known"
            )

    @property
    def is_file(self) -> bool:
        """Whether it is a file of one's own."""
        return Path(self.data).suffix.lower() in SUFFIXES

    @property
    def name(self) -> str:
        """What messages call it: the name of the data set, or of the file."""
        return Path(self.data).name if self.is_file else self.data

    def read(self) -> Dataset:
        """Read it.

        Returns:
            The log with tables of its users and items; of a file these have no columns.

        Raises:
            DataError, OSError: it can't be had, or a row is bad.
        """
        if not self.is_file:
            return load(self.data)
        try:
            log = read_log(self.data, **self._columns())
        except FileNotFoundError as error:
            raise DataError(
                f"{self.data}: expected a file, found none; say where it is with --data"
            ) from error
        users = pd.DataFrame(index=log.user_ids)
        items = pd.DataFrame(index=log.item_ids)
        return Dataset(self.name, log, users, items)

    def words(self) -> list[str]:
        """The options that say the same at the command line."""
        pairs = [
            (f"--{name.replace('_', '-')}", text)
            for name, text in self._columns().items()
        ]
        return ["--data", self.data, *(word for pair in pairs for word in pair)]

    def note(self) -> dict[str, Any]:
        """What a run keeps of it; of a file the whole path."""
        data = str(Path(self.data).resolve()) if self.is_file else self.data
        return {"data": data, **self._columns()}

    def with_options(self, data: str | None, **columns: str | None) -> Log:
        """The same log, but for what is said anew."""
        said = {name: text for name, text in columns.items() if text is not None}
        return replace(self, **said, **({} if data is None else {"data": data}))

    def _columns(self) -> dict[str, str]:
        """What was said of the columns."""
        said = {name: getattr(self, name) for name in COLUMNS}
        return {name: text for name, text in said.items() if text is not None}
