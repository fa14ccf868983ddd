"""Alt text of stored figures: a renderer that myst-nb finds by its entry point."""

from __future__ import annotations


class FigureRenderer:
    """Gives a picture the alt text that `recsys.book.show` stored beside it."""

    mime_priority_overrides = ()

    @staticmethod
    def handle_mime(renderer, data, inline: bool):
        """The picture's nodes with their alt text, or None to leave the output to myst-nb."""
        alt = data.output_metadata.get("image/png", {}).get("alt")
        if data.mime_type != "image/png" or not alt:
            return None
        rendered = renderer.render_image(data)
        for node in rendered:
            node["alt"] = alt
        return rendered
