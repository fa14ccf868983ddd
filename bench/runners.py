"""One function a library: calls its metrics the way its own documentation does.

``python bench/runners.py LIBRARY INPUT.npz OUTPUT.json``, run by metric_libraries.py
with the Python of that library's environment. Nothing is computed here or in the two files
of functions: each result is what the library returned, with the call and the variant that
reading its source (and the check in metric_libraries.py) showed it to be.
"""

import importlib.metadata
import json
import platform
import sys

import numpy as np
from metric_input import MetricInput
from runners_lists import ir_measures, lenskit, pytrec_eval, ranx, sklearn, torchmetrics
from runners_tables import cornac, implicit, recommenders, rectools

# library: (function, distribution whose version counts, environment)
LIBRARIES = {
    "cornac": (cornac, "cornac", "cornac"),
    "implicit": (implicit, "implicit", "implicit"),
    "ir-measures": (ir_measures, "ir-measures", "trec"),
    "LensKit": (lenskit, "lenskit", "lenskit"),
    "pytrec_eval": (pytrec_eval, "pytrec-eval-terrier", "trec"),
    "ranx": (ranx, "ranx", "ranx"),
    "recommenders": (recommenders, "recommenders", "recommenders"),
    "RecTools": (rectools, "rectools", "rectools"),
    "scikit-learn": (sklearn, "scikit-learn", "project"),
    "torchmetrics": (torchmetrics, "torchmetrics", "project"),
}


def main(library, source, target):
    """Run one library on the input in ``source`` and write its results to ``target``."""
    run, distribution, _ = LIBRARIES[library]
    with np.load(source) as arrays:
        data = MetricInput(**arrays)
    versions = {name: importlib.metadata.version(name) for name in sorted({distribution, "numpy"})}
    written = {"versions": {"python": platform.python_version(), **versions}, "results": run(data)}
    with open(target, "w", encoding="utf-8") as file:
        json.dump(written, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
