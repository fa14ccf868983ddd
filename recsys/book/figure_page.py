"""Figures on a page: numbered, with their caption below; found by myst-nb by its entry point."""

from __future__ import annotations

import hashlib
import re

from docutils import nodes

from recsys.book.figures import SVG, Stored

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
    """Makes a figure, that Sphinx counts, of a drawing that `recsys.book.show` stored."""

    mime_priority_overrides = ()

    @staticmethod
    def handle_mime(renderer, data, inline: bool):
        """The figure's nodes, or None to leave the output to myst-nb."""
        stored = data.output_metadata.get(SVG, {})
        if data.mime_type != SVG or "caption" not in stored:
            return None
        return [figure_node(Stored(stored["caption"], data.string, stored["narrow"]))]


def figure_node(stored: Stored) -> nodes.figure:
    """A figure that Sphinx counts, drawn for a page and for a telephone."""
    name = "figure-" + hashlib.sha256(stored.caption.encode()).hexdigest()[:8]
    figure = nodes.figure(ids=[name], classes=["drawn"])
    for width, svg in (("wide", stored.wide), ("narrow", stored.narrow)):
        told = f'<svg class="{width}" role="img" aria-labelledby="{name}-caption" '
        figure += nodes.raw("", svg.replace("<svg ", told, 1), format="html")
    figure += nodes.caption("", "", *_told(stored), ids=[f"{name}-caption"])
    return figure


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
