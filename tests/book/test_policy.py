"""What a committed notebook and the repository must be, whoever wrote them."""

import ast
import json
import re
import statistics
import subprocess

import pytest

from recsys.book import lint, twins
from recsys.book.root import notebooks
from tests.conftest import ROOT

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TWINS = [path for path in PATHS if path.stem.endswith("_paddle")]  # a chapter's network once more, in Paddle
CHAPTERS = [path for path in PATHS if path not in TWINS]
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


def prose_of(path):
    return "\n\n".join("".join(cell["source"]) for cell in cells_of(path, "markdown"))


FOLDED = r"(`{3,})\{solution-start\}.*?\{solution-end\}\s*\1|(`{3,})\{dropdown\}.*?^\2$"
DIRECTIVES = r"```\{(?:math|literalinclude)\}.*?```|^:[\w-]+:[^\n]*$|\$\$.*?\$\$"


def open_words(prose):
    """What a reader reads: no solution, no folded note, no formula set apart, no setting of a directive."""
    for away in (FOLDED, DIRECTIVES):
        prose = re.sub(away, "", prose, flags=re.S | re.M)
    return re.sub(r"\$[^$\n]*\$", "x", prose)  # a formula in a line is one word


def n_words(prose):
    read = re.sub(r"\{claim\}`([^`<]*)<[^`]*`", r"\1", prose)  # a reader sees the number, not the name of its claim
    return len(re.findall(r"\b[\w'-]+(?:[.,]\d+)*\b", read))


def test_a_solution_is_no_part_of_what_all_readers_read():
    folded = "```{solution-start} ex\n:class: dropdown\n```\nfour words are folded\n```{solution-end}\n```"
    assert n_words(open_words(f"Two words.\n\n{folded}\n\nTwo more.\n\n{folded}")) == 4
    notes = "```{dropdown} Laboratory notes\n| a | table |\n```"
    formula = "```{math}\n:label: eq-x\nx = y\n```"
    assert n_words(open_words(f"Two words.\n\n{notes}\n\nTwo more: 0.5 and $a + b$.\n\n{formula}\n\nEnd.")) == 8


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
    assert max(lengths) <= 25
    assert statistics.median(lengths) <= 10 or path in TWINS, "a twin's cells are its chapter's, not all of them"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_code_that_is_shown_is_no_wider_than_its_box(path):
    """88 letters stand in the box of a cell on a screen of 1,400 pixels; a longer line is cut."""
    wide = []
    for number, cell in enumerate(cells_of(path, "code"), 1):
        if not {"remove-cell", "remove-input"} & set(cell["metadata"].get("tags", [])):
            lines = "".join(cell["source"]).split("\n")
            wide += [f"cell {number}: {line}" for line in lines if len(line) > 88]
    assert wide == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
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
    assert "claims(" in code and "show(" in code
    assert n_words(prose) <= 3700 and n_words(open_words(prose)) <= 3200


def chapter_of(twin):
    return twin.with_stem(twin.stem.removesuffix("_paddle"))


def headings(path):
    return re.findall(r"^#+ .*", re.sub(r"```.*?```", "", prose_of(path), flags=re.S), re.M)


def named(path):
    """The sources of the cells that both twins have, by name and in order."""
    cells = [cell for cell in cells_of(path, "code") if "name" in cell["metadata"]]
    assert len({cell["metadata"]["name"] for cell in cells}) == len(cells), "a name stands for one cell"
    return {cell["metadata"]["name"]: "".join(cell["source"]) for cell in cells}


def unexplained(torch, paddle, stem):
    """What two cells differ in without a `# Paddle:` comment, and comments where they do not differ.

    Paddle takes `dim=` too, and `dim=16` is also a size of our networks: the renames are for both.
    """
    found, idle = twins.hunks(re.sub(rf"(?<=['\"]){stem}\.", f"{stem}_paddle.", torch), twins.rename(paddle))
    return [hunk for hunk in found if not hunk.comments] + idle


def test_there_are_twins_of_the_models_own_chapters():
    assert [chapter_of(path).stem for path in TWINS] == ["newsroom", "sequences", "will_you_buy"]


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_a_twin_has_headings_of_its_chapter_in_their_order(path):
    title, *rest = headings(path)
    of_chapter = headings(chapter_of(path))
    joint = " In" if of_chapter[0].endswith("?") else ", in"
    assert title == f"{of_chapter[0]}{joint} PaddlePaddle" and rest
    assert rest == [heading for heading in of_chapter if heading in rest]
    assert f"({chapter_of(path).name})" in prose_of(path), "it links to what it leaves out"
    assert n_words(prose_of(path)) <= 800


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_a_twin_has_the_named_cells_of_its_chapter_in_their_order(path):
    ours, theirs = named(chapter_of(path)), named(path)
    assert list(ours) == list(theirs) and len(theirs) == len(cells_of(path, "code"))


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_cells_of_twins_are_alike_after_the_renames_but_where_a_comment_says_why(path):
    chapter = chapter_of(path)
    ours, theirs = named(chapter), named(path)
    found = {name: unexplained(ours[name], theirs[name], chapter.stem) for name in theirs}
    assert {name: what for name, what in found.items() if what} == {}


def test_a_difference_without_a_reason_and_a_reason_without_a_difference_are_found():
    torch = "x = torch.softmax(y, dim=-1)\nprint(claim('shop.live.dot', x))"
    twin = "x = F.softmax(y, axis=-1)\nprint(claim('shop_paddle.live.dot', x))"
    assert unexplained(torch, twin, "shop") == []
    other = twin.replace("-1", "0")
    assert unexplained(torch, other, "shop")
    assert unexplained(torch, other.replace("0)", "0)  # Paddle: planted"), "shop") == []
    assert unexplained(torch, twin.replace("1)", "1)  # Paddle: planted"), "shop")


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_a_twin_cites_its_chapters_number_beside_each_of_its_own(path):
    chapter = chapter_of(path).stem
    cited = {match.group(2) for match in lint.ROLE.finditer(prose_of(path))}
    own = {id for id in cited if id.startswith(f"{path.stem}.") and not re.search(r"\.seeds\.|\.(low|high)$", id)}
    assert own and {id.replace(f"{path.stem}.", f"{chapter}.") for id in own} <= cited


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_a_twin_loads_paddle_quietly(path):
    code = "\n".join(named(path).values())
    assert "paddle = import_paddle()" in code and not re.search(r"^\s*import paddle\b", code, re.M)


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
def test_every_figure_has_a_caption_a_shape_for_a_telephone_and_its_data_as_text(path):
    for cell in cells_of(path, "code"):
        for output in cell["outputs"]:
            data = output.get("data", {})
            assert not {"image/png", "image/jpeg"} & set(data), "figures are drawn with recsys.book.show"
            if "image/svg+xml" in data:
                stored = output["metadata"]["image/svg+xml"]
                assert len(stored["caption"]) >= 20 and stored["narrow"].startswith("<svg")
                assert "axes:" in "".join(data["text/plain"])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_notebook_loads_both_frameworks(path):
    """What is sent to another process as text is no import here."""
    trees = [ast.parse("".join(cell["source"])) for cell in cells_of(path, "code")]
    statements = [node for tree in trees for node in ast.walk(tree)]
    modules = [alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module for node in statements if isinstance(node, ast.ImportFrom)]
    modules += [
        node.func.id.removeprefix("import_") for node in statements
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("import_")
    ]  # fmt: skip
    rooms = {name.removeprefix("recsys.").split(".")[0] for name in modules}
    rooms |= {  # from recsys import torch
        alias.name for node in statements if isinstance(node, ast.ImportFrom) and node.module == "recsys"
        for alias in node.names
    }  # fmt: skip
    assert not {"torch", "paddle"} <= rooms


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


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_what_is_shown_in_pytorch_is_shown_in_paddle_beside_it(path):
    """A chapter shows a network in tabs; in each pair of tabs stand the same definitions of the twins."""
    prose = "\n".join("".join(cell["source"]) for cell in cells_of(path, "markdown"))
    inside = re.findall(r"`{5}\{tab-set\}\n(.*?)\n`{5}(?!`)", prose, re.S)
    shown = re.findall(r"(`{4}\{tab-item\} (\S+)\n:sync: (\S+)\n\n(.*?)\n`{4}(?!`))", "\n".join(inside), re.S)
    assert [label for _, label, _, _ in shown] == ["PyTorch", "PaddlePaddle"] * len(inside)
    assert [sync for _, _, sync, _ in shown] == ["torch", "paddle"] * len(inside)
    for (_, _, _, torch), (_, _, _, paddle) in zip(shown[::2], shown[1::2], strict=True):
        assert torch.replace("recsys/torch/", "recsys/paddle/") == paddle
    outside = re.sub(r"`{5}\{tab-set\}\n.*?\n`{5}(?!`)", "", prose, flags=re.S)
    assert "../recsys/torch/" not in outside
