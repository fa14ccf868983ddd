"""`recsys train`: what a person types and reads, and that nothing is lost whatever stops it."""

import errno
import os
import resource
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from recsys.cli import app
from recsys.cli.train import MODELS
from recsys.evaluation import leave_last_out
from recsys.torch.factorisation import FactorisationRecommender
from tests.models.small_run import read_curves

MODEL = ["factorisation", "--data", "movielens-100k", "--epochs", "3"]


@pytest.fixture
def run(walks, monkeypatch):
    """Type a command; the data are 120 walks under the name of MovieLens."""
    ratings = replace(walks, values=1.0 + walks.items % 5)
    monkeypatch.setattr("recsys.cli.train.load", lambda name: SimpleNamespace(interactions=ratings))

    def typed(*words):
        return CliRunner().invoke(app, ["train", *map(str, words)], catch_exceptions=False)

    typed.ratings = ratings
    return typed


@pytest.fixture
def whole(run, tmp_path):
    """The weights of a run that nothing stops."""
    assert run(*MODEL, "--to", tmp_path / "whole").exit_code == 0
    return (tmp_path / "whole" / "weights.safetensors").read_bytes()


def failing_at(step, action):
    """The loss of factorisation with `action` before a step, which may give a factor."""
    loss, taken = FactorisationRecommender._loss, []

    def failing(self, model, batch):
        taken.append(1)
        factor = action() if len(taken) == step else None
        return loss(self, model, batch) if factor is None else factor * loss(self, model, batch)

    return failing


def one_line(done):
    """The one line that an error is, without the name in front."""
    assert done.exit_code == 1, done.output
    [line] = done.stderr.splitlines()
    assert line.startswith("recsys: ")
    return line.removeprefix("recsys: ")


@pytest.mark.parametrize("model", MODELS)
def test_a_training_says_the_loss_of_each_epoch_and_leaves_weights_and_curves(run, tmp_path, model):
    done = run(model, "--data", "movielens-100k", "--to", tmp_path, "--epochs", 2, "--log", tmp_path / "log")
    assert done.exit_code == 0 and done.stderr == ""
    first, *epochs, last = done.stdout.splitlines()
    assert "960 of 1,080 events, the train and validation parts of leave-last-out" in first
    curves = [value for _, value in read_curves(tmp_path / "log")["mean_loss"]]
    assert epochs == [f"epoch {epoch} of 2: mean loss {value:.4f}" for epoch, value in enumerate(curves, 1)]
    assert last.startswith("Finished: after epoch 2, ") and last.endswith(f"weights in {tmp_path}/weights.safetensors")


def test_the_weights_are_those_of_a_recommender_fitted_on_train_and_validation(run, tmp_path):
    run(*MODEL, "--to", tmp_path)
    model = MODELS["factorisation"](3, None, None)
    fitted = leave_last_out(run.ratings).train_and_validation
    loaded = MODELS["factorisation"](3, None, None).load(tmp_path / "weights.safetensors", fitted)
    assert (loaded.score(np.arange(9)) == model.fit(fitted).score(np.arange(9))).all()


def test_a_finished_run_called_again_says_so_and_changes_nothing(run, tmp_path):
    run(*MODEL, "--to", tmp_path)
    before = (tmp_path / "weights.safetensors").read_bytes()
    done = run(*MODEL, "--to", tmp_path)
    assert done.exit_code == 0 and done.stdout.splitlines()[1].startswith("Was finished already: after epoch 3, ")
    assert "epoch 1" not in done.stdout and (tmp_path / "weights.safetensors").read_bytes() == before


def test_what_is_unknown_is_named_in_one_line(run, tmp_path, monkeypatch):
    assert one_line(run("bert", *MODEL[1:], "--to", tmp_path)) == "Unknown model 'bert'. Known: sasrec, factorisation."
    assert one_line(run(*MODEL[:3], "--epochs", 0, "--to", tmp_path)) == "epochs: expected a number above 0, got 0"
    monkeypatch.undo()
    line = one_line(run("sasrec", "--data", "movielens", "--to", tmp_path))
    assert line.startswith("Unknown data set 'movielens'. Known: movielens-100k, ")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_something_else_is_one_line_and_stays_as_it_is(run, tmp_path, monkeypatch, walks):
    run(*MODEL, "--to", tmp_path)
    before = (tmp_path / "state.safetensors").read_bytes()
    model = one_line(run("sasrec", *MODEL[1:], "--to", tmp_path))
    assert "something else: class expected 'SASRec', got 'BiasedFactorisation'" in model and len(model) < 1500
    assert "fit expected {'epochs': 4}, got {'epochs': 3}" in one_line(run(*MODEL[:-1], 4, "--to", tmp_path))
    with monkeypatch.context() as context:
        context.setattr("recsys.torch.checkpoint.FORMAT", 9)
        assert "format expected 9, got 2; use what it" in one_line(run(*MODEL, "--to", tmp_path))
    other = replace(walks, item_ids=walks.item_ids + 1)
    monkeypatch.setattr("recsys.cli.train.load", lambda name: SimpleNamespace(interactions=other))
    assert "vocabulary expected" in one_line(run(*MODEL, "--to", tmp_path))
    assert (tmp_path / "state.safetensors").read_bytes() == before
    (tmp_path / "state.safetensors").write_bytes(before[:-9])
    assert "expected a whole checkpoint of recsys" in one_line(run(*MODEL, "--to", tmp_path))


def test_a_loss_that_is_not_finite_says_where_and_the_run_goes_on_from_the_last_good_state(
    run, tmp_path, monkeypatch, whole
):
    with monkeypatch.context() as context:
        context.setattr(FactorisationRecommender, "_loss", failing_at(2, lambda: float("nan")))
        line = one_line(run(*MODEL, "--to", tmp_path / "run"))
    assert line.startswith("the loss is nan at step 2 (epoch 1, batch 0)") and "holds the weights of step 1" in line
    assert not (tmp_path / "run" / "weights.safetensors").exists()
    assert run(*MODEL, "--to", tmp_path / "run").exit_code == 0
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == whole


def test_a_full_disk_is_one_line_and_the_checkpoint_before_goes_on(run, tmp_path, monkeypatch, whole):
    def no_space(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        full = failing_at(3, lambda: context.setattr(os, "fsync", no_space))
        context.setattr(FactorisationRecommender, "_loss", full)
        line = one_line(run(*MODEL, "--to", tmp_path / "run"))
    assert "not written (No space left on device); the one before is untouched; free some space" in line
    done = run(*MODEL, "--to", tmp_path / "run")
    assert [text[:12] for text in done.stdout.splitlines()[1:-1]] == ["epoch 3 of 3"]  # the first two were kept
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == whole


def test_a_limit_of_the_system_on_files_is_one_line_too(run, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        line = one_line(run(*MODEL, "--to", tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "not written (File too large); there was none before; free some space or give another place" in line


def test_ctrl_c_before_training_says_that_nothing_was_lost(run, tmp_path, monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("recsys.cli.train.load", interrupted)
    done = run(*MODEL, "--to", tmp_path / "a b", "--log", "curves")
    assert done.exit_code == 130 and "before the first step; there was nothing to save" in done.stderr
    command = f"  recsys train factorisation --data movielens-100k --to '{tmp_path}/a b' --epochs 3 --log curves"
    assert done.stderr.splitlines()[-1] == command


def test_ctrl_c_saves_and_prints_the_command_that_ends_with_the_same_weights(tmp_path, movielens, root):
    process = subprocess.Popen([sys.executable, "-m", "recsys.cli", "train", *MODEL, "--to", str(tmp_path)], cwd=root,
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    while not process.stdout.readline().startswith("epoch 1 of 3"):
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=600)
    first, second, command = said.splitlines()
    assert process.returncode == 130 and second == "To resume:"
    assert first.startswith("recsys: interrupted after step ") and f"the state is in {tmp_path}" in first
    name, *words = shlex.split(command)
    assert name == "recsys"
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 0 and "epoch 1 of" not in again.stdout and "epoch 3 of 3" in again.stdout
    fitted = leave_last_out(movielens.interactions).train_and_validation
    expected = MODELS["factorisation"](3, None, None).fit(fitted)
    loaded = MODELS["factorisation"](3, None, None).load(tmp_path / "weights.safetensors", fitted)
    assert (loaded.score(np.arange(99)) == expected.score(np.arange(99))).all()
