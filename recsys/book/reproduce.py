"""`recsys reproduce`: notebooks afresh, side by side, each claim beside what came."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from recsys.book import claimed as book_claims
from recsys.book.figures import first_stored
from recsys.book.inputs import changed as differences
from recsys.book.inputs import inputs, versions
from recsys.book.machine import machine
from recsys.book.readme import rewrite_numbers
from recsys.book.root import notebooks, pages
from recsys.book.side_by_side import cores, left, side_by_side
from recsys.book.status import read_passes

CELL_TIMEOUT_SECONDS = 300
RECORD = ".reproduce/pass.json"
PROCESSOR_LINE = re.compile(r"^processor seconds: ([\d.]+)$", re.M)
"""What the plugin of a validated notebook prints last."""

Say = Callable[[str], None]


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


def reproduce(
    at: Path, say: Say = print, names: Sequence[str] = (), changed: bool = False
) -> dict:
    """Validate notebooks side by side; collect claims, record and return the pass.

    The record says, for each notebook, how long it took, of what it was made, whether
    its outputs came again, and what its claims came to. It is written as each notebook
    ends, so that a pass which is stopped goes on with `changed`.

    Args:
        at: the checkout.
        say: is told what runs, how long it took and what is left.
        names: of the notebooks to run; all if there are none.
        changed: run only those whose inputs are not those of the recorded pass.

    Raises:
        ValueError: no notebook of that name.
    """
    asked = chosen(at, names)
    before = last_pass(at).get("notebooks", {})
    known = [path for path in chosen(at) if path in asked or path.stem in before]
    here = {path.stem: inputs(at, path) for path in known}
    same = {name: before[name] for name in here if _same(before.get(name), here[name])}
    todo = [path for path in asked if not (changed and path.stem in same)]
    if changed:
        _say_what_changed(say, before, here, [path.stem for path in todo])
    kept = {name: run for name, run in same.items() if at / _file(name) not in todo}
    record = {"tree": tree_hash(at), "made on": machine(), "notebooks": kept}
    start = time.perf_counter()
    jobs = {path.stem: partial(_validated, at, path) for path in todo}
    for name, run, seconds in told(jobs, _expected(at, before), say):
        output = run.pop("output")
        record["notebooks"][name] = {**run, "seconds": seconds, "inputs": here[name]}
        if not run["ok"]:
            say(output)
        _keep(at, record, time.perf_counter() - start)
    return _keep(at, record, time.perf_counter() - start)


def chosen(at: Path, names: Sequence[str] = ()) -> list[Path]:
    """The notebooks of those names, in the book's order; all if there are none.

    Raises:
        ValueError: no notebook of that name.
    """
    every = {path.stem: path for path in notebooks(at)}
    unknown = sorted(set(names) - set(every))
    if unknown:
        raise ValueError(
            f"expected names of notebooks, got {unknown[0]!r}; _toc.yml has "
            f"{', '.join(every)}"
        )
    return [path for name, path in every.items() if not names or name in names]


def told(jobs: Mapping, expected: Mapping[str, float], say: Say) -> Iterator[tuple]:
    """`side_by_side` on every core, and a line as each job ends."""
    workers = cores()
    waiting = list(jobs)
    say(f"  on {workers} cores: {left(waiting, expected, workers)}")
    for name, result, seconds in side_by_side(jobs, expected, say, workers):
        waiting.remove(name)
        how = "[ok]  " if result.get("ok", True) else "[fail]"
        after = left(waiting, expected, workers)
        say(f"  {how} {_file(name)}  {seconds:.1f} s  ({after})")
        yield name, result, seconds


def _same(run: dict | None, here: dict[str, str]) -> bool:
    """Whether a notebook came again, and nothing that it depends on has changed."""
    return bool(run) and run["ok"] and not differences(here, run.get("inputs", {}))


def _say_what_changed(
    say: Say, before: Mapping, here: Mapping, names: Sequence[str]
) -> None:
    """Why each notebook is run; those that are not need no line."""
    for name in names:
        run = before.get(name, {"ok": True})
        what = ", ".join(differences(here[name], run.get("inputs", {})))
        why = f"changed: {what}" if "inputs" in run else "no pass recorded"
        say(f"  {name}: {why if run['ok'] else 'failed last time'}")


def _validated(at: Path, notebook: Path) -> dict:
    """Run one notebook: whether it came again, its processor seconds, its claims."""
    log = claims_log(at, notebook.stem)
    ok, output = validate(at, notebook, log)
    spent = PROCESSOR_LINE.search(output)
    return {
        "ok": ok,
        "processor seconds": float(spent[1]) if spent else None,
        "claims": read_log(log),
        "output": output,
    }


def claims_log(at: Path, name: str) -> Path:
    """An empty place for the claims of a notebook: several run at a time."""
    log = at / ".reproduce" / "claims" / f"{name}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    return log


def _keep(at: Path, record: dict, wall: float) -> dict:
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


def _expected(at: Path, before: Mapping) -> dict[str, float]:
    """How long each notebook took here, or else in the pass of the status page."""
    runs = {**read_passes(at).get("native", {}).get("notebooks", {}), **before}
    return {name: run["seconds"] for name, run in runs.items()}


def _file(name: str) -> str:
    return f"notebooks/{name}.ipynb"


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


def update(at: Path, say: Say = print, names: Sequence[str] = ()) -> list[str]:
    """Execute notebooks, rewrite outputs, claims and numbers in prose.

    Args:
        at: the checkout.
        say: is told what runs and what is left.
        names: of the notebooks to execute; all if there are none.

    Returns:
        What changed, a line each.

    Raises:
        ValueError: no notebook of that name.
    """
    paths = chosen(at, names)
    jobs = {path.stem: partial(_stored, at, path) for path in paths}
    expected = _expected(at, last_pass(at).get("notebooks", {}))
    done = {name: found for name, found, _ in told(jobs, expected, say)}
    came = [
        done[path.stem] for path in paths
    ]  # a claim made twice: the later chapter's
    changed = book_claims.update_claims(
        at, {id: value for found in came for id, value in found.items()}
    )
    return changed + _rewrite_prose(at) + _redraw_answer(at)


def _redraw_answer(at: Path) -> list[str]:
    """The README's picture is the first figure of *What does attention buy?*."""
    picture, drawn = at / "book" / "answer.svg", at / "notebooks" / "worth.ipynb"
    if not drawn.is_file():
        return []
    svg = first_stored(drawn).wide
    if picture.is_file() and picture.read_text("utf-8") == svg:
        return []
    picture.write_text(svg, "utf-8")
    return ["book/answer.svg"]


def _rewrite_prose(at: Path) -> list[str]:
    """Fill the numbers of every page and of the README; tell which changed."""
    claims, changed = book_claims.read_claims(at), []
    for page in [*pages(at), at / "README.md"]:
        text = page.read_text("utf-8")
        if page.name == "README.md":
            new = rewrite_numbers(text, claims)
        elif page.suffix == ".ipynb":
            new = rewrite_notebook(text, claims)
        else:
            new = book_claims.rewrite_roles(text, claims)
        if new != text:
            page.write_text(new, "utf-8")
            changed.append(f"prose of {page.relative_to(at)}")
    return changed


def _stored(at: Path, notebook: Path) -> dict[str, float]:
    """Execute one notebook and store what it prints; its claims."""
    log = claims_log(at, notebook.stem)
    variables = {**environment(), book_claims.LOG: str(log), "RECSYS_UPDATE": "1"}
    store_outputs(notebook, variables)
    return read_log(log)


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
