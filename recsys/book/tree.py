"""What the definitions below a directory say, each read once as long as no file changes.

`recsys.book.reach` walks from one definition to the next; many walks go over the same
ones, for two studies share most of the package.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from recsys.book.names import STOPS, Place, Reader
from recsys.book.source import Source, Unreachable, read


@dataclass
class Reading:
    """What one definition says, whoever comes to it.

    Args:
        resolve: what a whole name stands for, for the reader of the definition.
        text: without docstrings, each name as the place that it leads to.
        found: those places, in the order in which they stand.
        waiting: of a class or a module: what is reached only if it is asked for.
        strings: what stands in it as a string.
        attributes: names after a dot that begin at no definition, and the strings.
        libraries: first names of other libraries' modules.
    """

    resolve: Callable[[str], Place | str]
    text: str = ""
    found: list[Place] = field(default_factory=list)
    waiting: set[Place] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)


class Tree:
    """The definitions below a directory, and what each says.

    Args:
        at: the directory.
    """

    def __init__(self, at: Path):
        self.at, self.own = at, directories(at)
        self.sources: dict[str, Source | None] = {}
        self.stamps: dict[Path, tuple[int, int] | None] = {}
        self.readings: dict[Place, Reading] = {}

    def changed(self) -> bool:
        """Whether a file that was asked for, or a directory, came, went or changed."""
        return self.own != directories(self.at) or any(
            stamp(path) != before for path, before in self.stamps.items()
        )

    def source(self, module: str) -> Source | None:
        """The file of a module below the directory; None for another library's."""
        if module not in self.sources:
            self.sources[module] = self._source(module)
        return self.sources[module]

    def _source(self, module: str) -> Source | None:
        first, *_ = module.split(".")
        if first not in self.own:
            return None
        stem = self.at.joinpath(*module.split("."))
        for path in (stem / "__init__.py", stem.with_suffix(".py")):
            self.stamps[path] = stamp(path)
            if self.stamps[path]:
                return read(module, path, *self.stamps[path])
        return None

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

    def reading(self, place: Place) -> Reading:
        """What the definition at a place says."""
        if place not in self.readings:
            self.readings[place] = self.read(place, self.source(place.module))
        return self.readings[place]

    def read(self, place: Place, source: Source) -> Reading:
        """Read a definition of a file.

        Raises:
            Unreachable: something in it cannot be followed by name.
        """
        self._refuse_loose(source)
        said = Reading(self.resolve)
        if not place.name:
            said.text = "a module"
            said.waiting = {
                target
                for name in [*source.definitions, *source.imports]
                if isinstance(target := self.resolve(f"{place.module}.{name}"), Place)
            }
            return said
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
            nodes = [without_methods(said, place, node) for node in nodes]
        reader = Reader(said, source, place)
        said.text = "\n".join(
            ast.dump(reader.visit(copy.deepcopy(node))) for node in nodes
        )
        if place.module in STOPS and isinstance(nodes[0], ast.FunctionDef):
            said.text = " ".join(
                ["a promise of", *(f"id='@{promised}@'" for promised in reader.found)]
            )
        said.found = reader.found
        return said

    def _has_other_base(self, node: ast.ClassDef, source: Source) -> bool:
        """Whether a base class, near or far, belongs to another library."""
        for base in node.bases:
            target = Reader(Reading(self.resolve), source, None).meaning(base)
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
                Reader(Reading(self.resolve), source, None).meaning(call.func)
                if isinstance(call, ast.Call)
                else None
            )
            if not (isinstance(target, Place) and target.module in STOPS):
                raise Unreachable(
                    f"{source.path.name}, line {statement.lineno}: this runs while the module is imported, "
                    "so no name leads to it; put it into a function, or into the value of a name"
                )


_LAST: dict[Path, Tree] = {}


def tree(at: Path) -> Tree:
    """What is known of a directory: nothing, once something that was read has changed."""
    at = at.resolve()
    if at not in _LAST or _LAST[at].changed():
        _LAST[at] = Tree(at)
    return _LAST[at]


def directories(at: Path) -> set[str]:
    """The names of what could be packages."""
    return {path.name for path in at.iterdir() if path.is_dir()}


def stamp(path: Path) -> tuple[int, int] | None:
    """Time and size of a file, by which a change is seen; None where there is none."""
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return about.st_mtime_ns, about.st_size


def without_methods(said: Reading, place: Place, node: ast.stmt) -> ast.stmt:
    """A class without the methods that are reached only if they are asked for."""
    if not isinstance(node, ast.ClassDef):
        return node
    methods = {
        inner.name
        for inner in node.body
        if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("__")
    }
    said.waiting = {Place(place.module, f"{node.name}.{method}") for method in methods}
    rest = [inner for inner in node.body if getattr(inner, "name", None) not in methods]
    return ast.ClassDef(
        node.name, node.bases, node.keywords, rest, node.decorator_list
    )
