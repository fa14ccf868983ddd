"""Where the book is: the checkout that holds `book/claims.yml`."""

from __future__ import annotations

from pathlib import Path


def root() -> Path:
    """The nearest directory, from the current one upwards, that holds the book.

    Raises:
        FileNotFoundError: outside a checkout.
    """
    for directory in (Path.cwd(), *Path.cwd().parents):
        if (directory / "book" / "claims.yml").is_file():
            return directory
    raise FileNotFoundError(
        f"No book here: {Path.cwd()} and its parents hold no book/claims.yml. "
        "Change into a clone of the project first."
    )


def chapters(at: Path) -> list[list[Path]]:
    """The notebooks of each chapter, in the order of the table of contents.

    A chapter stands in a numbered part; its number is its place here, from 1.
    """
    return [_below(at, chapter) for part in _parts(at) if part.get("numbered") for chapter in part["chapters"]]


def notebooks(at: Path) -> list[Path]:
    """Chapters and their twins in Paddle, as the table of contents orders them."""
    return [
        notebook
        for part in _parts(at)
        for chapter in part["chapters"]
        for notebook in _below(at, chapter)
    ]


def _parts(at: Path) -> list[dict]:
    import yaml

    return yaml.safe_load((at / "_toc.yml").read_text("utf-8"))["parts"]


def _below(at: Path, chapter: dict) -> list[Path]:
    """The notebook of a chapter and those of its sections, that are there."""
    every = [at / f"{page['file']}.ipynb" for page in (chapter, *chapter.get("sections", []))]
    return [notebook for notebook in every if notebook.is_file()]


def pages(at: Path) -> list[Path]:
    """The prose pages and notebooks whose text the linter and the claim role look at."""
    return sorted((at / "book").rglob("*.md")) + sorted(
        (at / "notebooks").glob("*.ipynb")
    )
