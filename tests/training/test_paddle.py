"""A training in Paddle, in a process of its own: stopped and resumed, clipped, and weights that cross."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from recsys.data import Interactions
from recsys.torch.sasrec import SASRecConfig, SASRecRecommender
from recsys.training.loop import FitConfig
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(importlib.util.find_spec("paddle") is None, reason="paddle is not installed")
SMALL = SASRecConfig(dim=8, n_heads=2, max_length=6, tokens=60, training=FitConfig(epochs=1, learning_rate=1e-2))


@pytest.fixture(scope="module")
def log():
    return Interactions.from_sequences([[0, 1, 2, 3], [2, 3, 4, 0], [1, 2, 3, 4]] * 4, np.arange(5))


@pytest.fixture(scope="module")
def crossed(log, tmp_path_factory):
    """The directory of both frameworks' weights, torch's recommender, and what Paddle's process says."""
    directory = tmp_path_factory.mktemp("crossed")
    model = SASRecRecommender(SMALL, directory / "torch.state").fit(log)
    model.save(directory / "torch")
    command = [sys.executable, "-m", "tests.training.in_paddle", str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    return directory, model, json.loads(done.stdout)


def test_a_training_that_was_stopped_twice_ends_with_the_same_bits(crossed):
    assert crossed[2]["resumes"] == [True, True]


def test_a_sparse_gradient_is_clipped_as_the_dense_one(crossed):
    assert all(difference < 1e-6 and 0.01 < norm < 100 for difference, norm in crossed[2]["clipped"])


def test_double_precision_leaves_whole_numbers_and_booleans(crossed):
    dtypes = crossed[2]["dtypes"]
    assert (dtypes.pop("groups"), dtypes.pop("known")) == ("int64", "bool") and set(dtypes.values()) == {"float64"}


def test_buffers_cross_and_bad_weights_are_refused_by_name(crossed):
    assert crossed[2]["mean"] == 2.0
    assert crossed[2]["not finite"] == "weights: expected finite numbers, got others in out.bias; train again"


def test_weights_that_one_framework_saved_serve_in_the_other(crossed, log):
    """Square matrices among them, which would load transposed without a word."""
    directory, model, _ = crossed
    users = np.arange(3)
    close = dict(rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.load(directory / "torch_in_paddle.npy"), model.score(users), **close)
    served = SASRecRecommender(SMALL).load(directory / "paddle", log)
    np.testing.assert_allclose(served.score(users), np.load(directory / "paddle.npy"), **close)


def test_a_training_of_one_framework_is_not_resumed_in_the_other(crossed):
    assert "framework expected 'paddle', got 'torch'" in crossed[2]["torch's training"]
