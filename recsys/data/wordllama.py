"""Static text embeddings: one vector a token, trained by others and read from a published wheel.

WordLlama keeps the token vectors of large language models, reduced to 256
dimensions (Miller 2024, "Training Notes" of its README). A text's vector is the
mean of its tokens' vectors; nothing here looks at word order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recsys.data.errors import DataError
from recsys.data.lines import json_object
from recsys.data.tables import MEND
from recsys.data.text import refuse_string

if TYPE_CHECKING:
    import pandas as pd
    from tokenizers import Tokenizer

MATRIX, TOKENIZER = "weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"


@dataclass(frozen=True)
class StaticEmbeddings:
    """A vector for each token, and what cuts a text into tokens.

    Parameters
    ----------
    matrix : (n_tokens, dim) float32 array
        Row t is the vector of token t; read-only.
    vocabulary : bytes
        The tokenizer's JSON, as the ``tokenizers`` library reads it.
    """

    matrix: np.ndarray
    vocabulary: bytes

    def __len__(self) -> int:
        return len(self.matrix)

    def content(self) -> Iterator[bytes]:
        """What the content hash is taken over: the vectors as little-endian float32, the JSON with sorted keys."""
        yield np.ascontiguousarray(self.matrix, dtype="<f4").tobytes()
        yield json.dumps(json.loads(self.vocabulary), sort_keys=True, ensure_ascii=False).encode()

    def tables(self) -> Iterator[pd.DataFrame]:
        """No table: the content is all there is."""
        return iter(())

    def tokenizer(self) -> Tokenizer:
        """A fresh tokenizer; ``tokenizer().encode(text, add_special_tokens=False).ids`` are rows of ``matrix``."""
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise DataError("Cutting text into tokens needs the package tokenizers. "
                            "Mend: make setup (or pip install tokenizers).") from error
        return Tokenizer.from_buffer(self.vocabulary)

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """The mean of each text's token vectors: (n, dim) float32; zeros for a text that is empty or blank.

        Raises ``ValueError`` for one string in place of a list.
        """
        refuse_string("texts", texts)
        texts = list(texts)
        encoded = self.tokenizer().encode_batch(texts, add_special_tokens=False)
        result = np.zeros((len(texts), self.matrix.shape[1]), dtype=np.float32)
        for row, text, tokens in zip(result, texts, encoded, strict=True):
            if text.strip():
                row[:] = self.matrix[tokens.ids].mean(axis=0)
        return result


def read_wheel(files: Mapping[str, bytes]) -> StaticEmbeddings:
    """The matrix (safetensors, one tensor ``embedding.weight``) and the tokenizer's JSON."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        matrix = load(files[MATRIX])["embedding.weight"].astype(np.float32)
    except (SafetensorError, KeyError) as error:
        raise DataError(f"{MATRIX}: expected a tensor embedding.weight, found: {error}. {MEND}") from error
    n_tokens = len(json_object(files[TOKENIZER], file=TOKENIZER).get("model", {}).get("vocab", {}))
    if matrix.ndim != 2 or len(matrix) != n_tokens:
        raise DataError(f"{MATRIX}: expected one vector for each of the {n_tokens:,} tokens in {TOKENIZER}, "
                        f"found shape {matrix.shape}. {MEND}")
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if bad.size:
        raise DataError(f"{MATRIX}: expected finite numbers in row {bad[0]}. {MEND}")
    matrix.setflags(write=False)
    return StaticEmbeddings(matrix, files[TOKENIZER])
