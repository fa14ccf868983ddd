"""One virtual environment per peer library, under bench/.envs (ignored by git).

``python bench/environments.py [name ...]`` makes those named, or all. An environment
is made from bench/requirements/<name>.txt and used again until that file, or the
Python that makes it, changes.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
NAMES = sorted(path.stem for path in (BENCH / "requirements").glob("*.txt"))


def ensure(name):
    """Make the environment ``name`` if it is missing or out of date.

    Returns: the path of its Python. ``project`` is the environment that runs this.
    Raises: ValueError for an unknown name; subprocess.CalledProcessError when pip
    fails, with pip's last words in ``stderr``.
    """
    if name == "project":
        return Path(sys.executable)
    if name not in NAMES:
        raise ValueError(f"unknown environment {name!r}: expected one of {NAMES} or 'project'")
    requirements = BENCH / "requirements" / f"{name}.txt"
    folder = BENCH / ".envs" / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "made-from.sha256"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        print(f"{name}: environment is up to date", flush=True)
        return python
    print(f"{name}: installing {requirements.relative_to(BENCH.parent)}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--requirement", requirements]
    subprocess.run(install, check=True, stderr=subprocess.PIPE, text=True)
    stamp.write_text(wanted)
    return python


if __name__ == "__main__":
    for wanted_name in sys.argv[1:] or NAMES:
        ensure(wanted_name)
