"""Figures on a page: numbered, with their caption below; found by myst-nb by its entry point."""

from __future__ import annotations

import hashlib

from docutils import nodes

SVG = "image/svg+xml"


class FigureRenderer:
    """Makes a figure, that Sphinx counts, of a drawing that `recsys.book.show` stored."""

    mime_priority_overrides = ()

    @staticmethod
    def handle_mime(renderer, data, inline: bool):
        """The figure's nodes, or None to leave the output to myst-nb."""
        stored = data.output_metadata.get(SVG, {})
        if data.mime_type != SVG or "caption" not in stored:
            return None
        caption = stored["caption"]
        name = "figure-" + hashlib.sha256(caption.encode()).hexdigest()[:8]
        figure = nodes.figure(ids=[name], classes=["drawn"])
        for width, svg in (("wide", data.string), ("narrow", stored["narrow"])):
            drawn = svg.replace("<svg ", f'<svg class="{width}" role="img" aria-labelledby="{name}-caption" ', 1)
            figure += nodes.raw("", drawn, format="html")
        figure += nodes.caption("", caption, ids=[f"{name}-caption"])
        return [figure]
