"""Building the book from stored outputs, with warnings as errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from recsys.data import card, catalogue


def write_cards(at: Path) -> list[Path]:
    """Write the data card page of every data set below `book/data`; returns those that changed."""
    changed = []
    for name in catalogue():
        path = at / "book" / "data" / f"{name}.md"
        path.parent.mkdir(exist_ok=True)
        if not path.is_file() or path.read_text("utf-8") != card(name):
            path.write_text(card(name), "utf-8")
            changed.append(path)
    return changed


def build(at: Path, say=print) -> Path | None:
    """Build the pages; the path of the first page, or None after printing what was wrong."""
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        "--warningiserror",
        "--keep-going",
        "--all",
        str(at),
    ]
    done = subprocess.run(command, cwd=at, capture_output=True, text=True)
    if done.returncode:
        say(done.stdout + done.stderr)
        return None
    return at / "_build" / "html" / "index.html"


if __name__ == "__main__":
    from recsys.book.root import root

    page = build(root())
    sys.exit(1) if page is None else print(f"The book: {page}")
