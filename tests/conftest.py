"""What every test shares: one thread, no progress bars, and the real data loaded once."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RECSYS_QUIET", "1")

import numpy as np
import pytest

from recsys.data import Interactions, load

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def movielens():
    return load("movielens-100k")


@pytest.fixture(scope="session")
def tafeng():
    return load("ta-feng")


@pytest.fixture
def small() -> Interactions:
    """Twenty users, twelve items, ties in time, a few repeated pairs."""
    rng = np.random.default_rng(5)
    users = np.repeat(np.arange(20), 8)
    return Interactions.from_ids(users * 3 + 1, rng.integers(0, 12, 160) * 2, rng.integers(1, 6, 160),
                                 rng.integers(0, 5, 160))
