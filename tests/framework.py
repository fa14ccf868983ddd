"""Which framework a process of the tests has: one alone, PyTorch if nothing is said.

With RECSYS_TEST_IN_PROCESS=paddle the same tests ask the other twin. `in_paddle` runs files that way, in a
process of its own, so that both frameworks are covered and never meet.
"""

import importlib.util
import os
import subprocess
import sys
from importlib import import_module

import pytest

from tests.conftest import ROOT

FRAMEWORK = os.environ.get("RECSYS_TEST_IN_PROCESS", "torch")


from_outside = pytest.mark.skipif(
    FRAMEWORK == "paddle" or importlib.util.find_spec("paddle") is None,
    reason="this is Paddle's process, or it is not installed",
)
needs_torch = pytest.mark.skipif(FRAMEWORK != "torch", reason="its body speaks PyTorch: its optimizers, its gradcheck, how it stores a weight")


def twin(file, *names):
    """A module of the framework's room, such as "sasrec"; or what is named of it."""
    module = import_module(f"recsys.{FRAMEWORK}.{file}")
    found = [getattr(module, name) for name in names]
    return found[0] if len(found) == 1 else found or module


twin("parameters")  # the room loads the framework, quietly
fw = import_module(FRAMEWORK)
"""The framework itself, for what both call the same."""


def start_at(number):
    """Start the framework's generator."""
    (fw.manual_seed if FRAMEWORK == "torch" else fw.seed)(number)


def tensor(data, **options):
    """A tensor of the framework."""
    return (fw.tensor if FRAMEWORK == "torch" else fw.to_tensor)(data, **options)


def in_paddle(*arguments):
    """Run pytest in a process with Paddle: what it said, or nothing where tests passed and none failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:xdist", *arguments]
    environment = {**os.environ, "RECSYS_TEST_IN_PROCESS": "paddle", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return "" if done.returncode == 0 and " passed" in done.stdout else (done.stdout + done.stderr)[-6000:]


def equal(first, second):
    """Whether two tensors are equal to the bit."""
    return first.shape == second.shape and bool((first == second).all())
