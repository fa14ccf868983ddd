"""What every test shares: one thread, no progress bars, strict claims, and the real data loaded once."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RECSYS_QUIET", "1")
os.environ.setdefault("RECSYS_STRICT", "1")

import numpy as np
import pytest

from recsys.data import Interactions, load

ROOT = Path(__file__).resolve().parents[1]


LONGEST = ("test_pages_in_a_browser.py", "test_networks_in_paddle.py", "test_mutations.py", "test_lab.py",
           "test_contract_in_paddle.py")  # fmt: skip


def pytest_collection_modifyitems(items):
    """The longest files first: beside one that begins last, the other core has nothing to do."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


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


@pytest.fixture(scope="session")
def walks():
    """120 users walk 30 items in steps of one from a start of their own, one step in five at random."""
    random = np.random.default_rng(3)
    sequences = []
    for _ in range(120):
        sequence = [int(random.integers(30))]
        while len(sequence) < 9:
            jump = random.random() < 0.2
            sequence.append(int(random.integers(30)) if jump else (sequence[-1] + 1) % 30)
        sequences.append(sequence)
    return Interactions.from_sequences(sequences, np.arange(100, 130))
