"""One file as the walk of `recsys.book.reach` reads it: definitions, and what names mean."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


class Unreachable(ValueError):
    """Something that cannot be followed by name; the message says where, and the mend."""


class Source:
    """The definitions at the top of a file, what its imports bind, and statements that are neither.

    Args:
        module: its dotted name.
        path: the file.
        statements: at its top.
    """

    def __init__(self, module: str, path: Path, statements: list[ast.stmt]):
        self.module, self.path = module, path
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, str] = {}
        self.loose: list[ast.stmt] = []
        for statement in statements:
            self._take(statement)

    def _take(self, statement: ast.stmt) -> None:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self.imports |= imported(statement)
        elif (
            isinstance(statement, ast.If)
            and ast.unparse(statement.test) == "TYPE_CHECKING"
        ):
            for inner in statement.body:
                self._take(inner)
        elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            self.definitions.setdefault(statement.name, []).append(statement)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            for name in assigned(statement):
                self.definitions.setdefault(name, []).append(statement)
        elif not is_text(statement):
            self.loose.append(statement)

    def class_(self, name: str) -> ast.ClassDef | None:
        """The class of that name, if the name is one's."""
        return next(
            (node for node in self.definitions[name] if isinstance(node, ast.ClassDef)),
            None,
        )


@cache
def read(module: str, path: Path, changed: int, size: int) -> Source:
    """A file, read once as long as it stays the same."""
    return Source(module, path, ast.parse(path.read_text("utf-8")).body)


def imported(statement: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """The names that an import binds, each with its full dotted name."""
    if isinstance(statement, ast.ImportFrom):
        if statement.level or statement.names[0].name == "*":
            raise Unreachable(
                f"{ast.unparse(statement)}: expected whole names; write out what is imported, and from where"
            )
        return {
            alias.asname or alias.name: f"{statement.module}.{alias.name}"
            for alias in statement.names
        }
    bound = {}
    for alias in statement.names:
        first = alias.name.partition(".")[0]
        bound[alias.asname or first] = alias.name if alias.asname else first
    return bound


def assigned(statement: ast.stmt) -> set[str]:
    """Names that a statement at the top of a file gives a value, or a part of one."""
    targets = (
        statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    )
    return {
        node.id
        for target in targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name)
    }


def is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring, or another string that does nothing."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


INNER_SCOPES = (
    ast.FunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


def bound_in(function: ast.FunctionDef | ast.Lambda) -> dict[str, str | None]:
    """Names that belong to a function itself; of an import inside it, with the dotted name."""
    arguments = function.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    bound: dict[str, str | None] = {
        argument.arg: None for argument in every if argument
    }
    outer: set[str] = set()
    todo = (
        list(function.body)
        if isinstance(function, ast.FunctionDef)
        else [function.body]
    )
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= imported(node)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] = None
        elif isinstance(node, ast.Global):
            outer |= set(node.names)
        elif getattr(node, "name", None) and not isinstance(node, ast.alias):
            bound[node.name] = (
                None  # an inner function or class, an exception that is caught
            )
        if isinstance(node, INNER_SCOPES):
            todo.extend(
                inner.target
                for inner in ast.walk(node)
                if isinstance(inner, ast.NamedExpr)
            )
        else:
            todo.extend(ast.iter_child_nodes(node))
    return {name: meaning for name, meaning in bound.items() if name not in outer}
