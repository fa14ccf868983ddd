"""The holes of nbval, closed: each of these runs must turn red, and the honest one green."""

import json
import re
import shutil
import subprocess
import sys
from copy import deepcopy

import pytest

from recsys.book.reproduce import read_log, validate
from recsys.book.validate import same

CELLS = ["from recsys.book import claim\nprint('seven', 7, 0.1234)", "claim('toy.number', 0.5004)"]
DRAWN = [
    "from recsys.book import figure, show\nfig, ax = figure()\nax.plot([1, 2, 3], [2.0, 3.0, 5.0])\n"
    "show(fig, 'A line that rises from two to five in three steps.')",
    "import pandas as pd\npd.DataFrame({'count': [3, 4], 'share': [0.25, 0.75]})",
]


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A tiny book with a notebook that prints and claims and one that draws, executed and stored."""
    import nbformat

    from recsys.book.reproduce import environment
    from recsys.book.updating import store_outputs

    at = tmp_path_factory.mktemp("tiny")
    (at / "book").mkdir()
    (at / "notebooks").mkdir()
    (at / "book" / "claims.yml").write_text(
        "toy.number:\n  says: a toy\n  value: 0.50\n  tolerance: 0.005\n  chapter: toy\n  kind: seeded\n")
    for name, cells in (("toy", CELLS), ("drawn", DRAWN)):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        path = at / "notebooks" / f"{name}.ipynb"
        nbformat.write(notebook, path)
        store_outputs(path, environment())
    return at


@pytest.fixture
def altered(honest, tmp_path):
    """A function that copies the tiny book, alters the stored notebook, and validates it."""
    def run(alter=lambda cells: None, claims=None, cell_timeout=60):
        at = tmp_path / "copy"
        shutil.copytree(honest, at)
        path = at / "notebooks" / "toy.ipynb"
        content = json.loads(path.read_text())
        alter(content["cells"])
        path.write_text(json.dumps(content))
        if claims:
            file = at / "book" / "claims.yml"
            file.write_text(claims(file.read_text()))
        return *validate(at, path, at / "log.jsonl", cell_timeout), at

    return run


def test_an_honest_notebook_passes_and_its_claims_are_collected(altered):
    ok, output, at = altered()
    assert ok, output
    assert read_log(at / "log.jsonl") == {"toy.number": 0.5004}


PRINTS, DRAWS, TABULATES = range(3)
CHANGED = {  # the cell, what is changed in it, and whether it turns red
    "nothing": (PRINTS, lambda cell: None, False),
    "a last digit": (PRINTS, lambda cell: cell["outputs"][0].update(text=["seven 7 0.1235\n"]), False),
    "a stored float": (PRINTS, lambda cell: cell["outputs"][0].update(text=["seven 7 0.1244\n"]), True),
    "a stored integer": (PRINTS, lambda cell: cell["outputs"][0].update(text=["seven 8 0.1234\n"]), True),
    "stored text": (PRINTS, lambda cell: cell["outputs"][0].update(text=["eight 7 0.1234\n"]), True),
    "an output taken away": (PRINTS, lambda cell: cell.update(outputs=[]), True),
    "no table": (TABULATES, lambda cell: None, False),
    "a stored table": (TABULATES, lambda cell: cell["outputs"][0]["data"].update(
        {"text/html": "".join(cell["outputs"][0]["data"]["text/html"]).replace("0.75", "0.85")}), True),
    "no figure": (DRAWS, lambda cell: None, False),
    "what a figure drew": (DRAWS, lambda cell: cell["outputs"][0]["data"].update(
        {"text/plain": "".join(cell["outputs"][0]["data"]["text/plain"]).replace("5.00", "5.50")}), True),
    "a cell that raises": (PRINTS, lambda cell: cell.update(source=["1 / 0"], outputs=[]), True),
    "nothing after it": (PRINTS, lambda cell: None, False),
}  # fmt: skip


@pytest.fixture(scope="module")
def red(honest, tmp_path_factory):
    """Which cells of one notebook turn red, each a copy of an honest one with something changed."""
    at = tmp_path_factory.mktemp("changed") / "copy"
    shutil.copytree(honest, at)
    toy, drawn = (json.loads((at / "notebooks" / f"{name}.ipynb").read_text()) for name in ("toy", "drawn"))
    kinds, cells = [toy["cells"][0], *drawn["cells"]], []
    for number, (kind, change, _) in enumerate(CHANGED.values()):
        cells.append(deepcopy(kinds[kind]) | {"id": f"cell-{number}"})
        change(cells[-1])
    path = at / "notebooks" / "toy.ipynb"
    path.write_text(json.dumps(toy | {"cells": cells}))
    ok, output = validate(at, path, at / "log.jsonl", 60)
    assert not ok, output
    return {int(number) for number in re.findall(r"^FAILED .*::Cell (\d+)", output, re.M)}


@pytest.mark.parametrize("what", CHANGED)
def test_a_cell_that_says_something_else_turns_red_and_no_other(red, what):
    assert (list(CHANGED).index(what) in red) == CHANGED[what][2]


RED = {
    "a notebook stripped of outputs": lambda cells: [cell.update(outputs=[], execution_count=None) for cell in cells],
    "one cell never executed": lambda cells: cells[1].update(outputs=[], execution_count=None),
    "a cell that asks to be skipped": lambda cells: cells[0]["metadata"].update(tags=["nbval-skip"]),
    "a cell that asks to be ignored": lambda cells: cells[0].update(source=["# NBVAL_IGNORE_OUTPUT\n", *cells[0]["source"]]),
}


@pytest.mark.parametrize("what", RED)
def test_altering_turns_the_run_red(altered, what):
    ok, output, _ = altered(RED[what])
    assert not ok, output


def test_a_mutated_claim_turns_the_run_red_and_still_says_what_came(altered):
    ok, output, at = altered(claims=lambda text: text.replace("0.50", "0.51"))
    assert not ok and "the book says 0.51 with tolerance 0.005, computed was 0.5004" in output
    assert read_log(at / "log.jsonl") == {"toy.number": 0.5004}


def test_a_variable_left_over_from_an_update_does_not_silence_claims(altered, monkeypatch):
    monkeypatch.setenv("RECSYS_UPDATE", "1")
    assert not altered(claims=lambda text: text.replace("0.50", "0.51"))[0]


def test_a_claim_that_is_not_in_the_book_turns_the_run_red(altered):
    ok, output, _ = altered(claims=lambda text: text.replace("toy.number", "other.number"))
    assert not ok and "is not in book/claims.yml" in output


def test_a_dead_kernel_does_not_hang(altered):
    ok, _, _ = altered(lambda cells: cells[1].update(source=["import os\nos._exit(1)"]), cell_timeout=5)
    assert not ok


@pytest.mark.parametrize("stored, fresh, tolerance, equal", [
    ("0.107", "0.108", None, True), ("0.107", "0.109", None, False), ("0.107", "0.109", 0.002, True),
    ("943 users", "944 users", 5, False), ("nan", "0.1", None, False), ("1e-3", "1e-4", None, False),
    ("a  9.99 b", "a 10.00 b", None, True), ("[0.1, 0.2]", "[0.1]", None, False), ("1.5e-03", "1.6e-03", None, True),
    ("1.5e-03", "1.8e-03", None, False), ("-0.1", "0.0", None, True), ("-0.2", "0.2", None, False),
    ("x1 = 2", "x2 = 2", None, False), ("1,234.5", "1,234.6", None, True), ("3", "3.0", None, False),
])
def test_tolerance_is_for_floats_only(stored, fresh, tolerance, equal):
    assert same(stored, fresh, tolerance) is equal


def test_show_wants_a_caption():
    code = "from recsys.book import figure, show\nfig, ax = figure()\nshow(fig, 'plot')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "A caption must say what the figure shows; 'plot' came" in done.stderr


def test_a_printed_claim_may_differ_by_the_tolerance_of_the_claim(altered):
    """The book has 0.50 with tolerance 0.005, the cell claims 0.5004 and prints one digit more than the tolerance."""
    def printed(text):
        return lambda cells: cells[1]["outputs"][0]["data"].update({"text/plain": [text]})

    more_digits = lambda text: text.replace("value: 0.50", "value: 0.5000")  # noqa: E731
    assert altered(printed("claim toy.number: 0.4960"), claims=more_digits)[0]


def test_a_printed_claim_beyond_the_tolerance_of_the_claim_turns_the_run_red(altered):
    def alter(cells):
        cells[1]["outputs"][0]["data"]["text/plain"] = ["claim toy.number: 0.4900"]

    assert not altered(alter, claims=lambda text: text.replace("value: 0.50", "value: 0.5000"))[0]
