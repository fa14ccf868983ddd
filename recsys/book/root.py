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


def notebooks(at: Path) -> list[Path]:
    """Chapters and their twins in Paddle, as the table of contents orders them."""
    import yaml

    contents = yaml.safe_load((at / "_toc.yml").read_text("utf-8"))
    chapters = [chapter for part in contents["parts"] for chapter in part["chapters"]]
    files = [
        page["file"]
        for chapter in chapters
        for page in (chapter, *chapter.get("sections", []))
    ]
    return [at / f"{file}.ipynb" for file in files if (at / f"{file}.ipynb").is_file()]


def pages(at: Path) -> list[Path]:
    """The prose pages and notebooks whose text the linter and the claim role look at."""
    return sorted((at / "book").rglob("*.md")) + sorted(
        (at / "notebooks").glob("*.ipynb")
    )
