"""`read_log`: a behaviour log of one's own, from a CSV or Parquet file.

A CSV is read by the standard library and strictly: the first bad line is named as an
editor counts lines, nothing is dropped, and no field is taken for another. A CSV has no
types, so ids are whole numbers where all of a column are written as such, and else text
as it stands.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.data.errors import DataError
from recsys.data.frames import check_names
from recsys.data.interactions import Interactions

SUFFIXES = (".csv", ".tsv", ".parquet")
SEPARATORS = ",;\t|"
WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
"""As Python prints it, so that it comes back the same; 007 is text."""


def read_log(
    path: Path | str,
    user: str = "user",
    item: str = "item",
    time: str = "time",
    value: str | None = None,
    *,
    time_unit: str = "second",
) -> Interactions:
    """Read a log from a file whose columns have names.

    Args:
        path: a CSV in UTF-8 whose first line names the columns, separated by commas,
            semicolons, tabs or bars; or a Parquet file. Its name ends in one of
            `SUFFIXES`.
        user, item, time, value, time_unit: as for `Interactions.from_frame`.

    Returns:
        The log, in the order of time.

    Raises:
        DataError: a column is missing, or a row can't be held; it names the file, the
            line (of Parquet the row, from 0) and the mend.
        OSError: the file can't be read.
    """
    path = Path(path)
    names = {"user": user, "item": item, "time": time}
    if value is not None:
        names["value"] = value
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{path.name}: expected a name that ends in {', '.join(SUFFIXES)}, got "
            f"{path.suffix or 'no ending'!r}; save the log as CSV or Parquet"
        )
    content = path.read_bytes()
    is_parquet = path.suffix.lower() == ".parquet"
    read = _read_parquet if is_parquet else _read_csv
    frame = read(content, names, path.name)
    return Interactions.from_frame(
        frame, user, item, time, value, time_unit=time_unit, source=path.name
    )


def _read_parquet(content: bytes, names: Mapping[str, str], file: str) -> pd.DataFrame:
    from fastparquet import ParquetFile

    try:
        parquet = ParquetFile(io.BytesIO(content))
        found = parquet.columns
    except Exception as error:  # fastparquet raises whatever it stumbles over
        raise _not_parquet(file, error) from error
    check_names(found, names, file)
    try:
        wanted = list(dict.fromkeys(names.values()))
        return parquet.to_pandas(columns=wanted, index=False)
    except Exception as error:
        raise _not_parquet(file, error) from error


def _not_parquet(file: str, error: Exception) -> DataError:
    return DataError(
        f"{file}: expected a Parquet file, got {type(error).__name__}: {error}; "
        "write it again, or save the log as CSV"
    )


def _read_csv(content: bytes, names: Mapping[str, str], file: str) -> pd.DataFrame:
    """The named columns as text, ids as whole numbers where all are.

    The index is the line on which a row begins.
    """
    text = _decoded(content, file)
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)  # of none the comma
    rows = _rows(text, separator, file)
    _, header = next(rows, (1, []))
    check_names(header, names, f"{file}, line 1")
    places = {name: header.index(name) for name in names.values()}
    lines, columns = [], {name: [] for name in places}
    for line, fields in rows:
        if len(fields) != len(header):
            raise DataError(
                f"{file}, line {line}: expected {len(header)} fields as in the first "
                f"line, got {len(fields)}; put text that holds a separator in quotes, "
                "or remove the line"
            )
        lines.append(line)
        for name, place in places.items():
            columns[name].append(fields[place])
    for name in {names["user"], names["item"]}:
        columns[name] = _typed(columns[name])
    return pd.DataFrame(columns, index=pd.Index(lines, name="line", dtype=np.int64))


def _rows(text: str, separator: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """The line on which each row begins, and its fields; empty lines are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:  # such as a quote that is never closed
        raise DataError(
            f"{file}, line {line}: expected fields, those in quotes closed, got "
            f"{error}; write a quote inside quotes twice"
        ) from error


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{file}, line {line}: expected text in UTF-8, got the byte "
            f"{content[error.start]:#04x}; save the file as UTF-8"
        ) from error


def _typed(ids: list[str]) -> list[str] | list[int]:
    """Whole numbers where every id is written as one."""
    are_whole = all(WHOLE_NUMBER.fullmatch(text) for text in set(ids))
    return [int(text) for text in ids] if are_whole else ids
