"""WordLlama: static text embeddings, trained by others and read from a published wheel.

It keeps the token vectors of large language models, reduced to 256
dimensions (Miller 2024, "Training Notes" of its README). A text's vector is the
mean of its tokens' vectors; nothing here looks at word order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recsys.data.errors import DataError
from recsys.data.sources.lines import json_object
from recsys.data.sources.tables import MEND
from recsys.data.texts import StaticEmbeddings

MATRIX, TOKENIZER = (
    "weights/l2_supercat_256.safetensors",
    "tokenizers/l2_supercat_tokenizer_config.json",
)


def read_wheel(files: Mapping[str, bytes]) -> StaticEmbeddings:
    """Read the matrix (safetensors, one tensor `embedding.weight`) and the tokenizer's JSON.

    Raises:
        DataError: another tensor, not one finite vector for each token, or no JSON.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        matrix = load(files[MATRIX])["embedding.weight"].astype(np.float32)
    except (SafetensorError, KeyError) as error:
        raise DataError(
            f"{MATRIX}: expected a tensor embedding.weight, got {error}; {MEND}"
        ) from error
    n_tokens = len(
        json_object(files[TOKENIZER], file=TOKENIZER).get("model", {}).get("vocab", {})
    )
    if matrix.ndim != 2 or len(matrix) != n_tokens:
        raise DataError(
            f"{MATRIX}: expected one vector for each of the {n_tokens:,} tokens in {TOKENIZER}, "
            f"got shape {matrix.shape}; {MEND}"
        )
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if bad.size:
        raise DataError(f"{MATRIX}: expected finite numbers in row {bad[0]}; {MEND}")
    matrix.setflags(write=False)
    return StaticEmbeddings(matrix, files[TOKENIZER])
