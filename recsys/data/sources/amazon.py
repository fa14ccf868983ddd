"""Amazon reviews of 2014 in the form of S3-Rec: one line a user, item ids in time order.

The published files hold a number for each user and item and no time, so a row's
time is its place in the user's line. The second file gives each item's
categories, as numbers too.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np
import pandas as pd

from recsys.data.errors import DataError
from recsys.data.interactions import Interactions
from recsys.data.sources.lines import is_index, json_object, lines_of
from recsys.data.sources.tables import MEND


def read_s3rec(files: Mapping[str, bytes]):
    """Read `NAME.txt` and `NAME_item2attributes.json` of the S3-Rec repository's `data/`.

    Values are 1 and times are steps, from 0 in each user's line. `items["categories"]`
    holds a tuple of category numbers, in the order of the file.

    Raises:
        DataError: a row is not as it should be; the message names the file and the first such row.
    """
    [file] = [name for name in files if name.endswith(".txt")]
    [attributes] = [name for name in files if name.endswith(".json")]
    rows = [line.split() for line in lines_of(files[file], file=file)]
    short = next(
        (row for row, fields in enumerate(rows, start=1) if len(fields) < 2), None
    )
    if short:
        raise DataError(
            f"{file}, row {short}: expected a user and at least one item, "
            f"got {rows[short - 1]!r}; {MEND}"
        )
    users = _positive(
        [fields[0] for fields in rows], range(1, len(rows) + 1), "user", file
    )
    again = np.flatnonzero(pd.Series(users).duplicated().to_numpy())
    if again.size:
        raise DataError(
            f"{file}, row {again[0] + 1}: user {users[again[0]]} has a line already; {MEND}"
        )
    lengths = np.array([len(fields) - 1 for fields in rows], dtype=np.int64)
    line = np.repeat(np.arange(len(rows)), lengths)
    items = _positive(
        list(chain.from_iterable(fields[1:] for fields in rows)), line + 1, "item", file
    )
    steps = np.arange(len(items)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    interactions = Interactions.from_ids(
        users[line], items, np.ones(len(items)), steps, time_unit="step", source=file
    )
    table = _categories(files[attributes], interactions.item_ids, attributes)
    text = [" ".join(map(str, categories)) for categories in table["categories"]]
    return (
        interactions,
        pd.DataFrame(index=pd.Index(interactions.user_ids, name="user")),
        table,
        None,
        (text,),
    )


def _positive(fields: list[str], row_of, what: str, file: str) -> np.ndarray:
    good = [field.isdecimal() and len(field) < 19 for field in fields]
    if all(good):
        return np.array(fields, dtype=np.int64)
    place = good.index(False)
    raise DataError(
        f"{file}, row {row_of[place]}: expected an integer {what} id, got {fields[place]!r}; {MEND}"
    )


def _categories(content: bytes, item_ids: np.ndarray, file: str) -> pd.DataFrame:
    attributes = json_object(content, file=file)
    columns = []
    for item in item_ids.tolist():
        found = attributes.get(str(item))
        if not isinstance(found, list) or not all(map(is_index, found)):
            raise DataError(
                f"{file}: expected a list of category numbers for item {item}, got {found!r}; {MEND}"
            )
        columns.append(tuple(found))
    return pd.DataFrame(
        {"categories": pd.Series(columns, dtype=object).to_numpy()},
        index=pd.Index(item_ids, name="item"),
    )
