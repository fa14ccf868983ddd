"""The Bing News sample published with DKN: who was shown which headline, and who clicked.

A line is a user, a headline in lower case, a label (1 = clicked) and the entities
found in it (README of hwwang55/DKN, Format of input files). There is no time and
no article id: a distinct headline is an item, and a row's time is its place in
the two files read one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys.data.errors import DataError
from recsys.data.interactions import Interactions
from recsys.data.sources.lines import fields_of
from recsys.data.sources.tables import MEND

FILES = ("raw_train.txt", "raw_test.txt")


def read_raw(files: Mapping[str, bytes]):
    """Read `raw_train.txt`, then `raw_test.txt`.

    Values are labels, 0 or 1, and times are row numbers from 0 (step). Items are
    numbered in order of first appearance. Rows stay as they are: the same user and
    headline may come more than once, with either label. `rows` holds the file
    ("train" or "test") and the entities of each row.

    Raises:
        DataError: a row is not as it should be; the message names the file and the first such row.
    """
    parts = [
        [
            _checked(fields, file, row)
            for row, fields in enumerate(fields_of(files[file], 4, file=file), start=1)
        ]
        for file in FILES
    ]
    users, headlines, labels, entities = zip(
        *(fields for part in parts for fields in part), strict=True
    )
    code, titles = pd.factorize(np.array(headlines, dtype=object))
    interactions = Interactions.from_ids(
        np.array(users, dtype=np.int64),
        code,
        np.array(labels, dtype=np.float64),
        np.arange(len(users)),
        time_unit="step",
        source=" and ".join(FILES),
    )
    origin = np.repeat(["train", "test"], [len(part) for part in parts])
    rows = pd.DataFrame(
        {"file": pd.Categorical(origin, ["train", "test"]), "entities": entities}
    )
    items = pd.DataFrame(
        {"headline": titles}, index=pd.Index(interactions.item_ids, name="item")
    )
    viewers = pd.DataFrame(index=pd.Index(interactions.user_ids, name="user"))
    return (
        interactions,
        viewers,
        items,
        rows,
        (list(titles), list(origin), list(entities)),
    )


def _checked(fields: list[str], file: str, row: int) -> list[str]:
    user, headline, label, _ = fields
    for good, expected, found in (
        (user.isdecimal() and len(user) < 19, "an integer user id", user),
        (headline.strip() != "", "a headline", headline),
        (label in ("0", "1"), "a label, 0 or 1", label),
    ):
        if not good:
            raise DataError(
                f"{file}, row {row}: expected {expected}, got {found!r}; {MEND}"
            )
    return fields
