"""Set-up and publishing: which wheel of PyTorch is taken, the lock, the workflows, Binder and Colab."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module

import pytest
import yaml

from tests.conftest import LONGEST, ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    return import_module


@contextlib.contextmanager
def index_of_wheels(status=200):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/whl/torch/" else 500)
            self.end_headers()

        def log_message(self, *words): ...

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/whl"
    server.shutdown()


def test_on_linux_the_wheel_without_cuda_is_taken_where_its_index_answers(tool, capsys, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    wheels = tool("cpu_wheels")
    with index_of_wheels() as index:
        assert wheels.main(index, "linux") == f"--extra-index-url {index}"
        assert "taking its wheel, without CUDA" in capsys.readouterr().err
        assert wheels.main(index, "darwin") == ""
    with index_of_wheels(status=403) as index:
        assert wheels.main(index, "linux") == ""
        assert "does not answer: pip's own index it is" in capsys.readouterr().err


def test_an_index_that_never_answers_is_given_up_within_seconds(tool, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        assert not tool("cpu_wheels").answers(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.5)
    assert time.monotonic() - start < 5 and tool("cpu_wheels").SECONDS <= 10
    assert tool("cpu_wheels").main("", "linux") == "", "make setup TORCH_INDEX= asks nobody"


def test_a_name_that_is_looked_up_for_minutes_is_given_up_too(tool, monkeypatch):
    ended = threading.Event()  # no timeout of a connection counts while a name is looked up

    def looking(*_, timeout):
        ended.wait(20)
        raise OSError("no such host")

    monkeypatch.setattr(tool("cpu_wheels").urllib.request, "urlopen", looking)
    start = time.monotonic()
    assert not tool("cpu_wheels").answers("http://index", seconds=0.2)
    assert time.monotonic() - start < 10
    ended.set()


def test_make_conda_and_colab_name_the_same_index(tool):
    index = re.search(r"^TORCH_INDEX := (\S+)$", (ROOT / "Makefile").read_text("utf-8"), re.M)[1]
    [pip] = [part["pip"] for part in yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
             if isinstance(part, dict)]  # fmt: skip
    assert pip[0] == f"--extra-index-url {index}"
    assert f"--extra-index-url {index} -r /content/book/requirements.lock" in tool("lab_branch").first_cell(ROOT)


def test_ci_takes_a_mirror_from_the_variable_or_from_beside_the_checkout(tmp_path):
    checkout, bin = tmp_path / "checkout", tmp_path / "bin"
    (checkout / ".ci").mkdir(parents=True)
    bin.mkdir()
    shutil.copy(ROOT / ".ci" / "run", checkout / ".ci")
    for name, says in {"make": 'echo "mirror: $RECSYS_DATA_MIRROR"', "chromium": "true"}.items():
        (bin / name).write_text(f"#!/bin/sh\n{says}\n")
        (bin / name).chmod(0o755)

    def mirror(**variables):
        kept = {name: value for name, value in os.environ.items() if name != "RECSYS_DATA_MIRROR"}
        path = f"{bin}{os.pathsep}{kept['PATH']}"
        done = subprocess.run(["bash", checkout / ".ci" / "run"], env={**kept, "PATH": path, **variables},
                              capture_output=True, text=True, check=True)  # fmt: skip
        return re.search(r"^mirror: (.*)$", done.stdout, re.M)[1]

    assert mirror() == ""
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert mirror() == str(tmp_path / "shared" / "data")
    assert mirror(RECSYS_DATA_MIRROR="/of/mine") == "/of/mine"


def test_the_longest_files_are_there_and_go_first_in_make_test():
    assert {path.name for path in (ROOT / "tests").rglob("test_*.py")} >= set(LONGEST)
    assert " --dist loadfile --no-loadscope-reorder\n" in (ROOT / "Makefile").read_text("utf-8")


def test_a_new_lock_keeps_the_opening_lines_and_drops_local_tags(tool):
    newest = tool("newest")
    new = newest.lock("# Made so.\nnumpy==1.0\ntorch==2.0\n", "torch==2.1+cpu\nNumPy==1.0\nabsl-py==2.0.post1\n")
    assert new == "# Made so.\nabsl-py==2.0.post1\nNumPy==1.0\ntorch==2.1\n"
    told = newest.versions("numpy==1.0\nold==1\ntorch==2.0\n", "numpy==1.0\nnovel==3\ntorch==2.1\n")
    assert told == "- novel new to 3\n- old 1 to gone\n- torch 2.0 to 2.1\n"


def test_a_lock_with_cuda_is_refused(tool):
    tool("newest").refuse_cuda("numpy==1.0\n")
    with pytest.raises(SystemExit, match="expected PyTorch without CUDA, got nvidia-cublas-cu12"):
        tool("newest").refuse_cuda("numpy==1.0\nnvidia-cublas-cu12==12.1\n")


def test_looking_at_the_newest_lifts_the_pin_of_pytorch_and_a_lock_keeps_it(tool):
    looked, locked = (tool("newest").wanted(ROOT / "pyproject.toml", pinned) for pinned in (False, True))
    assert "torch" in looked and [name for name in locked if name.startswith("torch==")]
    assert {"paddlepaddle", "jupyterlab", "pytest-xdist", "lightning"} <= set(looked) & set(locked)


def steps():
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text("utf-8"))["jobs"].items():
            for step in job["steps"]:
                yield path.stem, name, step


def test_workflows_are_read_by_a_parser_and_call_what_is_there():
    assert [path.stem for path in WORKFLOWS] == ["book", "newest"]
    targets = set(re.findall(r"^([\w-]+):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.M))
    commands = "\n".join(step["run"] for _, _, step in steps() if "run" in step)
    assert set(re.findall(r"\bmake ([\w-]+)", commands)) == {"newest"} <= targets
    for file in re.findall(r"(?:\.ci|tools)/[\w.]+", commands):
        assert (ROOT / file).is_file(), file
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    for workflow, job, step in steps():
        assert ("run" in step) != ("uses" in step), (workflow, job, step)
        if "run" in step:
            subprocess.run(["bash", "-n"], input=re.sub(r"\$\{\{.*?\}\}", "x", step["run"]), text=True, check=True)


def test_what_a_workflow_publishes_or_reports_is_what_its_commands_write(tool):
    taken = {step["with"]["path"] for _, _, step in steps() if "path" in step.get("with", {})}
    assert taken == {"_build/html", "_build/lab-branch", ".newest/report.md"}
    assert tool("newest").FOLDER / "report.md" == ROOT / ".newest" / "report.md"
    book = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text("utf-8"))
    writes = {name: job.get("permissions") for name, job in book["jobs"].items()}
    assert book["permissions"] == {"contents": "read"} and writes["validate"] is None
    for job in (book["jobs"][name] for name in writes if writes[name]):
        assert "main" in job["if"] and job["needs"] == "validate"
    weekly = yaml.safe_load((ROOT / ".github" / "workflows" / "newest.yml").read_text("utf-8"))
    [when] = weekly[True]["schedule"]  # YAML 1.1 reads `on` as a truth value
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", when["cron"]), "once a week"


@pytest.fixture
def committed(tmp_path):
    """A small checkout with one notebook, whose `_config.yml` names a repository."""
    at = tmp_path / "at"
    for name in ("_config.yml", "environment.yml", "book/claims.yml", "book/references.bib"):
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, at / name)
    (at / "_toc.yml").write_text("root: book/index\nparts:\n- chapters:\n  - file: notebooks/metrics\n")
    (at / "book" / "index.md").write_text("# Index\n")
    (at / "notebooks").mkdir()
    cells = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "(here)=\n# Metrics"},
             {"cell_type": "code", "id": "b", "metadata": {}, "source": "1 + 1", "outputs": [], "execution_count": 1}]  # fmt: skip
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (at / "notebooks" / "metrics.ipynb").write_text(json.dumps(content))
    config = (at / "_config.yml").read_text()
    assert config.count('repository_url: ""\n') == 1, "the one setting"
    (at / "_config.yml").write_text(config.replace('_url: ""', "_url: https://example.org/someone/book"))
    (at / "studies").mkdir()
    (at / ".github").mkdir()
    (at / ".github" / "flow.yml").write_text("")
    subprocess.run("git init -q && git add -A", shell=True, cwd=at, check=True)
    return at


def test_the_branch_for_binder_and_colab_has_notebooks_for_lab_and_the_lock_of_all(tool, committed, tmp_path):
    (committed / "not-committed").write_text("")
    tool("lab_branch").write_branch(committed, tmp_path / "branch")
    assert (tmp_path / "branch" / "environment.yml").is_file() and not (tmp_path / "branch" / "not-committed").exists()
    assert not (tmp_path / "branch" / ".github").exists(), "the token of a workflow may not push workflows"
    first, title, *_ = json.loads((tmp_path / "branch" / "notebooks" / "metrics.ipynb").read_text())["cells"]
    cell = "".join(first["source"])
    assert "--branch lab https://example.org/someone/book /content/book" in cell
    assert "".join(title["source"]).endswith("# Metrics") and "(here)=" not in "".join(title["source"])


def test_the_first_cell_does_nothing_where_there_is_no_colab(tool):
    from IPython.core.interactiveshell import InteractiveShell

    done = InteractiveShell().run_cell(tool("lab_branch").first_cell(ROOT))
    assert done.success


def test_without_an_address_no_branch_is_written(tool, tmp_path):
    done = subprocess.run([sys.executable, ROOT / "tools" / "lab_branch.py", tmp_path / "branch"], cwd=ROOT,
                          capture_output=True, text=True, check=True)  # fmt: skip
    address = tool("lab_branch").settings(ROOT)["repository_url"]
    assert (tmp_path / "branch").exists() == bool(address)
    assert address or "names no repository" in done.stdout


@pytest.mark.parametrize("address, offered", [("", False), ("https://github.com/someone/book", True)])
def test_pages_offer_binder_and_colab_where_the_repository_has_an_address(monkeypatch, address, offered):
    """And the theme makes the links: of the branch, and of the notebook that Lab renders."""
    from types import SimpleNamespace as Some

    from docutils.nodes import document
    from sphinx_book_theme.header_buttons.launch import add_launch_buttons

    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    extension = import_module("recsys_book")
    options = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["sphinx"]["config"]["html_theme_options"]
    options["repository_url"] = address
    extension.without_an_address_no_buttons(None, Some(html_theme_options=options))
    context = {"header_buttons": [], "pagename": "notebooks/shop", "sourcename": "notebooks/shop.ipynb",
               "github_url": "https://github.com", "github_user": "someone", "github_repo": "book"}  # fmt: skip
    app = Some(config={"html_theme_options": options}, outdir="out",
               env=Some(doc2path=lambda name: f"{name}.ipynb", metadata={"notebooks/shop": {"kernelspec": {}}}))  # fmt: skip
    add_launch_buttons(app, "notebooks/shop", "page.html", context, document)
    links = {button["text"]: button["url"] for group in context["header_buttons"] for button in group["buttons"]}
    assert bool(links) == offered
    if offered:
        assert links["Binder"] == "https://mybinder.org/v2/gh/someone/book/lab?urlpath=lab/tree/notebooks/shop.ipynb"
        assert links["Colab"] == "https://colab.research.google.com/github/someone/book/blob/lab/notebooks/shop.ipynb"


@pytest.mark.parametrize("write", [False, True])
def test_newest_reports_versions_and_moved_claims_and_only_a_lock_is_written(tool, monkeypatch, tmp_path, capsys, write):
    from types import SimpleNamespace as Some

    newest = tool("newest")
    (tmp_path / ".newest").mkdir()
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "requirements.lock").write_text("# Made so.\ntorch==2.13.0\n")
    installed = []
    monkeypatch.setattr(newest, "AT", tmp_path)
    monkeypatch.setattr(newest, "FOLDER", tmp_path / ".newest")
    monkeypatch.setattr(newest, "cpu_wheels", lambda index: f"--extra-index-url {index}")
    monkeypatch.setattr(newest, "install", lambda *what: installed.extend(what))
    monkeypatch.setattr(newest, "run", lambda command, **options: Some(stdout="torch==2.14.0+cpu\n"))

    def reproduced(command, cwd):
        assert command[1:3] == ["reproduce", "--moved"]
        (tmp_path / ".newest" / "moved.md").write_text("1 of 3 claims are out of tolerance\n")
        return Some(returncode=1)

    monkeypatch.setattr(newest.subprocess, "run", reproduced)
    assert newest.main("http://wheels", write) == 1
    assert installed[1] == ["--extra-index-url", "http://wheels"] and ("torch" in installed[0]) != write
    report = (tmp_path / ".newest" / "report.md").read_text()
    assert report == "- torch 2.13.0 to 2.14.0\n\n1 of 3 claims are out of tolerance\n"
    assert (tmp_path / "requirements.lock").read_text() == f"# Made so.\ntorch==2.1{'4' if write else '3'}.0\n"
