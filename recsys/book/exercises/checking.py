"""`check`: is this answer right?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recsys.book.exercises.properties import PROPERTIES
from recsys.book.exercises.sealing import opens, plain
from recsys.book.exercises.stored import Answer, find, read_answers


def check(number: str, answer) -> None:
    """Say whether an answer to an exercise is right, and if not, give a hint.

    It needs no network, and does not tell the answer. With `...` for an answer it says
    what the exercise asks for.

    Args:
        number: of the exercise, as on its page: "2.2".
        answer: a number, an array of numbers, one of the words to choose from, several of
            them, or a function, as the exercise asks for.

    Raises:
        ValueError: no exercise has this number, or the answer is of another kind or shape.
    """
    label = find(number)
    if label not in read_answers():
        print(
            f"Exercise {number} asks for an argument, a proof or a piece of work that is "
            "not checked here: open its solution."
        )
        return
    stored = read_answers()[label]
    if answer is ...:
        print(
            f"Exercise {number} asks for {stored.wanted}. Put it in place of the dots."
        )
        return
    wrong = _wrong(label, stored, answer)
    if wrong is None:
        print(f"Exercise {number}: right.")
    else:
        print(f"Exercise {number}: not yet{wrong}. Hint: {stored.hint}")


def _wrong(label: str, stored: Answer, answer) -> str | None:
    """Where an answer is wrong, in words; None if it is right."""
    if stored.function:
        return _tried(stored, answer)
    read = _words if stored.choices else _numbers
    given = read(stored, answer)
    places = [
        str(n + 1)
        for n, (one, sealed) in enumerate(zip(given, stored.sealed))
        if not opens(label, n, one, sealed)
    ]
    if not places:
        return None
    if len(given) == 1:
        return ""
    return f", look again at place {', '.join(places)} of {len(given)}"


def _words(stored: Answer, answer) -> list[str]:
    """The words of an answer, each one of the choices.

    Raises:
        ValueError: other words, no words, or more or fewer.
    """
    words = [answer] if isinstance(answer, str) else answer
    if not isinstance(words, (list, tuple)):
        raise _expected(stored, f"{answer!r}; hand in a text, or a list of them")
    if len(words) != len(stored.sealed):
        raise _expected(stored, f"{len(words)} words; hand in {len(stored.sealed)}")
    for word in words:
        if not isinstance(word, str) or plain(word) not in map(plain, stored.choices):
            raise _expected(stored, f"{word!r}; take the very words")
    return list(words)


def _numbers(stored: Answer, answer) -> list[float]:
    """The numbers of an answer in reading order.

    Raises:
        ValueError: no numbers, another shape, or one that is not finite.
    """
    try:
        array = np.asarray(answer)
    except ValueError:  # rows of unequal length
        array = np.asarray(None)
    if array.dtype.kind not in "iuf":
        raise _expected(stored, f"{answer!r}; hand in numbers")
    if array.shape != stored.shape:
        raise _expected(
            stored,
            f"an array of shape {array.shape}; hand in {_shaped(stored.shape)}",
        )
    if not np.isfinite(array).all():
        raise _expected(
            stored, f"{answer!r}; look for a division by zero or an overflow"
        )
    return array.astype(float).ravel().tolist()


def _shaped(shape: tuple[int, ...]) -> str:
    return f"an array of shape {shape}" if shape else "a single number"


def _tried(stored: Answer, function: Callable) -> str | None:
    """Whether a function has the property, on inputs that are drawn.

    Raises:
        ValueError: no function, one that fails, or gives what is not asked for.
    """
    if not callable(function):
        raise _expected(
            stored, f"{function!r}; hand in the function itself, without calling it"
        )
    try:
        return None if PROPERTIES[stored.function](function) else ""
    except Exception as error:
        raise _expected(
            stored, f"{type(error).__name__}: {error}; call it once by hand"
        ) from error


def _expected(stored: Answer, got: str) -> ValueError:
    return ValueError(f"answer: expected {stored.wanted}; got {got}")
