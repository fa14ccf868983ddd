"""The Lee news corpus, and ``Texts``: a data set of documents that nobody has clicked on.

One document a line, in Latin-1. Runs of spaces become one space. 50 documents were
judged for likeness by people (Lee, Pincombe and Welsh 2005); 300 more serve as
background to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from recsys.data.errors import DataError
from recsys.data.lines import lines_of
from recsys.data.tables import MEND

FILES = {"lee_background.cor": "background", "lee.cor": "judged"}
# The dot of an initial, as in U.N., ends no sentence.
FIRST_SENTENCE = re.compile(r""".*?(?<!\b[A-Z])[.!?]["')]*(?=\s|$)""")


@dataclass(frozen=True)
class Texts:
    """Documents: ``table`` has one row each, with ``headline``, ``text`` and ``file``, numbered from 0."""

    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def content(self) -> Iterator[bytes]:
        """What the content hash is taken over: the file and the text of each document, in order."""
        for row in self.table.itertuples():
            yield f"{row.file}\t{row.text}\n".encode()

    def tables(self) -> Iterator[pd.DataFrame]:
        """Every table there is."""
        yield self.table


def read_cor(files: Mapping[str, bytes]) -> Texts:
    """``lee_background.cor`` (file "background"), then ``lee.cor`` (file "judged").

    The documents have no headline of their own: ``headline`` is the first sentence.
    """
    rows = []
    for file, part in FILES.items():
        for row, line in enumerate(lines_of(files[file], file=file, encoding="latin-1"), start=1):
            text = " ".join(line.split())
            if not text:
                raise DataError(f"{file}, row {row}: expected a document, found an empty line. {MEND}")
            first = FIRST_SENTENCE.match(text)
            rows.append({"headline": first.group(0) if first else text, "text": text, "file": part})
    return Texts(pd.DataFrame(rows, index=pd.RangeIndex(len(rows), name="document")))
