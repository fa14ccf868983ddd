"""The checkout as Binder and Colab open it: its notebooks are those that Lab renders.

Buttons on the pages open branch `lab` of the repository that `_config.yml` names. The
workflow that publishes the book fills the branch with what this writes. Binder makes
its environment from `environment.yml`, Colab from the lock, in the first cell. Without
an address nothing is written.

    python tools/lab_branch.py FOLDER
"""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml

from recsys.book.lab import as_json, lab_notebook, read_book
from recsys.book.root import notebooks, root

COLAB = """\
# On Colab run this twice: it installs the book, then Python starts anew.
import os
import sys

if "google.colab" in sys.modules:
    if not os.path.isdir("/content/book"):
        !git clone --quiet --depth 1 --branch {repository_branch} {repository_url} /content/book
        %pip install --quiet --extra-index-url {index} -r /content/book/requirements.lock
        %pip install --quiet --no-deps --ignore-requires-python -e /content/book
        os.kill(os.getpid(), 9)
    %cd -q /content/book/notebooks"""


def write_branch(at: Path, to: Path) -> None:
    """Copy what is committed, with notebooks for Lab in place of the book's.

    Without the workflows: the one that publishes may not push them.

    Args:
        at: the checkout.
        to: a folder, which must not be there.
    """
    listed = subprocess.run(
        ["git", "ls-files"], cwd=at, check=True, capture_output=True, text=True
    )
    cell = first_cell(at)
    for name in listed.stdout.splitlines():
        if name.startswith(".github/"):
            continue
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(at / name, to / name)
    book = read_book(at)
    for notebook in notebooks(at):
        made = lab_notebook(notebook, book)
        made.cells.insert(0, nbformat.v4.new_code_cell(cell, id="on-colab"))
        (to / notebook.relative_to(at)).write_text(as_json(made), "utf-8")


def first_cell(at: Path) -> str:
    """What Colab needs before a chapter."""
    conda = yaml.safe_load((at / "environment.yml").read_text("utf-8"))
    [pip] = [part["pip"] for part in conda["dependencies"] if isinstance(part, dict)]
    return COLAB.format(index=pip[0].split()[-1], **settings(at))


def settings(at: Path) -> dict:
    """Of the pages: the address of the repository, empty if it has none, the branch."""
    config = yaml.safe_load((at / "_config.yml").read_text("utf-8"))
    return config["sphinx"]["config"]["html_theme_options"]


if __name__ == "__main__":
    if settings(root())["repository_url"]:
        write_branch(root(), Path(sys.argv[1]))
    else:
        print("_config.yml names no repository: no branch for Binder and Colab")
