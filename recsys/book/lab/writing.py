"""Notebooks for Lab, made of the book's and written beside them."""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from recsys.book.exercises import read_answers
from recsys.book.figures import SVG
from recsys.book.lab.blocks import Block, Directive, blocks
from recsys.book.lab.citations import read_works
from recsys.book.lab.directives import folded, joined, rendered, solution_title
from recsys.book.lab.labels import read_labels
from recsys.book.lab.roles import Book
from recsys.book.moving import HTML

FOLDERS = {False: "lab", True: "lab-empty"}
"""Where notebooks are written, and where those whose code is left to the reader."""

MADE = "recsys_lab"
"""In the metadata: hashes of the cells as written, without outputs and with them."""

CHECK = "check-"
"""How the name of a cell begins that waits for an answer."""

CLOSED = {"remove-cell", "hide-cell"}
FOLDED = CLOSED | {"hide-input", "remove-input"}


def read_book(at: Path) -> Book:
    """What notebooks may refer to: the labels of all, and the bibliography."""
    return Book(at, read_labels(at), read_works(at))


def lab_notebook(notebook: Path, book: Book, empty: bool = False) -> NotebookNode:
    """A notebook of the book, in Markdown that JupyterLab renders by itself.

    Code stays as it is. Cells that only claim, and solutions, are closed. Below an
    exercise whose answer can be checked stands a cell that waits for it.

    Args:
        notebook: of the book.
        book: of `read_book`.
        empty: leave the text and the exercises, empty the code, drop the solutions.

    Raises:
        ValueError: a directive or a role that is not known, or one that names nothing;
            it tells the notebook and the cell.
    """
    made = nbformat.read(notebook, as_version=4)
    writer = _Writer(replace(book, notebook=notebook.stem), empty)
    cells = []
    for number, cell in enumerate(made.cells, 1):
        try:
            cells += writer.cells(cell)
        except (ValueError, OSError) as error:
            raise ValueError(f"{notebook.name}, cell {number}: {error}") from error
    made.cells = cells
    made.metadata[MADE] = {"cells": _cells(made), "outputs": _hash(as_json(made))}
    return made


@dataclass
class _Writer:
    """Goes through a notebook in order, since a solution may be several cells."""

    book: Book
    empty: bool
    in_solution: bool = False

    def cells(self, cell: NotebookNode) -> list[NotebookNode]:
        """What becomes of a cell: one, none, or several where an exercise is checked."""
        if cell.cell_type == "code":
            return self._code(copy.deepcopy(cell))
        made = []
        for n, (part, label) in enumerate(_up_to_each_check(cell.source)):
            piece = copy.deepcopy(cell)
            piece.source = self._text(part)
            piece.id = f"{cell.id[:50]}-{n}" if n else cell.id
            if piece.source:
                made.append(piece)
            if label:
                made.append(self._check(label))
        return made

    def _check(self, label: str) -> NotebookNode:
        """A cell that waits for the answer to an exercise."""
        lines = textwrap.wrap(read_answers()[label].wanted, 86, break_on_hyphens=False)
        source = "\n".join(
            ["from recsys.book import check", ""]
            + [f"# {line}" for line in lines]
            + [f'check("{self.book.label(label).number}", ...)']
        )
        return nbformat.v4.new_code_cell(source, id=f"{CHECK}{label}"[:64])

    def _text(self, part: list[Block]) -> str:
        """The text of a cell; what belongs to a solution is folded, or dropped."""
        shown, solution, title = [], [], "Solution, continued"
        for block in part:
            name = block.name if isinstance(block, Directive) else ""
            if name == "solution-start":
                self.in_solution, title = True, solution_title(block, self.book)
            elif name == "solution-end":
                self.in_solution = False
                shown.append(folded(title, joined(solution)))
                solution = []
            elif self.in_solution:
                solution.append(rendered(block, self.book))
            elif not (self.empty and name == "solution"):
                shown.append(rendered(block, self.book))
            if self.empty:
                solution = []
        if self.in_solution and not self.empty:
            solution.append("The code is in the folded cell below.")
        return joined([*shown, folded(title, joined(solution))])

    def _code(self, cell: NotebookNode) -> list[NotebookNode]:
        claiming = only_claims(cell.source)
        if self.empty:
            if claiming or self.in_solution:
                return []
            cell.source, cell.outputs, cell.execution_count = "", [], None
            cell.metadata = NotebookNode()
            return [cell]
        tags = set(cell.metadata.get("tags", []))
        hidden = dict(cell.metadata.get("jupyter", {}))
        if claiming or self.in_solution or tags & FOLDED:
            hidden["source_hidden"] = True
        if self.in_solution or "remove-output" in tags:
            hidden["outputs_hidden"] = True
        if hidden:
            cell.metadata["jupyter"] = NotebookNode(hidden)
        if claiming or tags & CLOSED:
            cell.outputs, cell.execution_count = [], None
        return [cell, *(_captions(cell) if "source_hidden" in hidden else [])]


def _up_to_each_check(source: str) -> Iterator[tuple[list[Block], str]]:
    """A text in pieces: each up to an exercise that is checked, with its label; the rest."""
    part = []
    for block in blocks(source):
        part.append(block)
        label = block.options.get("label") if isinstance(block, Directive) else ""
        if label in read_answers():
            yield part, label
            part = []
    yield part, ""


def _captions(cell: NotebookNode) -> list[NotebookNode]:
    """A text cell with the captions of a folded cell, which Lab does not show."""
    told = [output.get("metadata", {}) for output in cell.outputs]
    stored = [one.get(SVG) or one.get(HTML, {}) for one in told]
    captions = [f"*Figure.* {one['caption']}" for one in stored if "caption" in one]
    if not captions or cell.metadata.jupyter.get("outputs_hidden"):
        return []
    text = nbformat.v4.new_markdown_cell(joined(captions), id=f"{cell.id[:50]}-caption")
    return [text]


def only_claims(source: str) -> bool:
    """Whether a cell does nothing but hold numbers against the book."""
    statements = ast.parse(source).body
    said = [statement for statement in statements if not _from_the_book(statement)]
    return bool(said) and all(map(_claims, said))


def _from_the_book(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "recsys.book"


def _claims(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.For):
        return all(map(_claims, statement.body))
    return isinstance(statement, ast.Expr) and _is_claim(statement.value)


def _is_claim(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
        return False
    if value.func.id == "print":
        return bool(value.args) and all(map(_is_claim, value.args))
    return value.func.id in ("claim", "claims")


def write_notebooks(at: Path, empty: bool = False) -> tuple[list[Path], list[Path]]:
    """Write every notebook for Lab, into a folder that git ignores, and trust it.

    What a reader has changed is kept; running a cell is no change.

    Args:
        at: the checkout.
        empty: those with empty code, for teachers.

    Returns:
        What was written, and what was kept.
    """
    folder = at / FOLDERS[empty]
    folder.mkdir(exist_ok=True)
    book, written, kept = read_book(at), [], []
    for notebook in sorted((at / "notebooks").glob("*.ipynb")):
        path, made = folder / notebook.name, lab_notebook(notebook, book, empty)
        if not path.is_file() or _made(path) not in (None, made.metadata[MADE]):
            path.write_text(as_json(made), "utf-8")
            _trust(made)
            written.append(path)
        elif _made(path) is None:
            kept.append(path)
    return written, kept


def as_json(notebook: NotebookNode) -> str:
    """A notebook as a file holds it."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"


def _made(path: Path) -> dict | None:
    """Of what a notebook was made; None if a reader has changed a cell, or made it."""
    try:
        found = nbformat.read(path, as_version=4)
    except ValueError:  # no notebook
        return None
    made = found.metadata.get(MADE)
    return made if made and made["cells"] == _cells(found) else None


def _cells(notebook: NotebookNode) -> str:
    """A hash of what the cells say, without what they gave."""
    return _hash(json.dumps([(cell.cell_type, cell.source) for cell in notebook.cells]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _trust(notebook: NotebookNode) -> None:
    """Let Lab show stored drawings before the first run: they are of this checkout."""
    from nbformat.sign import NotebookNotary

    NotebookNotary().sign(notebook)
