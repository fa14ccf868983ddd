"""The numbers of exercises, written into the package where it is made from a checkout."""

from __future__ import annotations

from pathlib import Path

HEAD = "# Which exercise has which number on its page. `make book` writes this file.\n"


def numbers_of(at: Path) -> dict[str, str]:
    """The label of every exercise by its number, counted in the sources.

    Args:
        at: the checkout.
    """
    from recsys.book.lab.labels import read_labels

    return {
        label.number: name
        for name, label in read_labels(at).items()
        if label.kind == "Exercise"
    }


def write_numbers(at: Path) -> None:
    """Write them as the package's `numbers.yml`."""
    lines = [f'"{number}": {label}\n' for number, label in numbers_of(at).items()]
    path = at / "recsys" / "book" / "exercises" / "numbers.yml"
    path.write_text(HEAD + "".join(lines), "utf-8")
