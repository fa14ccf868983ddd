"""`recsys recommend`: the list is the recommender's own, and its reasons are differences that come again."""

import importlib.util
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from recsys.cli import app
from recsys.trust import losses_without
from recsys.evaluation import recommend
from recsys.neural.recommender import settings_of
from recsys.torch.sasrec import SASRecConfig, SASRecRecommender
from tests.conftest import ROOT


@pytest.fixture
def typed(walks, monkeypatch):
    """Type a command; the data are 120 walks, whose items are called after their ids."""
    items = pd.DataFrame({"title": [f"film {i}" for i in walks.item_ids]}, index=walks.item_ids)
    data = SimpleNamespace(interactions=walks, items=items)
    monkeypatch.setattr("recsys.cli.log.load", lambda name: data)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def directory(typed, tmp_path):
    assert typed("train", "sasrec", "--data", "walks", "--to", tmp_path / "run", "--epochs", "2").exit_code == 0
    return tmp_path / "run"


def loaded(directory, log):
    path = directory / "weights.safetensors"
    return SASRecRecommender(settings_of(path, SASRecConfig)).load(path, log)


def listed(output):
    return [int(found) for found in re.findall(r"^ *\d+  film \d+ \((\d+)\)$", output, re.M)]


@pytest.mark.parametrize("words, exclude", [([], "seen"), (["--seen"], None)])
def test_the_list_is_that_of_the_recommender(typed, directory, walks, words, exclude):
    user = walks.user_ids[7]
    told = typed("recommend", directory, user, "--k", "4", *words)
    [best] = recommend(loaded(directory, walks), [7], 4, exclude)
    assert told.exit_code == 0 and listed(told.stdout) == list(walks.item_ids[best])


def test_a_reason_is_the_lead_that_is_lost_when_its_event_is_left_out(directory, walks):
    model, history = loaded(directory, walks), walks.of_users([7])
    losses = losses_without(model, 7, history)
    [whole] = model.score(np.array([7]), history)
    for event in range(len(history)):
        [part] = model.score(np.array([7]), history.select(np.arange(len(history)) != event))
        np.testing.assert_allclose(losses[event], (whole - whole.mean()) - (part - part.mean()), atol=1e-5)
    assert np.abs(losses).max() > 0.01


def test_the_events_said_are_those_that_cost_the_item_most(typed, directory, walks):
    told = typed("recommend", directory, walks.user_ids[7], "--k", "1").stdout
    history = walks.of_users([7])
    [best] = recommend(loaded(directory, walks), [7], 1)
    losses = losses_without(loaded(directory, walks), 7, history)[:, best[0]]
    said = [int(found) for found in re.findall(r"^ +[+]\d+\.\d\d  film \d+ \((\d+)\)$", told, re.M)]
    wanted = [event for event in np.argsort(-losses, kind="stable")[:2] if losses[event] > 0]
    assert said == list(walks.item_ids[history.items[wanted]])


@pytest.mark.parametrize(
    "words, said",
    [
        (["nosuch"], "user: expected a whole number as in"),
        (["99999"], "Unknown user id 99999"),
        (["1", "--k", "100000"], "k: expected 1 to 30, the number of items, got k=100000"),
        (["1", "--framework", "jax"], "framework: expected one of torch, paddle, got 'jax'"),
    ],
)
def test_what_is_unknown_is_named_in_one_line(typed, directory, words, said):
    told = typed("recommend", directory, *words)
    assert told.exit_code == 1 and said in told.stderr and told.stderr.count("\n") == 1 and not told.stdout


def test_a_directory_without_a_run_says_what_writes_one(typed, tmp_path):
    told = typed("recommend", tmp_path, "1")
    assert told.exit_code == 1 and "recsys train MODEL --data NAME --to" in told.stderr


def test_a_damaged_note_is_one_line(typed, directory):
    (directory / "run.json").write_text("{")
    told = typed("recommend", directory, "1")
    assert told.exit_code == 1 and "call the same recsys train again" in told.stderr


@pytest.mark.skipif(importlib.util.find_spec("paddle") is None, reason="paddle is not installed")
@pytest.mark.parametrize("trainer, server", [("torch", "paddle"), ("paddle", "torch")])
def test_what_one_framework_trained_the_other_serves_with_the_same_lists_and_reasons(tmp_path, trainer, server):
    def run(*words):
        program = [sys.executable, str(ROOT / "tests" / "cli" / "typed.py"), *map(str, words)]
        done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return done.stdout.splitlines()

    run("train", "sasrec", "--data", "walks", "--to", tmp_path, "--epochs", "3", "--framework", trainer)
    first, *own = run("recommend", tmp_path, "7")
    other_first, *other = run("recommend", tmp_path, "7", "--framework", server)
    assert f" in {trainer}; " in first and f" in {server}; " in other_first
    assert own == other and len(own) > 10
