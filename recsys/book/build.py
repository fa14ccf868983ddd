"""Building the book from stored outputs, with warnings as errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from recsys.book.data_sets import card_page, page, read_measured, shown
from recsys.book.exercises import write_numbers
from recsys.data import catalogue


def write_cards(at: Path) -> list[Path]:
    """Write the page of data sets and the card of each; returns the pages that changed."""
    measured = read_measured(at)
    pages = {
        at / "book" / "data" / f"{name}.md": card_page(name, measured)
        for name, entry in catalogue().items()
        if shown(entry)
    }
    pages[at / "book" / "data-sets.md"] = page(at)
    changed = []
    for path, text in pages.items():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed.append(path)
    return changed


def build(at: Path, say=print) -> Path | None:
    """Build the pages; the path of the first page, or None after printing what was wrong."""
    write_numbers(at)
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

    first = build(root())
    sys.exit(1) if first is None else print(f"The book: {first}")
