"""The frameworks agree on every rung: layers, loss, gradients, draws, steps, a stop, in both dtypes."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from recsys.book.parity import CASES, Ladder, compare
from recsys.book.parity.cases import DTYPES
from recsys.book.parity.rungs import path_of, read
from tests.conftest import ROOT

FRAMEWORKS = ("torch", "paddle")
pytestmark = pytest.mark.skipif(importlib.util.find_spec("paddle") is None, reason="paddle is not installed")


@pytest.fixture(scope="module")
def climbs(tmp_path_factory):
    """A directory with the climbs of both frameworks, each made in a process of its own at the same time."""
    directory = tmp_path_factory.mktemp("climbs")
    processes = [
        subprocess.Popen([sys.executable, "-m", "recsys.book.parity", framework, str(directory)], cwd=ROOT,
                         env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True)
        for framework in FRAMEWORKS
    ]  # fmt: skip
    told = [process.communicate()[1] for process in processes]
    return directory, dict(zip(FRAMEWORKS, told, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_the_frameworks_agree_on_every_rung(climbs, name, dtype):
    directory, told = climbs
    for framework in FRAMEWORKS:
        assert path_of(directory, framework, name, dtype).exists(), told[framework][-3000:]
    for rung in read(directory, name, dtype):
        assert rung.holds, rung


@pytest.fixture(scope="module")
def sasrec():
    return Ladder("torch", CASES["SASRec, attention"], "float64").climb()


def told(one, other, dtype="float64", name="SASRec, attention"):
    return {rung.rung: rung for rung in compare(name, dtype, one, other)}


def test_a_climb_agrees_with_itself_and_its_rungs_are_real(sasrec):
    assert all(rung.difference == 0 and rung.layer is None for rung in told(sasrec, sasrec).values())
    assert all(np.isfinite(array).all() for name, array in sasrec.items() if name != "batches")
    assert sasrec["losses"][-1] < 0.8 * sasrec["losses"][0]
    masks = [mask for name, mask in sasrec.items() if name.startswith("mask/")]
    assert len(masks) == 5 and all(0.05 < (mask < 0.1).mean() < 0.15 for mask in masks)  # two a block, one before them


@pytest.mark.parametrize("parameter, layer", [
    ("items.weight", "items"), ("blocks.0.mixer.key.weight", "blocks.0.mixer.key"), ("blocks.1.wide.bias", "blocks.1.wide"),
    ("norm.weight", "norm"),
])  # fmt: skip
def test_the_first_layer_that_differs_is_named(sasrec, parameter, layer):
    other = Ladder("torch", CASES["SASRec, attention"], "float64", {parameter: 1e-6}).forward()
    rung = told(sasrec, {**sasrec, **other})["forward"]
    assert not rung.holds and rung.layer == layer


@pytest.mark.parametrize("array, rung, change", [
    ("gradient/norm.weight", "gradient", lambda a: a * (1 + 1e-7)), ("forward/1", "zeros", lambda a: a + 1e-28),
    ("loss", "loss", lambda a: a + 1e-9),
    ("mask/000", "masks", lambda a: 1 - a), ("batches", "batches", lambda a: a[::-1]),
    ("step 1/norm.weight", "step 1", lambda a: a + 1e-9), ("step 200/norm.weight", "step 200", lambda a: a + 1e-5),
    ("losses", "losses", lambda a: a * np.nan), ("resumed", "resumed", np.logical_not),
])  # fmt: skip
def test_a_difference_is_seen_on_its_rung_alone(sasrec, array, rung, change):
    rungs = told(sasrec, {**sasrec, array: change(sasrec[array])})
    assert [name for name, found in rungs.items() if not found.holds] == [rung]


def test_arrays_of_other_names_or_shapes_are_refused_by_name(sasrec):
    without = {name: array for name, array in sasrec.items() if name != "gradient/norm.weight"}
    with pytest.raises(ValueError, match="gradient/norm.weight: expected one shape"):
        compare("SASRec, attention", "float64", sasrec, without)
    with pytest.raises(ValueError, match="losses: expected one shape"):
        compare("SASRec, attention", "float64", sasrec, {**sasrec, "losses": sasrec["losses"][1:]})
