"""Author and year of what the book cites, from `book/references.bib`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Work:
    """An entry of the bibliography.

    Args:
        who: family names, or the title of a work that has no author.
        year: or nothing.
        title: of the work.
        url: of its page, or nothing.
    """

    who: str
    year: str
    title: str
    url: str

    def linked(self, text: str) -> str:
        """`text` as a link to the work, which tells its title when pointed at."""
        told = self.title.replace('"', "'")
        return f'[{text}]({self.url} "{told}")' if self.url else text

    @property
    def within(self) -> str:
        """For brackets: Simon, 1971."""
        return self.linked(f"{self.who}, {self.year}" if self.year else self.who)

    @property
    def in_text(self) -> str:
        """For a sentence: Simon (1971)."""
        return self.linked(f"{self.who} ({self.year})" if self.year else self.who)


def read_works(at: Path) -> dict[str, Work]:
    """Every work of the bibliography, by key."""
    path = at / "book" / "references.bib"
    return dict(_parsed(path.read_text("utf-8")))


@lru_cache(maxsize=2)
def _parsed(text: str) -> dict[str, Work]:
    from pybtex.database import parse_string

    entries = parse_string(text, "bibtex").entries
    return {key: _work(entry) for key, entry in entries.items()}


def _work(entry) -> Work:
    from pybtex.richtext import Text

    fields = entry.fields
    title = str(Text.from_latex(fields["title"]))
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [
        " ".join(map(str, one.rich_prelast_names + one.rich_last_names))
        for one in people
    ]
    url = fields.get("url", "")
    if "doi" in fields:
        url = f"https://doi.org/{fields['doi']}"
    elif not url and "eprint" in fields:
        url = f"https://arxiv.org/abs/{fields['eprint']}"
    return Work(_joined(names) or f"*{title}*", fields.get("year", ""), title, url)


def _joined(names: list[str]) -> str:
    if len(names) > 2 or "others" in names:
        return f"{names[0]} et al."
    return " and ".join(names)
