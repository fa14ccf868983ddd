"""Do the tests catch what they are there to catch?

    python tests/mutations/run.py [numpy torch paddle models] [--sample]

Each change of `mutants.py` (formulas and layers) and of the files `of_*.py` (models) goes into
a copy of the package in a temporary directory, and the property tests run against that copy. A
change that no test notices has survived, and the exit status says so. First the unchanged copy
has to pass. With `--sample`, a fixed few stand for the models, each with the first of its test
files: `make test` takes those, `make mutations` all.

One process for each group loads NumPy, pytest and at most one framework, then forks for
each mutant, so that a framework is loaded once and both are never in one process.
"""

import argparse
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

from mutants import MUTANTS, TEN_FAULTS, Mutant  # noqa: E402

GROUPS = ("numpy", "torch", "paddle", "models")
LIMIT = 60  # seconds for one mutant
UNCHANGED_LIMIT = 900  # seconds for all tests of a group
SAMPLE = {
    "mean of the batches' means", "a query sees the future", "the last event of a window is no target",
    "held-out items are masked", "validation events are fitted for validation",
}  # fmt: skip
LAYER_TESTS = ["layer_properties", "autograd", "layer_errors", "parity"]
TESTS = {  # which tests look at a file, the quickest first
    "attention/weights.py": ["weights", "derivatives"],
    "attention/scores.py": ["scores", "derivatives"],
    "attention/dot_product.py": ["dot_product", "derivatives"],
    "attention/pooling.py": ["pooling", "derivatives"],
    "attention/losses.py": ["losses", "derivatives"],
    "attention/sampled.py": ["sampled", "derivatives"],
    "attention/differences.py": ["differences"],
    "checks.py": ["bad_masks", "weights", "losses", "dot_product"],
}


def of_the_models() -> tuple[list[Mutant], dict[str, list[str]]]:
    """All mutants of the files `of_*.py`, and for each file of the package the tests that look at it."""
    mutants, tests = [], {}
    for path in sorted(HERE.glob("of_*.py")):
        family = importlib.import_module(path.stem)
        mutants += family.MUTANTS
        for file, named in family.TESTS.items():
            tests[file] = list(dict.fromkeys([*tests.get(file, []), *named]))
    return mutants, tests


OF_MODELS, TESTS_OF_MODELS = of_the_models()


def mutants_of(group: str, sample: bool) -> list[Mutant]:
    """The changes of one group, or of the models a fixed few of them."""
    if group != "models":
        return [mutant for mutant in MUTANTS if mutant.group == group]
    if not sample:
        return OF_MODELS
    few = [mutant for mutant in OF_MODELS if mutant.name in SAMPLE]
    if missing := SAMPLE - {mutant.name for mutant in few}:
        raise SystemExit(f"SAMPLE: expected names of mutants of the models, got {', '.join(sorted(missing))}")
    return few


def tests_for(mutant: Mutant) -> list[str]:
    """The test files to run, relative to the copy."""
    if mutant.group == "models":
        return TESTS_OF_MODELS[mutant.file]
    if mutant.group == "numpy":
        return [f"tests/attention/test_{name}.py" for name in TESTS[mutant.file]]
    return [f"tests/layers/test_{name}.py" for name in LAYER_TESTS]


def copy_package(target: Path, group: str) -> None:
    """What the tests of a group need: the rooms under test and the tests themselves."""
    ignore = shutil.ignore_patterns("__pycache__")
    (target / "pytest.ini").write_text("[pytest]\n")
    if group == "models":
        for name in ("recsys", "tests"):
            shutil.copytree(ROOT / name, target / name, ignore=ignore)
        (target / "bench").symlink_to(ROOT / "bench")  # results that tests of metrics read
        return
    rooms = ["attention"] if group == "numpy" else ["attention", group]
    for room in rooms:
        shutil.copytree(ROOT / "recsys" / room, target / "recsys" / room, ignore=ignore)
    for name in ("__init__.py", "checks.py", "runtime.py"):
        shutil.copy(ROOT / "recsys" / name, target / "recsys" / name)
    for name in ("attention", "layers"):
        shutil.copytree(ROOT / "tests" / name, target / "tests" / name, ignore=ignore)


def put_in(mutant: Mutant, package: Path) -> None:
    """Change one place of the copy; the text has to be there exactly once."""
    path = package / mutant.file
    source = path.read_text()
    if source.count(mutant.old) != 1:
        raise SystemExit(
            f"{mutant.file}: expected {mutant.old!r} once for the mutant {mutant.name!r}, found it "
            f"{source.count(mutant.old)} times; bring tests/mutations up to date"
        )
    path.write_text(source.replace(mutant.old, mutant.new))


class FirstFailure:
    """A pytest plugin that remembers the first test that failed, and with what."""

    name = ""

    def pytest_exception_interact(self, node, call):
        if not self.name:
            test = node.nodeid.removeprefix("tests/").partition("/")[2]
            self.name = f"{test} ({call.excinfo.typename})"


def run_tests(copy: Path, tests: list[str], answer: Path, limit: int) -> None:
    """In the forked process: test the copy and write down how it went."""
    signal.alarm(limit)
    sys.dont_write_bytecode = True
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    with open(os.devnull, "w") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
        import pytest

        first = FirstFailure()
        options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "-k", "not thousand"]
        status = pytest.main([*options, "--rootdir", str(copy), *tests], plugins=[first])
    import recsys

    assert Path(recsys.__file__).is_relative_to(copy), recsys.__file__
    answer.write_text(json.dumps([int(status), first.name]))


def find_without_shrinking() -> None:
    """Let Hypothesis stop at the first example that fails, and load what it needs."""
    from hypothesis import Phase, given, settings, strategies

    settings.register_profile("find", phases=[Phase.explicit, Phase.generate])
    settings.load_profile("find")
    settings(max_examples=2, derandomize=True)(given(strategies.integers())(lambda _: None))()


def fork_and_test(copy: Path, tests: list[str], limit: int) -> tuple[int | None, str]:
    """Status of pytest and the first failure; None where the time ran out or it crashed."""
    answer = copy / "answer.json"
    child = os.fork()
    if child == 0:
        try:
            run_tests(copy, tests, answer, limit)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return tuple(json.loads(answer.read_text())) if answer.exists() else (None, "no answer")


PRELOAD = {  # what takes long to load, of what is not under test
    "numpy": ["scipy.stats", "sklearn.metrics"],
    "torch": ["scipy.special", "torch", "torch.nn.functional", "torch._dynamo"],  # the last by the first optimizer
    "paddle": ["scipy.special", "paddle", "paddle.nn.functional"],
    "models": ["scipy.stats", "scipy.sparse", "sklearn.metrics", "sklearn.ensemble", "pandas", "torch", "torch._dynamo",
               "safetensors.numpy", "tqdm", "yaml",
               "tensorboard.backend.event_processing.event_accumulator"],
}  # fmt: skip


def test_group(group: str, sample: bool) -> bool:
    """Run every mutant of a group in forks of this process; whether all were caught."""
    if group in ("torch", "paddle"):
        os.environ["RECSYS_TEST_IN_PROCESS"] = group
    for module in ["numpy", "pytest", "hypothesis.extra.numpy", *PRELOAD[group]]:
        importlib.import_module(module)
    find_without_shrinking()
    mutants = mutants_of(group, sample)
    unchanged = Mutant(group, "unchanged", "", "", "")
    tests_of = {mutant: tests_for(mutant)[:1 if sample and group == "models" else None] for mutant in mutants}
    everything = {test for tests in tests_of.values() for test in tests}
    good = True
    for mutant in [unchanged, *mutants]:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as directory:
            copy = Path(directory).resolve()
            copy_package(copy, group)
            if mutant is not unchanged:
                put_in(mutant, copy / "recsys")
            tests = sorted(everything) if mutant is unchanged else tests_of[mutant]
            status, failure = fork_and_test(copy, tests, UNCHANGED_LIMIT if mutant is unchanged else LIMIT)
        expected = 0 if mutant is unchanged else 1
        good &= status == expected
        report(mutant, status, failure, expected, time.perf_counter() - start)
    return good


def report(mutant: Mutant, status, failure: str, expected: int, seconds: float) -> None:
    """One line of the table."""
    kind = "fault" if mutant in TEN_FAULTS else "mutant"
    what = {0: "passed" if expected == 0 else "SURVIVED", 1: failure}.get(
        status, f"BROKEN (pytest status {status}, {failure})"
    )
    if status == 1 and expected == 0:
        what = f"FAILED {failure}"
    where = f"{mutant.group:<7}{kind:<7}{mutant.name:<43}"
    print(f"{where}{seconds:5.1f} s  {what}", flush=True)


def main() -> int:
    """Each group in a process of its own, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", help="numpy, torch, paddle, models; all by default")
    parser.add_argument("--sample", action="store_true", help="of the models a fixed few")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    groups = arguments.groups or list(GROUPS)
    if unknown := set(groups) - set(GROUPS):
        parser.error(f"expected groups among {', '.join(GROUPS)}, got {', '.join(unknown)}")
    if arguments.here:
        return 0 if test_group(groups[0], arguments.sample) else 1
    quick = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    environment = {**os.environ, **quick, "OMP_NUM_THREADS": "1", "GLOG_minloglevel": "2"}
    start, good = time.perf_counter(), True
    for group in groups:
        command = [sys.executable, "-W", "ignore", __file__, "--here", group]
        command += ["--sample"] if arguments.sample else []
        good &= subprocess.run(command, env=environment).returncode == 0
    verdict = "every change was caught" if good else "NOT every change was caught"
    print(f"{verdict}, {time.perf_counter() - start:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
