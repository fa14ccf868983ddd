"""What a number of the book tells when it is opened: what was measured, and where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

from recsys.book.claimed import Claim
from recsys.book.page.origin import shown_cell

EVERY_CLAIM = "book/claims"
"""The page with all of them."""

NAME = re.compile(r"\b[a-z][\w-]*(?:\.[\w@-]+)+")


def kind_of(claim: Claim) -> str:
    """How sure its number is, as a sentence without its full stop."""
    if claim.study:
        return f"Read from the record of the study {claim.study}"
    if claim.kind == "exact":
        return "Follows from a formula or from the data"
    return f"Computed with one seed, to {claim.tolerance:g}"


def place_of(claim: Claim, at: Path) -> tuple[str, str] | None:
    """Page and anchor of the cell that computes a claim, if a notebook is its chapter's."""
    page = f"notebooks/{claim.chapter}"
    notebook = at / f"{page}.ipynb"
    if not notebook.is_file():
        return None
    cell = shown_cell(notebook, claim.id)
    return page, "" if cell is None else f"#cell-{cell}"


def says(claim: Claim, claims: Mapping[str, Claim], page: str = "") -> str:
    """What was measured; other claims that it names lead to the table of all.

    Args:
        claim: whose text.
        claims: all, by id.
        page: where the table is, from this page; nothing if it is here.
    """

    def linked(found: re.Match) -> str:
        id = found[0]
        return f'<a href="{page}#{id}">{id}</a>' if id in claims else id

    return NAME.sub(linked, escape(claim.says))


def opened(
    shown: str, claim: Claim, name: str, links: Mapping[str, str], told: str, dotted: bool
) -> str:
    """A number as a button, and beside it what it opens: HTML alone, no script.

    Args:
        shown: the number as the page has it.
        claim: behind it.
        name: of the box on its page, an id.
        links: text of each link, and where it leads from this page.
        told: HTML of `says`.
        dotted: whether dots below it show that it opens.
    """
    ways = " · ".join(
        f'<a href="{escape(aim)}">{escape(text)}</a>' for text, aim in links.items()
    )
    return (
        f'<button type="button" class="claim"{"" if dotted else " data-plain"} popovertarget="{name}">'
        f'{escape(shown)}</button>'
        f'<span popover id="{name}" class="told">{told} '
        f'<span class="kind">{escape(kind_of(claim))}.</span> {ways}</span>'
    )


def every_claim(claims: Mapping[str, Claim], links: Mapping[str, str]) -> str:
    """The table of all claims.

    Args:
        claims: by id.
        links: for each id, where its cell is, from this page.
    """
    rows = "".join(
        _row(claim, links.get(id, ""), says(claim, claims)) for id, claim in claims.items()
    )
    return (
        "<section><h1>All claims</h1><p>Each number that the text of this book rests on: what was "
        "measured, how sure it is, and the cell that computes it.</p>"
        '<div class="pst-scrollable-table-container"><table class="table claims"><thead><tr>'
        '<th scope="col">claim</th><th scope="col" class="number">number</th>'
        '<th scope="col">what was measured</th>'
        f'<th scope="col">how</th></tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _row(claim: Claim, link: str, told: str) -> str:
    value, *bounds = (f"{number:,.10g}" for number in claim.numbers)
    number = f"{value} [{', '.join(bounds)}]" if bounds else value
    name = f'<a href="{escape(link)}">{claim.id}</a>' if link else claim.id
    return (
        f'<tr id="{claim.id}"><td>{name}</td><td class="number">{number}</td>'
        f"<td>{told}</td><td>{escape(kind_of(claim))}.</td></tr>"
    )
