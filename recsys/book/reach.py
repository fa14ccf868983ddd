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

from recsys.book.source import Source, Unreachable, bound_in, is_text, read

STOPS = ("recsys.runtime", "recsys.data.loading")
"""Modules not entered: a content hash stands for what they return, or no result hangs on them."""

REFUSED = (
    "eval",
    "exec",
    "globals",
    "vars",
    "__import__",
    "importlib.import_module",
    "operator.attrgetter",
    "operator.methodcaller",
    "sys.modules",
)
"""What reaches by a string; `getattr` of a module, or of a name put together in the call, is refused too."""

NAMED = re.compile(r"id='@([\w.]+:[\w.]*)@'")
"""A name in the text of a definition that leads to another one."""


@dataclass(frozen=True)
class Place:
    """Where a definition stands: its module, and its name there.

    `Class.method` for a method, "" for the module itself.
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"

    @property
    def last(self) -> str:
        """The name by which something asks for it as an attribute."""
        return self.name.rpartition(".")[2]


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
        reader = _Reader(self, source, place)
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
            target = _Reader(self, source, None).meaning(base)
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
                _Reader(self, source, None).meaning(call.func)
                if isinstance(call, ast.Call)
                else None
            )
            if not (isinstance(target, Place) and target.module in STOPS):
                raise Unreachable(
                    f"{source.path.name}, line {statement.lineno}: this runs while the module is imported, "
                    "so no name leads to it; put it into a function, or into the value of a name"
                )


class _Reader(ast.NodeTransformer):
    """Puts what a definition names in a form that does not depend on imports, and notes it."""

    def __init__(self, walk: _Walk, source: Source, place: Place | None):
        self.walk, self.source, self.place = walk, source, place
        self.found: list[Place] = []
        self.scopes: list[dict[str, str | None]] = []

    def meaning(self, node: ast.expr) -> Place | str | None:
        """What names and dots stand for; None where they begin at a local name, or elsewhere."""
        dots = []
        while isinstance(node, ast.Attribute):
            dots.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        target = self._first(node.id)
        while dots and (
            isinstance(target, str) or isinstance(target, Place) and not target.name
        ):
            name = target if isinstance(target, str) else target.module
            target = self.walk.resolve(f"{name}.{dots.pop()}")
        return None if dots else target

    def _first(self, name: str) -> Place | str | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return None if scope[name] is None else self.walk.resolve(scope[name])
        if name in self.source.definitions:
            return Place(self.source.module, name)
        return (
            self.walk.resolve(self.source.imports[name])
            if name in self.source.imports
            else None
        )

    def _name_or_dots(self, node: ast.Name | ast.Attribute) -> ast.expr:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            return node
        target = self.meaning(node)
        if isinstance(target, Place):
            self.found.append(target)
            return ast.Name(f"@{target}@", node.ctx)
        called = target or (
            node.id
            if isinstance(node, ast.Name)
            and not any(node.id in scope for scope in self.scopes)
            else ""
        )
        if called in REFUSED:
            raise Unreachable(
                f"{self.place}: {called} hides what is reached; name it, for example in a dict"
            )
        if target:
            self.walk.libraries.add(target.partition(".")[0])
            return ast.Name(target, node.ctx)
        if isinstance(node, ast.Attribute):
            if node.attr == "__subclasses__":
                raise Unreachable(
                    f"{self.place}: __subclasses__ hides what is reached; name the classes, for example in a tuple"
                )
            self.walk.attributes.add(node.attr)
            self.generic_visit(node)
        return node

    visit_Name = visit_Attribute = _name_or_dots

    def visit_Call(self, node: ast.Call) -> ast.Call:
        if isinstance(node.func, ast.Name) and node.func.id == "getattr":
            target = self.meaning(node.args[0])
            of_module = isinstance(target, Place) and not target.name
            if of_module or not isinstance(
                node.args[1], (ast.Name, ast.Constant, ast.Subscript)
            ):
                raise Unreachable(
                    f"{self.place}: {ast.unparse(node)} cannot be followed by name; write a dict from the names "
                    "to what they stand for"
                )
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, str):
            self.walk.strings.add(node.value)
            self.walk.attributes.add(node.value)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.args = self._arguments(node.args)
        node.returns = self._annotation(node.returns)
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        if self.place and self.place.module in STOPS and not self.scopes:
            return node
        self.scopes.append(bound_in(node))
        node.body = self._statements(node.body)
        self.scopes.pop()
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        node.args = self._arguments(node.args)
        self.scopes.append(bound_in(node))
        node.body = self.visit(node.body)
        self.scopes.pop()
        return node

    def _comprehension(self, node: ast.expr) -> ast.expr:
        names = [
            inner.id
            for each in node.generators
            for inner in ast.walk(each.target)
            if isinstance(inner, ast.Name)
        ]
        self.scopes.append(dict.fromkeys(names))
        self.generic_visit(node)
        self.scopes.pop()
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = (
        _comprehension
    )

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.annotation = self._annotation(node.annotation)
        node.target = self.visit(node.target)
        node.value = node.value and self.visit(node.value)
        return node

    def _arguments(self, arguments: ast.arguments) -> ast.arguments:
        for argument in ast.walk(arguments):
            if isinstance(argument, ast.arg):
                argument.annotation = self._annotation(argument.annotation)
        arguments.defaults = [self.visit(value) for value in arguments.defaults]
        arguments.kw_defaults = [
            value and self.visit(value) for value in arguments.kw_defaults
        ]
        return arguments

    def _annotation(self, node: ast.expr | None) -> ast.expr | None:
        """An annotation, in quotes or not: it says whose methods are called."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.parse(node.value, mode="eval").body
        return node and self.visit(node)

    def _statements(self, body: list[ast.stmt]) -> list[ast.stmt]:
        kept = [
            statement
            for statement in body
            if not is_text(statement)
            and not isinstance(statement, (ast.Import, ast.ImportFrom))
        ]
        return [self.visit(statement) for statement in kept] or [ast.Pass()]

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name, value in ast.iter_fields(node):
            if name in ("body", "orelse", "finalbody", "handlers") and isinstance(
                value, list
            ):
                setattr(
                    node,
                    name,
                    self._statements(value) if name == "body" or value else [],
                )
            elif isinstance(value, list):
                setattr(
                    node,
                    name,
                    [
                        self.visit(item) if isinstance(item, ast.AST) else item
                        for item in value
                    ],
                )
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))
        return node
