"""What a function reaches by name: the definitions behind a result, wherever they stand.

A study's fingerprint is taken over these and not over files. Whatever a definition names is
reached through it, by way of any package that re-exports it. Docstrings, comments, imports and
file names change nothing. Of a class, a method counts once its name is used as an attribute, or
stands as a string, anywhere in what is reached; all methods count where a base class belongs to
another library, which may call any of them.

It is read from the source, so what goes around names is refused with the mend: `getattr` on a
module, `eval`, an import by string, and statements that run while a module is imported. What it
cannot see: a method asked for by a name that was put together elsewhere, and what an object of
another library calls in ours but for the methods of its own subclasses.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from recsys.book.names import Place
from recsys.book.source import Source
from recsys.book.tree import Reading, tree

NAMED = re.compile(r"id='@([\w.]+:[\w.]*)@'")
"""A name in the text of a definition that leads to another one."""


@dataclass
class Reached:
    """What a function reaches.

    Args:
        code: the text of each definition, in the order in which they are met from the function on.
        libraries: first names of other libraries' modules that are used.
        strings: what stands in the code as a string and could be a name.
    """

    code: dict[Place, str] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)

    def digest(self) -> str:
        """Hash the code, each definition called by its number in the order, wherever it stands."""
        number = {str(place): str(count) for count, place in enumerate(self.code)}
        texts = [
            NAMED.sub(lambda found: f"id={number[found[1]]}", text)
            for text in self.code.values()
        ]
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def reach(at: Path, module: str, name: str, strings: Iterable[str] = ()) -> Reached:
    """Follow one function by name through the packages below a directory.

    Args:
        at: the directory.
        module: where the function is defined.
        name: of the function.
        strings: names that come to it from outside, for example from settings.

    Returns:
        Everything reached, from the function on.

    Raises:
        Unreachable: something that cannot be followed by name.
    """
    walk = _Walk(at, strings)
    walk.enter(Place(module, name))
    return Reached(walk.ordered(Place(module, name)), walk.libraries, walk.strings)


def reach_cells(at: Path, cells: Iterable[str]) -> Reached:
    """Follow what the code cells of a notebook name, as the body of one function.

    Args:
        at: the checkout.
        cells: their code, in order.

    Returns:
        Everything reached, without the cells themselves.

    Raises:
        Unreachable: something that cannot be followed by name.
    """
    body = [statement for cell in cells for statement in ast.parse(cell).body]
    nothing = ast.parse("def cells(): pass").body[0]
    whole = ast.FunctionDef("cells", nothing.args, body, [], None)
    walk = _Walk(at, ())
    place = Place("a notebook", "cells")
    source = Source(place.module, Path("cells"), [whole])
    walk.enter(place, walk.tree.read(place, source))
    del walk.readings[place]
    return Reached(walk.texts, walk.libraries, walk.strings)


class _Walk:
    """What is known while definitions are followed."""

    def __init__(self, at: Path, strings: Iterable[str]):
        self.tree = tree(at)
        self.strings, self.attributes = set(strings), set(strings)
        self.libraries: set[str] = set()
        self.readings: dict[Place, Reading] = {}

    def enter(self, root: Place, reading: Reading | None = None) -> None:
        """Read a definition and all that it names, until nothing is new.

        Last comes what is asked for of the classes met.
        """
        todo = self._take(root, reading or self.tree.reading(root))
        while todo:
            while todo:
                place = todo.pop()
                if place not in self.readings:
                    todo.extend(self._take(place, self.tree.reading(place)))
            todo = [
                place
                for reading in self.readings.values()
                for place in reading.waiting
                if place.last in self.attributes and place not in self.readings
            ]

    def _take(self, place: Place, reading: Reading) -> list[Place]:
        """Note what a definition says; the places that it names."""
        self.readings[place] = reading
        self.strings |= reading.strings
        self.attributes |= reading.attributes
        self.libraries |= reading.libraries
        return list(reading.found)

    @property
    def texts(self) -> dict[Place, str]:
        """What was read, in the order in which it was."""
        return {place: reading.text for place, reading in self.readings.items()}

    def ordered(self, root: Place) -> dict[Place, str]:
        """The texts in the order in which a reader meets them who follows each name as it comes."""
        by_name = {str(place): place for place in self.readings}
        order: dict[Place, str] = {}
        todo = [root]
        while todo:
            place = todo.pop()
            if place not in order:
                reading = self.readings[place]
                order[place] = reading.text
                named = [by_name[name] for name in NAMED.findall(reading.text)]
                asked = [inner for inner in reading.waiting if inner in self.readings]
                todo.extend(
                    reversed([*named, *sorted(asked, key=lambda inner: inner.last)])
                )
        return order
