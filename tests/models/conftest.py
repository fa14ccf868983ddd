"""A SASRec small enough to train in a second."""

import pytest

from tests.framework import twin
from tests.settings import SMALL_SASREC


@pytest.fixture(scope="session")
def small_config():
    return SMALL_SASREC


@pytest.fixture(scope="session")
def trained(walks):
    return twin("sasrec", "SASRecRecommender")(SMALL_SASREC).fit(walks)
