"""Planted sequences, and a SASRec small enough to train in a second."""

import numpy as np
import pytest
from small_run import SMALL_SASREC

from recsys.data import Interactions
from recsys.torch.sasrec import SASRecRecommender


@pytest.fixture(scope="session")
def small_config():
    return SMALL_SASREC


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


@pytest.fixture(scope="session")
def trained(walks):
    return SASRecRecommender(SMALL_SASREC).fit(walks)
