"""What the package holds of the exercises: their numbers, and answers to some of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Answer:
    """What an exercise asks for, and how an answer is known to be right.

    Args:
        asks: for what, in words.
        hint: for a wrong answer.
        sealed: of `seal`; empty for a function.
        shape: of the array of numbers, or (n,) for n words; () for one.
        choices: the words to choose from; empty for numbers.
        function: name of the property in `PROPERTIES` that a function must have, or "".
    """

    asks: str
    hint: str
    sealed: tuple = ()
    shape: tuple[int, ...] = ()
    choices: tuple[str, ...] = ()
    function: str = ""

    @property
    def wanted(self) -> str:
        """What is asked for, with the words to choose from."""
        choices = ", ".join(map(repr, self.choices))
        return f"{self.asks}; choose from {choices}" if choices else self.asks


@lru_cache(maxsize=1)
def read_answers() -> dict[str, Answer]:
    """Every answer, by the label of its exercise."""
    return {
        label: Answer(**{name: _fixed(value) for name, value in entry.items()})
        for label, entry in _read("answers.yml").items()
    }


@lru_cache(maxsize=1)
def read_numbers() -> dict[str, str]:
    """The label of every exercise, by its number on the pages."""
    return _read("numbers.yml")


def find(number: str) -> str:
    """The label of the exercise with a number.

    Raises:
        ValueError: not text, or no exercise has it.
    """
    if not isinstance(number, str):
        raise ValueError(
            f"number: expected the number of an exercise as text, such as '2.10', got "
            f"{number!r}; put it in quotes"
        )
    numbers = read_numbers()
    if number not in numbers:
        chapter = number.strip().partition(".")[0]
        near = [one for one in numbers if one.partition(".")[0] == chapter]
        last = list(numbers)[-1].partition(".")[0]
        has = (
            f"chapter {chapter} has {', '.join(near)}"
            if near
            else f"exercises of chapters 1 to {last} are known"
        )
        raise ValueError(
            f"number: expected that of an exercise, as on its page, got {number!r}; {has}"
        )
    return numbers[number]


def _fixed(value):
    return tuple(value) if isinstance(value, list) else value


def _read(name: str) -> dict:
    import yaml

    return yaml.safe_load((HERE / name).read_text("utf-8"))
