"""The catalogue: which data sets there are, where they can be had, and what they must contain."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

import yaml

from recsys.data.errors import DataError


@dataclass(frozen=True)
class Place:
    """Somewhere a data set may be had.

    It is the official archive, a file inside a published wheel, or a page whose terms a person
    has to accept before downloading by hand.

    Args:
        kind: which of the three.
        form: which of the entry's forms of files is had there.
        folder: of the archive or wheel, under which the files stand.
        url: of the archive or the page.
        package, version, sha256: of the wheel.
    """

    kind: Literal["official", "wheel", "page"]
    form: str
    folder: str
    url: str = ""
    package: str = ""
    version: str = ""
    sha256: str = ""

    def __str__(self) -> str:
        return {
            "official": f"official address {self.url}",
            "wheel": f"wheel {self.package} {self.version}",
            "page": f"official page {self.url}",
        }[self.kind]


@dataclass(frozen=True)
class Entry:
    """One data set: what it is, its conditions, its places, and the hash of its content.

    `content` is None where the data was never at hand and so no hash is known. `tables` has, for
    each form of the files that was at hand, a hash of the tables that `load` returns beside the
    interactions. `optional` is true where chapters skip what needs the data when it can't be had.
    """

    name: str
    title: str
    about: str
    licence: str
    citation: str
    loader: str
    content: str | None
    counts: dict[str, int]
    row: str
    forms: dict[str, list[str]]
    places: tuple[Place, ...]
    cannot_show: tuple[str, ...]
    tables: dict[str, str] = field(default_factory=dict)
    optional: bool = False


@cache
def catalogue() -> dict[str, Entry]:
    """Every entry, by name, in the order of the file."""
    raw = yaml.safe_load(
        resources.files("recsys.data").joinpath("catalogue.yml").read_text("utf-8")
    )
    entries = {}
    for name, fields in raw.items():
        places = tuple(Place(**place) for place in fields.pop("places"))
        entries[name] = Entry(
            name=name,
            places=places,
            cannot_show=tuple(fields.pop("cannot_show")),
            **fields,
        )
    return entries


def entry(name: str) -> Entry:
    """Look up the entry called `name`.

    Raises:
        DataError: there is none; the message lists the known names.
    """
    if name not in catalogue():
        raise DataError(f"Unknown data set {name!r}. Known: {', '.join(catalogue())}.")
    return catalogue()[name]
