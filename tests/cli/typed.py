"""The command line on walks under the name of a data set, in a process of its own.

    python tests/cli/typed.py WORD ...
"""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd

import recsys.cli
import recsys.cli.log
from recsys.data import Interactions


def walks():
    """60 users walk 30 items in steps of one."""
    rng = np.random.default_rng(3)
    starts = rng.integers(30, size=60)
    log = Interactions.from_sequences([(start + np.arange(9)) % 30 for start in starts], np.arange(100, 130))
    return SimpleNamespace(interactions=log, items=pd.DataFrame(index=log.item_ids))


if __name__ == "__main__":
    recsys.cli.log.load = lambda name: walks()
    recsys.cli.app(sys.argv[1:])
