"""The table of derived gradients, loaded by path so that any import mode finds it."""

import importlib.util
import sys
from pathlib import Path


def load_derivatives():
    """The module `derivatives` beside this file, once."""
    name = "recsys_test_derivatives"
    if name not in sys.modules:
        path = Path(__file__).parent / "derivatives.py"
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def pytest_generate_tests(metafunc):
    """A test that asks for `case` runs once for each derived gradient."""
    if "case" in metafunc.fixturenames:
        cases = load_derivatives().CASES
        metafunc.parametrize("case", cases.values(), ids=[name.replace(" ", "-") for name in cases])
