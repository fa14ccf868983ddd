"""Answers that are not read by accident, and yet know a right one within its tolerance.

The line of numbers is cut into bins of twice the tolerance so that the right number lies
in the middle of one. Kept are the width of the bins, where the first begins, and a hash
of the bin: the digits that count are in the hash only. Whoever tries all bins finds it;
the solution is nearer.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np


def seal(label: str, answer, within: float | Sequence[float] | None = None) -> list:
    """What `answers.yml` holds in place of an answer.

    Args:
        label: of the exercise.
        answer: a number or an array of numbers, or a word or several.
        within: the tolerance of each number, or one for all; None for words.

    Returns:
        For words a hash each. For numbers [width of a bin, start of the first, hash] each,
        in reading order.
    """
    if within is None:
        words = [answer] if isinstance(answer, str) else answer
        return [_hash(label, n, plain(word)) for n, word in enumerate(words)]
    values = np.ravel(np.asarray(answer, float)).tolist()
    tolerances = np.broadcast_to(within, len(values)).tolist()
    return [
        _sealed(label, n, value, tolerance)
        for n, (value, tolerance) in enumerate(zip(values, tolerances))
    ]


def _sealed(label: str, place: int, value: float, within: float) -> list:
    width = 2 * within
    start = float(f"{(value - within) % width:.6g}")
    return [width, start, _hash(label, place, _bin(value, width, start))]


def opens(label: str, place: int, given: float | str, sealed: list | str) -> bool:
    """Whether a number or a word is the sealed one.

    Args:
        label: of the exercise.
        place: of this number or word among those of the answer, from 0.
        given: by the reader; a number is finite.
        sealed: of `seal`, at this place.
    """
    if isinstance(given, str):
        return _hash(label, place, plain(given)) == sealed
    width, start, kept = sealed
    return _hash(label, place, _bin(given, width, start)) == kept


def plain(word: str) -> str:
    """A word without capitals and spare spaces."""
    return " ".join(word.casefold().split())


def _bin(value: float, width: float, start: float) -> int:
    return math.floor((value - start) / width)


def _hash(label: str, place: int, what: int | str) -> str:
    return hashlib.sha256(f"{label} {place} {what}".encode()).hexdigest()[:12]
