"""Claims: each number that prose relies on, held in one file and checked wherever it is computed.

`book/claims.yml` maps an id to what it says, its value, its tolerance, its
chapter and its kind: `exact` (follows from the data or a formula), `seeded`
(one seed, one machine's arithmetic) or `study` (a mean over seeds).

A value may be an interval, a list of three: a number, its lower and its upper bound.
What a study found has no copy here: in place of a value and a tolerance the claim says
where it stands, `taken from: [name of the study, key, key, ...]`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from recsys.book.root import root
from recsys.book.sentences import held, told, wrong

KINDS = ("exact", "seeded", "study")
ROLE = re.compile(r"\{(?:claim|quiet)\}`([^`<]+?)\s*<([\w.@-]+)>`")
INTERVAL = re.compile(r"(\S+) \[(\S+), (\S+)\]")
LOG = "RECSYS_CLAIMS_LOG"
STRICT = "RECSYS_STRICT"


class ClaimError(AssertionError):
    """A computed value and the book's value disagree, or a claim is not in the file."""


@dataclass(frozen=True)
class Claim:
    """One number of the book, or one with its interval.

    Args:
        id: by which a page names it.
        says: what was measured, on which data, under which protocol.
        numbers: the value, and where it has an interval, its bounds.
        tolerance: of each number.
        chapter: that makes it.
        kind: of `KINDS`.
        study: from whose artefact the numbers are taken, or nothing.
    """

    id: str
    says: str
    numbers: tuple[float, ...]
    tolerance: float
    chapter: str
    kind: str
    study: str = ""

    @property
    def value(self) -> float:
        """Without its interval."""
        return self.numbers[0]

    def holds(self, value: float | Sequence[float]) -> bool:
        """Whether each number is within the tolerance; NaN never is."""
        found = numbers_of(value)
        return len(found) == len(self.numbers) and all(
            abs(a - b) <= self.tolerance + 1e-12
            for a, b in zip(found, self.numbers, strict=True)
        )

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ClaimError(
                f"{self.id}: kind must be one of {KINDS}, found {self.kind!r}."
            )
        if isinstance(self.tolerance, str):
            raise ClaimError(
                f"{self.id}: tolerance: expected a number, got the text "
                f"{self.tolerance!r}; YAML reads 6e-05 as text, write 0.00006"
            )
        if self.kind == "exact" and self.tolerance > 1e-9 * max(1, abs(self.value)):
            decimals = len(repr(self.value).partition(".")[2])
            if self.tolerance > 0.51 * 10.0**-decimals:
                raise ClaimError(
                    f"{self.id}: an exact claim may differ by rounding only, tolerance is {self.tolerance}."
                )


def numbers_of(value: float | Sequence[float] | Mapping[str, float]) -> tuple[float, ...]:
    """A number alone, or with its bounds.

    Args:
        value: a number, three of them, or what a comparison of a study holds under
            "difference", "low" and "high".
    """
    if isinstance(value, Mapping):
        value = [value[name] for name in ("difference", "low", "high")]
    if not isinstance(value, Sequence):
        value = [value]
    return tuple(n if isinstance(n, int) else float(n) for n in value)  # a count stays one


def read_claims(at: Path | None = None) -> dict[str, Claim]:
    """Every claim of `book/claims.yml`, by id."""
    at = at or root()
    artefacts = sorted((at / "studies").glob("*.json"))
    changed = tuple(path.stat().st_mtime_ns for path in artefacts)
    text = (at / "book" / "claims.yml").read_text("utf-8")
    return dict(_parsed(text, at, changed))


@lru_cache(maxsize=4)
def _parsed(text: str, at: Path, changed: tuple[int, ...]) -> dict[str, Claim]:
    """A page asks once for each of its numbers; files are parsed once, until they change."""
    raw = yaml.safe_load(text) or {}
    artefacts: dict[str, dict] = {}
    return {id: _claim(id, dict(fields), at, artefacts) for id, fields in raw.items()}


def _claim(id: str, fields: dict, at: Path, artefacts: dict[str, dict]) -> Claim:
    """One entry of the file, with its numbers out of the artefact where it has none."""
    if "taken from" not in fields:
        return Claim(id=id, numbers=numbers_of(fields.pop("value")), **fields)
    study, *keys = fields.pop("taken from")
    if study not in artefacts:
        path = at / "studies" / f"{study}.json"
        artefacts[study] = json.loads(path.read_text("utf-8"))["result"]
    found = artefacts[study]
    for key in keys:
        found = _inside(found, key, id)
    return Claim(
        id=id, numbers=numbers_of(found)[:3], tolerance=0.0, kind="study", study=study, **fields
    )


def _inside(found: Mapping | Sequence, key: str | int, id: str) -> Any:
    try:
        return found[key]
    except (KeyError, IndexError, TypeError):
        there = list(found) if isinstance(found, Mapping) else found
        raise ClaimError(
            f"{id}: expected {key!r} in the artefact, found {there}; name the place as the "
            "study has it."
        ) from None


@dataclass(frozen=True)
class _Checked:
    """What `claim` returns: shows in a notebook as one line."""

    text: str
    holds: bool = True

    def __repr__(self) -> str:
        return self.text


def claim(id: str, value: float | Sequence[float]) -> _Checked:
    """Hold a computed value against the book.

    A reader who tries another value is told what the book has, and goes on. That is an
    error where `RECSYS_STRICT` is set, as `recsys reproduce` and the tests set it.
    Where `RECSYS_CLAIMS_LOG` names a file, the value is added to it first, so that
    `recsys reproduce` can print what came even where it is out.

    Args:
        id: of the claim in `book/claims.yml`.
        value: what was computed.

    Returns:
        What a notebook shows as one line.

    Raises:
        ClaimError: under `RECSYS_STRICT`, no such claim, or a value that is not near it.
    """
    numbers, book = numbers_of(value), read_claims().get(id)
    if os.environ.get(LOG):
        with open(os.environ[LOG], "a", encoding="utf-8") as log:
            logged = list(numbers) if len(numbers) > 1 else numbers[0]
            log.write(json.dumps({"id": id, "value": logged}) + "\n")
    if os.environ.get("RECSYS_UPDATE"):
        new = Claim(id, "", numbers, 0, "", "seeded")
        return _Checked(held(book or new, numbers[0]))
    if book and book.holds(value):
        return _Checked(held(book, numbers[0]))
    if os.environ.get(STRICT):
        raise ClaimError(wrong(id, numbers, book))
    return _Checked(told(id, numbers, book), holds=False)


def claims(found: Mapping[str, float | Sequence[float]]) -> None:
    """Hold many computed values against the book at once; nothing is shown if all hold.

    A reader is told of each that does not, and goes on; see `claim`.

    Args:
        found: from the id of a claim to what was computed, a number or one with its
            interval.

    Raises:
        ClaimError: under `RECSYS_STRICT`, naming each that is not in the file or
            outside its tolerance.
    """
    errors = []
    for id, value in found.items():
        numbers = numbers_of(value)
        try:
            checked = claim(id, numbers if len(numbers) > 1 else numbers[0])
        except ClaimError as error:
            errors.append(str(error))
        else:
            if not checked.holds:
                print(checked)
    if errors:
        raise ClaimError("\n".join(errors))


def agrees(text: str, claim: Claim) -> bool:
    """Whether a number as prose prints it is that of the claim.

    `0.107`, `817,741`, `10.7%`, `-3`, or with an interval `0.005 [-0.001, 0.012]`.
    """
    return text == as_written(text, claim)


def as_written(like: str, claim: Claim) -> str:
    """Print a claim in the style of `like`, with its interval if that has one."""
    parts = INTERVAL.fullmatch(like)
    if parts is None:
        return as_printed(like, claim.value)
    if len(claim.numbers) != 3:
        return f"{as_printed(parts[1], claim.value)} [no interval]"
    value, low, high = map(as_printed, parts.groups(), claim.numbers)
    return f"{value} [{low}, {high}]"


def as_printed(like: str, value: float) -> str:
    """Print `value` in the style of `like`: decimals, thousands, percent, leading zero."""
    percent = like.endswith("%")
    number = like.rstrip("%")
    decimals = len(number.partition(".")[2])
    shown = f"{value * (100 if percent else 1):{',' if ',' in number or abs(value) >= 1_000 else ''}.{decimals}f}"
    if re.match(r"[-−]?\.", number):
        shown = shown.replace("0.", ".", 1)
    if number.startswith("−"):
        shown = shown.replace("-", "−")
    return shown + ("%" if percent else "")


def update_claims(
    at: Path, computed: Mapping[str, float | Sequence[float]]
) -> list[str]:
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
            olds = old.strip("[]").split(", ")
            news = [
                f"{one:.{len(like.partition('.')[2])}f}"
                for like, one in zip(olds, numbers_of(computed[current]), strict=True)
            ]
            new = f"[{', '.join(news)}]" if len(news) > 1 else news[0]
            if list(map(float, news)) != list(map(float, olds)):
                lines[number] = f"  value: {new}"
                changed.append(f"{current}: {old} -> {new}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return changed


def rewrite_roles(text: str, claims: dict[str, Claim]) -> str:
    """`text` with every claim role filled from `claims`; unknown ids are left for the linter."""

    def fill(match: re.Match) -> str:
        shown, id = match.groups()
        if id not in claims:
            return match[0]
        role = match[0].partition("`")[0]
        return f"{role}`{as_written(shown, claims[id])} <{id}>`"

    return ROLE.sub(fill, text)
