"""`recsys reproduce`: every notebook afresh, once, and every claim beside what came this time."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

from recsys.book import claimed as book_claims
from recsys.book.root import notebooks, pages

CELL_TIMEOUT_SECONDS = 300
RECORD = ".reproduce/pass.json"


def environment() -> dict[str, str]:
    """The environment that notebooks are validated in: one thread, quiet, strict claims, no hash randomness."""
    kept = {
        name: value for name, value in os.environ.items() if name != "RECSYS_UPDATE"
    }  # it would silence claims
    return {
        **kept,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "RECSYS_QUIET": "1",
        book_claims.STRICT: "1",
        "PYTHONHASHSEED": "0",
        "GLOG_minloglevel": "2",
        "KERAS_BACKEND": "torch",
    }


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
    for name in sorted(f"{dist.name}=={dist.version}" for dist in distributions()):
        digest.update(name.encode())
    return digest.hexdigest()


def recorded(at: Path) -> dict | None:
    """The recorded pass of this very tree, if there is one."""
    path = at / RECORD
    if not path.is_file():
        return None
    record = json.loads(path.read_text("utf-8"))
    return record if record["tree"] == tree_hash(at) else None


def reproduce(at: Path, say=print) -> dict:
    """Validate every notebook in order, collect its claims, record and return the pass.

    The record says, for each notebook, how long it took and whether its outputs
    came again, and for each claim what came.
    """
    log = at / ".reproduce" / "claims.jsonl"
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    runs = {}
    for notebook in notebooks(at):
        start = time.perf_counter()
        ok, output = validate(at, notebook, log)
        runs[notebook.stem] = {
            "ok": ok,
            "seconds": round(time.perf_counter() - start, 1),
        }
        say(
            f"  {'[ok]  ' if ok else '[fail]'} {notebook.relative_to(at)}  {runs[notebook.stem]['seconds']:.1f} s"
        )
        if not ok:
            say(output)
    record = {"tree": tree_hash(at), "notebooks": runs, "claims": read_log(log)}
    record["ok"] = all(run["ok"] for run in runs.values()) and all(
        row[-1] for row in verdicts(at, record["claims"])
    )
    (at / RECORD).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return record


def validate(
    at: Path,
    notebook: Path,
    log: Path | None = None,
    cell_timeout: float = CELL_TIMEOUT_SECONDS,
) -> tuple[bool, str]:
    """Run one notebook under strict nbval; whether it passed, and what was printed.

    `cell_timeout` is also how long a kernel that died is waited for.
    """
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "recsys.book.validate",
        "-p",
        "no:cacheprovider",
        "--nbval",
        "--nbval-current-env",
        f"--nbval-cell-timeout={cell_timeout}",
        "--color=no",
        "--rootdir",
        str(at),
        "-c",
        os.devnull,
        str(notebook),
    ]
    variables = environment() | ({book_claims.LOG: str(log)} if log else {})
    done = subprocess.run(
        command, cwd=at, env=variables, capture_output=True, text=True
    )
    return done.returncode == 0, done.stdout + done.stderr


def read_log(log: Path) -> dict[str, float]:
    """The values that notebooks claimed, by id; the last one where a claim was made twice."""
    if not log.is_file():
        return {}
    return {
        row["id"]: row["value"]
        for row in map(json.loads, log.read_text("utf-8").splitlines())
    }


def verdicts(
    at: Path, computed: dict[str, float]
) -> Iterable[tuple[str, float, float | None, float, bool]]:
    """Each claim of the book: id, the book's value, this run's, the tolerance, whether it holds.

    A claim that no notebook made does not hold. One that is taken from a study is not made
    again; whether its study is stale is seen where a notebook shows it.
    """
    for id, claim in book_claims.read_claims(at).items():
        if claim.study:
            continue
        value = computed.get(id)
        holds = value is not None and claim.holds(value)
        came = None if value is None else book_claims.numbers_of(value)[0]
        yield id, claim.value, came, claim.tolerance, holds


def table(at: Path, computed: dict[str, float]) -> str:
    """The table that ends the output: claim, book, yours, tolerance, verdict."""
    rows = list(verdicts(at, computed))
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


def update(at: Path, say=print) -> list[str]:
    """Execute every notebook, rewrite outputs, claims and numbers in prose; tell what changed."""
    log = at / ".reproduce" / "claims.jsonl"
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    for notebook in notebooks(at):
        start = time.perf_counter()
        store_outputs(
            notebook, {**environment(), book_claims.LOG: str(log), "RECSYS_UPDATE": "1"}
        )
        say(f"  stored {notebook.relative_to(at)}  {time.perf_counter() - start:.1f} s")
    changed = book_claims.update_claims(at, read_log(log))
    claims = book_claims.read_claims(at)
    for page in pages(at):
        text = page.read_text("utf-8")
        new = (
            rewrite_notebook(text, claims)
            if page.suffix == ".ipynb"
            else book_claims.rewrite_roles(text, claims)
        )
        if new != text:
            page.write_text(new, "utf-8")
            changed.append(f"prose of {page.relative_to(at)}")
    return changed


def store_outputs(notebook: Path, variables: dict[str, str]) -> None:
    """Run a notebook in a kernel of its own; store its output without times or machine details."""
    import nbformat
    from nbclient import NotebookClient

    content = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        content,
        timeout=CELL_TIMEOUT_SECONDS,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    with client.setup_kernel(env=variables):
        for index, cell in enumerate(content.cells):
            client.execute_cell(cell, index)
    content.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for cell in content.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = coalesced(cell.outputs)
    nbformat.write(content, notebook)


def coalesced(outputs: list) -> list:
    """Stream outputs of one name joined, since their pieces differ from run to run."""
    joined: list = []
    for output in outputs:
        if (
            joined
            and output.output_type == "stream" == joined[-1].output_type
            and output.name == joined[-1].name
        ):
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def rewrite_notebook(text: str, claims: dict) -> str:
    """A notebook's JSON with the claim roles of its text cells filled."""
    content = json.loads(text)
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            filled = book_claims.rewrite_roles("".join(cell["source"]), claims)
            cell["source"] = re.findall(r"[^\n]*\n|[^\n]+$", filled)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
