"""The twins say the same: files, names, arguments, defaults, docstrings; what differs is told where it differs."""

import ast
from pathlib import Path

import pytest

import recsys
from recsys.book.twins import differences, hunks, listed, public, text_of, twins

ROOT = Path(recsys.__file__).parent
ALONE = {"lightning.py": "Lightning drives PyTorch only"}


def imports(path):
    """Every module that a file imports, at any depth of it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_twins_have_the_same_files():
    ours, theirs = ({path.name for path in (ROOT / twin).glob("*.py")} for twin in ("torch", "paddle"))
    assert ours - theirs == set(ALONE) and theirs <= ours


@pytest.mark.parametrize("name", twins())
def test_the_twins_have_the_same_names_arguments_defaults_and_docstrings(name):
    ours, theirs = public(text_of("torch", name)), public(text_of("paddle", name))
    assert list(ours) == list(theirs)
    for defined in ours:
        assert ours[defined] == theirs[defined], defined


@pytest.mark.parametrize("name", twins())
def test_where_the_twins_differ_a_comment_says_which_difference_of_the_frameworks_it_is(name):
    found, idle = differences(name)
    untold = [hunk for hunk in found if not hunk.comments]
    assert not untold, f"{name}: expected a comment '# Paddle: ...' in or above each, got none: {untold}"
    assert not idle, f"{name}: expected a difference beside each comment, got none: {idle}"


def test_the_list_of_differences_holds_every_comment_of_the_paddle_files():
    marked = [(name, text.split("# Paddle: ")[1]) for name in twins()
              for text in text_of("paddle", name).splitlines() if "# Paddle: " in text]  # fmt: skip
    rows = listed()
    assert len(rows) == len(marked) > 0
    for (name, text), row in zip(sorted(marked), sorted((row.file, row.comment) for row in rows), strict=True):
        assert row[0] == name and row[1].startswith(text)
    assert all(5 < len(row.comment) < 200 and row.line > 0 for row in rows)


TORCH = '''"""A layer."""

import torch
from torch import Tensor, nn

from recsys.checks import check_axes
from recsys.torch.parameters import projection

SIZE = 3


class Layer(nn.Module):
    """One.

    Args:
        width: of it.
    """

    def __init__(self, width: int, share: float = 0.5):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Through."""
        size = len(x)
        kept = x.transpose(1, 2)  # (batch, dim, length)
        kept = kept / size
        parts = torch.cat([kept, kept], dim=1)
        return F.softmax(parts, dim=-1).to(x.dtype)
'''
PADDLE = '''"""A layer."""

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from recsys.checks import check_axes
from recsys.paddle.parameters import projection

SIZE = 3


class Layer(nn.Layer):
    """One.

    Args:
        width: of it.
    """

    def __init__(self, width: int, share: float = 0.5):
        super().__init__()
        self.weight = nn.Parameter(paddle.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Through."""
        size = len(x)
        # Paddle: an axis is named by its place
        # in the whole order
        kept = x.transpose([0, 2, 1])  # (batch, dim, length)
        kept = kept / size
        parts = paddle.cat(
            [kept, kept],
            axis=1,
        )
        return F.softmax(parts, axis=-1).astype(x.dtype)
'''


def test_renames_and_line_breaks_are_no_difference_and_a_comment_is_told_whole():
    found, idle = hunks(TORCH, PADDLE)
    assert [(hunk.line, hunk.comments) for hunk in found] == [(29, ["an axis is named by its place in the whole order"])]
    assert not idle and public(TORCH) == public(PADDLE)


@pytest.mark.parametrize("old, new", [
    ("share: float = 0.5", "share: float = 0.4"), ("share: float", "part: float"), (", share: float = 0.5", ""),
    ("width: of it.", "width: of her."), ('"""Through."""', ""), ("SIZE = 3", "SIZE = 4"), ("class Layer(", "class Other("),
    ("-> Tensor", "-> tuple[Tensor]"),
])  # fmt: skip
def test_another_name_argument_default_or_docstring_is_seen(old, new):
    changed = PADDLE.replace(old, new)
    assert changed != PADDLE and public(TORCH) != public(changed)
    assert any(not hunk.comments for hunk in hunks(TORCH, changed)[0])


@pytest.mark.parametrize("old, new", [
    ("        # Paddle: an axis is named by its place\n        # in the whole order\n", ""),
    ("axis=-1", "axis=1"), ("paddle.zeros(width)", "paddle.ones(width)"), ("            axis=1,\n        )", "            axis=1,\n        )  # (dim)"),
    ("        super().__init__()\n", ""), ("import check_axes", "import check_ids"), ("        return F", "        kept = 1\n        return F"),
    ("kept, kept", "kept, parts"),
])  # fmt: skip
def test_a_line_that_differs_without_a_comment_is_seen(old, new):
    changed = PADDLE.replace(old, new)
    assert changed != PADDLE and any(not hunk.comments for hunk in hunks(TORCH, changed)[0])


@pytest.mark.parametrize("old, new", [
    ("super().__init__()", "super().__init__()  # Paddle: nothing"), ("        parts = ", "        # Paddle: nothing\n        parts = "),
    ("SIZE = 3", "# Paddle: nothing\nSIZE = 3"),
])  # fmt: skip
def test_a_comment_where_nothing_differs_is_seen(old, new):
    _, idle = hunks(TORCH, PADDLE.replace(old, new))
    assert [one.comment for one in idle] == ["nothing"]


def test_lines_that_paddle_does_without_are_told_where_they_are_missing():
    without = PADDLE.replace("        parts = paddle.cat(\n            [kept, kept],\n            axis=1,\n        )\n", "")
    assert [hunk.comments for hunk in hunks(TORCH, without)[0]][1] == []
    told = without.replace("        return F", "        # Paddle: needs no copy\n        return F")
    found, idle = hunks(TORCH, told)
    assert [hunk.comments for hunk in found][1] == ["needs no copy"] and not idle


@pytest.mark.parametrize("fault", ["default", "argument", "comment", "line"])
@pytest.mark.parametrize("name", twins())
def test_a_fault_planted_in_a_twin_is_seen(name, fault):
    """In a copy of each file: a default changed, an argument renamed, all comments gone, a line doubled."""
    text = text_of("paddle", name)
    lines = text.splitlines(keepends=True)
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)
                 and (node.name[0] != "_" or node.name == "__init__")]  # fmt: skip
    if fault == "comment":
        changed = text.replace("# Paddle: ", "# ")
        if changed == text:
            pytest.skip("it differs in nothing")
    elif fault == "line":
        for last in (node.body[-1] for node in functions):
            lines[last.lineno - 1] = " " * last.col_offset + "pass\n" + lines[last.lineno - 1]
        changed = "".join(lines)
    else:
        with_default = [node for node in functions if node.args.defaults]
        if fault == "default" and not with_default:
            pytest.skip("no default")
        node = (with_default if fault == "default" else functions)[0]
        if fault == "default":
            node.args.defaults[-1] = ast.Constant(12345)
        else:
            node.args.args[-1].arg += "_"
        header = f"def {node.name}({ast.unparse(node.args)}){' -> ' + ast.unparse(node.returns) if node.returns else ''}:\n"
        indent = " " * node.col_offset
        changed = "".join(lines[: node.lineno - 1]) + indent + header + "".join(lines[node.body[0].lineno - 1 :])
    untold = [hunk for hunk in hunks(text_of("torch", name), changed)[0] if not hunk.comments]
    if fault in ("default", "argument"):
        assert public(text_of("torch", name)) != public(changed)
    else:
        assert untold


@pytest.mark.parametrize("twin, other", [("torch", "paddle"), ("paddle", "torch")])
def test_neither_twin_imports_the_other(twin, other):
    for path in (ROOT / twin).glob("*.py"):
        for module in imports(path):
            assert module.split(".")[0] != other and not module.startswith(f"recsys.{other}"), path


def test_the_twins_export_the_same_names():
    exported = [
        [alias.name for node in ast.parse((ROOT / twin / "__init__.py").read_text()).body
         if isinstance(node, ast.ImportFrom) and node.module != "recsys.runtime"
         for alias in node.names]
        for twin in ("torch", "paddle")
    ]  # fmt: skip
    assert exported[0] == exported[1]
