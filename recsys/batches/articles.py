"""Vectors of articles as models read them: length one, about the mean article.

Means of static vectors share a direction, that of text as such. It is taken off, so
that the cosine of two articles says what sets them apart from the rest.
"""

import numpy as np


def unit(rows: np.ndarray) -> np.ndarray:
    """Scale each row to length 1; a row of zeros stays one.

    Args:
        rows: (n, dim) float.

    Returns:
        (n, dim) float.
    """
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.maximum(lengths, 1e-12)


def centred(rows: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Take the mean article off rows of length 1, and scale again.

    Args:
        rows: (n, dim) float, one text a row; zeros for a text without a word.
        middle: (dim,) float, the mean of `unit` of all articles.

    Returns:
        (n, dim) float, length 1; a row of zeros stays one.
    """
    told = (rows != 0).any(axis=-1, keepdims=True)  # (n, 1)
    return np.where(told, unit(unit(rows) - middle), 0)
