"""Studies: results too slow for a chapter, kept as artefacts that know what they were made from.

A study is a module `studies/<name>.py` with `CONFIG` (a plain dict), `DATA` (names of data sets)
and `run(config) -> dict`. Its artefact `studies/<name>.json` holds the result beside hashes of
the settings, of the content of the data, and of every definition that `run` reaches by name
(`recsys.book.reach`), and the versions of the libraries that compute. A chapter that shows a
stale one fails. A long one is made of `pieces` (`recsys.book.pieces`).

Another version of a library makes a study stale in the locked environment only. Elsewhere it is a
report, so that a reader on another build, and a job against the newest releases, can go on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from recsys.book import pieces
from recsys.book.reach import reach
from recsys.book.root import root
from recsys.book.side_by_side import cores

COMPUTING = {
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "paddle": "paddlepaddle",
}
"""Libraries whose version can move a result: the name that is imported, and the package."""


class StaleStudy(AssertionError):
    """An artefact was made from other code, settings, data or libraries than those at hand."""


def study(name: str) -> dict:
    """The result of study `name`.

    Raises:
        StaleStudy: the artefact is missing, or was made from something else; the message says
            from what, and how long the study took last time.
    """
    at = root()
    if not _artefact(at, name).is_file():
        raise StaleStudy(
            f"studies/{name}.json is not there: run recsys reproduce --full."
        )
    stale, _ = differences(at, name)
    made = json.loads(_artefact(at, name).read_text("utf-8"))
    if stale:
        raise StaleStudy(
            f"studies/{name}.json was made from another {' and '.join(stale)}: run recsys reproduce --full "
            f"(this study took {made['seconds']:.0f} s last time), and look at what changed."
        )
    return made["result"]


def names(at: Path) -> list[str]:
    """The studies of the book, in alphabetical order."""
    return sorted(path.stem for path in (at / "studies").glob("*.py"))


def waiting(at: Path) -> list[str]:
    """Studies that were written down and have no artefact yet."""
    return [name for name in names(at) if not _artefact(at, name).is_file()]


def differences(at: Path, name: str) -> tuple[list[str], list[str]]:
    """What makes a study stale, and what is only to be reported, a phrase each."""
    made_from = json.loads(_artefact(at, name).read_text("utf-8"))["made_from"]
    here = fingerprint(at, name)
    stale = [
        part
        for part in ("settings", "data", "code")
        if made_from.get(part) != here[part]
    ]
    then, now = made_from.get("versions", {}), here["versions"]
    versions = [
        f"version of {package} (then {then.get(package, 'not used')}, here {now.get(package, 'not used')})"
        for package in sorted({*then, *now})
        if then.get(package) != now.get(package)
    ]
    if locked(at):
        return stale + versions, []
    return stale, versions


OTHER = (
    "import sys; from pathlib import Path; from recsys.book.studies import make_pieces; "
    "make_pieces(Path.cwd(), sys.argv[1], print)"
)
"""What another process runs, in the checkout, to make some of a study's pieces."""

ALONE = (
    "import sys; from pathlib import Path; from recsys.book.studies import run_study; "
    "print(f'  {run_study(Path.cwd(), sys.argv[1]):.0f} s')"
)
"""What a process of its own runs, in the checkout, to make a whole study."""

ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
}
"""A sum over several threads has other last digits, and a loop makes them first ones."""

ROOTS = ("run", "pieces")
"""The functions of a study that make its result."""


def fingerprint(at: Path, name: str, of: Sequence[str] = ROOTS) -> dict:
    """Hashes of a study's settings, data and reached code, and versions of what computes.

    Args:
        at: the checkout.
        name: of the study.
        of: those of its functions from which code is followed.
    """
    module = _module(at, name)
    settings = json.dumps(module.CONFIG, sort_keys=True)
    roots = [root for root in of if hasattr(module, root)]
    words = _words(module.CONFIG)
    reached = [reach(at, f"studies.{name}", root, words) for root in roots]
    libraries = {library for part in reached for library in part.libraries}
    for part in reached:
        _refuse_unnamed_data(name, module, part.strings)
    packages = {COMPUTING[library] for library in libraries & set(COMPUTING)}
    return {
        "settings": _hash(settings),
        "data": _hash(*map(_content, module.DATA)),
        "code": " ".join(part.digest() for part in reached),
        "versions": {package: installed(package) for package in sorted(packages)},
    }


def locked(at: Path) -> bool:
    """Whether every library that computes has the version of `requirements.lock`."""
    lock = at / "requirements.lock"
    pins = (
        dict(re.findall(r"^([\w.-]+)==(\S+)$", lock.read_text("utf-8"), re.M))
        if lock.is_file()
        else {}
    )
    return all(
        pins.get(package) == installed(package) for package in COMPUTING.values()
    )


def missing_data(at: Path, name: str) -> list[str]:
    """The optional data sets of a study that can't be had on this machine.

    Raises:
        DataError: one that is not optional can't be had.
    """
    from recsys.data import DataError, entry, fetch

    missing = []
    for data in _module(at, name).DATA:
        try:
            fetch(data)
        except (DataError, OSError):
            if not entry(data).optional:
                raise
            missing.append(data)
    return missing


def run_study(at: Path, name: str, say: Callable[[str], None] = print) -> float:
    """Run a study and write its artefact.

    The pieces of a long one are made by as many processes as there are cores.

    Args:
        at: the checkout.
        name: of the study.
        say: is told of each piece that was made, where a study has some.

    Returns:
        The processor seconds it took, its processes included, whatever else ran beside
        it.
    """
    module = _module(at, name)
    made_from = fingerprint(at, name)
    done, took = {}, {}
    if hasattr(module, "pieces"):
        done, took = _side_by_side(at, name, say)
    start = pieces.processor_seconds()
    result = module.run(module.CONFIG, *([done] if done else []))
    seconds = sum(took.values()) + pieces.processor_seconds() - start
    artefact = {
        "made_from": made_from,
        "config": module.CONFIG,
        "seconds": round(seconds, 1),
        **({"longest piece": max(took.values())} if took else {}),
        "result": result,
    }
    path = _artefact(at, name)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(artefact, indent=1) + "\n", "utf-8")
    os.replace(partial, path)  # a kill leaves the one before
    return seconds


def run_alone(at: Path, name: str) -> bool:
    """Run a study in a process of its own, each part of it on one thread.

    Returns:
        Whether it came to its end.
    """
    command = [sys.executable, "-c", ALONE, name]
    return not subprocess.run(command, cwd=at, env={**os.environ, **ONE_THREAD}).returncode


def _side_by_side(
    at: Path, name: str, say: Callable[[str], None]
) -> tuple[dict[str, dict], dict[str, float]]:
    """Have every piece of a study, as many at a time as there are cores."""
    environment = {**os.environ, **ONE_THREAD}
    others = [
        subprocess.Popen([sys.executable, "-c", OTHER, name], cwd=at, env=environment)
        for _ in range(cores() - 1)
    ]
    try:
        return make_pieces(at, name, say)
    finally:
        for other in others:
            other.terminate()
            other.wait()


def make_pieces(
    at: Path, name: str, say: Callable[[str], None]
) -> tuple[dict[str, dict], dict[str, float]]:
    """Have every piece of a study: what it returned, and the seconds that it took."""
    module = _module(at, name)
    kept = at / ".reproduce" / "pieces" / name
    from_here = fingerprint(at, name, ["pieces"])
    return pieces.make(kept, from_here, module.pieces(module.CONFIG), say)


def _artefact(at: Path, name: str) -> Path:
    return at / "studies" / f"{name}.json"


def _module(at: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"study_{name}", at / "studies" / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _words(value: object) -> set[str]:
    """Every string of a nested setting, keys too."""
    if isinstance(value, dict):
        return {
            word
            for key, inner in value.items()
            for word in (_words(key) | _words(inner))
        }
    if isinstance(value, (list, tuple)):
        return {word for inner in value for word in _words(inner)}
    return {value} if isinstance(value, str) else set()


def _refuse_unnamed_data(name: str, module: ModuleType, strings: set[str]) -> None:
    """Require in DATA each data set that is named: its content is part of the fingerprint."""
    from recsys.data import catalogue

    unnamed = strings & set(catalogue()) - set(module.DATA)
    if unnamed:
        raise StaleStudy(
            f"studies/{name}.py: expected every data set that it reads in DATA, got none for "
            f"{', '.join(sorted(unnamed))}; add it there."
        )


def _content(data: str) -> str:
    """One line for all that loading a data set returns."""
    from recsys.data import entry

    known = entry(data)
    return " ".join(
        [
            known.content or "",
            *(f"{form} {tables}" for form, tables in sorted(known.tables.items())),
        ]
    )


def installed(package: str) -> str:
    """The version of a package, without the tag of a local build."""
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return "not installed"


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
