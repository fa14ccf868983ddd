"""Reading files of literal lines: no quoting, no escapes, line ends of any system."""

from __future__ import annotations

import json

from recsys.data.errors import DataError
from recsys.data.sources.tables import MEND, decoded


def lines_of(content: bytes, *, file: str, encoding: str = "utf-8") -> list[str]:
    """The lines of `content` without their ends; only an empty last one is left out.

    Raises:
        DataError: an empty file, or a row that is not text in `encoding`.
    """
    text = decoded(content, file=file, encoding=encoding)
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def fields_of(
    content: bytes,
    n_fields: int,
    *,
    file: str,
    separator: str = "\t",
    encoding: str = "utf-8",
) -> list[list[str]]:
    """The fields of each line, between separators.

    Raises:
        DataError: a row has not `n_fields`; the message names the first.
    """
    lines = lines_of(content, file=file, encoding=encoding)
    rows = [line.split(separator) for line in lines]
    for row, fields in enumerate(rows, start=1):
        if len(fields) != n_fields:
            raise DataError(
                f"{file}, row {row}: expected {n_fields} fields, got {len(fields)}: {fields!r}; "
                f"the file may be cut short; {MEND}"
            )
    return rows


def json_object(content: bytes, *, file: str) -> dict:
    """The JSON object in `content`.

    Raises:
        DataError: it is none; the message says where it stops being one.
    """
    try:
        value = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file}: expected JSON, got {error}; the file may be cut short; {MEND}"
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"{file}: expected a JSON object, got a {type(value).__name__}; {MEND}"
        )
    return value


def is_index(value: object) -> bool:
    """Whether `value` is a whole number of at least 0, which true and 1.0 are not."""
    return type(value) is int and value >= 0
