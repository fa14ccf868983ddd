"""Figures on a page: numbered, with their caption below; found by myst-nb by its entry point.

They are drawings of `recsys.book.show` and figures of `recsys.book.moving`.
"""

from __future__ import annotations

import hashlib

from docutils import nodes

from recsys.book.figures import SVG, Stored
from recsys.book.moving import HTML


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
    figure, caption = _framed(stored.caption)
    for width, svg in (("wide", stored.wide), ("narrow", stored.narrow)):
        told = f'<svg class="{width}" role="img" aria-labelledby="{caption["ids"][0]}" '
        figure += nodes.raw("", svg.replace("<svg ", told, 1), format="html")
    figure += caption
    return figure


def moving_node(caption: str, box: str) -> nodes.figure:
    """A figure that Sphinx counts, with the slider that moves it."""
    figure, below = _framed(caption)
    figure += [nodes.raw("", box, format="html"), below]
    return figure


def _framed(caption: str) -> tuple[nodes.figure, nodes.caption]:
    """A figure without its drawing, and what stands below it."""
    name = "figure-" + hashlib.sha256(caption.encode()).hexdigest()[:8]
    figure = nodes.figure(ids=[name], classes=["drawn"])
    return figure, nodes.caption("", caption, ids=[f"{name}-caption"])
