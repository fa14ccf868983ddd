"""Concepts as two articles connect them: their arrows drawn, each with this book's verdict.

All that is said stands in `book/concepts.yml`. A figure shows the verdicts as signs on the
arrows, a table gives the reasons with their numbers.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from recsys.book.chapter_map import chapters, wrapped
from recsys.book.claimed import Claim, as_written, read_claims

SIGNS = {
    "measured": "✓",
    "true with a condition": "if",
    "not decided": "≈",
    "not so": "×",
    "a definition": "=",
    "not tested here": "?",
}
"""Verdicts, and what stands for them on an arrow."""

WIDE, HIGH, GAP, BETWEEN, EDGE, RADIUS = 108, 42, 18, 50, 2, 12
"""Pixels: of a box, between two beside each other, between rows, around all; of a sign."""

CLAIM = re.compile(r"\{(?:(\S+) )?([\w.@-]+)\}")
"""{id}, or {0.0% id} where the number is written so."""


class Arrow(NamedTuple):
    """An arrow and its verdict.

    Args:
        start, end: names of nodes.
        verdict: one of `SIGNS`.
        why: the reason, with {id} or {0.0% id} for a claim.
        chapter: that shows it, as the table of contents names it; empty where none does.
        via: a column between boxes, where the arrow passes a row, if it does.
    """

    start: str
    end: str
    verdict: str
    why: str
    chapter: str = ""
    via: float | None = None


class Diagram(NamedTuple):
    """A diagram of one article.

    Args:
        title, author, section: where it stands.
        nodes: by name, the article's word, ours, and column and row.
        arrows: in the order of the article.
    """

    title: str
    author: str
    section: str
    nodes: Mapping[str, tuple[str, str, tuple[float, int]]]
    arrows: list[Arrow]


def diagrams(at: Path) -> dict[str, Diagram]:
    """What `book/concepts.yml` holds, by name.

    Raises:
        ValueError: an arrow from or to no node, a verdict without a sign, or one that says
            more than "not tested here" and names no chapter or no claim.
    """
    raw = yaml.safe_load((at / "book" / "concepts.yml").read_text("utf-8"))
    found = {}
    for name, fields in raw.items():
        arrows = [
            Arrow(one.pop("from"), one.pop("to"), **one) for one in fields["arrows"]
        ]
        found[name] = Diagram(**{**fields, "arrows": arrows})
        for arrow in arrows:
            _check(arrow, found[name], name)
    return found


def _check(arrow: Arrow, diagram: Diagram, name: str) -> None:
    """Refuse an arrow that the page could not show."""
    where = f"book/concepts.yml, {name}, {arrow.start} to {arrow.end}"
    if not {arrow.start, arrow.end} <= set(diagram.nodes):
        raise ValueError(f"{where}: expected nodes of {', '.join(diagram.nodes)}")
    if arrow.verdict not in SIGNS:
        raise ValueError(
            f"{where}: expected a verdict of {', '.join(SIGNS)}; got {arrow.verdict!r}"
        )
    tested = arrow.verdict != "not tested here"
    if tested != bool(arrow.chapter) or tested != bool(CLAIM.search(arrow.why)):
        raise ValueError(
            f"{where}: expected a chapter and a claim for every verdict but "
            f"'not tested here', and none for that; got {arrow.chapter!r}, {arrow.why!r}"
        )


def drawn(name: str, at: Path) -> str:
    """A diagram as SVG, each sign a link that is relative to `book/concepts.html`."""
    diagram = diagrams(at)[name]
    titles = {chapter.file: chapter.title for chapter in chapters(at)}
    columns, rows = zip(*(place for _, _, place in diagram.nodes.values()), strict=True)
    width = round(2 * EDGE + (max(columns) + 1) * (WIDE + GAP) - GAP)
    height = 2 * EDGE + (max(rows) + 1) * (HIGH + BETWEEN) - BETWEEN
    paths, signs = [], []
    for arrow in diagram.arrows:
        path, middle = _path(arrow, diagram)
        style = arrow.verdict.replace(" ", "-")
        paths.append(
            f'<path class="arrow {style}" data-arrow="{arrow.start} {arrow.end}" '
            f'd="{path}" marker-end="url(#{name}-head)"/>'
        )
        signs.append(_sign(arrow, diagram, middle, titles))
    return "\n".join(
        [
            f'<div class="concept-map"><svg viewBox="0 0 {width} {height}" role="group" '
            f'aria-label="{len(diagram.nodes)} concepts and {len(paths)} arrows, each '
            'with a verdict">',
            f'<defs><marker id="{name}-head" viewBox="0 0 8 8" refX="7" refY="4" '
            'markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 8 4 0 8z"/></marker></defs>',
            *paths,
            *(_box(says, place) for _, says, place in diagram.nodes.values()),
            *signs,
            "</svg></div>",
        ]
    )


def _corner(place: tuple[float, int]) -> tuple[float, float]:
    """Left and top of a box."""
    return EDGE + place[0] * (WIDE + GAP), EDGE + place[1] * (HIGH + BETWEEN)


def _port(arrow: Arrow, diagram: Diagram, out: bool) -> float:
    """Where on a box an arrow leaves or arrives: those of a box are spread over its width."""
    name = arrow.start if out else arrow.end

    def aim(one: Arrow) -> float:
        column = diagram.nodes[one.end if out else one.start][2][0]
        return column if one.via is None else one.via

    beside = [
        one
        for one in diagram.arrows
        if (one.start if out else one.end) == name and not _level(one, diagram)
    ]
    place = sorted(beside, key=aim).index(arrow) + 1
    return _corner(diagram.nodes[name][2])[0] + WIDE * place / (len(beside) + 1)


def _level(arrow: Arrow, diagram: Diagram) -> bool:
    """Whether an arrow joins boxes of one row that have room between them."""
    (column, row), (to_column, to_row) = (
        diagram.nodes[name][2] for name in (arrow.start, arrow.end)
    )
    return row == to_row and abs(to_column - column) > 1


def _path(arrow: Arrow, diagram: Diagram) -> tuple[str, tuple[float, float]]:
    """An arrow as a path, and where its sign stands."""
    start, end = (diagram.nodes[name][2] for name in (arrow.start, arrow.end))
    (x, y), (to_x, to_y) = _corner(start), _corner(end)
    if _level(arrow, diagram):
        level = y + HIGH / 2
        return f"M{x + WIDE} {level}H{to_x - 1}", ((x + WIDE + to_x) / 2, level)
    x, to_x = _port(arrow, diagram, True), _port(arrow, diagram, False)
    y += HIGH
    if start[1] == end[1]:  # neighbours: under them
        low = y + BETWEEN * 0.6
        path = f"M{x:.1f} {y}C{x:.1f} {low} {to_x:.1f} {low} {to_x:.1f} {y + 1}"
        return path, ((x + to_x) / 2, y + BETWEEN * 0.45)
    begun = f"M{x:.1f} {y}"
    if arrow.via is not None:
        x, (_, top) = _corner((arrow.via, 0))[0] + WIDE / 2, _corner((0, end[1] - 1))
        begun += f"{_curve(float(begun[1:].split()[0]), y, x, top)}V{top + HIGH}"
        y = top + HIGH
    middle = (x + to_x) / 2, (y + to_y) / 2
    return begun + _curve(x, y, to_x, to_y - 1), middle


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    half = (y + to_y) / 2
    return f"C{x:.1f} {half} {to_x:.1f} {half} {to_x:.1f} {to_y}"


def _sign(
    arrow: Arrow,
    diagram: Diagram,
    middle: tuple[float, float],
    titles: Mapping[str, str],
) -> str:
    """The verdict on an arrow, a link to the chapter that shows it."""
    x, y = middle
    start, end = (diagram.nodes[name][1] for name in (arrow.start, arrow.end))
    says = f"{start} to {end}: {arrow.verdict}"
    drawing = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}"/>'
        f'<text x="{x:.1f}" y="{y + 4.5:.1f}">{SIGNS[arrow.verdict]}</text>'
    )
    style = f'class="sign {arrow.verdict.replace(" ", "-")}"'
    if not arrow.chapter:
        return f'<g {style} role="img" aria-label="{html.escape(says)}">{drawing}</g>'
    says += f", in {titles[arrow.chapter]}"
    return (
        f'<a {style} href="../{arrow.chapter}.html" aria-label="{html.escape(says)}">'
        f"{drawing}</a>"
    )


def _box(says: str, place: tuple[float, int]) -> str:
    x, y = _corner(place)
    lines = wrapped(says, 14)
    first = y + (26 if len(lines) == 1 else 18)
    spans = "".join(
        f'<tspan x="{x + WIDE / 2}" y="{first + 16 * i}">{html.escape(line)}</tspan>'
        for i, line in enumerate(lines)
    )
    return (
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="5"/>'
        f"<text>{spans}</text>"
    )


def verdicts(name: str, at: Path) -> str:
    """A diagram's arrows as a table of MyST Markdown: from, to, verdict, why, where."""
    diagram = diagrams(at)[name]
    titles = {chapter.file: chapter.title for chapter in chapters(at)}
    claims = read_claims(at)
    rows = ["| | arrow | verdict | why | where |", "|---|---|---|---|---|"]
    for arrow in diagram.arrows:
        start, end = (diagram.nodes[name] for name in (arrow.start, arrow.end))
        ends = f"{start[1]} ({start[0]}) → {end[1]} ({end[0]})"
        why = CLAIM.sub(lambda found: _role(claims[found[2]], found[1]), arrow.why)
        where = (
            f"[{titles[arrow.chapter]}](../{arrow.chapter}.ipynb)"
            if arrow.chapter
            else ""
        )
        sign = SIGNS[arrow.verdict]
        rows.append(f"| {sign} | {ends} | {arrow.verdict} | {why} | {where} |")
    return "\n".join(rows)


def _role(claim: Claim, like: str | None) -> str:
    """A claim as a page cites it, in the style of `like` or to three digits or so."""
    size = abs(claim.value)
    like = like or ("0.0" if size >= 100 else "0.00" if size >= 1 else "0.000")
    like = f"{like} [{like}, {like}]" if len(claim.numbers) == 3 else like
    return f"{{claim}}`{as_written(like, claim)} <{claim.id}>`"
