"""The record of a pass over the notebooks: of which tree, how far it came, what its claims say."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from recsys.book import claimed as book_claims
from recsys.book.inputs import versions
from recsys.book.root import notebooks
from recsys.book.status import read_passes

RECORD = ".reproduce/pass.json"


def tree_hash(at: Path) -> str:
    """One hash of what a pass depends on: notebooks, package, claims, studies, versions, Python."""
    files = sorted(
        [
            *at.glob("notebooks/*.ipynb"),
            *at.glob("recsys/**/*.py"),
            *at.glob("recsys/**/*.yml"),
            *at.glob("studies/*"),
            *at.glob("book/code/*"),
            *at.glob("bench/*.py"),
            *at.glob("bench/results/*.json"),
            at / "book" / "claims.yml",
            at / "_toc.yml",
        ]
    )
    digest = hashlib.sha256(platform.python_version().encode())
    for file in files:
        if file.is_file():
            digest.update(
                str(file.relative_to(at)).encode() + b"\0" + file.read_bytes()
            )
    for name in versions():
        digest.update(name.encode())
    return digest.hexdigest()


def recorded(at: Path) -> dict | None:
    """The recorded pass of this very tree, if there is one and it is whole."""
    record = last_pass(at)
    same = record.get("tree") == tree_hash(at) and not record["missing"]
    return record if same else None


def last_pass(at: Path) -> dict:
    """The recorded pass, of whatever tree; nothing if none can be read."""
    try:
        return json.loads((at / RECORD).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def keep(at: Path, record: dict, wall: float) -> dict:
    """Write down how far a pass has come."""
    order = [path.stem for path in notebooks(at)]
    runs = {
        name: record["notebooks"][name] for name in order if name in record["notebooks"]
    }
    claims = {id: value for run in runs.values() for id, value in run["claims"].items()}
    held = all(row[-1] for row in verdicts(at, claims, runs))
    record |= {
        "notebooks": runs,
        "claims": claims,
        "missing": [name for name in order if name not in runs],
        "wall seconds": round(wall, 1),
        "ok": held and all(run["ok"] for run in runs.values()),
    }
    (at / RECORD).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return record


def expected(at: Path, before: Mapping) -> dict[str, float]:
    """How long each notebook took here, or else in the pass of the status page."""
    runs = {**read_passes(at).get("native", {}).get("notebooks", {}), **before}
    return {name: run["seconds"] for name, run in runs.items()}


def verdicts(
    at: Path, computed: dict[str, float], chapters: Collection[str]
) -> Iterable[tuple[str, float, float | None, float, bool]]:
    """Each claim: id, the book's value, this run's, the tolerance, whether it holds.

    A claim that no notebook made does not hold. One that is taken from a study is not made
    again; whether its study is stale is seen where a notebook shows it.

    Args:
        at: the checkout.
        computed: what came, by id.
        chapters: the notebooks that were run; claims of others are left out.
    """
    for id, claim in book_claims.read_claims(at).items():
        if claim.study or claim.chapter not in chapters:
            continue
        value = computed.get(id)
        holds = value is not None and claim.holds(value)
        came = None if value is None else book_claims.numbers_of(value)[0]
        yield id, claim.value, came, claim.tolerance, holds


def table(at: Path, record: dict) -> str:
    """The table that ends the output: claim, book, yours, tolerance, verdict."""
    rows = list(verdicts(at, record["claims"], record["notebooks"]))
    width = max([len(row[0]) for row in rows], default=5)
    lines = [
        f"{'claim':{width}}  {'book':>12}  {'yours':>12}  {'tolerance':>9}  verdict"
    ]
    for id, book, yours, tolerance, holds in rows:
        came = "not claimed" if yours is None else f"{yours:.6g}"
        lines.append(
            f"{id:{width}}  {book:>12.6g}  {came:>12}  {tolerance:>9.3g}  {'ok' if holds else 'OUT'}"
        )
    held = sum(row[-1] for row in rows)
    return "\n".join([*lines, f"{held} of {len(rows)} claims within tolerance"])


def times(record: dict) -> str:
    """How long a pass took: the notebooks, and all of them side by side."""
    runs = record["notebooks"]
    each = ", ".join(f"{name} {run['seconds']:.0f} s" for name, run in runs.items())
    spent = [run["processor seconds"] or 0 for run in runs.values()]
    return (
        f"Notebook run times: {each}\n"
        f"The last run took {record['wall seconds']:.0f} s; these notebooks together "
        f"are {sum(spent) / 60:.1f} processor minutes"
    )
