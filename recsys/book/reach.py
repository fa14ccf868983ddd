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
import copy
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recsys.book.names import STOPS, Place, Reader
from recsys.book.source import Source, Unreachable, read

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
    walk.given["a notebook"] = Source("a notebook", Path("cells"), [whole])
    walk.enter(Place("a notebook", "cells"))
    del walk.texts[Place("a notebook", "cells")]
    return Reached(walk.texts, walk.libraries, walk.strings)


class _Walk:
    """What is known while definitions are followed."""

    def __init__(self, at: Path, strings: Iterable[str]):
        self.at, self.given = at, {}  # modules that are no files, by name
        self.own = {path.name for path in at.iterdir() if path.is_dir()}
        self.strings, self.attributes = set(strings), set(strings)
        self.libraries: set[str] = set()
        self.texts: dict[Place, str] = {}
        self.waiting: dict[
            Place, set[Place]
        ] = {}  # of a class or a module: what is reached only if it is asked for

    def enter(self, root: Place) -> None:
        """Read a definition and all that it names, until nothing is new.

        Last comes what is asked for of the classes met.
        """
        todo = [root]
        while todo:
            while todo:
                place = todo.pop()
                if place not in self.texts:
                    todo.extend(self._read(place))
            todo = [
                place
                for places in self.waiting.values()
                for place in places
                if place.last in self.attributes and place not in self.texts
            ]

    def ordered(self, root: Place) -> dict[Place, str]:
        """The texts in the order in which a reader meets them who follows each name as it comes."""
        by_name = {str(place): place for place in self.texts}
        order: dict[Place, str] = {}
        todo = [root]
        while todo:
            place = todo.pop()
            if place not in order:
                order[place] = self.texts[place]
                named = [by_name[name] for name in NAMED.findall(self.texts[place])]
                asked = [
                    inner
                    for inner in self.waiting.get(place, ())
                    if inner in self.texts
                ]
                todo.extend(
                    reversed([*named, *sorted(asked, key=lambda inner: inner.last)])
                )
        return order

    def source(self, module: str) -> Source | None:
        """The file of a module below the directory; None for another library's."""
        if module in self.given:
            return self.given[module]
        first, *_ = module.split(".")
        if first not in self.own:
            return None
        stem = self.at.joinpath(*module.split("."))
        path = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
        if not path.is_file():
            return None
        return read(module, path, path.stat().st_mtime_ns, path.stat().st_size)

    def resolve(self, dotted: str) -> Place | str:
        """What a whole name stands for: a definition, a module of ours, another library's name."""
        module, _, name = dotted.rpartition(".")
        source = self.source(module) if module else None
        if source is not None and name in source.definitions:
            return Place(module, name)
        if source is not None and name in source.imports:
            return self.resolve(source.imports[name])
        if self.source(dotted) is not None:
            return Place(dotted, "")
        if source is not None:
            raise Unreachable(
                f"{dotted}: expected a definition or a module of that name, found none"
            )
        return dotted

    def _read(self, place: Place) -> Iterator[Place]:
        source = self.source(place.module)
        self._refuse_loose(source)
        if not place.name:
            self.texts[place] = "a module"
            self.waiting[place] = {
                target
                for name in [*source.definitions, *source.imports]
                if isinstance(target := self.resolve(f"{place.module}.{name}"), Place)
            }
            return
        outer, _, method = place.name.partition(".")
        nodes = source.definitions[outer]
        if method:
            nodes = [
                node
                for node in source.class_(outer).body
                if getattr(node, "name", "") == method
            ]
        elif source.class_(outer) and not self._has_other_base(
            source.class_(outer), source
        ):
            nodes = [self._without_methods(place, node) for node in nodes]
        reader = Reader(self, source, place)
        self.texts[place] = "\n".join(
            ast.dump(reader.visit(copy.deepcopy(node))) for node in nodes
        )
        if place.module in STOPS and isinstance(nodes[0], ast.FunctionDef):
            self.texts[place] = " ".join(
                ["a promise of", *(f"id='@{promised}@'" for promised in reader.found)]
            )
        yield from reader.found

    def _without_methods(self, place: Place, node: ast.stmt) -> ast.stmt:
        """A class without the methods that are reached only if they are asked for."""
        if not isinstance(node, ast.ClassDef):
            return node
        methods = {
            inner.name
            for inner in node.body
            if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("__")
        }
        self.waiting[place] = {
            Place(place.module, f"{node.name}.{method}") for method in methods
        }
        rest = [
            inner for inner in node.body if getattr(inner, "name", None) not in methods
        ]
        return ast.ClassDef(
            node.name, node.bases, node.keywords, rest, node.decorator_list
        )

    def _has_other_base(self, node: ast.ClassDef, source: Source) -> bool:
        """Whether a base class, near or far, belongs to another library."""
        for base in node.bases:
            target = Reader(self, source, None).meaning(base)
            if not (isinstance(target, Place) and target.name):
                return True
            inner = self.source(target.module)
            if self._has_other_base(inner.class_(target.name), inner):
                return True
        return False

    def _refuse_loose(self, source: Source) -> None:
        for statement in source.loose:
            call = statement.value if isinstance(statement, ast.Expr) else None
            target = (
                Reader(self, source, None).meaning(call.func)
                if isinstance(call, ast.Call)
                else None
            )
            if not (isinstance(target, Place) and target.module in STOPS):
                raise Unreachable(
                    f"{source.path.name}, line {statement.lineno}: this runs while the module is imported, "
                    "so no name leads to it; put it into a function, or into the value of a name"
                )
