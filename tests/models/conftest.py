"""A SASRec small enough to train in a second."""

import pytest

from recsys.torch.sasrec import SASRecRecommender
from tests.training.small_run import SMALL_SASREC


@pytest.fixture(scope="session")
def small_config():
    return SMALL_SASREC


@pytest.fixture(scope="session")
def trained(walks):
    return SASRecRecommender(SMALL_SASREC).fit(walks)
