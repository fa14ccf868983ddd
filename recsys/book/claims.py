"""Claims: each number that prose relies on, held in one file and checked wherever it is computed.

`book/claims.yml` maps an id to what it says, its value, its tolerance, its
chapter and its kind: `exact` (follows from the data or a formula), `seeded`
(one seed, one machine's arithmetic) or `study` (a mean over seeds).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from recsys.book.root import root

KINDS = ("exact", "seeded", "study")
ROLE = re.compile(r"\{claim\}`([^`<]+?)\s*<([\w.@-]+)>`")
LOG = "RECSYS_CLAIMS_LOG"


class ClaimError(AssertionError):
    """A computed value and the book's value disagree, or a claim is not in the file."""


@dataclass(frozen=True)
class Claim:
    """One number of the book."""

    id: str
    says: str
    value: float
    tolerance: float
    chapter: str
    kind: str

    def holds(self, value: float) -> bool:
        """Whether `value` is within the tolerance; NaN never is."""
        return abs(float(value) - self.value) <= self.tolerance + 1e-12

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ClaimError(
                f"{self.id}: kind must be one of {KINDS}, found {self.kind!r}."
            )
        if self.kind == "exact" and self.tolerance > 1e-9 * max(1, abs(self.value)):
            decimals = len(repr(self.value).partition(".")[2])
            if self.tolerance > 0.51 * 10.0**-decimals:
                raise ClaimError(
                    f"{self.id}: an exact claim may differ by rounding only, tolerance is {self.tolerance}."
                )


def read_claims(at: Path | None = None) -> dict[str, Claim]:
    """Every claim of `book/claims.yml`, by id."""
    return dict(_parsed(((at or root()) / "book" / "claims.yml").read_text("utf-8")))


@lru_cache(maxsize=4)
def _parsed(text: str) -> dict[str, Claim]:
    """A page asks once for each of its numbers; the file is parsed once."""
    raw = yaml.safe_load(text) or {}
    return {id: Claim(id=id, **fields) for id, fields in raw.items()}


class _Checked:
    """What `claim` returns: shows in a notebook as one line."""

    def __init__(self, claim: Claim, value: float) -> None:
        decimals = len(repr(claim.value).partition(".")[2])
        self.text = (
            f"claim {claim.id}: {value:,.{decimals}f}"
            if decimals < 12
            else f"claim {claim.id}: {value:.3g}"
        )

    def __repr__(self) -> str:
        return self.text


def claim(id: str, value: float) -> _Checked:
    """Hold a computed value against the book.

    Where `RECSYS_CLAIMS_LOG` names a file, the value is added to it first, so that
    `recsys reproduce` can print what came even where it is out.

    Args:
        id: of the claim in `book/claims.yml`.
        value: what was computed.

    Returns:
        What a notebook shows as one line.

    Raises:
        ClaimError: no such claim, or a value outside its tolerance.
    """
    claims = read_claims()
    if os.environ.get(LOG):
        with open(os.environ[LOG], "a", encoding="utf-8") as log:
            log.write(json.dumps({"id": id, "value": float(value)}) + "\n")
    if os.environ.get("RECSYS_UPDATE"):
        return _Checked(
            claims.get(id) or Claim(id, "", float(value), 0, "", "seeded"), value
        )
    if id not in claims:
        raise ClaimError(
            f"{id} is not in book/claims.yml: add it there with its value, tolerance and protocol."
        )
    book = claims[id]
    if not book.holds(value):
        raise ClaimError(
            f"{id}: the book says {book.value} with tolerance {book.tolerance}, computed was "
            f"{float(value):.6g} ({book.says}). Find out which is right; "
            "recsys reproduce --update rewrites the book for review."
        )
    return _Checked(book, value)


def agrees(text: str, value: float) -> bool:
    """Whether a number as prose prints it (`0.107`, `817,741`, `10.7%`, `-3`) is that value."""
    return text == as_printed(text, value)


def as_printed(like: str, value: float) -> str:
    """Print `value` in the style of `like`: decimals, thousands, percent, leading zero."""
    percent = like.endswith("%")
    number = like.rstrip("%")
    decimals = len(number.partition(".")[2])
    shown = f"{value * (100 if percent else 1):{',' if ',' in number or abs(value) >= 10_000 else ''}.{decimals}f}"
    if re.match(r"[-−]?\.", number):
        shown = shown.replace("0.", ".", 1)
    if number.startswith("−"):
        shown = shown.replace("-", "−")
    return shown + ("%" if percent else "")


def update_claims(at: Path, computed: dict[str, float]) -> list[str]:
    """Rewrite the values in `book/claims.yml`; returns what changed.

    Within their tolerance too, so that a page never prints one number and says another.
    Line by line, so that comments survive.
    """
    changed = []
    path = at / "book" / "claims.yml"
    lines, current = path.read_text("utf-8").splitlines(), None
    for number, line in enumerate(lines):
        if re.match(r"^[\w.@-]+:\s*$", line):
            current = line.rstrip(": ")
        elif current in computed and line.strip().startswith("value:"):
            old = line.partition(":")[2].strip()
            new = f"{computed[current]:.{len(old.partition('.')[2])}f}"
            if float(new) != float(old):
                lines[number] = f"  value: {new}"
                changed.append(f"{current}: {old} -> {new}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return changed


def rewrite_roles(text: str, claims: dict[str, Claim]) -> str:
    """`text` with every claim role filled from `claims`; unknown ids are left for the linter."""

    def fill(match: re.Match) -> str:
        shown, id = match.group(1), match.group(2)
        return (
            match.group(0)
            if id not in claims
            else f"{{claim}}`{as_printed(shown, claims[id].value)} <{id}>`"
        )

    return ROLE.sub(fill, text)
