"""MIND's files: `behaviors.tsv` (who was shown and clicked what), `news.tsv` (the articles).

Follows "Dataset Format" of the introduction on msnews.github.io (Wu and others
2020). The data may not be passed on and is downloaded by hand after its terms are
accepted; nothing of it was at hand when this was written, so the reader is tested
on lines written in the documented format.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.data.errors import DataError
from recsys.data.impressions import ImpressionLog, Impressions
from recsys.data.interactions import Interactions
from recsys.data.sources.archives import member
from recsys.data.sources.lines import fields_of
from recsys.data.sources.tables import MEND

BEHAVIOURS, NEWS = "behaviors.tsv", "news.tsv"
LIMIT = 4 * 2**30
"""Bytes that a file of an archive may unpack to."""


def read_mind(path: str | Path) -> ImpressionLog:
    """Read a directory or a zip archive that holds `behaviors.tsv` and `news.tsv`, at any depth.

    Args:
        path: of the directory or the archive.

    Returns:
        The impressions, the clicks before each, and the articles.

    Raises:
        FileNotFoundError: one of the files is not there.
        DataError: a bad row.
    """
    path = Path(path)
    if path.is_dir():
        found = {name: sorted(path.rglob(name)) for name in (BEHAVIOURS, NEWS)}
        read = Path.read_bytes
    elif path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        found = {
            name: [inside for inside in names if Path(inside).name == name]
            for name in (BEHAVIOURS, NEWS)
        }
        read = partial(member, path, limit=LIMIT)
    else:
        raise FileNotFoundError(
            f"{path}: expected a directory or a zip archive that holds {BEHAVIOURS} and {NEWS}."
        )
    for name, places in found.items():
        if len(places) != 1:
            raise FileNotFoundError(
                f"{path}: expected one {name}, got {len(places)}; give the path of one part, "
                "training or development"
            )
    return read_files({name: read(places[0]) for name, places in found.items()})


def read_files(files: Mapping[str, bytes]) -> ImpressionLog:
    """Read `behaviors.tsv` and `news.tsv`.

    Raises:
        DataError: a bad row; the message names the file and the first such row.
    """
    items = _articles(files[NEWS])
    rows = fields_of(files[BEHAVIOURS], 5, file=BEHAVIOURS)
    shown = [row[4].split() for row in rows]
    empty = next((row for row, news in enumerate(shown, start=1) if not news), None)
    if empty:
        raise DataError(
            f"{BEHAVIOURS}, row {empty}: expected at least one article shown, got none; {MEND}"
        )
    user_ids, users = np.unique([row[1] for row in rows], return_inverse=True)
    flat, row_of, starts = _flatten(shown)
    articles, clicked = _labelled(flat, row_of)
    impressions = Impressions(
        users,
        _seconds([row[2] for row in rows]),
        starts,
        _indices(articles, row_of, items.index),
        clicked,
        user_ids,
        items.index.to_numpy(dtype=str),
    )
    return ImpressionLog(
        impressions, _histories([row[3].split() for row in rows], items.index), items
    )


def _articles(content: bytes) -> pd.DataFrame:
    """`news.tsv` by the id of the article, in rising order."""
    news = fields_of(content, 8, file=NEWS)
    ids = np.array([fields[0] for fields in news])
    again = np.flatnonzero(pd.Series(ids).duplicated().to_numpy())
    if again.size:
        raise DataError(
            f"{NEWS}, row {again[0] + 1}: article {ids[again[0]]} has a row already; {MEND}"
        )
    return pd.DataFrame(
        [fields[1:5] for fields in news],
        columns=["category", "subcategory", "title", "abstract"],
        index=pd.Index(ids, name="item"),
    ).sort_index()


def _labelled(flat: list[str], row_of: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Articles as ID-1, clicked, or ID-0: the ids, and whether each was clicked."""
    pairs = [entry.rpartition("-") for entry in flat]
    bad = next(
        (
            i
            for i, (article, _, label) in enumerate(pairs)
            if not article or label not in ("0", "1")
        ),
        None,
    )
    if bad is not None:
        raise DataError(
            f"{BEHAVIOURS}, row {row_of[bad] + 1}: expected articles as ID-1 or ID-0, "
            f"got {flat[bad]!r}; {MEND}"
        )
    articles = [article for article, _, _ in pairs]
    return articles, np.array([label == "1" for _, _, label in pairs], dtype=bool)


def _histories(clicks: list[list[str]], index: pd.Index) -> Interactions:
    flat, row_of, starts = _flatten(clicks)
    steps = np.arange(len(flat)) - starts[row_of]
    return Interactions(
        row_of,
        _indices(flat, row_of, index),
        np.ones(len(flat)),
        steps,
        np.arange(len(clicks)),
        index.to_numpy(dtype=str),
        time_unit="step",
    )


def _flatten(lists: list[list[str]]) -> tuple[list[str], np.ndarray, np.ndarray]:
    lengths = np.array([len(entries) for entries in lists], dtype=np.int64)
    return (
        list(chain.from_iterable(lists)),
        np.repeat(np.arange(len(lists)), lengths),
        np.append(0, np.cumsum(lengths)),
    )


def _indices(articles: list[str], row_of: np.ndarray, index: pd.Index) -> np.ndarray:
    places = index.get_indexer(articles)
    unknown = np.flatnonzero(places < 0)
    if unknown.size:
        raise DataError(
            f"{BEHAVIOURS}, row {row_of[unknown[0]] + 1}: article {articles[unknown[0]]!r} "
            f"is not in {NEWS}; {MEND}"
        )
    return places


def _seconds(texts: list[str]) -> np.ndarray:
    times = pd.to_datetime(
        pd.Series(texts), format="%m/%d/%Y %I:%M:%S %p", errors="coerce"
    )
    bad = np.flatnonzero(times.isna().to_numpy())
    if bad.size:
        raise DataError(
            f"{BEHAVIOURS}, row {bad[0] + 1}: expected a time as month/day/year hour:minute:second "
            f"AM or PM, got {texts[bad[0]]!r}; {MEND}"
        )
    return times.to_numpy().astype("datetime64[s]").astype(np.int64)
