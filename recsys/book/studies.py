"""Studies: results too slow for a chapter, kept as artefacts that know what they were made from.

A study is a module ``studies/<name>.py`` with ``CONFIG`` (a plain dict), ``DATA``
(names of data sets), ``USES`` (package files, as patterns below ``recsys/``) and
``run(config) -> dict``. Its artefact ``studies/<name>.json`` holds the result
beside a hash of all of these; a chapter that shows a stale one fails.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import time
from pathlib import Path
from types import ModuleType

from recsys.book.root import root


class StaleStudy(AssertionError):
    """An artefact was made from other code, settings or data than those at hand."""


def study(name: str) -> dict:
    """The result of study ``name``.

    Raises ``StaleStudy`` where the artefact is missing or was made from something else.
    """
    at = root()
    path = at / "studies" / f"{name}.json"
    if not path.is_file():
        raise StaleStudy(f"studies/{name}.json is not there: run recsys reproduce --full.")
    artefact = json.loads(path.read_text("utf-8"))
    expected = fingerprint(at, name)
    stale = [part for part, value in expected.items() if artefact["made_from"].get(part) != value]
    if stale:
        raise StaleStudy(f"studies/{name}.json was made from another {' and '.join(stale)}: "
                         "run recsys reproduce --full, and look at what changed.")
    return artefact["result"]


def names(at: Path) -> list[str]:
    """The studies of the book, in alphabetical order."""
    return sorted(path.stem for path in (at / "studies").glob("*.py"))


def fingerprint(at: Path, name: str) -> dict[str, str]:
    """Hashes of a study's settings, data, own code and the package files it uses."""
    from recsys.data import entry

    module = _module(at, name)
    files = sorted({file for pattern in module.USES for file in (at / "recsys").glob(pattern)})
    if not files:
        raise StaleStudy(f"studies/{name}.py: USES matches no file of the package.")
    return {"settings": _hash(json.dumps(module.CONFIG, sort_keys=True)),
            "data": _hash(" ".join(entry(data).content for data in module.DATA)),
            "code": _hash(*(_meaning(file) for file in [at / "studies" / f"{name}.py", *files]))}


def missing_data(at: Path, name: str) -> list[str]:
    """The optional data sets of a study that can't be had on this machine; a needed one raises ``DataError``."""
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


def run_study(at: Path, name: str) -> float:
    """Run a study and write its artefact; returns the processor seconds it took, whatever else ran beside it."""
    module = _module(at, name)
    made_from = fingerprint(at, name)
    start = time.process_time()
    result = module.run(module.CONFIG)
    seconds = time.process_time() - start
    artefact = {"made_from": made_from, "config": module.CONFIG, "seconds": round(seconds, 1), "result": result}
    (at / "studies" / f"{name}.json").write_text(json.dumps(artefact, indent=1) + "\n", "utf-8")
    return seconds


def _module(at: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"study_{name}", at / "studies" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _meaning(file: Path) -> str:
    """The code of a file without its comments and docstrings, which change no result."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body[0].value.value = ""
    return ast.dump(tree)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
