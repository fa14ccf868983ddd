"""Notebooks for JupyterLab: nothing raw is left, nothing of the code is lost, and Lab shows them."""

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request

import nbformat
import pytest

from recsys.book.lab import as_json, lab_notebook, read_book, write_notebooks
from recsys.book.lab.blocks import Directive, blocks
from recsys.book.lab.directives import DIRECTIVES, markdown
from recsys.book.lab.writing import only_claims
from tests.book.conftest import CHROMIUM
from tests.conftest import ROOT

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
RAW = re.compile(r"\{[A-Za-z][\w:+.-]*\}`|^\s*(?:`{3,}|:{3,})\{.*|^:\w+:.*|<[\w-]+\.[\w.@-]+>", re.M)


@pytest.fixture(scope="module")
def book():
    return read_book(ROOT)


@pytest.fixture(scope="module")
def made(book):
    return {path.stem: lab_notebook(path, book) for path in PATHS}


def of(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def prose(notebook):
    return "\n\n".join(cell.source for cell in of(notebook, "markdown"))


def source(path):
    return nbformat.read(path, as_version=4)


ONE_OF_EACH_PART = ["allocation", "metrics", "ratings", "loop", "own_shadow", "paddle"]
every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@every_notebook
def test_no_directive_no_role_and_no_claim_is_left(path, made):
    assert RAW.search(prose(source(path))), "there is something to replace"
    outside_code = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", prose(made[path.stem]), flags=re.M | re.S)
    assert RAW.findall(outside_code) == []


def without_checks(cells):
    """Cells but those that wait for an answer, which Lab has and the book has not."""
    return [cell for cell in cells if not cell.id.startswith("check-")]


@every_notebook
def test_code_is_that_of_the_book_and_only_closed_cells_lose_their_output(path, made):
    ours, theirs = of(source(path), "code"), without_checks(of(made[path.stem], "code"))
    assert [cell.source for cell in ours] == [cell.source for cell in theirs]
    for before, after in zip(ours, theirs, strict=True):
        closed = after.metadata.get("jupyter", {}).get("source_hidden")
        assert after.outputs == before.outputs or (closed and only_claims(after.source) and after.outputs == [])


def definition(path, name):
    """The text of a function, class or method, read with ast."""
    text, body = path.read_text("utf-8"), ast.parse(path.read_text("utf-8")).body
    for part in name.split("."):
        [node] = [node for node in body if getattr(node, "name", "") == part]
        body = node.body
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def cut(code, options):
    """The lines of a definition that the page asks for, and at the margin if it says so."""
    lines = code.split("\n")
    if start := re.search(r":start-at: (.+)", options):
        lines = lines[next(n for n, line in enumerate(lines) if start[1] in line):]  # fmt: skip
    if end := re.search(r":end-at: (.+)", options):
        lines = lines[: next(n for n, line in enumerate(lines) if end[1] in line) + 1]
    text = "\n".join(lines)
    return textwrap.dedent(text) if ":dedent:" in options else text


@every_notebook
def test_included_code_is_the_code_of_the_file(path, made):
    text = prose(source(path))
    included = re.findall(r"\{literalinclude\} (\S+)\n((?::.*\n)*)", text)
    for file, options in included:
        name = re.search(r":pyobject: (\S+)", options)
        code = cut(definition(ROOT / "notebooks" / file, name[1]), options) if name else ""
        assert f"```python\n{code}\n```" in prose(made[path.stem]), f"{file}: {name}"
    assert len(included) == text.count("literalinclude")


@every_notebook
def test_each_formula_with_a_label_has_a_number_and_each_citation_an_author(path, made, book):
    text, shown = prose(source(path)), prose(made[path.stem])
    labels = re.findall(r"```\{math\}\n:label: (\S+)", text)
    numbers = [tuple(map(int, number.split("."))) for number in re.findall(r"\\tag\{([\d.]+)\}", shown)]
    assert len(numbers) == len(labels)
    assert all(after == (one[0], one[1] + 1) for one, after in zip(numbers, numbers[1:], strict=False))
    for label in re.findall(r"\{eq\}`([^`]+)`", text):
        assert book.labels[label].kind == "Equation" and f"({book.labels[label].number})" in shown
    for key in re.findall(r"\{cite:\w\}`([^`,]+)`", text):
        assert book.works[key].who in shown and book.works[key].year in shown


@every_notebook
def test_solutions_are_folded_whole(path, made):
    count = prose(source(path)).count("{solution-start}")
    shown = prose(made[path.stem])
    numbers = [int(number) for number in re.findall(r"<summary>Solution of exercise \d+\.(\d+)</summary>", shown)]
    assert len(numbers) == count
    assert all(after == one + 1 for one, after in zip(numbers, numbers[1:], strict=False))
    assert shown.count("<details>") == shown.count("</details>") >= count
    inside, folded = False, {}
    for cell in source(path).cells:
        for marker in re.findall(r"\{solution-(start|end)\}", cell.source) if cell.cell_type == "markdown" else []:
            inside = marker == "start"
        if cell.cell_type == "code" and inside:
            folded[cell.id] = {"source_hidden": True, "outputs_hidden": True}
    assert {cell.id: cell.metadata.jupyter for cell in made[path.stem].cells if cell.id in folded} == folded


@every_notebook
def test_a_notebook_is_valid_and_made_the_same_twice(path, made, book):
    nbformat.validate(made[path.stem])
    assert as_json(lab_notebook(path, book)) == as_json(made[path.stem])


@every_notebook
def test_an_empty_twin_has_the_text_and_the_exercises_and_no_code_and_no_solution(path, made, book):
    empty = lab_notebook(path, book, empty=True)
    nbformat.validate(empty)
    code = without_checks(of(empty, "code"))
    assert all(cell.source == "" and cell.outputs == [] for cell in code) and code
    assert "Solution" not in prose(empty) and not RAW.search(prose(empty))
    without = re.sub(r"<details>.*?</details>", "", prose(made[path.stem]), flags=re.S)
    for paragraph in re.split(r"\n{2,}", without):
        assert paragraph.startswith("*Figure.*") or paragraph in prose(empty)


def notebook_of(tmp_path, *texts):
    cells = [nbformat.v4.new_markdown_cell(text, id=str(n)) for n, text in enumerate(texts)]
    path = tmp_path / "planted.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.mark.parametrize("text, said", [
    ("```{marquee}\nx\n```", "directive: expected one of .* got 'marquee'"), ("{blink}`x`", "role: expected one of .* got 'blink'"),
    ("{eq}`eq-nowhere`", "expected one of a notebook of the book, got 'eq-nowhere'"), ("{cite:p}`nobody1900`", "got 'nobody1900'"),
    ("{cited}`0.1 <nobody1900>`", "got 'nobody1900'"), ("{claim}`0.1`", "expected NUMBER <id>"),
    ("```{literalinclude} ../recsys/torch/functional.py\n:pyobject: nothing\n```", "nothing"),
    ("```{literalinclude} ../recsys/nothing.py\n```", "nothing.py"), ("```{note}\nx", "expected a line ``` that closes it"),
    ("+++", r"got '\+\+\+'"), ("% a comment", "got '% a comment'"), ("[x]{.wide}", "got ']{.wide}'"),
    ("```{note}\n{blink}`x`\n```", "got 'blink'"), ("{doc}`/notebooks/nothing`", "got '/notebooks/nothing'"),
])  # fmt: skip
def test_what_is_not_known_is_an_error_that_names_notebook_and_cell(tmp_path, book, text, said):
    with pytest.raises(ValueError, match=rf"(?s)planted\.ipynb, cell 2: .*{said}"):
        lab_notebook(notebook_of(tmp_path, "# Title", text), book)


SIMON = r"\[Simon, 1971\]\(\S+ \".*?\"\)|Simon, 1971"
AS_MARKDOWN = [
    ("```{note}\nMind the gap.\n```", r"> \*\*Note\*\*\n>\n> Mind the gap\."),
    (":::{admonition} Laboratory notes\n:class: dropdown\n\n| a | b |\n|---|---|\n| 1 | 2 |\n:::",
     r"<details>\n<summary>Laboratory notes</summary>\n\n\| a \| b \|\n\|---\|---\|\n\| 1 \| 2 \|\n\n</details>"),
    ("````{note}\n```{math}\nx\n```\n````", r"> \*\*Note\*\*\n>\n> \$\$ x \$\$"),
    ("````{grid} 1 2\n\n```{grid-item-card} Read\n:link: x\n\nthe book\n+++\n```\n````", r"\*\*Read\*\*\n\nthe book"),
    ("```{math}\na \\\\ b\n```", r"\$\$\n\\begin{split}a \\\\ b\\end{split}\n\$\$"),
    ("```{code-block} bash\nmake lab\n```", "```bash\nmake lab\n```"),
    ("- one\n\n  ```{math}\n  x\n  ```\n- two", r"- one\n\n  \$\$\n  x\n  \$\$\n\n- two"),
    ("(here)=\n## A heading", "## A heading"), ("```text\n{claim}`x`\n```", "```text\n{claim}`x`\n```"),
    ("`{claim}` and {claim}`1,000 <a.b>`.", "`{claim}` and 1,000."), ("{math}`x^2`", r"\$x\^2\$"),
    ("{cite:p}`simon1971`", rf"\(({SIMON})\)"), ("{cite:p}`simon1971,luce1959`", rf"\(({SIMON}); .*Luce, 1959.*\)"),
    ("{cite:t}`boyd2004`", r"\[?Boyd and Vandenberghe \(2004\).*"), ("{cite:t}`zhou2018din`", r"\[?Zhou et al\. \(2018\).*"),
    ("{cite:t}`koren2009,tafeng`", r"\[Koren et al\. \(2009\)\]\(\S+ \".*?\"\), \[Ta Feng \(2001\)\]\(.*\)"),
    ("{cited}`.0863 <simon1971>`", rf"\.0863 \(({SIMON})\)"),
    ("{eq}`eq-alloc-problem`", r"\(1\.2\) of \[Attention is allocation\]\(allocation\.ipynb\)"),
    ("{prf:ref}`thm-allocation`", r"Theorem 1\.1 of \[Attention is allocation\]\(allocation\.ipynb\)"),
    ("{numref}`Exercise %s <allocation-ex-heat>`", r"Exercise 1\.1 of \[Attention.*\)"),
    ("{doc}`allocation`", r"\[Attention is allocation\]\(allocation\.ipynb\)"),
    ("{doc}`the first <allocation>`", r"\[the first\]\(allocation\.ipynb\)"),
]  # fmt: skip


@pytest.mark.parametrize("text, shown", AS_MARKDOWN, ids=[text[:25] for text, _ in AS_MARKDOWN])
def test_directives_and_roles_become_markdown(book, text, shown):
    assert re.fullmatch(shown, markdown(text, book)), markdown(text, book)


def test_blocks_keep_every_line_and_their_order():
    text = "a\n\n`````{tab-set}\n````{tab-item} One\n:sync: one\n\nb\n````\n`````\n\nc\n```python\nd\n```"
    first, tabs, between, code = blocks(text)
    assert (first.strip(), between.strip(), code.text) == ("a", "c", "```python\nd\n```")
    [tab] = blocks(tabs.body)
    assert tab == Directive("tab-item", "One", {"sync": "one"}, "b")
    assert {tabs.name, tab.name} <= set(DIRECTIVES)


@pytest.mark.parametrize("code, only", [
    ("from recsys.book import claim\n\nprint(claim('a', x))", True), ("claims({'a': x})", True),
    ("for a in b:\n    print(claim(a, b[a]))", True), ("x = 1\nclaim('a', x)", False), ("print(x)", False),
    ("print(claim('a', x), x)", False), ("from recsys.book import claims", False), ("import numpy\nclaim('a', 1)", False),
])  # fmt: skip
def test_a_cell_that_only_claims_is_told_from_one_that_computes(code, only):
    assert only_claims(code) is only


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A book of one notebook."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    for folder in ("book", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "book" / "references.bib").write_text("@book{a, author={A, B}, title={T}, year={1999}}\n")
    (tmp_path / "_toc.yml").write_text("parts:\n- numbered: 2\n  chapters:\n  - file: notebooks/one\n")
    cells = [nbformat.v4.new_markdown_cell("# One\n\n{cite:p}`a`", id="a"), nbformat.v4.new_code_cell("1 + 1", id="b")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / "one.ipynb")
    return tmp_path


def edited(path, cell, text):
    notebook = source(path)
    notebook.cells[cell].source = text
    nbformat.write(notebook, path)


def test_what_a_reader_changed_is_kept_and_what_was_only_run_is_renewed(checkout):
    [path], kept = write_notebooks(checkout)
    assert kept == [] and path == checkout / "lab" / "one.ipynb" and "(A, 1999)" in path.read_text("utf-8")
    assert write_notebooks(checkout) == ([], [])
    run = source(path)
    run.cells[1].outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)]
    nbformat.write(run, path)
    assert write_notebooks(checkout) == ([], []) and "execute_result" in path.read_text("utf-8"), "outputs are left"
    stored = source(checkout / "notebooks" / "one.ipynb")
    stored.cells[1].outputs = [nbformat.v4.new_output("stream", text="new")]
    nbformat.write(stored, checkout / "notebooks" / "one.ipynb")
    assert write_notebooks(checkout) == ([path], []) and source(path).cells[1].outputs == stored.cells[1].outputs
    edited(checkout / "notebooks" / "one.ipynb", 1, "1 + 2")
    assert write_notebooks(checkout) == ([path], []) and source(path).cells[1].source == "1 + 2"
    edited(path, 1, "mine")
    assert write_notebooks(checkout) == ([], [path]) and source(path).cells[1].source == "mine"
    assert write_notebooks(checkout, empty=True) == ([checkout / "lab-empty" / "one.ipynb"], [])


def test_the_command_writes_and_says_what_it_kept(checkout):
    def recsys_lab():
        command = [sys.executable, "-m", "recsys.cli", "lab"]
        variables = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=checkout, env=variables, capture_output=True, text=True)

    (checkout / "book" / "claims.yml").write_text("")
    assert recsys_lab().stdout.startswith("lab: 1 notebooks written")
    edited(checkout / "lab" / "one.ipynb", 1, "mine")
    assert "one.ipynb has changes of yours and is kept" in recsys_lab().stdout


@pytest.mark.parametrize("strict", ["", "1"])
def test_another_temperature_is_told_and_the_notebook_goes_on_but_not_when_it_is_checked(made, strict):
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    cells = of(made["allocation"], "code")
    last = next(n for n, cell in enumerate(cells) if only_claims(cell.source))
    first, *others = (nbformat.v4.new_code_cell(cell.source) for cell in cells[: last + 1])
    first.source = first.source.replace("T = 1.0", "T = 2.0")
    short = nbformat.v4.new_notebook(cells=[first, *others, nbformat.v4.new_code_cell("print('on')")])
    client = NotebookClient(short, kernel_name="python3", resources={"metadata": {"path": str(ROOT / "notebooks")}})
    variables = {**os.environ, "RECSYS_STRICT": strict, "PYTHONPATH": str(ROOT)}
    try:
        with client.setup_kernel(env=variables):
            for number, cell in enumerate(short.cells):
                client.execute_cell(cell, number)
    except CellExecutionError as error:
        assert strict and "ClaimError" in str(error)
        return
    said = "".join(output.text for cell in short.cells for output in cell.outputs if "text" in output)
    assert not strict and said.endswith("on\n")
    assert re.search(r"the book has 0\.367 \(.+\); you have 0\.281\n", said), said


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab that serves this checkout's Lab notebooks, with a token."""
    if not CHROMIUM or not shutil.which("jupyter-lab", path=os.path.dirname(sys.executable)):
        pytest.skip("Chromium or JupyterLab is not installed (Debian: apt-get install chromium)")
    folder = tmp_path_factory.mktemp("lab")
    for path in ROOT.glob("[!.]*"):  # a notebook finds the book in the folders above it
        (folder / path.name).symlink_to(path)
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}))  # every cell is drawn, not only those in sight
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {name: str(folder / name.lower()) for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    variables = {**os.environ, **folders, "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    token = "of-this-test"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", f"--IdentityProvider.token={token}",
               f"--ServerApp.root_dir={folder}", "--allow-root", "--ServerApp.port_retries=0",
               "--LabApp.expose_app_in_browser=True"]
    running = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api?token={token}", running)
        yield folder, lambda name: f"{address}/lab/tree/{name}?token={token}&reset"
    finally:
        running.terminate()
        running.wait(timeout=30)


def wait_for(address, process, seconds=120):
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            return urllib.request.urlopen(address, timeout=5)
        except OSError:
            time.sleep(0.5)
    raise AssertionError("JupyterLab did not start")


@pytest.fixture(scope="module")
def page(lab, browser):
    return browser.new_page()


CELLS = "[...jupyterapp.shell.currentWidget.content.model.cells].filter(cell => cell.type === 'code')"
ERRORS = f"{CELLS}.flatMap(cell => cell.outputs.toJSON()).filter(one => one.output_type === 'error').map(one => one.evalue)"


@pytest.mark.parametrize("name", ONE_OF_EACH_PART)
def test_jupyterlab_shows_a_notebook_without_anything_raw_and_runs_it_to_its_end(lab, page, made, name):
    folder, address = lab
    (folder / f"{name}.ipynb").write_text(as_json(made[name]), "utf-8")
    page.goto(address(f"{name}.ipynb"))
    texts = ".jp-Notebook .jp-RenderedMarkdown"
    page.wait_for_selector(f"{texts} h1", timeout=120_000)
    n_texts = len(of(made[name], "markdown"))
    page.wait_for_function(f"document.querySelectorAll('{texts}').length >= {n_texts}", timeout=60_000)
    page.wait_for_function(f"![...document.querySelectorAll('{texts}')].some(e => /[$]/.test(e.innerText))", timeout=60_000)
    text = "\n".join(page.locator(texts).all_inner_texts())
    n_formulas, broken = page.locator(f"{texts} mjx-container").count(), page.locator("mjx-merror").count()
    folded = page.locator(f"{texts} details").evaluate_all("all => all.map(one => one.open)")
    assert n_formulas > prose(made[name]).count("$$") / 2 and broken == 0
    assert not RAW.search(text) and "\\tag" not in text and "```" not in text
    assert folded == [False] * prose(made[name]).count("<details>")
    for code in re.findall(r"^```python\n(.*)$", prose(made[name]), re.M):
        assert code in text
    page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'", timeout=120_000)
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    ended = f"{ERRORS}.length || {CELLS}.every(cell => cell.executionCount !== null)"  # an error ends the run
    page.wait_for_function(ended, timeout=300_000)
    assert page.evaluate(ERRORS) == [] and page.evaluate(f"{CELLS}.length") == len(of(made[name], "code"))
