"""Roles: numbers, citations, references and links, as plain Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from recsys.book.lab.citations import Work
from recsys.book.lab.labels import Label, title

ROLE_OR_CODE = re.compile(
    r"\{(?P<role>[A-Za-z][\w:+.-]*)\}(?P<ticks>`+)(?P<inside>.+?)(?P=ticks)(?!`)"
    r"|(?P<code>`+).+?(?P=code)(?!`)",
    re.DOTALL,
)
AIMED = re.compile(r"(?P<text>.*?)\s*<(?P<aim>[^<>]+)>", re.DOTALL)


@dataclass(frozen=True)
class Book:
    """What roles and directives may refer to.

    Args:
        at: the checkout.
        labels: of all notebooks.
        works: of the bibliography.
        notebook: from which they refer, its file name without its ending.
    """

    at: Path
    labels: dict[str, Label]
    works: dict[str, Work]
    notebook: str = ""

    def label(self, name: str) -> Label:
        """What a label names.

        Raises:
            ValueError: no notebook has it.
        """
        if name not in self.labels:
            raise ValueError(
                f"label: expected one of a notebook of the book, got {name!r}; mend it"
            )
        return self.labels[name]

    def work(self, key: str) -> Work:
        """What a key of the bibliography names.

        Raises:
            ValueError: there is no such key.
        """
        if key not in self.works:
            raise ValueError(
                f"citation: expected a key of book/references.bib, got {key!r}; add it"
            )
        return self.works[key]


def without_roles(text: str, book: Book) -> str:
    """`text` with each role as Markdown; code between backquotes stays.

    Raises:
        ValueError: a role that is not in `ROLES`, or one that names nothing.
    """

    def plain(match: re.Match) -> str:
        if match["code"]:
            return match[0]
        if match["role"] not in ROLES:
            raise ValueError(
                f"role: expected one of {', '.join(ROLES)}, got {match['role']!r}; "
                "add it to recsys/book/lab/roles.py"
            )
        return ROLES[match["role"]](" ".join(match["inside"].split()), book)

    return ROLE_OR_CODE.sub(plain, text)


def _aimed(inside: str) -> tuple[str, str]:
    """Text and aim of `text <aim>`; the text is empty where there is only an aim."""
    match = AIMED.fullmatch(inside)
    return (match["text"], match["aim"]) if match else ("", inside)


def _claim(inside: str, book: Book) -> str:
    number, aim = _aimed(inside)
    if not number:
        raise ValueError(
            f"claim: expected NUMBER <id>, got {aim!r}; add what is missing"
        )
    return number


def _cited(inside: str, book: Book) -> str:
    number, key = _aimed(inside)
    return f"{number} ({book.work(key).within})"


def _in_brackets(inside: str, book: Book) -> str:
    return f"({'; '.join(book.work(key.strip()).within for key in inside.split(','))})"


def _in_text(inside: str, book: Book) -> str:
    return ", ".join(book.work(key.strip()).in_text for key in inside.split(","))


def _equation(inside: str, book: Book) -> str:
    label = book.label(inside)
    return f"({label.number})" + _elsewhere(label, book)


def _reference(inside: str, book: Book) -> str:
    text, aim = _aimed(inside)
    label = book.label(aim)
    said = label.title or f"{label.kind} {label.number}"
    if text:  # as of numref
        said = text.replace("%s", str(label.number)).replace(
            "{number}", str(label.number)
        )
    return said + _elsewhere(label, book)


def _elsewhere(label: Label, book: Book) -> str:
    """What follows a reference to another notebook."""
    if label.notebook == book.notebook:
        return ""
    return f" of [{label.chapter}]({label.notebook}.ipynb)"


def _page(inside: str, book: Book) -> str:
    text, aim = _aimed(inside)
    folder = book.at if aim.startswith("/") else book.at / "notebooks"
    path = folder / f"{aim.lstrip('/')}.ipynb"
    if not path.is_file():
        raise ValueError(
            f"doc: expected a notebook of the book, got {aim!r}; "
            "link to other pages as Markdown does"
        )
    return f"[{text or title(path)}]({path.name})"


def _formula(inside: str, book: Book) -> str:
    return f"${inside}$"


ROLES = {
    "claim": _claim,
    "cited": _cited,
    "cite": _in_brackets,
    "cite:p": _in_brackets,
    "cite:t": _in_text,
    "eq": _equation,
    "ref": _reference,
    "numref": _reference,
    "prf:ref": _reference,
    "doc": _page,
    "math": _formula,
}
