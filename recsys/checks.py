"""Checks of what a caller hands in, with errors that name the mend.

The NumPy reference and both twins use the same checks, so that bad input is answered
with the same words everywhere. Nothing here touches more than shapes, dtypes and numbers,
apart from `check_finite`, `check_ids`, `check_indices` and `check_weights`, which read
NumPy arrays; each twin has its own of the first.

Masks are boolean and True marks a real position. A mask never gains axes by itself: a
(batch, length) mask against (batch, queries, keys) scores would be read as
(queries, keys) wherever batch and queries happen to be equal.
"""

import math
from collections.abc import Mapping
from numbers import Integral

import numpy as np

PADDING = 0
"""The id that stands for nothing: no item, no word."""


def check_temperature(temperature: float) -> None:
    """Require a positive, finite temperature.

    Raises:
        ValueError: the temperature is zero, negative, infinite or not a number.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(
            f"temperature: expected a finite number above 0, got {temperature}; "
            "for the limit at 0 take the argmax of the scores"
        )


def check_boolean(name: str, mask) -> None:
    """Require a mask of dtype bool, from NumPy or either framework.

    Raises:
        ValueError: any other dtype.
    """
    dtype = str(mask.dtype).split(".")[-1]
    if dtype != "bool":
        raise ValueError(
            f"{name}: expected dtype bool with True = real position, got {dtype}; "
            f"compare first, for example {name} = ids != 0"
        )


def check_mask(mask, scores_shape, axis: int = -1) -> None:
    """Require a mask that fits the scores axis by axis.

    Each axis of the mask has the size of the scores or 1; the normalised axis is full.

    Args:
        mask: boolean array or tensor.
        scores_shape: shape of the scores, such as (batch, queries, keys).
        axis: the axis over which the scores are normalised.

    Raises:
        ValueError: another dtype, another number of axes, or a size that does not fit.
    """
    check_boolean("mask", mask)
    shape, expected = tuple(mask.shape), tuple(scores_shape)
    fits = len(shape) == len(expected) and all(
        size in (1, full) for size, full in zip(shape, expected)
    )
    if not fits or shape[axis] != expected[axis]:
        raise ValueError(
            f"mask: expected the shape of the scores {expected}, with 1 allowed on any axis "
            f"but the normalised one ({axis}), got {shape}; insert axes by hand, for example "
            "padding_mask[:, None, :] for (batch, queries, keys)"
        )


def check_padding_mask(padding_mask, items_shape) -> None:
    """Require a boolean (batch, length) mask beside (batch, length, dim) items.

    Raises:
        ValueError: another dtype or another shape.
    """
    check_boolean("padding_mask", padding_mask)
    shape, expected = tuple(padding_mask.shape), tuple(items_shape)[:-1]
    if shape != expected:
        raise ValueError(
            f"padding_mask: expected shape {expected}, one entry for each item, got {shape}; "
            "make it from the same ids as the items, for example padding_mask = ids != 0"
        )


def check_axes(name: str, array, axes: tuple[str, ...]) -> None:
    """Require as many axes as there are names in `axes`.

    Raises:
        ValueError: more or fewer axes.
    """
    if len(array.shape) != len(axes):
        raise ValueError(
            f"{name}: expected the axes ({', '.join(axes)}), got shape {tuple(array.shape)}"
        )


def check_batches(query, items) -> None:
    """Require as many rows of queries as of items: a batch of one is not repeated.

    Raises:
        ValueError: the first axes differ.
    """
    if query.shape[0] != items.shape[0]:
        raise ValueError(
            f"query and items: expected as many rows in both, got {query.shape[0]} and "
            f"{items.shape[0]}; repeat the shorter one by hand"
        )


def check_query_key(query, key) -> None:
    """Require queries and keys that belong together.

    Args:
        query: (..., queries, dim); key: (..., keys, dim).

    Raises:
        ValueError: unequal leading axes or unequal dim.
    """
    q, k = tuple(query.shape), tuple(key.shape)
    if min(len(q), len(k)) < 2 or q[:-2] != k[:-2]:
        raise ValueError(
            "query and key: expected (..., queries, dim) and (..., keys, dim) with equal "
            f"leading axes, got {q} and {k}; insert axes by hand, for example query[:, None, :]"
        )
    if q[-1] != k[-1]:
        raise ValueError(
            f"query and key: expected the same last axis, got {q[-1]} and {k[-1]}; "
            "project one of them first or use additive or bilinear scores"
        )


def check_values(scores, values) -> None:
    """Require one value for each key.

    Args:
        scores: (..., queries, keys); values: (..., keys, value_dim).

    Raises:
        ValueError: unequal leading axes, or more or fewer values than keys.
    """
    s, v = tuple(scores.shape), tuple(values.shape)
    if min(len(s), len(v)) < 2 or s[:-2] + s[-1:] != v[:-1]:
        raise ValueError(
            "scores and values: expected (..., queries, keys) and (..., keys, value_dim) with "
            f"equal leading axes and one value for each key, got {s} and {v}"
        )


def check_same_shape(first_name: str, first, second_name: str, second) -> None:
    """Require equal shapes: (batch, 1) against (batch,) broadcasts to (batch, batch).

    Raises:
        ValueError: the shapes differ.
    """
    if tuple(first.shape) != tuple(second.shape):
        raise ValueError(
            f"{first_name} and {second_name}: expected equal shapes, got {tuple(first.shape)} "
            f"and {tuple(second.shape)}; drop or add an axis by hand, for example "
            f"{first_name}.squeeze(-1)"
        )


def check_heads(dim: int, n_heads: int) -> None:
    """Require a dimension that divides by a positive number of heads.

    Raises:
        ValueError: it does not divide.
    """
    if n_heads < 1 or dim % n_heads:
        raise ValueError(
            f"dim and n_heads: expected a dim that divides by a positive n_heads, got "
            f"dim {dim} and n_heads {n_heads}; change one of them"
        )


def check_counts(config, *names: str) -> None:
    """Require settings that count something.

    Args:
        config: a dataclass of settings.
        names: of the fields that are at least 1.

    Raises:
        ValueError: the first that is below 1, or no whole number.
    """
    for name in names:
        check_count(name, getattr(config, name))


def check_count(name: str, count: int) -> None:
    """Require a whole number of at least 1.

    Raises:
        ValueError: another number.
    """
    if not count >= 1:
        raise ValueError(f"{name}: expected at least 1, got {count}")
    if not isinstance(count, Integral):
        raise ValueError(f"{name}: expected a whole number, got {count}")


def check_dropout(share: float) -> None:
    """Require a share to drop that leaves something.

    Raises:
        ValueError: it is below 0, 1 or above, or not a number.
    """
    if not 0 <= share < 1:
        raise ValueError(f"dropout: expected from 0 to below 1, got {share}")


def check_indices(name: str, indices: np.ndarray, count: int, mend: str) -> None:
    """Require places in a vocabulary.

    Args:
        name: of the argument, for the message.
        indices: (n,) int.
        count: size of the vocabulary.
        mend: where to take such indices from.

    Raises:
        ValueError: another dtype, or the first index outside 0 to count - 1.
    """
    if indices.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected indices as whole numbers, got {indices.dtype}; {mend}"
        )
    wrong = np.flatnonzero((indices < 0) | (indices >= count))
    if wrong.size:
        place = wrong[0]
        raise ValueError(
            f"{name}: expected indices from 0 to {count - 1}, got {indices[place]} at place {place}; {mend}"
        )


def check_ids(name: str, ids: np.ndarray, largest: int) -> None:
    """Require padded ids: an index in a vocabulary plus one, 0 where there is nothing.

    Args:
        name: of the argument, for the message.
        ids: (rows, columns) int64 array.
        largest: the greatest id, which is the size of the vocabulary.

    Raises:
        ValueError: another dtype, another number of axes, or the first id outside 0 to `largest`.
    """
    array = np.asarray(ids)
    if array.dtype != np.int64 or array.ndim != 2:
        raise ValueError(
            f"{name}: expected ids as int64 of shape (rows, columns), got {array.dtype} of shape "
            f"{array.shape}; an id is an index plus one, and rows are padded with 0"
        )
    outside = (array < 0) | (array > largest)  # (rows, columns)
    if outside.any():
        row, column = np.argwhere(outside)[0].tolist()
        raise ValueError(
            f"{name}: expected ids from 0 (padding) to {largest}, got {array[row, column]} at row {row}, "
            f"column {column}; an id is an index plus one"
        )


def check_arrays(
    expected: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray]
) -> None:
    """Require arrays of a network like this one: the same names and shapes.

    Args:
        expected: arrays of the network, by name.
        got: what is to be put into it.

    Raises:
        ValueError: the first name that is missing, unknown or of another shape.
    """
    for name in sorted({*expected, *got}):
        wanted = np.shape(expected[name]) if name in expected else None
        found = np.shape(got[name]) if name in got else None
        if wanted != found:
            raise ValueError(
                f"arrays: expected the names and shapes of this network, {name} as {wanted}, "
                f"got {found}; make both layers with the same arguments"
            )


def check_weights(
    expected: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray]
) -> None:
    """Require weights that a network can go on with: as they were stored, and finite.

    Args:
        expected: weights of the network, by name.
        got: what is to be put into it.

    Raises:
        ValueError: another name, shape or dtype, or a number that is not finite.
    """
    wanted, found = _kinds(expected), _kinds(got)
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            raise ValueError(
                f"weights: expected {name} as {wanted.get(name)}, got {found.get(name)}; "
                "give those of a network made with the same arguments"
            )
        if not np.isfinite(got[name]).all():
            raise ValueError(
                f"weights: expected finite numbers, got others in {name}; train again"
            )


def _kinds(arrays: Mapping[str, np.ndarray]) -> dict[str, tuple]:
    """Shape and dtype of each."""
    return {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}


def check_finite(name: str, array: np.ndarray) -> None:
    """Require an array without infinities and NaN.

    Raises:
        ValueError: a value is not finite; the message gives the first such index.
    """
    finite = np.isfinite(array)
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(finite_message(name, index, float(array[index])))


def finite_message(name: str, index: tuple[int, ...], value: float) -> str:
    """Word the error on a value that is not finite, for the reference and both twins."""
    return (
        f"{name}: expected finite numbers, got {value} at index {index}; hide padding with "
        "the mask and not with -inf, and look for an overflow or a division by zero before"
    )
