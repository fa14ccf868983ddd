"""The loop: its updates against their definitions; what goes wrong is said once, and nothing is lost."""

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from recsys.torch.engine import tensors
from recsys.torch.parameters import draw_from
from recsys.training import loop
from recsys.training.loop import FitConfig
from recsys.training.steps import one_cycle, step_rng
from tests.conftest import ROOT
from tests.training.small_run import CONFIG, batches, bits, counting, network, read_curves, squared, train, validate


@pytest.fixture(scope="module")
def whole():
    model = network()
    return model, train(model, squared, CONFIG, validate)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def no_space(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


def resumes(path, whole):
    """Whether a call with the checkpoint ends as the run that nothing stopped."""
    model = network()
    return train(model, squared, CONFIG, validate, path) == whole[1] and bits(model) == bits(whole[0])


# The updates


def test_a_training_is_the_loop_written_out(whole):
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=CONFIG.weight_decay)
    means, taken = [], 0
    for epoch in range(CONFIG.epochs):
        losses, of_epoch = [], batches(epoch)
        for step, batch in enumerate(of_epoch):
            progress = (epoch + step / len(of_epoch)) / CONFIG.epochs
            optimizer.param_groups[0]["lr"] = CONFIG.learning_rate * one_cycle(progress, CONFIG.warm_up)
            draw_from(model, step_rng(CONFIG.seed, taken))
            optimizer.zero_grad()
            value = squared(model, tensors(batch))
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CONFIG.clip_norm)
            optimizer.step()
            losses.append(value.item())
            taken += 1
        means.append(np.mean(losses))
    assert np.allclose(whole[1].losses, means, rtol=1e-12) and whole[1].steps == 16
    fitted = network()
    train(fitted, squared, CONFIG)
    assert bits(fitted) == bits(model)


def given_losses(model, batch):
    """A loss that is in the batch, whatever the weights."""
    return batch[0].mean() + 0 * model[0].weight.sum()


@pytest.mark.parametrize("stopped", [False, True])
def test_the_loss_of_an_epoch_is_the_mean_over_its_targets(tmp_path, stopped):
    """Not the mean of the batches' means, which would be 6: targets are counted, and kept in a checkpoint."""
    rows = [np.array([1.0, 2.0, 3.0]), np.array([10.0])]
    of_epoch = [(rows[0],), (rows[1],)]
    options = {"data": lambda epoch: of_epoch, "log": tmp_path / "log"}
    config = replace(CONFIG, epochs=2, save_every=1)
    path = tmp_path / "state"
    if stopped:
        with pytest.raises(ValueError, match="the loss is nan at step 4"):
            train(network(), counting(4, lambda: float("nan"), given_losses), config, None, path, **options)
    result = train(network(), given_losses, config, None, path, **options)
    assert result.losses == (4.0, 4.0)
    assert read_curves(tmp_path / "log")["mean_loss"] == [(2, 4.0), (4, 4.0)]


def test_targets_are_counted_by_what_is_given():
    batch = (np.array([5.0, 7.0]), np.array([3, 1]))
    other = (np.array([1.0]), np.array([4]))

    def loss(model, batch):
        return (batch[0] * batch[1]).sum() / batch[1].sum() + 0 * model[0].weight.sum()

    result = train(network(), loss, replace(CONFIG, epochs=1), data=lambda epoch: [batch, other],
                   count=lambda batch: int(batch[1].sum()))  # fmt: skip
    assert result.losses == ((3 * 5 + 7 + 4 * 1) / 8,)


def test_the_learning_rate_rises_once_and_falls_once_to_nothing():
    rates = np.array([one_cycle(progress, 0.2) for progress in np.linspace(0, 1, 101)])
    assert np.isclose(rates[0], 1 / 25) and np.isclose(rates[20], 1) and np.isclose(rates[-1], 0)
    assert (np.diff(rates[:21]) > 0).all() and (np.diff(rates[20:]) < 0).all()


# The metric


def test_the_best_weights_come_back_and_patience_ends_the_run():
    metrics, states = iter([1.0, 3.0, 2.0, 2.5, 9.0]), []

    def metric(model):
        assert not model.training
        states.append(bits(model))
        return next(metrics)

    model = network()
    result = train(model, squared, replace(CONFIG, epochs=5, patience=2), metric)
    assert result.best_epoch == 1 and result.metrics == (1.0, 3.0, 2.0, 2.5)
    assert bits(model) == states[1] and not model.training


def test_of_equal_metrics_the_first_is_kept():
    states = []
    model = network()
    result = train(model, squared, CONFIG, lambda model: states.append(bits(model)) or 1.0)
    assert result.best_epoch == 0 and bits(model) == states[0] != states[1]


def test_a_metric_that_is_not_finite_stops_and_the_epoch_is_closed_on_resuming(tmp_path):
    def broken(model):
        answers.append(validate(model))
        return float("nan") if len(answers) == 2 else answers[-1]

    answers, expected, model = [], network(), network()
    result = train(expected, squared, CONFIG, validate)
    message = r"the metric is nan after epoch 1 \(step 11\).* the weights of step 11; the state is in"
    with pytest.raises(ValueError, match=message):
        train(network(), squared, CONFIG, broken, tmp_path / "state")
    assert train(model, squared, CONFIG, validate, tmp_path / "state") == result
    assert bits(model) == bits(expected)


def test_a_metric_that_draws_numbers_changes_no_step(whole):
    def drawing(model):
        torch.rand(3)
        np.random.rand(3)
        return validate(model)

    model = network()
    assert train(model, squared, CONFIG, drawing) == whole[1] and bits(model) == bits(whole[0])


# What is left of a network


def test_a_network_is_left_in_evaluation_and_handed_over_once_a_step_was_taken():
    model, adopted = network().train(), []
    train(model, adopt=adopted.append)
    assert adopted == [model] and not model.training
    with pytest.raises(ValueError, match="the loss is nan at step 2"):
        train(model, counting(2, lambda: float("nan")), adopt=adopted.append)
    assert adopted == [model, model] and not model.training


def test_a_network_is_not_handed_over_before_the_first_step():
    model, adopted = network().train(), []
    with pytest.raises(ValueError, match="the loss is nan at step 1"):
        train(model, counting(1, lambda: float("nan")), adopt=adopted.append)
    assert adopted == [] and not model.training


# What goes wrong


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(whole, tmp_path, bad):
    path, model = tmp_path / "state", network()
    message = r"the loss is (nan|inf) at step 8 \(epoch 1, batch 2\).*holds the weights of step 7; the state is in"
    with pytest.raises(ValueError, match=message):
        train(model, counting(8, lambda: bad), CONFIG, validate, path)
    assert bits(model) == bits_after(7)
    assert resumes(path, whole)  # the cause is gone: nothing is lost


def bits_after(steps):
    """The weights after so many steps of the run that nothing stops, from its losses alone."""
    seen, model = [], network()

    def noting(model, batch):
        seen.append(bits(model))
        return squared(model, batch)

    train(model, noting, CONFIG)
    return seen[steps]


def test_a_gradient_that_is_not_finite_never_reaches_the_weights():
    def loss(model, batch):
        return squared(model, batch) + torch.sqrt(0 * model[0].weight.sum())  # value finite, slope not

    model = network()
    before = bits(model)
    with pytest.raises(ValueError, match="the norm of the gradient is nan at step 1 .*no checkpoint was given"):
        train(model, loss, CONFIG)
    assert bits(model) == before


def test_an_interrupt_saves_the_state_and_says_how_to_resume(whole, tmp_path):
    path, handler = tmp_path / "state", signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="interrupted after step 5; the state is in .*call fit again"):
        train(network(), counting(5, interrupt), CONFIG, validate, path)
    assert signal.getsignal(signal.SIGINT) is handler
    assert resumes(path, whole)


def test_an_interrupt_in_the_last_metric_is_not_swallowed(whole, tmp_path):
    asked = []

    def metric(model):
        asked.append(1)
        if len(asked) == 3:
            interrupt()
        return validate(model)

    with pytest.raises(KeyboardInterrupt, match="interrupted after step 16; the state is in"):
        train(network(), squared, CONFIG, metric, tmp_path / "state")
    assert resumes(tmp_path / "state", whole)


def test_an_interrupt_of_a_finished_run_that_is_called_again_is_not_swallowed(whole, tmp_path, monkeypatch):
    path = tmp_path / "state"
    train(network(), squared, CONFIG, validate, path)
    loaded = loop.read_checkpoint
    with monkeypatch.context() as changed, pytest.raises(KeyboardInterrupt, match="interrupted after step 16; the state"):
        changed.setattr(loop, "read_checkpoint", lambda *arguments: interrupt() or loaded(*arguments))
        train(network(), squared, CONFIG, validate, path)
    assert resumes(path, whole)


def test_an_epoch_without_a_target_is_refused_and_a_batch_without_one_is_not():
    """Its loss would be told as 0, the best there is."""
    told = iter([0, 0, 3])
    config = replace(CONFIG, epochs=1)
    one = batches(0)[:1]
    with pytest.raises(ValueError, match="batches: expected at least one target in epoch 0, got none, so there is no"):
        train(network(), data=lambda epoch: one, config=config, count=lambda batch: 0)
    result = train(network(), data=lambda epoch: one * 3, config=config, count=lambda batch: next(told))
    assert result.steps == 3 and result.losses[0] > 0


# One run, one checkpoint

RUN = """
import pathlib, sys, time
from tests.training import small_run as s

def wait():
    print("in the middle", flush=True)
    sys.stdin.readline()

s.train(s.network(), s.counting(4, wait), s.CONFIG, s.validate, pathlib.Path(sys.argv[1]))
"""


@pytest.mark.parametrize("end", ["killed", "finished"])
def test_of_two_processes_with_one_checkpoint_the_second_is_refused_until_the_first_ends(whole, tmp_path, end):
    path = tmp_path / "state"
    first = subprocess.Popen([sys.executable, "-c", RUN, str(path)], cwd=ROOT, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert first.stdout.readline() == "in the middle\n"
    before, model, adopted = path.read_bytes(), network(), []
    with pytest.raises(BlockingIOError, match="expected a checkpoint that no other run trains with.*wait for") as error:
        train(model, squared, CONFIG, validate, path, adopt=adopted.append)
    assert error.value.filename == str(path)
    assert path.read_bytes() == before and bits(model) == bits(network()) and adopted == []
    train(network(), squared, CONFIG, validate, tmp_path / "another")  # beside it, in the same directory
    if end == "killed":
        first.kill()
    first.communicate("go on\n" if end == "finished" else None, timeout=600)
    assert first.returncode == (0 if end == "finished" else -signal.SIGKILL)
    assert resumes(path, whole)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["another", "state"]


def test_where_no_lock_can_be_had_a_run_trains_without(whole, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert resumes(tmp_path / "state", whole)
    monkeypatch.undo()
    monkeypatch.setattr("fcntl.flock", no_space)
    assert resumes(tmp_path / "other", whole)


def test_a_second_interrupt_stops_at_once():
    reached = []

    def twice():
        interrupt()
        interrupt()
        reached.append(1)

    with pytest.raises(KeyboardInterrupt, match="interrupted twice: stopped at once.*the last checkpoint holds"):
        train(network(), counting(5, twice), CONFIG, validate)
    assert not reached


def test_a_checkpoint_of_something_else_names_each_difference_and_nothing_else(tmp_path):
    path = tmp_path / "state"
    train(network(), squared, CONFIG, checkpoint=path, identity={"vocabulary": "a"})

    def refused(message, model=None, config=CONFIG, vocabulary="a", **options):
        with pytest.raises(ValueError, match=f"belongs to something else: {message}; use what it was made with"):
            train(model or network(), squared, config, None, path, identity={"vocabulary": vocabulary}, **options)

    refused("vocabulary expected 'b', got 'a'", vocabulary="b")
    refused("fit expected {'epochs': 9}, got {'epochs': 3}", config=replace(CONFIG, epochs=9))
    wide = network()
    wide[3] = nn.Linear(8, 2)
    refused(r"shapes expected {'3.bias': \[2\], '3.weight': \[8, 2\]}, got {'3.bias': \[1\], '3.weight': \[8, 1\]}",
            wide)  # fmt: skip
    refused("optimizer expected 'SGD', got 'AdamW'", optimizer=lambda m, c: torch.optim.SGD(m.parameters(), lr=1.0))
    refused("class expected 'Linear', got 'Sequential'; shapes expected .*", nn.Linear(6, 1))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fills_up_in_training_loses_no_step_before(whole, tmp_path, monkeypatch, call):
    path, model = tmp_path / "state", network()
    full = counting(8, lambda: monkeypatch.setattr(os, call, no_space))
    with pytest.raises(OSError, match="No space left on device.*the one before is untouched; free some space") as error:
        train(model, full, CONFIG, validate, path)
    assert error.value.errno == errno.ENOSPC and error.value.filename == str(path)
    assert bits(model) == bits_after(8) and [file.name for file in tmp_path.iterdir()] == ["state"]
    monkeypatch.undo()
    assert resumes(path, whole)


def test_an_interrupt_on_a_full_disk_says_both(whole, tmp_path, monkeypatch):
    def action():
        monkeypatch.setattr(os, "fsync", no_space)
        interrupt()

    with pytest.raises(KeyboardInterrupt, match="after step 5; saving failed as well: .*No space left .*untouched"):
        train(network(), counting(5, action), CONFIG, validate, tmp_path / "state")
    monkeypatch.undo()
    assert resumes(tmp_path / "state", whole)


def test_a_place_that_cannot_be_written_shows_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for options in ({"checkpoint": tmp_path / "file" / "state"}, {"log": tmp_path / "file" / "log"}):
        with pytest.raises(OSError, match="(checkpoint of .* bytes|curves) not written"):
            train(network(), counting(1, lambda: pytest.fail("a step was taken")), CONFIG, **options)


def test_a_directory_that_is_missing_is_made(tmp_path):
    train(network(), squared, CONFIG, checkpoint=tmp_path / "a" / "b" / "state")
    assert (tmp_path / "a" / "b" / "state").exists()


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="epochs: expected at least 1, got 0"):
        FitConfig(epochs=0)
    with pytest.raises(ValueError, match="learning_rate: expected a number above 0, got nan"):
        FitConfig(learning_rate=float("nan"))
    with pytest.raises(ValueError, match="save_every: expected a whole number, got 2.5"):
        FitConfig(save_every=2.5)
    for decay in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="weight_decay: expected at least 0, got"):
            FitConfig(weight_decay=decay)
    with pytest.raises(ValueError, match="warm_up: expected a share between 0 and 1, got 1"):
        FitConfig(warm_up=1)
    with pytest.raises(ValueError, match="patience: expected at least 1"):
        FitConfig(patience=0)
    with pytest.raises(ValueError, match="seed: expected at least 0, got -1"):
        FitConfig(seed=-1)
    with pytest.raises(ValueError, match="patience: expected a metric beside it, got 2 and none"):
        train(network(), squared, replace(CONFIG, patience=2))
    with pytest.raises(ValueError, match="batches: expected at least one in epoch 0, got none"):
        train(network(), data=lambda epoch: [])
