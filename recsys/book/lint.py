"""The linter of prose: a result that is not a claim, and a claim whose text is out of date.

A bare result is a number with a decimal part, or a percentage, that stands in a
sentence or a table with nothing behind it. Numbers that are computed here are
written as claims, {claim}`0.107 <id>`; numbers of others as {cited}`0.107 <key>`
with a key of the bibliography. Numbers inside code, formulas and links are left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from recsys.book.claimed import ROLE, Claim, agrees, as_written

CITED = re.compile(r"\{cited\}`([^`<]+?)\s*<([\w.:-]+)>`")
RESULT = re.compile(
    r"(?<![\w.§/-])(?:\d[\d,]*)?\.\d+\b(?!\.\d)|(?<![\w.])\d+(?:\.\d+)?\s?%|(?<![\w.])\d+(?:\.\d+)?\s+per\s?cent\b"
)
LEFT_ALONE = [
    re.compile(
        r"^(```|~~~|:::)\{?(?:code|code-cell|literalinclude|math|figure|image|raw|bibliography).*?^\1",
        re.M | re.S,
    ),
    re.compile(r"^(```|~~~)(?!\{).*?^\1", re.M | re.S),
    re.compile(r"\$\$.*?\$\$", re.S),
    re.compile(r"\$[^$\n]+\$"),
    re.compile(r"\b95% intervals?\b"),  # a level is no result
    re.compile(r"\{[\w:-]+\}`[^`]*`"),
    re.compile(r"`[^`]*`"),
    re.compile(r"\]\([^)]*\)"),
    re.compile(r"<!-- Generated from the catalogue.*", re.S),  # a test holds these pages
    re.compile(r"<!--.*?-->", re.S),
    re.compile(r"https?://\S+"),
    re.compile(r"^---\n.*?\n---\n", re.S),
]


def prose(path: Path) -> str:
    """The Markdown of a page, or of all text cells of a notebook."""
    text = path.read_text("utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    )


def problems(
    path: Path, claims: dict[str, Claim], citation_keys: set[str]
) -> Iterator[str]:
    """What is wrong with the numbers of one page, a line each."""
    text = prose(path)
    for match in ROLE.finditer(text):
        shown, id = match.groups()
        if id not in claims:
            yield f"{path.name}: {id} is not in book/claims.yml"
        elif not agrees(shown, claims[id]):
            yield f"{path.name}: the text says {shown}, the claim {id} is {as_written(shown, claims[id])}"
    for match in CITED.finditer(text):
        if match.group(2) not in citation_keys:
            yield f"{path.name}: {match.group(1)} cites {match.group(2)}, which is not in the bibliography"
    for result in RESULT.finditer(blank_out(text)):
        yield (
            f"{path.name}: bare result {result.group(0).strip()!r} near "
            f"{' '.join(text[max(0, result.start() - 40) : result.end() + 10].split())!r}; make it a claim"
        )


def blank_out(text: str) -> str:
    """`text` with everything that is not plain prose replaced by spaces, positions kept."""
    for pattern in LEFT_ALONE:
        text = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)
    return text


def citation_keys(at: Path) -> set[str]:
    """The keys of `book/references.bib`."""
    return set(
        re.findall(
            r"^@\w+\{([^,\s]+)",
            (at / "book" / "references.bib").read_text("utf-8"),
            re.M,
        )
    )
