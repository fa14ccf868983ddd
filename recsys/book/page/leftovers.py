"""What a built page must not have: markup that a reader sees because nothing rendered it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

NOT_PROSE = re.compile(
    r"<(?P<tag>head|script|style|pre|code|svg|mjx-container)\b.*?</(?P=tag)>"
    r'|<(?P<math>span|div) class="math[^>]*>.*?</(?P=math)>'
    r'|<span popover.*?</a></span>|<a class="reference external".*?</a>|<!--.*?-->',
    re.DOTALL,
)
GLUED = re.compile(
    r'\w<button [^>]*class="(?:claim|[^"]* claim)"|\w<span class="(?:quiet|cited)"'
    r"|<button type=\"button\" class=\"claim\"[^>]*>[^<]*</button><span popover(?:(?!</a></span>).)*</a></span>\w",
    re.DOTALL,
)
LEFT = {
    "a role or a directive": re.compile(
        r"\{(?:claim|quiet|cited|cite|ref|numref|eq|doc|math|prf|exercise|solution|code|figure|table"
        r"|literalinclude|include|tab-|note|tip|raw|glue)[\w:-]*\}"
    ),
    "half of a role": re.compile(r"<[\w.:@-]+>\s*`|`[^`\n]*<[\w.:@-]+>"),
    "a fence": re.compile(r"`{3,}|:{3,}"),
    "a backquote": re.compile(r"`"),
    "LaTeX": re.compile(r"\\[A-Za-z]{2,}|\\[()\[\]]|\$[^$\n]*[\\_^][^$\n]*\$"),
    "a result after a letter": re.compile(r"(?<![\w.])[A-Za-z]+\.\d{2,}"),
    "emphasis": re.compile(r"\*\*[^*\n]+\*\*"),
}


def leftovers(html: str) -> Iterator[str]:
    """What a page has that should have been rendered, each with its surroundings.

    Args:
        html: of a whole page, or of a part of it.
    """
    if glued := GLUED.search(html):
        yield f"a number without a space: {_prose(glued[0])[-60:]!r}"
    text = _prose(html)
    for what, pattern in LEFT.items():
        for found in pattern.finditer(text):
            near = text[max(0, found.start() - 40) : found.end() + 20]
            yield f"{what}: {' '.join(near.split())!r}"


def _prose(html: str) -> str:
    """What a reader reads of it, without code and formulas."""
    apart = re.sub(r"</(?:t[dhr]|p|li|h\d|div|dd|dt|figcaption)>", " ", NOT_PROSE.sub("", html))
    return unescape(re.sub(r"<[^>]*>", "", apart))
