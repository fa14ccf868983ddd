"""lifelines and mabwiser, each on one input, kept by bench/second_opinions.py: ours says the same."""

import json

import numpy as np
import pytest

from recsys.economy import kaplan_meier
from recsys.economy.bandits import UCB1
from recsys.economy.linear_bandits import LinUCB
from tests.conftest import ROOT

KEPT = json.loads((ROOT / "bench" / "results" / "second_opinions.json").read_text("utf-8"))


def test_lifelines_has_the_same_curve():
    asked, said = KEPT["lifelines"]["asked"], KEPT["lifelines"]["said"]["kaplan-meier"]
    curve = kaplan_meier(np.array(asked["durations"]), np.array(asked["ended"]))
    assert len(said["times"]) > 8 and not all(asked["ended"])
    assert curve.at(said["times"]) == pytest.approx(said["shares"], abs=1e-12)


@pytest.fixture(scope="module")
def choices():
    asked = KEPT["mabwiser"]["asked"]
    return {name: np.array(value) for name, value in asked.items()}, KEPT["mabwiser"]["said"]


def test_mabwiser_has_the_same_upper_ends_of_ucb1(choices):
    asked, said = choices
    ours = UCB1(1, len(said["ucb1"]))
    for arm, reward in zip(asked["arms"], asked["rewards"]):
        ours.learn(None, np.array([arm]), np.array([reward]))
    assert ours.scores()[0] == pytest.approx(said["ucb1"], abs=1e-9)


def test_mabwiser_has_the_same_upper_ends_of_linucb_with_one_line(choices):
    asked, said = choices
    ours = LinUCB(1, 3, alpha=float(asked["alpha"]), l2=float(asked["l2"]))
    for context, reward in zip(asked["contexts"], asked["rewards"]):
        ours.learn(context[None, None], np.array([0]), np.array([reward]))
    assert ours.scores(asked["candidates"][None])[0] == pytest.approx(said["linucb"], abs=1e-9)
