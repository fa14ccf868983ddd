"""Figures on a page: numbered, with their caption below; found by myst-nb by its entry point.

They are drawings of `recsys.book.show` and figures of `recsys.book.moving`.
"""

from __future__ import annotations

import hashlib
import re

from docutils import nodes

from recsys.book.figures import SVG, Stored
from recsys.book.moving import HTML

BESIDE = {
    "Left": "left",
    "Right": "right",
    "(left)": "in-left",
    "(right)": "in-right",
    "on the left": "on-left",
    "on the right": "on-right",
}
"""Words of a caption that say "above" and "below" on a telephone, and their CSS classes."""


class FigureRenderer:
    """Makes a figure, that Sphinx counts, of what is stored with a caption."""

    mime_priority_overrides = ()

    @staticmethod
    def handle_mime(renderer, data, inline: bool):
        """The figure's nodes, or None to leave the output to myst-nb."""
        stored = data.output_metadata.get(data.mime_type, {})
        if data.mime_type not in (SVG, HTML) or "caption" not in stored:
            return None
        if data.mime_type == HTML:
            return [moving_node(stored["caption"], data.string)]
        return [figure_node(Stored(stored["caption"], data.string, stored["narrow"]))]


def figure_node(stored: Stored) -> nodes.figure:
    """A figure that Sphinx counts, drawn for a page and for a telephone."""
    figure, caption = _framed(stored.caption, _told(stored))
    for width, svg in (("wide", stored.wide), ("narrow", stored.narrow)):
        told = f'<svg class="{width}" role="img" aria-labelledby="{caption["ids"][0]}" '
        figure += nodes.raw("", svg.replace("<svg ", told, 1), format="html")
    figure += caption
    return figure


def moving_node(caption: str, box: str) -> nodes.figure:
    """A figure that Sphinx counts, with the slider that moves it."""
    figure, below = _framed(caption, [nodes.Text(caption)])
    figure += [nodes.raw("", box, format="html"), below]
    return figure


def _framed(
    caption: str, told: list[nodes.Node]
) -> tuple[nodes.figure, nodes.caption]:
    """A figure without its drawing, and what stands below it."""
    name = "figure-" + hashlib.sha256(caption.encode()).hexdigest()[:8]
    figure = nodes.figure(ids=[name], classes=["drawn"])
    return figure, nodes.caption("", "", *told, ids=[f"{name}-caption"])


def _told(stored: Stored) -> list[nodes.Node]:
    """The caption; where axes move below each other, the words for their place are marked."""
    if len(re.findall(r'id="axes_\d', stored.narrow)) < 2:
        return [nodes.Text(stored.caption)]
    places = "|".join(map(re.escape, BESIDE))
    parts = re.split(rf"((?<!\w)(?:{places})(?!\w))", stored.caption)
    return [
        nodes.inline("", part, classes=["beside", BESIDE[part]])
        if part in BESIDE
        else nodes.Text(part)
        for part in parts
    ]
