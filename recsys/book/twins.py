"""What `recsys.torch` and `recsys.paddle` differ in, statement by statement.

A file has a twin of the same name. After `RENAMES` the two are compared as statements:
how a statement is broken into lines does not count, nor what is imported from a
framework, which follows from what is used. What still differs is a hunk, and in the
Paddle file a comment `# Paddle: ...` stands in it or above it, and says which difference
of the frameworks it is. `listed` gives all of them, as the book prints them.
"""

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

import recsys

ROOMS = Path(recsys.__file__).parent
MARK = "# Paddle: "

RENAMES = {
    r"\bnn\.Module\b": "nn.Layer",
    r"\bnn\.ModuleList\b": "nn.LayerList",
    r"\.modules\(\)": ".sublayers(include_self=True)",
    r"\bdim=(?=-?\d)": "axis=",
    r"\.to\((?=[\w.]*dtype\))": ".astype(",
    r"\.from_numpy\(": ".to_tensor(",
    r"\btorch\.softmax\(": "F.softmax(",
    r"\btorch\.tensor\(": "paddle.to_tensor(",
    r"\btorch\.autograd\.Function\b": "PyLayer",
    r"\btorch\.optim\b": "paddle.optimizer",
    r"\bpersistent=": "persistable=",
}
"""PyTorch's word, as a regular expression, and Paddle's."""

NAMES = {r"\btorch\b": "paddle", r"import_torch\b": "import_paddle", "PyTorch": "Paddle"}
"""The frameworks' own names, which prose of either twin may hold."""


@dataclass
class Statement:
    """A statement, or a comment that stands alone.

    Args:
        line: its first, from 1.
        code: as it is compared: column, code in one fixed spelling, comments.
        comments: `# Paddle: ...` in it or directly above it, without the mark.
    """

    line: int
    code: str
    comments: list[str] = field(default_factory=list)


class Hunk(NamedTuple):
    """Where the twins differ.

    Args:
        line: of the Paddle file, where it begins.
        torch, paddle: the statements of each, after the renames.
        comments: what the Paddle file says of it.
    """

    line: int
    torch: list[str]
    paddle: list[str]
    comments: list[str]


class Difference(NamedTuple):
    """A row of the list: file, line of the Paddle file, what differs and why."""

    file: str
    line: int
    comment: str


def rename(text: str, words: dict[str, str] = RENAMES) -> str:
    """Put Paddle's words in place of PyTorch's."""
    for pattern, replacement in words.items():
        text = re.sub(pattern, replacement, text)
    return text


def statements(text: str) -> list[Statement]:
    """Take a file apart, without its imports from a framework.

    Args:
        text: Python.

    Returns:
        Its statements in order; imports that stand together are sorted.
    """
    found: list[Statement] = []
    above: list[str] = []  # of a comment that stands alone, until its statement comes
    tokens, comments = [], []
    ended = 0  # the line of the last comment above
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            alone = not tokens and not token.line[: token.start[1]].strip()
            follows = alone and above and ended == token.start[0] - 1
            if token.string.startswith(MARK):
                (above if alone else comments).append(token.string)
                ended = token.start[0]
            elif follows:
                above[-1] += " " + token.string.removeprefix("# ")
                ended = token.start[0]
            elif alone:
                found.append(Statement(token.start[0], rename(token.string, NAMES)))
            else:
                comments.append(token.string)
        elif token.type == tokenize.NEWLINE or token.type == tokenize.ENDMARKER:
            if tokens or above:
                found.append(_statement(tokens, comments, above))
            tokens, comments, above = [], [], []
        elif token.type not in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            tokens.append(token)
    return _imports_in_order(found)


def _statement(
    tokens: list[tokenize.TokenInfo], comments: list[str], above: list[str]
) -> Statement:
    """One statement of its tokens, its comments and those above it."""
    if not tokens:
        return Statement(0, "", [text.removeprefix(MARK) for text in above])
    marked = [text for text in comments if text.startswith(MARK)]
    other = [text for text in comments if not text.startswith(MARK)]
    code = spelled(" ".join(token.string for token in tokens))
    told = [text.removeprefix(MARK) for text in (*above, *marked)]
    line, column = tokens[0].start
    whole = " ".join([" " * column + code, *other])
    return Statement(line, rename(whole, NAMES), told)


def spelled(code: str) -> str:
    """A statement in the one spelling of `ast.unparse`, however it was broken."""
    for tail in ("", " pass"):
        try:
            return ast.unparse(ast.parse(code + tail))
        except SyntaxError:
            continue
    return code.replace(", )", " )")


def _imports_in_order(found: list[Statement]) -> list[Statement]:
    """Leave out what is imported from a framework, and sort the other imports."""
    kept: list[Statement] = []
    imports: list[Statement] = []
    for statement in [*found, None]:
        if statement and re.match(r"(import|from) ", statement.code):
            if not re.match(r"(import|from) paddle\b", statement.code):
                imports.append(statement)
            continue
        kept += sorted(imports, key=lambda one: one.code)
        imports = []
        if statement:
            kept.append(statement)
    return kept


def hunks(torch: str, paddle: str) -> tuple[list[Hunk], list[Difference]]:
    """Compare two files.

    Args:
        torch, paddle: their text.

    Returns:
        Where they differ, and comments that stand where they do not.
    """
    ours, theirs = statements(rename(torch)), statements(paddle)
    codes = [[one.code for one in side] for side in (ours, theirs)]
    found, idle = [], []
    for kind, a, b, c, d in SequenceMatcher(None, *codes, autojunk=False).get_opcodes():
        if kind == "equal":
            for one in theirs[c:d]:
                idle += [Difference("", one.line, text) for text in one.comments]
            continue
        told = [text for one in theirs[c:d] for text in one.comments]
        if kind == "delete" and c < len(theirs):  # the comment stands in their place
            told, theirs[c].comments = theirs[c].comments, []
        line = theirs[min(c, len(theirs) - 1)].line
        found.append(Hunk(line, codes[0][a:b], codes[1][c:d], told))
    return found, idle


def twins() -> list[str]:
    """Names of the files that both rooms have, but what opens them."""
    ours, theirs = (
        {path.name for path in (ROOMS / room).glob("*.py")} for room in ("torch", "paddle")
    )
    return sorted((ours & theirs) - {"__init__.py"})


def text_of(room: str, name: str) -> str:
    """The text of a file of "torch" or "paddle"."""
    return (ROOMS / room / name).read_text("utf-8")


def differences(name: str) -> tuple[list[Hunk], list[Difference]]:
    """`hunks` of a file and its twin.

    Args:
        name: such as "sasrec.py".
    """
    return hunks(text_of("torch", name), text_of("paddle", name))


def listed() -> list[Difference]:
    """All differences of the twins, by file and line, with what is said of each."""
    rows = []
    for name in twins():
        for hunk in differences(name)[0]:
            rows += [Difference(name, hunk.line, text) for text in hunk.comments]
    return rows


def public(text: str) -> dict[str, tuple]:
    """What a file promises.

    Args:
        text: Python.

    Returns:
        For each public definition, by qualified name and in order, its arguments with
        annotations and defaults, what it returns and its docstring,
        after the renames; constants with their values.
    """
    tree = ast.parse(rename(text, {**RENAMES, **NAMES}))
    return {"": (ast.get_docstring(tree),), **_promised(tree, "")}


def _promised(node: ast.AST, prefix: str) -> dict[str, tuple]:
    found = {}
    for child in getattr(node, "body", []):
        name = getattr(child, "name", "_")
        if isinstance(child, ast.Assign):
            for target in child.targets:
                if isinstance(target, ast.Name):
                    found[prefix + target.id] = (ast.unparse(child.value),)
        elif name.startswith("_") and name != "__init__":
            continue
        elif isinstance(child, ast.FunctionDef):
            returns = child.returns and ast.unparse(child.returns)
            said = ast.get_docstring(child)
            found[prefix + name] = (ast.unparse(child.args), returns, said)
        elif isinstance(child, ast.ClassDef):
            found[prefix + name] = (ast.get_docstring(child),)
            found |= _promised(child, f"{prefix}{name}.")
    return found
