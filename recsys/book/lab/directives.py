"""Directives of MyST as plain Markdown."""

from __future__ import annotations

import re
from types import SimpleNamespace

from recsys.book.lab.blocks import Code, Directive, Target, blocks
from recsys.book.lab.labels import KINDS
from recsys.book.lab.roles import Book, without_roles

RAW = re.compile(
    r"^%.*|^\+\+\+.*|^:{3,}.*|\{\{ \w+ \}\}|\$\$[ \t]*\([\w:-]+\)$"
    r"|[\])]\{[.#][A-Za-z][^}]*\}",
    re.MULTILINE,
)
"""MyST that is neither a directive nor a role, and that Lab would show as it is."""


def markdown(text: str, book: Book) -> str:
    """A text with its directives and roles, as Markdown that Lab renders by itself.

    Raises:
        ValueError: what is not known, or names nothing.
    """
    return joined([rendered(block, book) for block in blocks(text)])


def joined(parts: list[str]) -> str:
    """Blocks with an empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def rendered(block: str | Directive | Code | Target, book: Book) -> str:
    """One block as Markdown."""
    if isinstance(block, Target):
        return ""
    if isinstance(block, Code):
        return block.text
    if isinstance(block, str):
        return _prose(block, book)
    if block.name not in DIRECTIVES:
        raise ValueError(
            f"directive: expected one of {', '.join(DIRECTIVES)}, got {block.name!r}; "
            "add it to recsys/book/lab/directives.py"
        )
    lines = DIRECTIVES[block.name](block, book).split("\n")
    return "\n".join(block.indent + line if line else line for line in lines)


def _prose(text: str, book: Book) -> str:
    if raw := RAW.search(text):
        raise ValueError(
            f"text: expected Markdown, directives and roles, got {raw[0]!r}; "
            "say it in one of these"
        )
    return without_roles(text, book)


def folded(summary: str, text: str) -> str:
    """Text that opens by a click; nothing where there is none."""
    if not text.strip():
        return ""
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def quoted(text: str) -> str:
    """A block quotation. A formula is one line: Lab would read a > inside it."""
    text = re.sub(
        r"\$\$.+?\$\$",
        lambda formula: " ".join(formula[0].split()),
        text,
        flags=re.DOTALL,
    )
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _formula(directive: Directive, book: Book) -> str:
    """A formula with its number, in lines where it has breaks, as on the page."""
    tex = f"{directive.argument}\n{directive.body}".strip()
    if r"\\" in tex:
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    if "label" in directive.options:
        tex += rf" \tag{{{book.label(directive.options['label']).number}}}"
    return f"$$\n{tex}\n$$"


def _included(directive: Directive, book: Book) -> str:
    """The very text that the page shows, read by Sphinx as it reads it for the page."""
    from sphinx.directives.code import LiteralIncludeReader

    path = book.at / "notebooks" / directive.argument
    options = {name: value or None for name, value in directive.options.items()}
    config = SimpleNamespace(source_encoding="utf-8-sig")
    reader = LiteralIncludeReader(str(path.resolve()), options, config)
    return _fence(reader.read()[0], options.get("language") or "python")


def _fence(text: str, language: str) -> str:
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", text))])
    return f"{ticks}{language}\n{text.rstrip()}\n{ticks}"


def _code(directive: Directive, book: Book) -> str:
    return _fence(directive.body, directive.argument)


def _inside(directive: Directive, book: Book) -> str:
    return markdown(directive.body, book)


def _titled(directive: Directive, book: Book) -> str:
    """A tab or a card, below its title."""
    body = re.sub(r"^(\+{3,}|\^{3,})\s*$", "", directive.body, flags=re.MULTILINE)
    heading = (
        f"**{without_roles(directive.argument, book)}**" if directive.argument else ""
    )
    return joined([heading, markdown(body, book)])


def _statement(directive: Directive, book: Book) -> str:
    """A theorem or an exercise, with its number and title."""
    name = KINDS[directive.name]
    if "label" in directive.options:
        name += f" {book.label(directive.options['label']).number}"
    title = directive.argument.removeprefix("(").removesuffix(")")
    said = f"{name}. {without_roles(title, book)}" if title else name
    return quoted(joined([f"**{said}**", markdown(directive.body, book)]))


def _proof(directive: Directive, book: Book) -> str:
    return joined(["*Proof.*", markdown(directive.body, book), "∎"])


def _admonition(directive: Directive, book: Book) -> str:
    """A note with its title; folded where the page folds it."""
    own = directive.name in ("admonition", "dropdown")
    title = directive.argument if own else directive.name.capitalize()
    lead = "" if own else directive.argument
    text = joined([without_roles(lead, book), markdown(directive.body, book)])
    if directive.name == "dropdown" or "dropdown" in directive.options.get("class", ""):
        return folded(without_roles(title, book), text)
    return quoted(joined([f"**{without_roles(title, book)}**", text]))


def _solution(directive: Directive, book: Book) -> str:
    return folded(solution_title(directive, book), markdown(directive.body, book))


def solution_title(directive: Directive, book: Book) -> str:
    """Of which exercise it is the solution."""
    return f"Solution of exercise {book.label(directive.argument).number}"


def _picture(directive: Directive, book: Book) -> str:
    told = directive.options.get("alt", "").replace("]", ")")
    return joined([f"![{told}]({directive.argument})", markdown(directive.body, book)])


NOTES = "note tip hint important warning caution attention danger error seealso".split()
DIRECTIVES = (
    {"math": _formula, "literalinclude": _included, "code": _code, "code-block": _code}
    | {name: _statement for name in KINDS if name != "math"}
    | {"prf:proof": _proof, "solution": _solution}
    | {"tab-set": _inside, "grid": _inside, "grid-item": _inside}
    | {"tab-item": _titled, "grid-item-card": _titled, "card": _titled}
    | {name: _admonition for name in ("admonition", "dropdown", *NOTES)}
    | {"figure": _picture, "image": _picture}
)
