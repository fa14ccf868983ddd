"""The reference stands below the frameworks."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("room", ["recsys.attention", "recsys.runtime"])
def test_importing_the_room_loads_no_framework(room):
    code = f"import sys, {room}; print(sorted({{'torch', 'paddle', 'keras'}} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]" and result.stderr == ""
