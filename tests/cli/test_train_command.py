"""`recsys train`: what a person types and reads, and that nothing is lost whatever stops it."""

import errno
import json
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
from safetensors.numpy import save
from typer.testing import CliRunner

from recsys.cli import app
from recsys.cli.models import MODELS
from recsys.evaluation import leave_last_out
from recsys.neural.recommender import settings_of
from recsys.torch.factorisation import FactorisationConfig, FactorisationRecommender
from recsys.torch.sasrec import SASRecConfig, SASRecRecommender
from recsys.training.checkpoint import FORMAT, read_checkpoint, read_header, write_checkpoint
from tests.training.small_run import read_curves

MODEL = ["sasrec", "--data", "movielens-100k", "--epochs", "3"]
OTHER = ["factorisation", *MODEL[1:]]


def epochs(config, n):
    return replace(config, training=replace(config.training, epochs=n))


@pytest.fixture
def run(walks, monkeypatch):
    """Type a command; the data are 120 walks under the name of MovieLens."""
    ratings = replace(walks, values=1.0 + walks.items % 5)
    monkeypatch.setattr("recsys.cli.log.load", lambda name: SimpleNamespace(interactions=ratings))

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
    """The loss of SASRec with `action` before a step, which may give a factor."""
    loss, taken = SASRecRecommender.loss, []

    def failing(network, batch):
        taken.append(1)
        factor = action() if len(taken) == step else None
        return loss(network, batch) if factor is None else factor * loss(network, batch)

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
    first, *epochs, last, table, listing, how = done.stdout.splitlines()
    assert "960 of 1,080 events, the train and validation parts of leave-last-out" in first
    curves = [value for _, value in read_curves(tmp_path / "log")["mean_loss"]]
    assert epochs == [f"epoch {epoch} of 2: mean loss {value:.4f}" for epoch, value in enumerate(curves, 1)]
    assert last.startswith("Finished: after epoch 2, ") and last.endswith(f"weights in {tmp_path}/weights.safetensors")
    assert f"mean loss {curves[-1]:.4f}; " in last
    assert table == f"To compare it: recsys evaluate {tmp_path}"
    assert listing == f"To see a list: recsys recommend {tmp_path} USER"
    assert how.startswith("To load them: ") and "Recommender(settings_of(path, " in how


def test_the_weights_are_those_of_a_recommender_fitted_on_train_and_validation(run, tmp_path):
    run(*MODEL, "--to", tmp_path)
    weights = tmp_path / "weights.safetensors"
    model = SASRecRecommender(epochs(SASRecConfig(), 3))
    fitted = leave_last_out(run.ratings).train_and_validation
    loaded = SASRecRecommender(settings_of(weights, SASRecConfig)).load(weights, fitted)
    assert (loaded.score(np.arange(9)) == model.fit(fitted).score(np.arange(9))).all()


def test_the_losses_it_says_are_those_of_the_result(run, tmp_path):
    done = run(*MODEL, "--to", tmp_path)
    model = SASRecRecommender(epochs(SASRecConfig(), 3)).fit(leave_last_out(run.ratings).train_and_validation)
    said = [line.split("mean loss ")[1].split(";")[0] for line in done.stdout.splitlines() if "mean loss" in line]
    assert said == [f"{loss:.4f}" for loss in (*model.result.losses, model.result.losses[-1])]


def test_a_finished_run_called_again_says_so_and_changes_nothing(run, tmp_path):
    run(*MODEL, "--to", tmp_path)
    before = (tmp_path / "weights.safetensors").read_bytes()
    done = run(*MODEL, "--to", tmp_path)
    assert done.exit_code == 0 and done.stdout.splitlines()[1].startswith("Was finished already: after epoch 3, ")
    assert "epoch 1" not in done.stdout and (tmp_path / "weights.safetensors").read_bytes() == before


def test_what_is_unknown_is_named_in_one_line(run, tmp_path, monkeypatch):
    assert one_line(run("bert", *MODEL[1:], "--to", tmp_path)) == "model: expected one of sasrec, factorisation, got 'bert'"
    assert one_line(run(*MODEL[:3], "--epochs", 0, "--to", tmp_path)) == "epochs: expected at least 1, got 0"
    monkeypatch.undo()
    line = one_line(run("sasrec", "--data", "movielens", "--to", tmp_path))
    assert line.startswith("Unknown data set 'movielens'. Known: movielens-100k, ")
    assert not list(tmp_path.iterdir())


def test_what_was_not_taken_is_left_out_of_a_model_that_counts_rows_and_said(run, tmp_path, monkeypatch, walks):
    skipped = replace(walks, values=(np.arange(len(walks)) % 4 > 0).astype(float))  # 270 of 1,080 are 0
    monkeypatch.setattr("recsys.cli.log.load", lambda name: SimpleNamespace(interactions=skipped))
    done = run(*MODEL[:-1], 1, "--to", tmp_path)
    first, second, *_ = done.stdout.splitlines()
    assert first == "Left out 270 of 1,080 rows of movielens-100k: their value is 0 or less, so nothing was taken"
    assert "690 of 810 events" in second
    fitted = leave_last_out(skipped.taken()).train_and_validation
    loaded = SASRecRecommender(epochs(SASRecConfig(), 1)).load(tmp_path / "weights.safetensors", fitted)
    assert (loaded.score(np.arange(9)) == SASRecRecommender(epochs(SASRecConfig(), 1)).fit(fitted).score(np.arange(9))).all()


def test_ratings_that_are_all_alike_are_refused_in_one_line(run, tmp_path, monkeypatch, walks):
    monkeypatch.setattr("recsys.cli.log.load", lambda name: SimpleNamespace(interactions=walks))
    line = one_line(run(*OTHER, "--to", tmp_path))
    assert line.startswith("movielens-100k: expected ratings that differ, got 1,080 of 1; ratings that are all 1 hold "
                           "nothing to learn")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_something_else_is_one_line_and_stays_as_it_is(run, tmp_path, monkeypatch, walks):
    run(*MODEL, "--to", tmp_path)
    before = (tmp_path / "state.safetensors").read_bytes()
    model = one_line(run(*OTHER, "--to", tmp_path))
    assert "something else: class expected 'BiasedFactorisation', got 'SASRec'" in model and len(model) < 1500
    assert "fit expected {'epochs': 4}, got {'epochs': 3}" in one_line(run(*MODEL[:-1], 4, "--to", tmp_path))
    with monkeypatch.context() as context:
        context.setattr("recsys.training.checkpoint.FORMAT", 9)
        assert f"format expected 9, got {FORMAT}; use what it" in one_line(run(*MODEL, "--to", tmp_path))
    other = replace(run.ratings, item_ids=walks.item_ids + 1)
    monkeypatch.setattr("recsys.cli.log.load", lambda name: SimpleNamespace(interactions=other))
    assert "vocabulary expected" in one_line(run(*MODEL, "--to", tmp_path))
    assert (tmp_path / "state.safetensors").read_bytes() == before
    (tmp_path / "state.safetensors").write_bytes(before[:-9])
    assert "expected a whole checkpoint of recsys" in one_line(run(*MODEL, "--to", tmp_path))


@pytest.mark.parametrize("header", [[], None, {"format": FORMAT, "identity": [], "state": {}, "content": ""}])
def test_a_checkpoint_with_another_header_is_one_line(run, tmp_path, header):
    path = tmp_path / "state.safetensors"
    path.write_bytes(save({}, metadata={"recsys": json.dumps(header)}))
    line = one_line(run(*MODEL, "--to", tmp_path))
    assert line.startswith(f"{path}: expected a whole checkpoint of recsys, got ") and "delete it" in line


@pytest.mark.parametrize("change", [
    lambda arrays, state: state.clear(),
    lambda arrays, state: arrays.update({"model.other": arrays.pop("model.norm.bias")}),
    lambda arrays, state: arrays.update({"model.norm.bias": arrays["model.norm.bias"][:-1]}),
    lambda arrays, state: arrays["model.norm.bias"].fill(np.nan),
])  # fmt: skip
def test_a_checkpoint_that_does_not_fit_is_one_line(run, tmp_path, change):
    run(*MODEL, "--to", tmp_path)
    path = tmp_path / "state.safetensors"
    identity = read_header(path)["identity"]
    arrays, state = read_checkpoint(path, identity)
    change(arrays, state)
    write_checkpoint(path, arrays, state, identity)
    line = one_line(run(*MODEL, "--to", tmp_path))
    assert line.startswith(f"{path}: expected the state of a training") and "give another path" in line


def test_a_loss_that_is_not_finite_says_where_and_the_run_goes_on_from_the_last_good_state(
    run, tmp_path, monkeypatch, whole
):
    with monkeypatch.context() as context:
        context.setattr(SASRecRecommender, "loss", failing_at(2, lambda: float("nan")))
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
        context.setattr(SASRecRecommender, "loss", full)
        line = one_line(run(*MODEL, "--to", tmp_path / "run"))
    assert "not written (No space left on device); the one before is untouched; free some space" in line
    done = run(*MODEL, "--to", tmp_path / "run")
    assert [text[:12] for text in done.stdout.splitlines()[1:-4]] == ["epoch 3 of 3"]  # the first two were kept
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

    monkeypatch.setattr("recsys.cli.log.load", interrupted)
    done = run(*MODEL, "--to", tmp_path / "a b", "--log", "curves")
    assert done.exit_code == 130 and "before the first step; there was nothing to save" in done.stderr
    command = f"  recsys train sasrec --data movielens-100k --to '{tmp_path}/a b' --epochs 3 --log curves"
    assert done.stderr.splitlines()[-1] == command
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "state.safetensors").write_bytes(b"of an earlier part")
    done = run(*MODEL, "--to", tmp_path / "a b", "--log", "curves")
    kept = f"before the first step; the state of what was trained before is in {tmp_path}/a b/state.safetensors"
    assert done.exit_code == 130 and kept in done.stderr and "nothing" not in done.stderr


def test_ctrl_c_saves_and_prints_the_command_that_ends_with_the_same_weights(tmp_path, movielens, root):
    process = subprocess.Popen([sys.executable, "-m", "recsys.cli", "train", *OTHER, "--to", str(tmp_path)], cwd=root,
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
    expected = FactorisationRecommender(epochs(FactorisationConfig(), 3)).fit(fitted)
    loaded = FactorisationRecommender(epochs(FactorisationConfig(), 3)).load(tmp_path / "weights.safetensors", fitted)
    assert (loaded.score(np.arange(99)) == expected.score(np.arange(99))).all()
