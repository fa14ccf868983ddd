"""Tuning: every setting of a grid is read on validation, and the best is the first of the best."""

import pytest

import recsys.evaluation as ev
from recsys.baselines import EASE, PersonalFrequency
from recsys.data import Interactions


@pytest.fixture
def split(small):
    return ev.leave_last_out(small)


def test_a_grid_holds_every_combination_and_its_last_name_changes_fastest():
    grid = {"l2": [1, 2], "recency": [0.9, 1], "seed": [0]}
    assert [tuple(setting.values()) for setting in ev.combinations(grid)] == [(1, 0.9, 0), (1, 1, 0), (2, 0.9, 0), (2, 1, 0)]
    assert ev.combinations({}) == [{}] and ev.combinations({"l2": []}) == []


@pytest.mark.parametrize("repeats", [False, True])
def test_every_setting_has_its_mean_on_validation_and_the_best_is_the_highest(split, repeats):
    grid = ev.combinations({"l2": [1.0, 100.0], "recency": [0.5, 1.0]})
    rows, best = ev.tune(lambda setting: EASE(**setting), grid, split, "MRR@10", repeats)
    means = [ev.evaluate(EASE(**setting), split, on="validation", repeats=repeats).mean("MRR@10") for setting in grid]
    assert rows == [{**setting, "MRR@10": round(mean, 5)} for setting, mean in zip(grid, means, strict=True)]
    assert best == grid[means.index(max(means))] and len(set(means)) > 1


def test_among_settings_that_are_equal_once_rounded_the_first_is_best(split):
    grid = [{"l2": 500.0}, {"l2": 1.0}]
    rows, best = ev.tune(lambda setting: EASE(**setting), grid, split, digits=0)
    assert [row["nDCG@10"] for row in rows] == [0, 0] and best == {"l2": 500.0}


def test_a_timed_fit_fits(small):
    model = PersonalFrequency()
    seconds = ev.timed_fit(model, small)
    assert seconds > 0 and isinstance(model.interactions, Interactions)


def test_drawn_settings_come_again_stay_in_their_space_and_spread_over_it():
    space = {"dim": [16, 32], "rate": {"from": 0.001, "to": 0.1}}
    drawn = ev.draws(space, 400, seed=5)
    assert drawn[:7] == ev.draws(space, 7, seed=5) != ev.draws(space, 7, seed=6)
    assert all(type(setting["dim"]) is int and type(setting["rate"]) is float for setting in drawn)
    rates = [setting["rate"] for setting in drawn]
    assert 0.001 <= min(rates) and max(rates) <= 0.1
    assert abs(sum(rate < 0.01 for rate in rates) - 200) < 40  # half of the logarithms
    assert abs(sum(setting["dim"] == 16 for setting in drawn) - 200) < 40
