"""What a committed notebook and the repository must be, whoever wrote them."""

import json
import re
import statistics
import subprocess

import pytest

from recsys.book.root import notebooks
from tests.conftest import ROOT

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FORBIDDEN = {
    "a path": re.compile(r"(?:^|[\s'\"(])(?:/(?:home|root|work|tmp|usr|Users|private|opt)/|[A-Z]:\\)"),
    "a memory address": re.compile(r"\b0x[0-9a-f]{6,}"), "a progress bar": re.compile(r"\d+%\|"),
    "a warning": re.compile(r"Warning:"), "a time": re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|µs|seconds|s)\b(?! of| s)"),
}
EXCUSED: dict[str, str] = {}  # notebook and cell -> the reason; empty, and meant to stay so


def cells_of(path, kind):
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == kind]


def texts(cell):
    for output in cell["outputs"]:
        yield "".join(output.get("text", []))
        for mime, data in output.get("data", {}).items():
            if mime.startswith("text/"):
                yield "".join(data)


def test_every_notebook_is_a_chapter_and_the_other_way_round():
    assert sorted(notebooks(ROOT)) == PATHS and PATHS


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_cell_was_executed_once_in_order(path):
    counts = [cell["execution_count"] for cell in cells_of(path, "code")]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_outputs_hold_nothing_of_the_machine(path):
    for number, cell in enumerate(cells_of(path, "code"), 1):
        assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in cell["outputs"]), number
        for text in texts(cell):
            for what, pattern in FORBIDDEN.items():
                assert not pattern.search(text) or f"{path.stem}:{number}" in EXCUSED, f"cell {number} holds {what}: {text[:200]}"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_cell_is_excused_or_ends_in_a_silenced_plot(path):
    for cell in cells_of(path, "code"):
        source = "".join(cell["source"])
        assert not re.search(r"NBVAL|nbval", source + " ".join(cell["metadata"].get("tags", [])))
        assert not re.search(r"plt\..*;\s*$|\.plot\(.*\);\s*$", source)
        assert not re.search(r"%|!pip|^!", source.split("\n")[0][:2])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_cells_are_small(path):
    lengths = [len(cell["source"]) for cell in cells_of(path, "code")]
    assert statistics.median(lengths) <= 10 and max(lengths) <= 25


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_chapter_has_its_parts(path):
    prose = "\n".join("".join(cell["source"]) for cell in cells_of(path, "markdown"))
    code = "\n".join("".join(cell["source"]) for cell in cells_of(path, "code"))
    for part in ("**The question.**", "**You will be able to**", "## Summary", "## Exercises", "## References"):
        assert part in prose, part
    exercises = re.findall(r"\{exercise(?:-start)?\}.*\n:label: (\S+)", prose)
    solutions = re.findall(r"\{solution-start\} (\S+)\n:class: dropdown", prose)
    assert len(exercises) >= 4 and exercises == solutions
    assert prose.count("{solution-end}") == len(solutions)
    assert re.search(r"\bprove\b|\bderive\b", prose, re.I), "one exercise asks for a proof"
    assert "claim(" in code and "show(fig" in code
    read = re.sub(r"\{claim\}`([^`<]*)<[^`]*`", r"\1", prose)  # a reader sees the number, not the name of its claim
    assert len(re.findall(r"\b[\w'-]+\b", read)) <= 6000


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_solutions_are_executed_and_folded(path):
    inside = False
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for marker in re.findall(r"\{solution-(start|end)\}", source):
                inside = marker == "start"
        elif inside:
            assert "hide-input" in cell["metadata"].get("tags", []) and cell["metadata"]["jupyter"]["source_hidden"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_figure_has_alt_text_and_its_data_as_text(path):
    for cell in cells_of(path, "code"):
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                assert len(output["metadata"]["image/png"]["alt"]) >= 20
                assert "axes:" in "".join(output["data"]["text/plain"])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_notebook_loads_both_frameworks(path):
    code = "\n".join("".join(cell["source"]) for cell in cells_of(path, "code"))
    assert not (re.search(r"\b(import torch|recsys\.torch)", code) and re.search(r"\b(import paddle|recsys\.paddle)", code))


def test_nothing_committed_names_a_machine_or_this_workplace():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout: the list of committed files is not to be had")
    pieces = [("/ro", "ot/"), ("/wo", "rk/"), ("farm-", "studio"), ("farm-", "bench"), ("py", r"pi\.org"),
              ("python", "hosted"), ("deb", r"\.debian"), ("npm", r"js\.")]  # in pieces, or this file would name them
    words = re.compile("|".join(first + second for first, second in pieces))
    found = []
    for name in listed.stdout.split():
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".ipynb"} and words.search(path.read_text("utf-8", errors="ignore")):
            found.append(name)
        if path.suffix == ".ipynb":
            content = json.loads(path.read_text("utf-8"))
            text = json.dumps([cell["source"] for cell in content["cells"]])
            if words.search(text):
                found.append(name)
    assert found == []
