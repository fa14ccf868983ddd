"""The twins say the same: files, names, arguments, defaults and docstrings."""

import ast
from pathlib import Path

import pytest

import recsys

ROOT = Path(recsys.__file__).parent
LATER = "the Paddle twins of the models come with a later issue"
ALONE = {
    "lightning.py": "Lightning drives PyTorch only",
    **dict.fromkeys([
        "activation_unit.py", "engine.py", "factorisation.py", "history_attention.py", "masked_language.py",
        "mixers.py", "ncf.py", "next_basket.py", "nrms.py", "optimisation.py", "output_losses.py", "sasrec.py",
        "skip_gram.py", "target_ranker.py",
    ], LATER),
}  # fmt: skip
FILES = sorted(path.name for path in (ROOT / "torch").glob("*.py") if path.name not in ALONE)


def public(path):
    """Qualified names of public definitions, with arguments, annotations and docstring."""
    found = {"": ast.get_docstring(ast.parse(path.read_text()))}

    def visit(node, prefix):
        for child in getattr(node, "body", []):
            private = getattr(child, "name", "_").startswith("_")
            if isinstance(child, ast.FunctionDef) and (not private or child.name == "__init__"):
                returns = child.returns and ast.unparse(child.returns)
                found[prefix + child.name] = (
                    neutral(ast.unparse(child.args)), neutral(returns), ast.get_docstring(child)
                )  # fmt: skip
            elif isinstance(child, ast.ClassDef) and not private:
                found[prefix + child.name] = ast.get_docstring(child)
                visit(child, f"{prefix}{child.name}.")

    visit(ast.parse(path.read_text()), "")
    return found


def neutral(annotation):
    """nn.Module and nn.Layer are the same to a reader."""
    return annotation and annotation.replace("nn.Module", "nn.Layer")


def imports(path):
    """Every module that a file imports, at any depth of it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_twins_have_the_same_files():
    assert FILES == sorted(path.name for path in (ROOT / "paddle").glob("*.py"))


@pytest.mark.parametrize("name", ALONE)
def test_a_file_without_a_twin_is_there_and_really_has_none(name):
    assert (ROOT / "torch" / name).exists() and not (ROOT / "paddle" / name).exists(), ALONE[name]


@pytest.mark.parametrize("name", [name for name in FILES if name != "__init__.py"])
def test_the_twins_have_the_same_names_arguments_and_docstrings(name):
    assert public(ROOT / "torch" / name) == public(ROOT / "paddle" / name)


def test_the_twins_export_the_same_names():
    exported = [
        [alias.name for node in ast.parse((ROOT / twin / "__init__.py").read_text()).body
         if isinstance(node, ast.ImportFrom) and node.module != "recsys.runtime"
         for alias in node.names]
        for twin in ("torch", "paddle")
    ]  # fmt: skip
    assert exported[0] == exported[1]


@pytest.mark.parametrize("twin, other", [("torch", "paddle"), ("paddle", "torch")])
def test_neither_twin_imports_the_other(twin, other):
    for path in (ROOT / twin).glob("*.py"):
        for module in imports(path):
            assert module.split(".")[0] != other and not module.startswith(f"recsys.{other}"), path
