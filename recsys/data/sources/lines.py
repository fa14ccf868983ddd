"""Reading files whose lines are taken literally: no quoting, no escapes, line ends of any system."""

from __future__ import annotations

import json

from recsys.data.errors import DataError
from recsys.data.sources.tables import MEND


def lines_of(content: bytes, *, file: str, encoding: str = "utf-8") -> list[str]:
    """The lines of ``content`` without their ends; only an empty last one is left out.

    Raises ``DataError`` naming the row that is not text in ``encoding``.
    """
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise DataError(f"{file}, row {row}: expected text in {encoding}, found the byte "
                        f"{content[error.start]:#04x}. {MEND}") from error
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def fields_of(content: bytes, n_fields: int, *, file: str) -> list[list[str]]:
    """The tab-separated fields of each line; ``DataError`` names the first row that has not ``n_fields``."""
    rows = [line.split("\t") for line in lines_of(content, file=file)]
    for row, fields in enumerate(rows, start=1):
        if len(fields) != n_fields:
            raise DataError(f"{file}, row {row}: expected {n_fields} fields, found {len(fields)}: {fields!r}. "
                            f"The file may be cut short. {MEND}")
    return rows


def json_object(content: bytes, *, file: str) -> dict:
    """The JSON object in ``content``; ``DataError`` says where it stops being one."""
    try:
        value = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: expected JSON, found: {error}. The file may be cut short. {MEND}") from error
    if not isinstance(value, dict):
        raise DataError(f"{file}: expected a JSON object, found a {type(value).__name__}. {MEND}")
    return value


def is_index(value: object) -> bool:
    """Whether ``value`` is a whole number of at least 0, which true and 1.0 are not."""
    return type(value) is int and value >= 0
