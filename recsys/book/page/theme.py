"""What the theme's pages lack for a reader with a screen reader, and what they load for nothing."""

from __future__ import annotations

import re

EVERY_ICON = re.compile(
    r'\s*<(?:script|link)\b[^>]*scripts/fontawesome\.js[^>]*>(?:</script>)?'
)
OLD_ROLE = re.compile(
    r' role="doc-biblioentry"|(?<=<div) role="list"(?= class="citation-list")'
)
SUMMARY = re.compile(r'<summary>(?=\s*<span class="toctree-toggle")')
SOLUTION = re.compile(r'(?<=Solution to)(<a\b[^>]*>) ')
LOGO = re.compile(r'<div class="sidebar-primary-item">(?=\s*<a class="navbar-brand)')


def mended(html: str) -> str:
    """A page of the theme without 1.5 MB of icons, and with names for what had none.

    The script of icons draws what the theme's style sheet also has, out of a font. The
    space after "Solution to" leaves the link that would underline it.

    Args:
        html: of a whole page.
    """
    html = OLD_ROLE.sub("", EVERY_ICON.sub("", html))
    html = SOLUTION.sub(r" \1", html)
    html = SUMMARY.sub('<summary aria-label="Pages below">', html)
    return LOGO.sub(
        '<div class="sidebar-primary-item" role="navigation" aria-label="Front page">',
        html,
    )
