"""`recsys reproduce`: notebooks afresh, side by side, each claim beside what came."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from recsys.book import claimed as book_claims
from recsys.book.inputs import changed as differences
from recsys.book.inputs import inputs
from recsys.book.machine import machine
from recsys.book.passes import expected, keep, last_pass, tree_hash
from recsys.book.root import notebooks
from recsys.book.side_by_side import cores, left, side_by_side

CELL_TIMEOUT_SECONDS = 300
PROCESSOR_LINE = re.compile(r"^processor seconds: ([\d.]+)$", re.M)
"""What the plugin of a validated notebook prints last."""
PYTEST = """
import sys
sys.modules["rfc3987_syntax"] = None
import pytest
sys.exit(pytest.main())
"""
"""pytest without a grammar of addresses, which takes 1.2 s to load; no notebook's format asks for it."""

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
    record["at once"] = len(todo) == len(chosen(at))
    start = time.perf_counter()
    jobs = {path.stem: partial(_validated, at, path) for path in todo}
    for name, run, seconds in told(jobs, expected(at, before), say):
        output = run.pop("output")
        record["notebooks"][name] = {**run, "seconds": seconds, "inputs": here[name]}
        if not run["ok"]:
            say(output)
        keep(at, record, time.perf_counter() - start)
    return keep(at, record, time.perf_counter() - start)


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
        "-c",
        PYTEST,
        "-q",
        "-p",
        "nbval.plugin",
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
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the tests' own take 1.4 s
    variables = environment() | alone | ({book_claims.LOG: str(log)} if log else {})
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
