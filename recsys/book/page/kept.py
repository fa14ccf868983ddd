"""A mark of punctuation stays on the line of the number or formula that it stands beside."""

from __future__ import annotations

import re

from docutils import nodes

BEFORE = re.compile(r"[(\[“]+$")
BEHIND = re.compile(r"[.,:;!?)\]”]+")


def keep_marks(doctree: nodes.Node, *kinds: type[nodes.Element]) -> None:
    """Put numbers and formulas in one box with the marks that touch them.

    A browser may break a line on both sides of a button or of a formula, so that a full
    stop would stand alone on the next one.

    Args:
        doctree: of a page; it is changed.
        kinds: classes of what a browser takes for a box of its own.
    """
    for node in [node for kind in kinds for node in doctree.findall(kind)]:
        place = node.parent.index(node)
        around = node.parent.children
        before = _found(BEFORE, around[place - 1] if place else None)
        behind = _found(BEHIND, around[place + 1] if place + 1 < len(around) else None)
        if before or behind:
            _keep(node, before, behind)


def _found(marks: re.Pattern, beside: nodes.Node | None) -> str:
    """The marks with which a text ends or begins; nothing where none does."""
    search = marks.search if marks is BEFORE else marks.match
    found = search(beside) if isinstance(beside, nodes.Text) else None
    return found[0] if found else ""


def _keep(node: nodes.Element, before: str, behind: str) -> None:
    parent, place = node.parent, node.parent.index(node)
    if before:
        text = parent[place - 1]
        parent[place - 1] = nodes.Text(text[: len(text) - len(before)])
    if behind:
        parent[place + 1] = nodes.Text(parent[place + 1][len(behind) :])
    kept = nodes.inline(classes=["kept"])
    parent[place] = kept
    kept += [nodes.Text(before), node, nodes.Text(behind)]
