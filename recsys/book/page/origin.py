"""Where a claim is computed: the cell of its notebook that a reader can see."""

from __future__ import annotations

import ast
import json
import re
from functools import lru_cache
from pathlib import Path


def shown_cell(notebook: Path, id: str) -> int | None:
    """The last code cell on the page up to the one that states a claim.

    Cells that only claim are not on the page; what they claim was computed above them.

    Args:
        notebook: that makes the claim.
        id: of the claim.

    Returns:
        Its place among all cells, from 0; None where no cell names the claim.
    """
    names, on_page = _read(notebook, notebook.stat().st_mtime_ns)
    places = [place for place, name in names if name.fullmatch(id)]
    before = [place for place in on_page if places and place <= places[0]]
    return before[-1] if before else None


@lru_cache(maxsize=64)
def _read(
    notebook: Path, changed: int
) -> tuple[list[tuple[int, re.Pattern]], list[int]]:
    """What each cell calls its claims, and which code cells are on the page."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    names, on_page = [], []
    for place, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        if "remove-cell" not in cell["metadata"].get("tags", []):
            on_page.append(place)
        if "claim" in source:
            names += [(place, name) for name in _strings(source)]
    return names, on_page


def _strings(source: str) -> list[re.Pattern]:
    """Strings of a cell as patterns: what an f-string computes matches anything of an id."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(re.compile(re.escape(node.value)))
        elif isinstance(node, ast.JoinedStr):
            parts = [
                re.escape(part.value) if isinstance(part, ast.Constant) else r"[\w.@-]+"
                for part in node.values
            ]
            if r"\." in parts[0]:  # the chapter is written out
                found.append(re.compile("".join(parts)))
    return found
