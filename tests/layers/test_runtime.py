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


SURROUNDINGS = """
import logging, os, random, subprocess, sys

def surroundings():
    child = subprocess.run(["env"], capture_output=True, text=True).stdout.splitlines()
    root = logging.getLogger()
    return set(os.environ.items()), set(child), root.level, list(root.handlers), random.getstate()

before = surroundings()
import recsys.{twin}
after = surroundings()
print(sorted(dict(after[0] - before[0]).items()), sorted(after[1] - before[1]), sorted(before[0] - after[0]))
print(before[2:] == after[2:], sorted({{"torch", "paddle"}} & set(sys.modules)))
"""


def alone(code, **environment):
    """What a fresh process prints, without what this one was given for the frameworks."""
    chosen = ("OMP_", "GLOG_", "PYTHONWARN", "CUSTOM_DEVICE", "MKL_")
    bare = {k: v for k, v in os.environ.items() if not k.startswith(chosen)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**bare, **environment})
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


@in_own_process
@pytest.mark.parametrize("twin", ["torch", "paddle"])
def test_a_twin_loads_alone_without_a_word_and_adds_two_variables_to_its_process(twin):
    """Level and handlers of the root logger, Python's generator, the environment, also that of children."""
    added = [("GLOG_minloglevel", "2"), ("OMP_NUM_THREADS", "1")]
    children = [f"{name}={value}" for name, value in added]
    assert alone(SURROUNDINGS.format(twin=twin)) == [f"{added} {children} []", f"True ['{twin}']"]


@in_own_process
@pytest.mark.parametrize("before", [{}, {"MKL_DEBUG_CPU_TYPE": "4"}])
def test_products_are_chosen_on_a_processor_of_amd_and_no_trace_stays(before):
    code = """
import os, recsys.runtime as runtime
runtime._is_amd = lambda: True
choose, seen = runtime._choose_fast_products, []
runtime._choose_fast_products = lambda paddle: (choose(paddle), seen.append(os.environ["MKL_DEBUG_CPU_TYPE"]))
runtime.import_paddle()
print(seen, os.environ.get("MKL_DEBUG_CPU_TYPE"))
"""
    kept = before.get("MKL_DEBUG_CPU_TYPE")
    assert alone(code, **before) == [f"{[kept or '5']} {kept}"]


@in_own_process
def test_strided_kernels_are_off_and_an_assignment_reaches_the_tensor():
    code = """
import recsys.paddle, paddle
x = paddle.zeros([3, 2])
x[:, 1] = 1
x[0] += 1
x[paddle.to_tensor([True, False, False])] = 5
print(paddle.get_flags("FLAGS_use_stride_kernel"), x.tolist())
"""
    assert alone(code) == ["{'FLAGS_use_stride_kernel': False} [[5.0, 5.0], [0.0, 1.0], [0.0, 1.0]]"]


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
