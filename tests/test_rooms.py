"""The rooms of the package: what loads a framework, who may import whom, what modules are called."""

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "recsys"
FLOORS = [  # from top to bottom; some rooms are still to come
    ["cli", "book"], ["trust"], ["torch", "paddle"], ["neural"], ["economy", "training"], ["baselines"],
    ["evaluation", "batches", "simulate"], ["recommender"], ["data", "attention"], ["checks", "runtime"],
]  # fmt: skip
SAME_FLOOR = {("cli", "book"): "the command line is how the book is built and its claims are checked"}
NAMED_ALIKE = {
    "recsys/cli": "its functions are commands that typer has registered under their names; nobody imports them"
}

FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ROOMS = sorted({path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")} - {"__init__"})
BELOW = [room for room in ROOMS if FLOOR[room] > FLOOR["torch"]]


def files(room):
    return [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").exists() else sorted((PACKAGE / room).rglob("*.py"))


def imported(path):
    """Every module that a file imports, at any depth of it; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are written out from recsys on"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", BELOW)
def test_a_room_below_the_twins_loads_no_framework(room):
    code = f"""
import importlib, pkgutil, sys
room = importlib.import_module("recsys.{room}")
for module in pkgutil.walk_packages(getattr(room, "__path__", []), "recsys.{room}."):
    importlib.import_module(module.name)
print(sorted({{"torch", "paddle", "keras"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("room", [room for room in BELOW if room != "runtime"])  # which loads them on demand
def test_a_room_below_the_twins_names_no_framework(room):
    for path in files(room):
        assert not {module.split(".")[0] for module in imported(path)} & {"torch", "paddle", "keras"}, path


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_below(room):
    for path in files(room):
        others = {module.split(".")[1] for module in imported(path) if module.startswith("recsys.")} - {room}
        up = {other for other in others if FLOOR[other] <= FLOOR[room] and (room, other) not in SAME_FLOOR}
        assert not up, f"{path.relative_to(ROOT)} imports {sorted(up)}"


def test_no_module_has_a_name_that_its_package_exports():
    for package in PACKAGE.rglob("__init__.py"):
        if package.parent.relative_to(ROOT).as_posix() in NAMED_ALIKE:
            continue
        modules = {path.stem for path in package.parent.iterdir() if path.suffix == ".py" or path.is_dir()}
        names = set()
        for node in ast.parse(package.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                names |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
        assert not modules & names, package
