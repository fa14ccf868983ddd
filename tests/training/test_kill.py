"""A run killed at any moment and resumed ends with the same bits, result and curves as one that was not."""

import os
import signal
import subprocess
import sys
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.torch.engine import tensors
from recsys.torch.optimisation import RowwiseAdagrad, adamw
from tests.conftest import ROOT
from tests.training import small_run
from tests.training.small_run import (
    CONFIG, Killed, bag_batches, bags, batches, bits, counting, kill, killed_at, network, read_curves, squared,
    validate,
)  # fmt: skip


def noisy(model):
    """A metric that goes up and down."""
    drawn = np.random.default_rng(zlib.crc32(bits(model)["0.weight"])).random()
    return validate(model) + 0.2 * drawn


def momentum(model, config):
    """Weights with momentum, biases without and at twice the rate."""
    weights = [value for name, value in model.named_parameters() if "weight" in name]
    biases = [value for name, value in model.named_parameters() if "bias" in name]
    return torch.optim.SGD([{"params": weights, "momentum": 0.9}, {"params": biases, "lr": 2 * config.learning_rate}],
                           lr=config.learning_rate)  # fmt: skip


def bag_metric(model):
    return -squared(model, tensors(bag_batches(99)[0])).item()


def rowwise(model, config):
    return RowwiseAdagrad(model.parameters(), lr=config.learning_rate)


RUNS = {
    "no metric": (network, batches, CONFIG, None, adamw),
    "patience": (network, batches, replace(CONFIG, epochs=9, learning_rate=0.2, patience=2), noisy, adamw),
    "a checkpoint a step": (network, batches, replace(CONFIG, epochs=2, save_every=1), validate, momentum),
    "sparse rows": (bags, bag_batches, replace(CONFIG, epochs=2, save_every=3), bag_metric, rowwise),
}  # fmt: skip


def train(run, directory, wrapped=lambda function, after=False: function):
    """One of the runs in a directory: model and result."""
    make, data, config, metric, optimizer = RUNS[run]
    model = make()
    result = small_run.train(model, wrapped(squared), config, metric and wrapped(metric), directory / "state",
                             data=data, optimizer=optimizer, log=directory / "log")  # fmt: skip
    return model, result


@pytest.mark.parametrize("run", RUNS)
def test_a_run_killed_at_any_moment_and_resumed_ends_bit_equal(run, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda number: None)  # the system lives on; a quarter of the time
    with killed_at(None) as (wrapped, clock):
        model, result = train(run, tmp_path / "whole", wrapped)
    expected = bits(model), result, read_curves(tmp_path / "whole" / "log")
    if run == "patience":
        assert result.best_epoch < len(result.metrics) - 1 < RUNS[run][2].epochs - 1  # ends early, not at its best
    for event in range(1, clock["count"] + 1):
        with killed_at(event) as (wrapped, _), pytest.raises(Killed):
            train(run, tmp_path / str(event), wrapped)
        torch.rand(event)  # another process has other random numbers
        np.random.rand(event)
        model, result = train(run, tmp_path / str(event))
        got = bits(model), result, read_curves(tmp_path / str(event) / "log")
        assert got == expected, f"killed at moment {event}"


def test_a_run_killed_again_and_again_ends_bit_equal(tmp_path):
    whole, result = train("no metric", tmp_path / "whole")
    for _ in range(20):
        model = network()
        try:
            again = small_run.train(model, counting(4, kill), CONFIG, None, tmp_path / "state", log=tmp_path / "log")
            break
        except Killed:
            pass
    assert again == result and bits(model) == bits(whole)
    assert read_curves(tmp_path / "log") == read_curves(tmp_path / "whole" / "log")


def test_a_process_that_is_killed_outright_leaves_what_another_resumes(tmp_path):
    path, log = tmp_path / "state", tmp_path / "log"
    script = (
        "import os, pathlib, signal; from tests.training import small_run as s; "
        "die = lambda: os.kill(os.getpid(), signal.SIGKILL); "
        f"s.train(s.network(), s.counting(9, die), s.CONFIG, s.validate, pathlib.Path({str(path)!r}), "
        f"log=pathlib.Path({str(log)!r}))"
    )
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=600)
    assert killed.returncode == -signal.SIGKILL and path.exists()
    [events] = log.iterdir()
    events.write_bytes(events.read_bytes()[:-3])
    model, whole = network(), network()
    resumed = small_run.train(model, squared, CONFIG, validate, path, log=log)
    assert resumed == small_run.train(whole, squared, CONFIG, validate) and bits(model) == bits(whole)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "state"]


def test_what_a_kill_amid_a_write_leaves_is_removed_an_hour_later(tmp_path):
    old, young, other = (tmp_path / name for name in ("state.1f.partial", "state.2f.partial", "states.1f.partial"))
    for partial in (old, young, other):
        partial.write_bytes(b"cut short")
    an_hour_ago = time.time() - 3601
    for partial in (old, other):
        os.utime(partial, (an_hour_ago, an_hour_ago))
    small_run.train(network(), checkpoint=tmp_path / "state")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["state", young.name, other.name]


def test_a_finished_run_called_again_gives_its_result_at_once(tmp_path):
    model, result = train("patience", tmp_path)
    before = bits(model), result, read_curves(tmp_path / "log")
    with killed_at(1) as (wrapped, clock):
        model, result = train("patience", tmp_path, wrapped)
    assert clock["count"] == 0 and (bits(model), result, read_curves(tmp_path / "log")) == before


def test_random_numbers_outside_are_left_as_they_were():
    torch.manual_seed(5)
    np.random.seed(5)
    expected = [*torch.rand(3).tolist(), *np.random.rand(3)]
    torch.manual_seed(5)
    np.random.seed(5)
    small_run.train(network())
    assert [*torch.rand(3).tolist(), *np.random.rand(3)] == expected
