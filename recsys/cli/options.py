"""Options that several commands share: which log is read, and what serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        help="A name from `recsys data list`, or a file of your own: .csv or .parquet.",
    ),
]
UserOption = Annotated[
    str, typer.Option("--user", help="Your file's column of users; user, if not given.")
]
ItemOption = Annotated[
    str, typer.Option("--item", help="Your file's column of items; item, if not given.")
]
TimeOption = Annotated[
    str, typer.Option("--time", help="Your file's column of times; time, if not given.")
]
ValueOption = Annotated[
    str, typer.Option("--value", help="Your file's column of values; none means 1.")
]
UnitOption = Annotated[
    str,
    typer.Option("--time-unit", help="second, millisecond, day or step; second, if not given."),
]
RunArgument = Annotated[
    Path, typer.Argument(help="Where `recsys train` left its weights.")
]
FrameworkOption = Annotated[
    str, typer.Option(help="torch or paddle; what trained the weights, if not given.")
]
LengthOption = Annotated[int, typer.Option("--k", help="Length of a list.")]
SeenOption = Annotated[
    bool, typer.Option("--seen", help="Items of the history may come again.")
]
