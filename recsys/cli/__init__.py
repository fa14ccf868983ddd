"""The command line: `recsys doctor`, `data`, `train`, `evaluate`, `recommend` and more.

Each calls a room below.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import (
    DataOption,
    FrameworkOption,
    ItemOption,
    LengthOption,
    RunArgument,
    SeenOption,
    TimeOption,
    UnitOption,
    UserOption,
    ValueOption,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Check this machine, get the data, train a model, reproduce the book.",
)
data_app = typer.Typer(
    no_args_is_help=True,
    help="The data sets: list, fetch, where they are, their cards.",
)
app.add_typer(data_app, name="data")


@app.command("doctor")
def doctor_command() -> None:
    """One line a requirement, marked as ok, or as fail with the mend."""
    from recsys.cli.doctor import checks

    results = list(checks())
    for ok, what, mend in results:
        typer.echo(f"[ok]   {what}" if ok else f"[fail] {what}. Mend: {mend}")
    raise typer.Exit(0 if all(ok for ok, _, _ in results) else 1)


@data_app.command("list")
def data_list() -> None:
    """Name, size and title of every data set."""
    from recsys.data import catalogue

    for entry in catalogue().values():
        typer.echo(
            f"{entry.name:20} {entry.counts['rows']:>10,} rows  {entry.title}{' (optional)' if entry.optional else ''}"
        )


@data_app.command("fetch")
def data_fetch(
    name: Annotated[
        list[str], typer.Argument(help="Names from `recsys data list`; none means all.")
    ] = None,
) -> None:
    """Get data sets into the cache; a good copy is left alone, a damaged one replaced.

    One that fails does not stop the others. Without names, an optional one that can't be had is no
    failure, and one that no number of the book comes from is left out.
    """
    from recsys.cli.fetched import fetched
    from recsys.data import catalogue

    failed = [
        wanted
        for wanted in name or catalogue()
        if not fetched(wanted, asked_for=bool(name))
    ]
    raise typer.Exit(1 if failed else 0)


@data_app.command("where")
def data_where(name: str) -> None:
    """Every place that could hold a data set, and what is there."""
    from recsys.data import where

    for attempt in _or_fail(where, name):
        typer.echo(f"{attempt.place}: {attempt.problem or f'there, {attempt.found}'}")


@data_app.command("card")
def data_card(
    name: Annotated[str, typer.Argument(help="Empty with --write.")] = "",
    write: Annotated[
        bool, typer.Option(help="Write the page of every data set into the book.")
    ] = False,
) -> None:
    """Print a data card, or write all of them into the book."""
    from recsys.data import card

    if write:
        from recsys.book.build import write_cards
        from recsys.book.root import root

        for path in write_cards(_or_fail(root)):
            typer.echo(f"wrote {path.name}")
    else:
        typer.echo(_or_fail(card, name))


@app.command("train")
def train_command(
    model: Annotated[str, typer.Argument(help="sasrec or factorisation.")],
    data: DataOption,
    to: Annotated[
        Path, typer.Option(help="Directory for the state and the weights of this run.")
    ],
    user: UserOption = None,
    item: ItemOption = None,
    time: TimeOption = None,
    value: ValueOption = None,
    time_unit: UnitOption = None,
    epochs: Annotated[
        int, typer.Option(help="In place of the model's own number.")
    ] = None,
    log: Annotated[Path, typer.Option(help="Directory for TensorBoard.")] = None,
    framework: Annotated[str, typer.Option(help="torch or paddle.")] = "torch",
) -> None:
    """Train on train and validation (leave-last-out), saving as it goes.

    Ctrl-C is safe; the same command goes on.
    """
    from recsys.cli.log import Log
    from recsys.cli.train import train

    read = _or_fail(Log, data, user, item, time, value, time_unit)
    raise typer.Exit(train(model, read, to, epochs, log, framework))


@app.command("evaluate")
def evaluate_command(
    directory: RunArgument = None,
    data: DataOption = None,
    user: UserOption = None,
    item: ItemOption = None,
    time: TimeOption = None,
    value: ValueOption = None,
    time_unit: UnitOption = None,
    k: LengthOption = 10,
    seen: SeenOption = False,
    framework: FrameworkOption = "",
) -> None:
    """Print a table of baselines and the model on the test part, with intervals.

    A run knows its log; --data and the columns are for a file that has moved.

    Without a run the baselines are asked alone.
    """
    from recsys.cli.evaluate import evaluate

    columns = dict(user=user, item=item, time=time, value=value, time_unit=time_unit)
    raise typer.Exit(evaluate(directory, k, seen, framework, {"data": data, **columns}))


@app.command("recommend")
def recommend_command(
    directory: RunArgument,
    who: Annotated[str, typer.Argument(metavar="USER", help="An id of the log.")],
    data: DataOption = None,
    user: UserOption = None,
    item: ItemOption = None,
    time: TimeOption = None,
    value: ValueOption = None,
    time_unit: UnitOption = None,
    k: LengthOption = 10,
    seen: SeenOption = False,
    framework: FrameworkOption = "",
) -> None:
    """List what one user would be shown next, with the events that speak for each item.

    A run knows its log; --data and the columns are for a file that has moved.
    """
    from recsys.cli.recommend import recommend

    columns = dict(user=user, item=item, time=time, value=value, time_unit=time_unit)
    raise typer.Exit(
        recommend(directory, who, k, seen, framework, {"data": data, **columns})
    )


@app.command("pays")
def pays_command(
    data: DataOption,
    after_a_cut: Annotated[
        bool, typer.Option(help="Ask for all after one date, not for each last event.")
    ] = False,
    settings: Annotated[int, typer.Option(help="Drawn for each arm.")] = 12,
    seeds: Annotated[int, typer.Option(help="Of the networks.")] = 5,
    seen: SeenOption = False,
    user: UserOption = None,
    item: ItemOption = None,
    time: TimeOption = None,
    value: ValueOption = None,
    time_unit: UnitOption = None,
) -> None:
    """Ask of one log what the book asks: does attention pay? Takes minutes to hours.

    Of impressions, by MIND's name or the path of its directory or zip: a candidate that
    asks the clicks before it, minus a learned decay of them, and minus their mean.
    """
    from recsys.cli.pays import pays

    columns = dict(user=user, item=item, time=time, value=value, time_unit=time_unit)
    raise typer.Exit(pays({"data": data, **columns}, after_a_cut, settings, seeds, seen))


@app.command("reproduce")
def reproduce_command(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[NOTEBOOK]...", help="By name, as in notebooks/. All, if none."
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option(help="Also run the studies: seconds to 2.5 hours each.")
    ] = False,
    update: Annotated[
        bool,
        typer.Option(help="Rewrite outputs, claims and prose for a reviewed diff."),
    ] = False,
    reuse: Annotated[
        bool,
        typer.Option(help="Use the recorded pass of this very tree, if there is one."),
    ] = False,
    changed: Annotated[
        bool,
        typer.Option(
            help="Only notebooks whose inputs changed since the last pass, "
            "and of the studies those that are stale."
        ),
    ] = False,
    keep: Annotated[
        bool, typer.Option(help="Keep the pass for the book's status page.")
    ] = False,
    moved: Annotated[
        Path, typer.Option(help="A file for a report of the claims that moved.")
    ] = None,
) -> None:
    """Execute notebooks afresh, check every claim, build the book.

    Notebooks run side by side on as many cores as there are, the longest first.
    """
    from recsys.book.reproduce import chosen
    from recsys.book.root import root
    from recsys.cli.reproduce import reproduce

    at = _or_fail(root)
    _or_fail(chosen, at, names or ())
    options = dict(full=full, update=update, reuse=reuse, changed=changed, keep=keep)
    raise typer.Exit(reproduce(at, names or (), moved, **options))


@app.command("lab")
def lab_command(
    empty: Annotated[
        bool, typer.Option(help="Text and exercises only, the code left to the reader.")
    ] = False,
) -> None:
    """Write the chapters as notebooks that JupyterLab renders by itself.

    What you have changed in one is kept; rename it to get the book's beside it.
    """
    from recsys.book.lab import FOLDERS, write_notebooks
    from recsys.book.root import root

    written, kept = write_notebooks(_or_fail(root), empty)
    typer.echo(f"{FOLDERS[empty]}: {len(written)} notebooks written")
    for path in kept:
        typer.echo(
            f"{path.name} has changes of yours and is kept; rename it for the book's"
        )


def _or_fail(function, *arguments):
    """Call `function`; bad data or a missing checkout becomes one message and exit status 1."""
    from recsys.data import DataError

    try:
        return function(*arguments)
    except (DataError, FileNotFoundError, ValueError) as error:
        typer.echo(f"recsys: {error}", err=True)
        sys.exit(1)
