"""`Texts`: documents that nobody has clicked on; `StaticEmbeddings`: one vector a token."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys.data.errors import DataError
from recsys.data.tables import Table
from recsys.data.words import refuse_string

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True, eq=False)
class Texts:
    """Documents: `table` has one row each, with `headline`, `text` and `file`, numbered from 0."""

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


@dataclass(frozen=True, eq=False)
class StaticEmbeddings(Table):
    """A vector for each token, and what cuts a text into tokens.

    Args:
        matrix: (n_tokens, dim) float32; row t is the vector of token t; read-only.
        vocabulary: the tokenizer's JSON, as the `tokenizers` library reads it.
    """

    matrix: np.ndarray
    vocabulary: bytes

    def __len__(self) -> int:
        return len(self.matrix)

    def content(self) -> Iterator[bytes]:
        """What the content hash is taken over.

        Vectors as little-endian float32, then the JSON with sorted keys.
        """
        yield np.ascontiguousarray(self.matrix, dtype="<f4").tobytes()
        yield json.dumps(
            json.loads(self.vocabulary), sort_keys=True, ensure_ascii=False
        ).encode()

    def tables(self) -> Iterator[pd.DataFrame]:
        """No table: the content is all there is."""
        return iter(())

    def tokenizer(self) -> Tokenizer:
        """A fresh tokenizer.

        `tokenizer().encode(text, add_special_tokens=False).ids` are rows of `matrix`.
        """
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise DataError(
                "Cutting text into tokens needs the package tokenizers. "
                "Mend: make setup (or pip install tokenizers)."
            ) from error
        return Tokenizer.from_buffer(self.vocabulary)

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """The mean of each text's token vectors: (n, dim) float32; zeros for a blank text.

        Raises:
            ValueError: one string in place of a list.
        """
        refuse_string("texts", texts)
        texts = list(texts)
        encoded = self.tokenizer().encode_batch(texts, add_special_tokens=False)
        result = np.zeros((len(texts), self.matrix.shape[1]), dtype=np.float32)
        for row, text, tokens in zip(result, texts, encoded, strict=True):
            if text.strip():
                row[:] = self.matrix[tokens.ids].mean(axis=0)
        return result
