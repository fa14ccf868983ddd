"""Data cards: one page a data set, generated from the catalogue."""

from __future__ import annotations

from recsys.data.entries import Entry, Place, entry

OPTIONAL = "The book does without it where it can't be had: what needs it is skipped, and says so."
UNKNOWN = "not known: the data was never at hand here, so only its format is checked, row by row"


def card(name: str) -> str:
    """Write a data card in Markdown: what it is, conditions, counts, hash, places, limits.

    Args:
        name: of a data set of the catalogue.

    Returns:
        The page.

    Raises:
        DataError: an unknown name.
    """
    wanted = entry(name)
    counts = ", ".join(f"{number:,} {what}" for what, number in wanted.counts.items())
    places = [_place(wanted, place) for place in wanted.places]
    call = f'{wanted.loader}("{wanted.name}")'
    return "\n".join(
        [
            f"# {wanted.title}",
            "",
            "<!-- Generated from the catalogue by `recsys data card --write`; do not edit by hand. -->",
            "",
            wanted.about,
            "",
            f"Load it with `{call}`. A row is {wanted.row}.",
            "",
            *([OPTIONAL, ""] if wanted.optional else []),
            "| | |",
            "|---|---|",
            f"| Counts | {counts} |",
            f"| Licence | {wanted.licence} |",
            f"| To cite | {{cite:t}}`{wanted.citation}` |",
            f"| Content hash (SHA-256) | {f'`{wanted.content}`' if wanted.content else UNKNOWN} |",
            "",
            "## Where it is looked for",
            "",
            f"1. the cache directory (`recsys data where {wanted.name}` prints it)",
            "2. the directory in `RECSYS_DATA_MIRROR`, if that is set",
            *[f"{number}. {place}" for number, place in enumerate(places, start=3)],
            "",
            *(
                [
                    "Whichever place answers, the parsed content must have the hash above.",
                    "",
                ]
                if wanted.content
                else []
            ),
            "## What it cannot show",
            "",
            *[f"- {limit}" for limit in wanted.cannot_show],
            "",
        ]
    )


def _place(wanted: Entry, place: Place) -> str:
    files = _code(wanted.forms[place.form])
    if place.kind == "wheel":
        return (
            f"the wheel `{place.package}` {place.version}, files {files} under `{place.folder}` "
            f"(the wheel's SHA-256: `{place.sha256}`)"
        )
    if place.kind == "page":
        return (
            f"not fetched for you: accept the terms at <{place.url}>, download, and put {files} into the "
            f"directory `{wanted.name}` of one of the two above"
        )
    under = f" under `{place.folder}`" if place.folder else ""
    return f"`{place.url}`, files {files}{under}"


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
