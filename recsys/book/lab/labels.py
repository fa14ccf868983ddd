"""What a page can refer to by a label, with the number it has in its notebook."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recsys.book.lab.blocks import Directive, Target, everything

HEADING = re.compile(r"^(#+)\s+(.*)$", re.MULTILINE)
STATEMENTS = (
    "theorem lemma proposition corollary definition conjecture criterion assumption "
    "axiom algorithm example remark observation property"
).split()
"""Of sphinx-proof, without the proof."""

KINDS = {"math": "Equation", "exercise": "Exercise"} | {
    f"prf:{name}": name.capitalize() for name in STATEMENTS
}


@dataclass(frozen=True)
class Label:
    """Where a label stands.

    Args:
        kind: of `KINDS`, or "Section".
        number: within its notebook; 0 for a section.
        title: the heading of a section.
        notebook: file name without its ending.
        chapter: title of that notebook.
    """

    kind: str
    number: int
    title: str
    notebook: str
    chapter: str


def texts(notebook: Path) -> list[str]:
    """The text cells of a notebook."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    return [
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    ]


def title(notebook: Path) -> str:
    """Its first heading."""
    return HEADING.search("\n".join(texts(notebook)))[2].strip()


def labels_of(notebook: Path) -> Iterator[tuple[str, Label]]:
    """Labels of one notebook, and what they name. What has no label has no number."""
    counts: Counter[str] = Counter()
    chapter, waiting = title(notebook), []
    every = [block for text in texts(notebook) for block in everything(text)]
    for block in every:
        if isinstance(block, Target):
            waiting.append(block.label)
        elif (
            isinstance(block, Directive)
            and block.name in KINDS
            and "label" in block.options
        ):
            kind = KINDS[block.name]
            counts[kind] += 1
            yield (
                block.options["label"],
                Label(kind, counts[kind], "", notebook.stem, chapter),
            )
        elif isinstance(block, str) and (heading := HEADING.search(block)):
            section = Label("Section", 0, heading[2].strip(), notebook.stem, chapter)
            yield from ((name, section) for name in waiting)
            waiting = []


def read_labels(at: Path) -> dict[str, Label]:
    """The labels of every notebook of the book."""
    found: dict[str, Label] = {}
    for notebook in sorted((at / "notebooks").glob("*.ipynb")):
        found |= dict(labels_of(notebook))
    return found
