"""The status page: how long each notebook runs, on what, and how far its claims spread.

A pass that is kept (`recsys reproduce --keep`) is a file of `book/passes`, one for each
setting of the processor. The tables are made from these files as the book is built.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from recsys.book.claimed import Claim, numbers_of, read_claims
from recsys.book.root import notebooks

PASSES = "book/passes"
TABLES = "book/passes/tables"
"""Where the tables are written for the page to include; git ignores them."""

NONE = "No pass is kept here yet: `recsys reproduce --keep` keeps one.\n"


def keep_pass(at: Path, record: dict) -> Path:
    """Keep a pass for the status page; notebooks that it did not run stay as they were.

    So do the time on the clock, and whether all were run at once.

    Args:
        at: the checkout.
        record: of `recsys.book.reproduce`.

    Returns:
        The file: of the pass's setting of the processor.
    """
    made_on = record["made on"]
    path = at / PASSES / f"{made_on['setting']}.json"
    path.parent.mkdir(exist_ok=True)
    nothing = {"notebooks": {}, "wall seconds": None, "whole": False}
    before = read_passes(at).get(made_on["setting"], nothing)
    taken = ("ok", "seconds", "processor seconds", "claims")
    runs = {
        name: {"made on": made_on} | {part: run[part] for part in taken}
        for name, run in record["notebooks"].items()
    }
    kept = {"wall seconds": before["wall seconds"], "whole": before["whole"]}
    if record["at once"] and not record["missing"]:
        kept = {"wall seconds": record["wall seconds"], "whole": True}
    kept["notebooks"] = {**before["notebooks"], **runs}
    path.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    return path


def read_passes(at: Path) -> dict[str, dict]:
    """The passes that are kept, by their setting; "native" comes first."""
    paths = sorted((at / PASSES).glob("*.json"), key=lambda path: path.stem != "native")
    return {path.stem: json.loads(path.read_text("utf-8")) for path in paths}


def write_tables(at: Path) -> None:
    """Write what the status page includes, from the passes and `book/claims.yml`."""
    folder = at / TABLES
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables(at).items():
        (folder / f"{name}.inc").write_text(text, "utf-8")


def tables(at: Path) -> dict[str, str]:
    """The tables of the status page, in Markdown, by name."""
    passes, claims = read_passes(at), read_claims(at)
    order = [path.stem for path in notebooks(at)]
    return {
        "notebooks": _notebooks(order, passes),
        "machines": _machines(order, passes),
        "claims": "\n".join(_chapters(order, passes, claims)) + "\n",
    }


def _notebooks(order: list[str], passes: Mapping[str, dict]) -> str:
    """A row a notebook: seconds on the clock and of the processor, in each setting."""
    heads = [
        f"{part}, {setting}" for setting in passes for part in ("run time", "processor")
    ]
    rows = []
    for name in order:
        runs = [kept["notebooks"].get(name) for kept in passes.values()]
        rows.append([f"[{name}](../notebooks/{name}.ipynb)", *_times(runs)])
    every = [
        [kept["notebooks"][name] for name in order if name in kept["notebooks"]]
        for kept in passes.values()
    ]
    rows.append(["**together**", *_times([_sum(runs) for runs in every])])
    return _table(["notebook", *heads], rows, numbers_from=1)


def _times(runs: list[dict | None]) -> Iterator[str]:
    for run in runs:
        for part in ("seconds", "processor seconds"):
            known = run and run[part] is not None
            yield f"{run[part]:,.0f} s" if known else "not run"


def _sum(runs: list[dict]) -> dict:
    parts = ("seconds", "processor seconds")
    return {part: sum(run[part] or 0 for run in runs) for part in parts}


def _machines(order: list[str], passes: Mapping[str, dict]) -> str:
    """On what the passes were made: one column for each machine or day."""
    if not passes:
        return NONE
    found: dict[str, dict] = {}
    for kept in passes.values():
        for name in order:
            if name in kept["notebooks"]:
                made_on = kept["notebooks"][name]["made on"]
                found.setdefault(json.dumps(made_on, sort_keys=True), made_on)
    made = list(found.values())
    parts = ("setting", "day", "processor", "cores", "system")
    rows = [[part, *(str(one[part]) for one in made)] for part in parts]
    for package in sorted({name for one in made for name in one["versions"]}):
        rows.append([package, *(one["versions"].get(package, "") for one in made)])
    whole = [
        f"All notebooks, {setting}: {kept['wall seconds']:,.0f} s on the clock."
        for setting, kept in passes.items()
        if kept["whole"]
    ]
    table = _table(["", *(f"pass {n}" for n in range(1, len(made) + 1))], rows)
    return "\n\n".join([table.rstrip(), *whole]) + "\n"


def _chapters(
    order: list[str], passes: Mapping[str, dict], claims: Mapping[str, Claim]
) -> Iterator[str]:
    """A folded table of claims for each chapter."""
    heads = ["claim", "kind", "book", "interval", "tolerance", *passes, "moves by"]
    for name in order:
        own = {id: claim for id, claim in claims.items() if claim.chapter == name}
        came = [
            kept["notebooks"].get(name, {}).get("claims", {})
            for kept in passes.values()
        ]
        rows = [
            _claim(claim, claims, [made.get(id) for made in came])
            for id, claim in own.items()
        ]
        if rows:
            yield f"````{{dropdown}} {name}: {len(rows)} claims\n"
            yield _table(heads, rows, numbers_from=2) + "````\n"


def _claim(claim: Claim, claims: Mapping[str, Claim], came: list) -> list[str]:
    here = [None if value is None else numbers_of(value)[0] for value in came]
    known = [value for value in here if value is not None]
    moves = f"{max(known) - min(known):.2g}" if len(known) > 1 else ""
    shown = ["" if value is None else f"{value:.6g}" for value in here]
    interval = _interval(claim, claims)
    tolerance = "" if claim.study else f"{claim.tolerance:.3g}"
    return [
        f"`{claim.id}`",
        claim.kind,
        f"{claim.value:.6g}",
        interval,
        tolerance,
        *shown,
        moves,
    ]


def _interval(claim: Claim, claims: Mapping[str, Claim]) -> str:
    """Of the claim itself, or of two others that are its bounds, if it has one."""
    bounds = [claims.get(f"{claim.id}.{end}") for end in ("low", "high")]
    low, high = claim.numbers[1:] or [bound and bound.value for bound in bounds]
    return "" if low is None or high is None else f"{low:.4g} to {high:.4g}"


def _table(
    heads: list[str], rows: list[list[str]], numbers_from: int | None = None
) -> str:
    """A table in Markdown, its numbers on the right."""
    first = len(heads) if numbers_from is None else numbers_from
    marks = ["---" if n < first else "--:" for n in range(len(heads))]
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, marks, *rows)]
    return "\n".join(lines) + "\n"
