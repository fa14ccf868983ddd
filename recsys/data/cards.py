"""Data cards: one page a data set, generated from the catalogue."""

from __future__ import annotations

from recsys.data.catalogue import entry


def card(name: str) -> str:
    """The data card of ``name`` in Markdown: what it is, conditions, counts, hash, places, limits."""
    wanted = entry(name)
    counts = ", ".join(f"{number:,} {what}" for what, number in wanted.counts.items())
    places = [f"`{place.url}`, files {_code(wanted.forms[place.form])}" if place.kind == "official" else
              f"the wheel `{place.package}` {place.version}, files {_code(wanted.forms[place.form])} under "
              f"`{place.folder}` (the wheel's SHA-256: `{place.sha256}`)" for place in wanted.places]
    return "\n".join([
        f"# {wanted.title}", "",
        "<!-- Generated from the catalogue by `recsys data card --write`; do not edit by hand. -->", "",
        wanted.about, "",
        f"Load it with `load(\"{wanted.name}\")`. A row is {wanted.row}.", "",
        "| | |", "|---|---|",
        f"| Counts | {counts} |",
        f"| Licence | {wanted.licence} |",
        f"| To cite | {{cite:t}}`{wanted.citation}` |",
        f"| Content hash (SHA-256) | `{wanted.content}` |", "",
        "## Where it is looked for", "",
        "1. the cache directory (`recsys data where` prints it)",
        "2. the directory in `RECSYS_DATA_MIRROR`, if that is set",
        *[f"{number}. {place}" for number, place in enumerate(places, start=3)], "",
        "Whichever place answers, the parsed interactions must have the hash above.", "",
        "## What it cannot show", "",
        *[f"- {limit}" for limit in wanted.cannot_show], ""])


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
