"""Faults put into a copy of the package on purpose: each must turn the property tests red."""

import subprocess
import sys

from tests.conftest import ROOT


def test_no_fault_and_no_generic_mutation_survives():
    command = [sys.executable, "tests/mutations/run.py", "--sample"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
