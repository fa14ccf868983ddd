"""The loop: what is killed and resumed ends with the same bits; what goes wrong loses nothing."""

import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from recsys.torch.checkpoint import read_checkpoint, write_checkpoint
from recsys.torch.fit import FitConfig, fit, one_cycle

CONFIG = FitConfig(epochs=3, learning_rate=0.02, save_every=2, weight_decay=0.01)


class Killed(Exception):
    pass


def network(seed=1):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))


def batches(epoch):
    random = np.random.default_rng([4, epoch])
    data = torch.from_numpy(random.normal(size=(5 + epoch % 2, 7, 6)).astype(np.float32))
    return [(rows, rows[:, :1] * 2) for rows in data]


def squared(model, batch):
    return ((model(batch[0]) - batch[1]) ** 2).mean()


def validate(model):
    rows, target = batches(99)[0]
    return -squared(model, (rows, target)).item()


def counting(stop, action):
    """The loss, with `action` before the given step."""
    taken = []

    def loss(model, batch):
        taken.append(1)
        if len(taken) == stop:
            value = action()
            if value is not None:
                return value * squared(model, batch)
        return squared(model, batch)

    return loss


def kill():
    raise Killed


def bits(model):
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


@pytest.fixture(scope="module")
def whole():
    model = network()
    return model, fit(model, batches, squared, CONFIG, validate)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 6, 8, 12, 16])
def test_a_run_killed_at_any_step_and_resumed_ends_bit_equal(whole, tmp_path, step):
    path = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        fit(network(), batches, counting(step, kill), CONFIG, validate, path)
    torch.rand(step)  # another process has other random numbers
    model = network()
    assert fit(model, batches, squared, CONFIG, validate, path) == whole[1]
    assert bits(model) == bits(whole[0])


def test_a_process_that_is_killed_outright_leaves_what_another_resumes(whole, tmp_path):
    path = tmp_path / "state"
    script = (
        "import os, pathlib, signal, test_fit as t; die = lambda: os.kill(os.getpid(), signal.SIGKILL); "
        f"t.fit(t.network(), t.batches, t.counting(9, die), t.CONFIG, t.validate, pathlib.Path({str(path)!r}))"
    )
    killed = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent, timeout=120)
    assert killed.returncode == -signal.SIGKILL and path.exists()
    model = network()
    assert fit(model, batches, squared, CONFIG, validate, path) == whole[1] and bits(model) == bits(whole[0])


def test_a_run_killed_again_and_again_ends_bit_equal(whole, tmp_path):
    for _ in range(20):
        model = network()
        try:
            result = fit(model, batches, counting(4, kill), CONFIG, validate, tmp_path / "state")
            break
        except Killed:
            pass
    assert result == whole[1] and bits(model) == bits(whole[0])


def test_a_finished_run_called_again_gives_its_result_at_once(whole, tmp_path):
    fit(network(), batches, squared, CONFIG, validate, tmp_path / "state")
    model = network()
    assert fit(model, batches, counting(1, kill), CONFIG, validate, tmp_path / "state") == whole[1]
    assert bits(model) == bits(whole[0])


def test_random_numbers_outside_are_left_as_they_were():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(network(), batches, squared, CONFIG)
    assert torch.equal(torch.rand(3), expected)


def test_the_best_weights_come_back_and_patience_ends_the_run():
    metrics, states = iter([1.0, 3.0, 2.0, 2.5, 9.0]), []

    def metric(model):
        states.append(bits(model))
        return next(metrics)

    model = network()
    result = fit(model, batches, squared, replace(CONFIG, epochs=5, patience=2), metric)
    assert result.best_epoch == 1 and result.metrics == (1.0, 3.0, 2.0, 2.5)
    assert bits(model) == states[1]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(tmp_path, bad):
    path, model = tmp_path / "state", network()
    message = r"the loss is (nan|inf) at step 8 \(epoch 1, batch 2\).*holds the weights of step 7; the state is in"
    with pytest.raises(ValueError, match=message):
        fit(model, batches, counting(8, lambda: bad), CONFIG, validate, path)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    model = network()
    resumed = fit(model, batches, squared, CONFIG, validate, path)  # the cause is gone: nothing is lost
    whole = network()
    assert resumed == fit(whole, batches, squared, CONFIG, validate) and bits(model) == bits(whole)


def test_a_gradient_that_is_not_finite_never_reaches_the_weights():
    def loss(model, batch):
        return squared(model, batch) + torch.sqrt(0 * model[0].weight.sum())  # value finite, slope not

    model = network()
    before = bits(model)
    with pytest.raises(ValueError, match="the norm of the gradient is nan at step 1 .*no checkpoint was given"):
        fit(model, batches, loss, CONFIG)
    assert bits(model) == before


def test_an_interrupt_saves_the_state_and_says_how_to_resume(whole, tmp_path):
    path, handler = tmp_path / "state", signal.getsignal(signal.SIGINT)
    interrupt = counting(5, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt, match="interrupted after step 5; the state is in .*call fit again"):
        fit(network(), batches, interrupt, CONFIG, validate, path)
    assert signal.getsignal(signal.SIGINT) is handler
    model = network()
    assert fit(model, batches, squared, CONFIG, validate, path) == whole[1] and bits(model) == bits(whole[0])


def test_a_checkpoint_of_something_else_names_each_difference(tmp_path):
    path = tmp_path / "state"
    fit(network(), batches, squared, CONFIG, checkpoint=path, identity={"vocabulary": "a"})
    with pytest.raises(ValueError, match="something else: vocabulary expected 'b', got 'a'"):
        fit(network(), batches, squared, CONFIG, checkpoint=path, identity={"vocabulary": "b"})
    with pytest.raises(ValueError, match="shapes expected .*'0.weight': .9, 6"):
        other = nn.Sequential(nn.Linear(6, 9), nn.Linear(9, 1))
        fit(other, batches, squared, CONFIG, checkpoint=path, identity={"vocabulary": "a"})
    with pytest.raises(ValueError, match="fit expected"):
        fit(network(), batches, squared, replace(CONFIG, epochs=9), checkpoint=path, identity={"vocabulary": "a"})


def test_a_checkpoint_of_another_version_or_cut_short_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_checkpoint(path, {"a": torch.ones(3)}, {}, {})
    monkeypatch.setattr("recsys.torch.checkpoint.FORMAT", 2)
    with pytest.raises(ValueError, match="format expected 2, got 1"):
        read_checkpoint(path, {})
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="expected a whole checkpoint of recsys"):
        read_checkpoint(path, {})
    with pytest.raises(FileNotFoundError, match="train and save one first"):
        read_checkpoint(tmp_path / "none", {})


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    path = tmp_path / "state"
    write_checkpoint(path, {"a": torch.ones(3)}, {"step": 1}, {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="not written .*; the one before is untouched; free some space"):
            write_checkpoint(path, {"a": torch.ones(5000)}, {"step": 2}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read_checkpoint(path, {})[1] == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_the_learning_rate_rises_once_and_falls_once_to_nothing():
    rates = np.array([one_cycle(progress, 0.2) for progress in np.linspace(0, 1, 101)])
    assert np.isclose(rates[0], 1 / 25) and np.isclose(rates[20], 1) and np.isclose(rates[-1], 0)
    assert (np.diff(rates[:21]) > 0).all() and (np.diff(rates[20:]) < 0).all()


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="epochs: expected a number above 0, got 0"):
        FitConfig(epochs=0)
    with pytest.raises(ValueError, match="patience: expected at least 1"):
        FitConfig(patience=0)
    with pytest.raises(ValueError, match="patience: 2 came without a metric"):
        fit(network(), batches, squared, replace(CONFIG, patience=2))
    with pytest.raises(ValueError, match="batches: expected at least one in epoch 0, got none"):
        fit(network(), lambda epoch: [], squared, CONFIG)
