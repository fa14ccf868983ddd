"""A text cell in pieces: directives, and the Markdown between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

FENCE = re.compile(
    r"(?P<indent> *)(?P<fence>`{3,}|~{3,}|:{3,}(?=\{))"
    r"(?:\{(?P<name>[^}]+)\}\s*(?P<argument>.*))?"
)
OPTION = re.compile(r":([\w-]+):\s*(.*)")
TARGET = re.compile(r"\(([\w.:-]+)\)=\s*")
VERBATIM = {"math", "code", "code-block", "literalinclude"}
"""Directives whose body is no Markdown."""


@dataclass(frozen=True)
class Directive:
    """A fenced directive of MyST.

    Args:
        name: "math", "prf:theorem", ...
        argument: the rest of its first line.
        options: its lines `:option: value`.
        body: what follows them.
        indent: spaces before its fence, as in a list.
    """

    name: str
    argument: str
    options: dict[str, str]
    body: str
    indent: str = ""


@dataclass(frozen=True)
class Code:
    """A fence without a directive, as it stands."""

    text: str


@dataclass(frozen=True)
class Target:
    """`(label)=`, which names the heading below it."""

    label: str


Block = str | Directive | Code | Target


@dataclass
class _Lines:
    """Lines that are not yet read."""

    lines: list[str]
    text: list[str] = field(default_factory=list)

    def prose(self) -> Iterator[str]:
        """What was read since the last block, if that is more than space."""
        gathered, self.text = "\n".join(self.text), []
        if gathered.strip():
            yield gathered

    def until_closed(self, fence: str) -> list[str]:
        """Lines up to the end of a fence, without it."""
        closing = re.compile(rf" *{re.escape(fence[0])}{{{len(fence)},}}\s*")
        for number, line in enumerate(self.lines):
            if closing.fullmatch(line):
                inside, self.lines = self.lines[:number], self.lines[number + 1 :]
                return inside
        raise ValueError(
            f"fence: expected a line {fence} that closes it, got none; add it"
        )


def blocks(text: str) -> Iterator[Block]:
    """Directives, fences and targets of a text in order, with the Markdown between.

    Raises:
        ValueError: a fence that is never closed.
    """
    rest = _Lines(text.split("\n"))
    while rest.lines:
        line = rest.lines.pop(0)
        opened, named = FENCE.match(line), TARGET.fullmatch(line)
        if named:
            yield from rest.prose()
            yield Target(named[1])
        elif opened:
            yield from rest.prose()
            yield _fenced(line, opened, rest.until_closed(opened["fence"]))
        else:
            rest.text.append(line)
    yield from rest.prose()


def _fenced(line: str, opened: re.Match, inside: list[str]) -> Directive | Code:
    if opened["name"] is None:
        return Code("\n".join([line, *inside, opened["indent"] + opened["fence"]]))
    indent = opened["indent"]
    inside = [part.removeprefix(indent) for part in inside]
    options = {}
    while inside and (option := OPTION.fullmatch(inside[0].strip())):
        options[option[1]] = option[2].strip()
        inside.pop(0)
    body = "\n".join(inside).strip("\n")
    return Directive(opened["name"], opened["argument"].strip(), options, body, indent)


def everything(text: str) -> Iterator[Block]:
    """All blocks of a text, those inside directives too, in reading order."""
    for block in blocks(text):
        yield block
        if isinstance(block, Directive) and block.name not in VERBATIM:
            yield from everything(block.body)
