"""Reading delimited text strictly: the first bad row is named, never dropped or filled in."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import pandas as pd

from recsys.data.errors import DataError

MEND = "mend: delete the file and fetch it again (recsys data fetch NAME)"


def read_table(
    content: bytes,
    columns: Mapping[str, str],
    *,
    file: str,
    separator: str,
    header: bool,
    encoding: str = "utf-8-sig",
) -> pd.DataFrame:
    """Read `content` into a frame with exactly `columns`.

    Line ends may be of any system. Rows are counted from 1 as an editor counts
    them, so the header, where there is one, is row 1.

    Args:
        content: the bytes of the file.
        columns: name to dtype.
        file: its name, for messages.
        separator: between fields.
        header: whether the first row names the columns.
        encoding: of the text.

    Raises:
        DataError: the file is empty or no text, a wrong header, a row with too few or too many
            fields, or a field that is not of its column's type: with the file, the row and the
            mend.
    """
    options = dict(
        sep=separator,
        encoding=encoding,
        keep_default_na=False,
        header=0 if header else None,
        names=None if header else list(columns),
    )
    decoded(content, file=file, encoding=encoding)
    if header:
        try:
            found = pd.read_csv(
                io.BytesIO(content), nrows=0, **options
            ).columns.tolist()
        except ValueError as error:  # pandas' parser errors are ValueErrors too
            raise DataError(
                f"{file}, row 1: expected the columns {list(columns)}, got {error}; {MEND}"
            ) from error
        if found != list(columns):
            raise DataError(
                f"{file}, row 1: expected the columns {list(columns)}, got {found}; {MEND}"
            )
    try:
        return pd.read_csv(io.BytesIO(content), dtype=dict(columns), **options)
    except (ValueError, OverflowError) as error:
        _name_first_bad_row(content, columns, file, separator, header, encoding)
        raise DataError(f"{file}: {error}; {MEND}") from error


def decoded(content: bytes, *, file: str, encoding: str) -> str:
    """The text of a file.

    Raises:
        DataError: it is empty, packed, or holds a byte that is no text; it names the row.
    """
    if not content.strip():
        raise DataError(
            f"{file}: expected text, got an empty file of {len(content)} bytes; {MEND}"
        )
    if content[:2] == b"\x1f\x8b":
        raise DataError(
            f"{file}: expected text, got a gzip archive; unpack it first, or fetch it again; {MEND}"
        )
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(
            f"{file}: expected text in {encoding}, got UTF-16; save it as {encoding}, or fetch it again; "
            f"{MEND}"
        )
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{file}, row {row}: expected text in {encoding}, got the byte "
            f"{content[error.start]:#04x}; {MEND}"
        ) from error


def require(
    frame: pd.DataFrame,
    column: str,
    good: pd.Series,
    expected: str,
    *,
    file: str,
    header: bool,
) -> None:
    """Require that `good` is true in each row of `frame`.

    Raises:
        DataError: it is not; the message names the first such row.
    """
    if not good.all():
        position = int((~good.to_numpy()).argmax())
        raise DataError(
            f"{file}, row {position + 1 + header}: expected {expected} in {column}, "
            f"got {frame[column].iloc[position]!r}; {MEND}"
        )


def _name_first_bad_row(content, columns, file, separator, header, encoding) -> None:
    """The slow road, taken only when the fast one failed: find the row, then raise."""
    import csv

    text = io.StringIO(content.decode(encoding, errors="replace"))
    for number, fields in _rows(csv.reader(text, delimiter=separator), file):
        if number == 1 and header:
            continue
        if len(fields) != len(columns):
            raise DataError(
                f"{file}, row {number}: expected {len(columns)} fields, got {len(fields)}: "
                f"{fields!r}; the file may be cut short; {MEND}"
            )
        for (name, kind), field in zip(columns.items(), fields, strict=True):
            if kind.startswith("int") and not field.strip().lstrip("+-").isdigit():
                raise DataError(
                    f"{file}, row {number}: expected an integer in {name}, got {field!r}; {MEND}"
                )
            if kind.startswith("float") and not _is_number(field):
                raise DataError(
                    f"{file}, row {number}: expected a number in {name}, got {field!r}; {MEND}"
                )


def _rows(reader, file: str) -> Iterator[tuple[int, list[str]]]:
    import csv

    try:
        yield from enumerate(reader, start=1)
    except csv.Error as error:  # such as a quote that is never closed
        raise DataError(f"{file}, row {reader.line_num}: {error}; {MEND}") from error


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
