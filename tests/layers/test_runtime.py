"""Frameworks load quietly, with one thread, and repeat under a seed."""

import os
import subprocess
import sys

import numpy as np
import pytest

from recsys.runtime import seed_everything

in_own_process = pytest.mark.skipif(
    "RECSYS_TEST_IN_PROCESS" in os.environ, reason="needs a process with one framework alone"
)


@in_own_process
@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_a_twin_loads_without_a_word_and_with_one_thread(framework):
    code = (
        f"import os, logging, recsys.{framework}; "
        "print(os.environ['OMP_NUM_THREADS'], len(logging.getLogger().handlers))"
    )
    chosen = ("OMP_", "GLOG_", "PYTHONWARN")
    bare = {k: v for k, v in os.environ.items() if not k.startswith(chosen)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=bare)
    assert (result.returncode, result.stdout.split(), result.stderr) == (0, ["1", "0"], "")


@in_own_process
def test_each_framework_is_alone_in_its_process(backend):
    loaded, threads, handlers, variable = backend.surroundings()
    assert loaded == [backend.name] and threads in (1, None) and handlers == 0 and variable == "1"


def test_every_generator_repeats_under_a_seed(backend):
    first, again, other = backend.draws(5), backend.draws(5), backend.draws(6)
    for one, same, different in zip(first, again, other):
        np.testing.assert_array_equal(one, same)
        assert np.all(one != different)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_outside_the_range_of_numpy_is_refused(seed):
    with pytest.raises(ValueError, match="seed: expected a whole number from 0"):
        seed_everything(seed)
