"""What the names in one definition stand for, in a form that no import and no file changes.

`Reader` goes through a definition, puts for each name the place it leads to, and notes
it; it refuses what reaches by a string. `recsys.book.reach` walks from place to place.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Protocol

from recsys.book.source import Source, Unreachable, bound_in, is_text

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


class Walk(Protocol):
    """What a reader asks of the walk through definitions, and what it notes there."""

    strings: set[str]
    attributes: set[str]
    libraries: set[str]

    def resolve(self, dotted: str) -> Place | str:
        """What a whole name stands for."""


class Reader(ast.NodeTransformer):
    """Puts what a definition names in a form that does not depend on imports, and notes it."""

    def __init__(self, walk: Walk, source: Source, place: Place | None):
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
