"""Fixtures of the layer tests: a backend for each framework, in a process of its own.

With RECSYS_TEST_IN_PROCESS=torch (or paddle) only that framework is tested, in this very
process: `tests/mutations/run.py` forks a process that has it loaded already.
"""

import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
IN_PROCESS = os.environ.get("RECSYS_TEST_IN_PROCESS")
FRAMEWORKS = [IN_PROCESS] if IN_PROCESS else ["torch", "paddle"]


def load_worker():
    """The module `worker` beside this file, by path."""
    spec = importlib.util.spec_from_file_location("recsys_test_worker", HERE / "worker.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


worker = load_worker()
worker.load_helpers()


class Remote:
    """A Backend in another process: each method call is a request and an answer."""

    def __init__(self, name):
        self.name = name
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
        )  # fmt: skip

    def __getattr__(self, method):
        def ask(*args, **kwargs):
            pickle.dump((method, args, kwargs), self.process.stdin)
            self.process.stdin.flush()
            done, answer = pickle.load(self.process.stdout)
            if done:
                return answer
            raise answer

        return ask

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


@pytest.fixture(scope="session", params=FRAMEWORKS)
def backend(request):
    """Each framework in turn; every test that asks for it runs once for each."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    if IN_PROCESS:
        yield worker.Backend(request.param)
        return
    remote = Remote(request.param)
    yield remote
    remote.close()


CASES = sys.modules["recsys_test_derivatives"].CASES


@pytest.fixture(params=CASES.items(), ids=lambda item: item[0])
def derived(request):
    """Name and case of each derived gradient."""
    return request.param
