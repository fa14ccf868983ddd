"""Whole trainings: both frameworks end with the same metric and the same lists.

One a domain is trained here, by the program of studies/parity.py; the others as the study keeps them.
"""

import importlib.util
import json

import pytest

from recsys.book.parity.cases import CASES
from studies import parity
from tests.conftest import ROOT

RESULT = json.loads((ROOT / "studies" / "parity.json").read_text("utf-8"))["result"]["networks"]
RANKING = set(CASES) - {"skip-gram", "masked language", "NRMS, self, words", "NRMS, target, words", "NRMS, mean, words",
                        "NRMS, target and skips"}  # fmt: skip
KINKS = {"MLP", "NeuMF", "target ranker, din", "target ranker, din over root n", "target ranker, max"}
"""A relu, DIN's activation, a maximum with ties: rounding may grow there, so float64 decides."""

METRIC_BAR, LISTS_BAR = 5e-4, 0.99


def test_every_network_that_ranks_is_trained_whole():
    names = {name.replace("history attention, attention", "history attention") for name in RANKING}
    assert set(RESULT) == names
    assert {name for name, dtypes in RESULT.items() if "float64" in dtypes} == KINKS


@pytest.mark.skipif(importlib.util.find_spec("paddle") is None, reason="paddle is not installed")
def test_one_network_a_domain_ends_alike_now():
    three = {name: parity.CONFIG["networks"][name] for name in ("SASRec, attention", "target ranker, dot", "NRMS, self")}
    rows = parity.run({**parity.CONFIG, "networks": three})["networks"]
    for name in three:
        found = rows[name]["float32"]
        assert abs(found["PyTorch"] - found["PaddlePaddle"]["mean"]) <= METRIC_BAR
        assert found["PaddlePaddle"]["equal lists"] >= LISTS_BAR
        assert found["steps"] == RESULT[name]["float32"]["steps"]


@pytest.mark.parametrize("name", sorted(RESULT))
def test_the_metrics_agree_where_rounding_stays_small(name):
    row = RESULT[name]["float64" if name in KINKS else "float32"]
    assert abs(row["PyTorch"] - row["PaddlePaddle"]["mean"]) <= METRIC_BAR
    assert row["PaddlePaddle"]["equal lists"] >= LISTS_BAR


@pytest.mark.parametrize("name", sorted(KINKS))
def test_a_metric_that_parts_in_float32_has_a_control_whose_weights_part(name):
    row = RESULT[name]["float32"]
    apart = abs(row["PyTorch"] - row["PaddlePaddle"]["mean"])
    assert apart <= METRIC_BAR or row["PyTorch with other kernels"]["weights apart"] > 1e-3
