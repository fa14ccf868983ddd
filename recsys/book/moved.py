"""Which claims of the book move elsewhere: on newer releases, on another machine."""

from __future__ import annotations

from pathlib import Path

from recsys.book.passes import verdicts


def report(at: Path, record: dict) -> str:
    """A pass beside the book, as a page in Markdown.

    Args:
        at: the checkout.
        record: of the pass.

    Returns:
        The versions, the notebooks whose output is another, and a table of the claims
        that are another number here; those beyond their tolerance first.
    """
    rows = list(verdicts(at, record["claims"], record["notebooks"]))
    moved = [row for row in rows if not (row[-1] and same_number(row[1], row[2]))]
    moved.sort(key=lambda row: row[-1])
    out = sum(not row[-1] for row in rows)
    failed = [name for name, run in record["notebooks"].items() if not run["ok"]]
    versions = record["made on"]["versions"].items()
    lines = [
        f"{out} of {len(rows)} claims are out of tolerance, {len(moved) - out} more "
        "are another number within it.",
        "",
        f"Notebooks that print something else: {', '.join(failed) or 'none'}.",
        "",
        f"Versions: {', '.join(f'{name} {version}' for name, version in versions)}.",
    ]
    if moved:
        lines += ["", "| claim | book | here | tolerance | |", "|---|--:|--:|--:|---|"]
        lines += map(_row, moved)
    return "\n".join(lines) + "\n"


def same_number(book: float, here: float | None) -> bool:
    """Whether a number is the book's, in the digits that the book has."""
    decimals = len(repr(book).partition(".")[2])
    return here is not None and round(here, decimals) == book


def _row(row: tuple[str, float, float | None, float, bool]) -> str:
    id, book, here, tolerance, holds = row
    came = "not claimed" if here is None else f"{here:.6g}"
    verdict = "within" if holds else "**out**"
    return f"| {id} | {book:.6g} | {came} | {tolerance:.3g} | {verdict} |"
