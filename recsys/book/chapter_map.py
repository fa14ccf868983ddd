"""The map of the book: a box a chapter, an arrow from each to those that stand on it.

What stands on what is written in `book/map.yml`, order and parts in `_toc.yml`; titles
and minutes come from the chapters.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

A_ROW = 4
"""Boxes beside each other."""

WIDE, HIGH, GAP, BETWEEN, LEFT = 168, 46, 18, 34, 12
"""Pixels: of a box, between two, between rows, at the left."""

WORDS_A_MINUTE = 180
"""How fast prose with formulas is read."""


class Chapter(NamedTuple):
    """A box.

    Args:
        file: as the table of contents names it.
        title: its first heading.
        minutes: to read its text.
        part: the number of its part, from 0.
        needs: files that it stands on.
    """

    file: str
    title: str
    minutes: int
    part: int
    needs: tuple[str, ...]


def chapters(at: Path) -> list[Chapter]:
    """Every chapter of the table of contents that `book/map.yml` names, in order.

    Raises:
        ValueError: a chapter that stands on one that does not come before it.
    """
    contents = yaml.safe_load((at / "_toc.yml").read_text("utf-8"))
    needs: Mapping[str, list[str]] = yaml.safe_load(
        (at / "book" / "map.yml").read_text("utf-8")
    )
    found: list[Chapter] = []
    for part, group in enumerate(contents["parts"]):
        for entry in group["chapters"]:
            file = entry["file"]
            if file not in needs:
                continue
            unknown = set(needs[file]) - {chapter.file for chapter in found}
            if unknown:
                raise ValueError(
                    f"book/map.yml: expected what {file} stands on before it in _toc.yml, "
                    f"got {', '.join(sorted(unknown))}; move one, or take it out"
                )
            text = _text(at, file)
            title = re.search(r"^# (.+)$", text, re.M)[1]
            minutes = max(1, math.ceil(len(text.split()) / WORDS_A_MINUTE))
            found.append(Chapter(file, title, minutes, part, tuple(needs[file])))
    return found


def _text(at: Path, file: str) -> str:
    page = at / f"{file}.md"
    if page.is_file():
        return page.read_text("utf-8")
    cells = json.loads((at / f"{file}.ipynb").read_text("utf-8"))["cells"]
    return "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    )


def drawn(at: Path) -> str:
    """The map as SVG, each box a link that is relative to `book/index.html`."""
    boxes = chapters(at)
    places = _places(boxes)
    height = max(y for _, y in places.values()) + HIGH + LEFT
    width = 2 * LEFT + A_ROW * WIDE + (A_ROW - 1) * GAP
    arrows = [
        _arrow(places[need], places[box.file]) for box in boxes for need in box.needs
    ]
    return "\n".join(
        [
            f'<div class="chapter-map"><svg viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="group" aria-label="Map of the book: {len(boxes)} '
            f'chapters and {len(arrows)} arrows from each to those that stand on it">',
            '<defs><marker id="map-head" viewBox="0 0 8 8" refX="7" refY="4" '
            'markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 8 4 0 8z"/></marker></defs>',
            *arrows,
            *(_box(box, *places[box.file]) for box in boxes),
            "</svg></div>",
        ]
    )


def _places(boxes: list[Chapter]) -> dict[str, tuple[int, int]]:
    """Left and top of each box; a part begins a row."""
    places, row, column, part = {}, -1, 0, -1
    for box in boxes:
        if box.part != part or column == A_ROW:
            row, column, part = row + 1, 0, box.part
        places[box.file] = (
            LEFT + column * (WIDE + GAP),
            LEFT + row * (HIGH + BETWEEN),
        )
        column += 1
    return places


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x, y), (to_x, to_y) = start, end
    if y == to_y and 0 < to_x - x <= WIDE + GAP:  # neighbours
        return (
            f'<path class="arrow" d="M{x + WIDE} {y + HIGH / 2}H{to_x - 1}" '
            'marker-end="url(#map-head)"/>'
        )
    x, to_x = x + WIDE / 2, to_x + WIDE / 2
    low = y + HIGH + BETWEEN / 2 if y == to_y else None
    if low:  # under the boxes between
        return (
            f'<path class="arrow" d="M{x} {y + HIGH}C{x} {low + 8} {to_x} {low + 8} '
            f'{to_x} {to_y + HIGH + 1}" marker-end="url(#map-head)"/>'
        )
    middle = (y + HIGH + to_y) / 2
    return (
        f'<path class="arrow" d="M{x} {y + HIGH}C{x} {middle} {to_x} {middle} '
        f'{to_x} {to_y - 1}" marker-end="url(#map-head)"/>'
    )


def _box(box: Chapter, x: int, y: int) -> str:
    lines = wrapped(box.title)
    first = y + (19 if len(lines) == 1 else 14)
    spans = "".join(
        f'<tspan x="{x + WIDE / 2}" y="{first + 14 * i}">{html.escape(line)}</tspan>'
        for i, line in enumerate(lines)
    )
    minutes = (
        f'<tspan class="minutes" x="{x + WIDE / 2}" y="{y + HIGH - 5}">'
        f"{box.minutes} min</tspan>"
    )
    return (
        f'<a href="../{box.file}.html"><rect x="{x}" y="{y}" width="{WIDE}" '
        f'height="{HIGH}" rx="5"/><text>{spans}{minutes}</text></a>'
    )


def wrapped(title: str, most: int = 21) -> list[str]:
    """One line, or two of about one length."""
    if len(title) <= most:
        return [title]
    words = title.split()
    cuts = range(1, len(words))
    cut = min(
        cuts,
        key=lambda n: max(len(" ".join(words[:n])), len(" ".join(words[n:]))),
    )
    return [" ".join(words[:cut]), " ".join(words[cut:])]
