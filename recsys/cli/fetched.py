"""Fetching data sets for a command, a line each."""

from __future__ import annotations

import typer


def fetched(name: str, asked_for: bool = False) -> bool:
    """Fetch a data set, say where it is; false where a wanted one can't be had."""
    from recsys.data import DataError, entry, fetch

    if not asked_for and entry(name).content is None:
        typer.echo(
            f"{name}: no number of the book comes from it, so it is fetched by name: "
            f"recsys data fetch {name}"
        )
        return True
    try:
        typer.echo(f"{name}: {fetch(name)}")
    except (DataError, OSError) as error:
        if asked_for or not entry(name).optional:
            typer.echo(f"recsys: {error}", err=True)
            return False
        typer.echo(
            f"{name}: not to be had here; it is optional, and what needs it is "
            f"skipped. Why: recsys data fetch {name}"
        )
    return True
