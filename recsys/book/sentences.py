"""What `claim` says: a number holds, a reader has another, or it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recsys.book.claimed import Claim


def held(claim: Claim, value: float) -> str:
    """The line of a claim that holds, with the value that came."""
    decimals = _decimals(claim.value)
    shown = f"{value:,.{decimals}f}" if decimals < 12 else f"{value:.3g}"
    return f"claim {claim.id}: {shown}"


def told(id: str, numbers: tuple[float, ...], book: Claim | None) -> str:
    """The line for a reader whose value is not the book's, or not in the book."""
    if book is None:
        return f"the book has no claim {id}; you have {_shown(numbers, 4)}"
    decimals = min(_decimals(book.value), 6)
    return (
        f"the book has {_shown(book.numbers, decimals)} ({book.says}); "
        f"you have {_shown(numbers, decimals)}"
    )


def wrong(id: str, numbers: tuple[float, ...], book: Claim | None) -> str:
    """The message where a claim must hold: what was expected, what came, the mend."""
    if book is None:
        return (
            f"{id} is not in book/claims.yml: add it there with its value, tolerance "
            "and protocol."
        )
    said, came = (
        ", ".join(f"{number:.6g}" for number in each)
        for each in (book.numbers, numbers)
    )
    return (
        f"{id}: the book says {said} with tolerance {book.tolerance}, computed was "
        f"{came} ({book.says}). Find out which is right; "
        "recsys reproduce --update rewrites the book for review."
    )


def _decimals(value: float) -> int:
    """How many decimals the book gives; none for a count."""
    return 0 if float(value).is_integer() else len(repr(value).partition(".")[2])


def _shown(numbers: tuple[float, ...], decimals: int) -> str:
    """A number, or one with its interval."""
    value, *bounds = (f"{number:,.{decimals}f}" for number in numbers)
    return f"{value} [{', '.join(bounds)}]" if bounds else value
