"""The Lee news corpus.

One document a line, in Latin-1. Runs of spaces become one space. 50 documents were
judged for likeness by people (Lee, Pincombe and Welsh 2005); 300 more serve as
background to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from recsys.data.errors import DataError
from recsys.data.sources.lines import lines_of
from recsys.data.sources.tables import MEND
from recsys.data.texts import Texts

FILES = {"lee_background.cor": "background", "lee.cor": "judged"}
# The dot of an initial, as in U.N., ends no sentence.
FIRST_SENTENCE = re.compile(r""".*?(?<!\b[A-Z])[.!?]["')]*(?=\s|$)""")


def read_cor(files: Mapping[str, bytes]) -> Texts:
    """Read `lee_background.cor` (file "background"), then `lee.cor` (file "judged").

    The documents have no headline of their own: `headline` is the first sentence.
    """
    rows = []
    for file, part in FILES.items():
        for row, line in enumerate(
            lines_of(files[file], file=file, encoding="latin-1"), start=1
        ):
            text = " ".join(line.split())
            if not text:
                raise DataError(
                    f"{file}, row {row}: expected a document, got an empty line; {MEND}"
                )
            first = FIRST_SENTENCE.match(text)
            rows.append(
                {
                    "headline": first.group(0) if first else text,
                    "text": text,
                    "file": part,
                }
            )
    return Texts(pd.DataFrame(rows, index=pd.RangeIndex(len(rows), name="document")))
