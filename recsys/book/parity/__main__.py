"""Climb with one framework; see the package."""

import sys
import traceback
from pathlib import Path

import numpy as np

from recsys.book.parity.cases import CASES, DTYPES
from recsys.book.parity.climb import Ladder
from recsys.book.parity.rungs import path_of


def main(framework: str, directory: str, *names: str) -> None:
    """Climb with one framework, and keep what was found.

    Raises:
        SystemExit: a network that could not climb; the others did.
    """
    failed = []
    for name in names or CASES:
        for dtype in DTYPES:
            try:
                found = Ladder(framework, CASES[name], dtype).climb()
                np.savez(path_of(Path(directory), framework, name, dtype), **found)
            except Exception:
                traceback.print_exc()
                failed.append(f"{name} in {dtype}")
    if failed:
        sys.exit(f"{framework} could not climb: {'; '.join(failed)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
