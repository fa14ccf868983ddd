"""`recsys reproduce`: its steps, in the order in which a person sees them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from recsys.book import build, passes, studies, updating
from recsys.book import reproduce as engine
from recsys.book.moved import report
from recsys.book.status import keep_pass
from recsys.cli.fetched import fetched


def reproduce(
    at: Path,
    names: Sequence[str] = (),
    moved: Path | None = None,
    *,
    full: bool = False,
    update: bool = False,
    reuse: bool = False,
    changed: bool = False,
    keep: bool = False,
) -> int:
    """Execute notebooks, check every claim, build the book.

    Args:
        at: the checkout.
        names: of the notebooks; all if there are none.
        moved: a file for the report of the claims that moved.
        full: run the studies first; with `changed`, those that are stale.
        update: store first what the notebooks print.
        reuse: take the recorded pass of this very tree, if there is one.
        changed: run only notebooks whose inputs changed.
        keep: keep the pass for the status page.

    Returns:
        0, or 1 where data, a notebook, a claim or the book failed.
    """
    failed = run_studies(at, changed) if full else []
    if update:
        _update(at, names)
    record = passes.recorded(at) if reuse else None
    record = _said(record) if record else _executed(at, names, changed)
    if record is None:
        return 1
    if keep:
        keep_pass(at, record)
    if moved:
        moved.write_text(report(at, record), "utf-8")
    page = _built(at)
    _end(at, record, page)
    for name in failed:
        typer.echo(f"The study {name} did not come to its end (see above)")
    return 0 if record["ok"] and page and not failed else 1


def run_studies(at: Path, changed: bool) -> list[str]:
    """Run the studies one after the other; with `changed`, only those that are stale.

    Returns:
        Those that did not come to their end; the others are run all the same.
    """
    waiting, failed = studies.waiting(at), []
    for name in studies.names(at):
        if changed and name not in waiting and not studies.differences(at, name)[0]:
            continue
        missing = studies.missing_data(at, name)
        if missing:
            typer.echo(
                f"Skipping the study {name}: {', '.join(missing)} can't be had here. "
                f"Why: recsys data fetch {missing[0]}"
            )
            continue
        typer.echo(f"Running the study {name} ...")
        if not studies.run_alone(at, name):
            failed.append(name)
    return failed


def _update(at: Path, names: Sequence[str]) -> None:
    typer.echo("Executing notebooks and storing what they print ...")
    build.write_cards(at)
    changed = updating.update(at, typer.echo, names)
    typer.echo(
        "\n".join(["Changed:", *changed])
        if changed
        else "No claim and no prose changed."
    )


def _said(record: dict) -> dict:
    typer.echo(
        "A pass of this very tree is recorded; not executing the notebooks again."
    )
    return record


def _executed(at: Path, names: Sequence[str], changed: bool) -> dict | None:
    """The pass; none where data that it needs can't be had.

    A few notebooks get what they need by themselves.
    """
    from recsys.data import catalogue

    if not names and not changed:
        typer.echo("Getting the data ...")
        if not all([fetched(name) for name in catalogue()]):
            return None
    typer.echo("Executing notebooks and comparing what they print ...")
    return engine.reproduce(at, typer.echo, names, changed)


def _built(at: Path) -> Path | None:
    typer.echo("Building the book from stored outputs, warnings are errors ...")
    return build.build(at, typer.echo)


def _end(at: Path, record: dict, page: Path | None) -> None:
    """What a person takes away: times, claims, what failed, where the book is."""
    runs = record["notebooks"]
    typer.echo(f"\n{passes.times(record)}")
    typer.echo(passes.table(at, record))
    waiting = studies.waiting(at)
    if waiting:
        typer.echo(
            f"Studies without a result yet: {', '.join(waiting)}; no number of the book "
            "is theirs, and recsys reproduce --full runs them"
        )
    for name in set(studies.names(at)) - set(waiting):
        for difference in studies.differences(at, name)[1]:
            typer.echo(
                f"The study {name} was made with another {difference}; numbers read "
                "from it are those of then"
            )
    failed = [name for name, run in runs.items() if not run["ok"]]
    if failed:
        typer.echo(
            f"Notebooks that did not come again: {', '.join(failed)} (see above)"
        )
    if record["missing"]:
        typer.echo(f"Not run: {', '.join(record['missing'])}")
    typer.echo(f"The book: {page}" if page else "The book did not build (see above)")
