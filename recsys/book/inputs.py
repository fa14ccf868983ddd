"""What a notebook depends on, as hashes: when none has changed, its outputs still hold.

Its code cells with their stored outputs, the definitions that they reach by name, the
records and data sets that they name, the claims of its chapter, and the environment.
Text cells are no input: no output comes from them. Where cells run code that no name
leads to, a program in another process for example, the whole package counts as reached.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from recsys.book import studies
from recsys.book.claimed import read_claims
from recsys.book.reach import Reached, reach_cells
from recsys.book.source import Unreachable

RUNS_BY_STRING = {"subprocess", "runpy"}
"""Libraries that run code which no name leads to."""

ELSEWHERE = "recsys.book.elsewhere"
RECORDS = ("studies/*.json", "studies/*.yml", "bench/**/*", "book/code/*")
SETTING = "ATEN_CPU_CAPABILITY"
"""The variable by which PyTorch's arithmetic is held to an older processor's."""


def inputs(at: Path, notebook: Path) -> dict[str, str]:
    """Everything that the outputs of a notebook come from.

    Args:
        at: the checkout.
        notebook: of the book.

    Returns:
        From a word for what it is, "cells" for example, to a hash of it.
    """
    content = json.loads(notebook.read_text("utf-8"))["cells"]
    cells = [cell for cell in content if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    code, strings = _reached(at, sources)
    return {
        "cells": _hash(json.dumps(cells, sort_keys=True)),
        "code": code,
        "records": _hash(*_records(at, strings)),
        "claims": _hash(*_claims(at, notebook.stem, strings)),
        "environment": _environment(at),
    }


def changed(now: dict[str, str], then: dict[str, str]) -> list[str]:
    """The words for what is not as it was."""
    return [name for name in now if now[name] != then.get(name)]


@cache
def versions() -> tuple[str, ...]:
    """Every package of this environment with its version."""
    return tuple(sorted(f"{dist.name}=={dist.version}" for dist in distributions()))


def _reached(at: Path, sources: list[str]) -> tuple[str, set[str]]:
    """A hash of the code that cells reach, and the strings in them and in it."""
    own = {
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    try:
        reached = reach_cells(at, sources)
    except Unreachable:
        return _package(at), own
    texts = sorted(f"{place} {text}" for place, text in reached.code.items())
    code = _package(at) if _runs_by_string(reached) else _hash(*texts)
    return code, own | reached.strings


def _runs_by_string(reached: Reached) -> bool:
    modules = {place.module for place in reached.code}
    return bool(reached.libraries & RUNS_BY_STRING) or ELSEWHERE in modules


def _package(at: Path) -> str:
    return _hash(*map(_file, sorted(at.glob("recsys/**/*.py"))))


def _records(at: Path, strings: set[str]) -> Iterable[str]:
    """The files and data sets that strings name, and studies with what made them."""
    from recsys.data import catalogue

    for pattern in RECORDS:
        for path in sorted(at.glob(pattern)):
            name = path.relative_to(at).as_posix()
            if path.is_file() and any(_names(string, name) for string in strings):
                yield f"{name} {_file(path)}"
    for name in studies.names(at):
        if name in strings:
            yield f"{name} {_file(at / 'studies' / f'{name}.json')} {_study(at, name)}"
    for name, entry in catalogue().items():
        if name in strings:
            yield f"{entry}"


def _names(string: str, path: str) -> bool:
    """Whether a string is a file's path, or the end of it from a folder on."""
    return "." in string and (path == string or path.endswith(f"/{string}"))


def _study(at: Path, name: str) -> str:
    try:
        return json.dumps(studies.fingerprint(at, name), sort_keys=True)
    except (studies.StaleStudy, Unreachable) as error:
        return str(error)


def _claims(at: Path, chapter: str, strings: set[str]) -> Iterable[str]:
    for id, claim in read_claims(at).items():
        if claim.chapter == chapter or id in strings:
            yield f"{id} {claim.numbers} {claim.tolerance}"


def _environment(at: Path) -> str:
    """Versions, the setting of the processor, and what every notebook runs under."""
    under = [at / "recsys/runtime.py", at / "recsys/book/validate.py"]
    return _hash(
        platform.python_version(),
        platform.machine(),
        os.environ.get(SETTING, ""),
        *versions(),
        *map(_file, under),
    )


def _file(path: Path) -> str:
    return _hash(path.read_bytes().hex()) if path.is_file() else "not there"


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
