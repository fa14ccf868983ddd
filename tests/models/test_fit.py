"""The loop: its updates against their definitions; what goes wrong is said once, and nothing is lost."""

import errno
import os
import resource
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save
from small_run import CONFIG, bag_batches, bags, batches, bits, counting, network, squared, validate
from torch import nn

from recsys.torch.checkpoint import read_checkpoint, write_checkpoint
from recsys.torch.fit import FitConfig, fit, one_cycle
from recsys.torch.optimisation import RowwiseAdagrad, clip_gradients, pack_state


@pytest.fixture(scope="module")
def whole():
    model = network()
    return model, fit(model, batches, squared, CONFIG, validate)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def no_space(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


def resumes(path, whole):
    """Whether a call with the checkpoint ends as the run that nothing stopped."""
    model = network()
    return fit(model, batches, squared, CONFIG, validate, path) == whole[1] and bits(model) == bits(whole[0])


# The updates


def test_a_training_is_the_loop_written_out(whole):
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=CONFIG.weight_decay)
    means = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(CONFIG.seed)
        for epoch in range(CONFIG.epochs):
            losses, of_epoch = [], batches(epoch)
            for step, batch in enumerate(of_epoch):
                progress = (epoch + step / len(of_epoch)) / CONFIG.epochs
                optimizer.param_groups[0]["lr"] = CONFIG.learning_rate * one_cycle(progress, CONFIG.warm_up)
                optimizer.zero_grad()
                value = squared(model, batch)
                value.backward()
                nn.utils.clip_grad_norm_(model.parameters(), CONFIG.clip_norm)
                optimizer.step()
                losses.append(value.item())
            means.append(np.mean(losses))
    assert np.allclose(whole[1].losses, means, rtol=1e-12) and whole[1].steps == 16
    fitted = network()
    fit(fitted, batches, squared, CONFIG)
    assert bits(fitted) == bits(model)


def test_the_learning_rate_rises_once_and_falls_once_to_nothing():
    rates = np.array([one_cycle(progress, 0.2) for progress in np.linspace(0, 1, 101)])
    assert np.isclose(rates[0], 1 / 25) and np.isclose(rates[20], 1) and np.isclose(rates[-1], 0)
    assert (np.diff(rates[:21]) > 0).all() and (np.diff(rates[20:]) < 0).all()


@pytest.mark.parametrize("longest", [0.1, 100.0])
def test_a_sparse_gradient_is_clipped_as_the_dense_one_of_the_same_rows(longest):
    sparse, dense = bags(), bags()
    dense.table.sparse = False
    for model in (sparse, dense):
        torch.manual_seed(2)
        squared(model, bag_batches(0)[0]).backward()  # rows occur more than once
    assert sparse.table.weight.grad.is_sparse and not sparse.table.weight.grad.is_coalesced()
    norm = clip_gradients(sparse, longest)
    expected = nn.utils.clip_grad_norm_(dense.parameters(), longest)
    assert torch.isclose(norm, expected) and 0.1 < expected < 100
    for one, other in zip(sparse.parameters(), dense.parameters(), strict=True):
        assert torch.allclose(one.grad.to_dense(), other.grad, rtol=1e-5, atol=1e-8)


def test_a_row_that_no_batch_meets_keeps_its_bits_under_an_optimizer_for_sparse_gradients():
    model, before = bags(), bags()

    def rowwise(model, config):
        return RowwiseAdagrad(model.parameters(), lr=config.learning_rate)

    result = fit(model, bag_batches, squared, CONFIG, optimizer=rowwise)
    moved = (model.table.weight != before.table.weight).any(1)
    assert moved[:10].all() and not moved[10:].any() and result.losses[-1] < result.losses[0]


def test_each_group_of_an_optimizer_keeps_its_own_peak():
    seen = []

    class Noting(torch.optim.SGD):
        def step(self, closure=None):
            seen.append([group["lr"] for group in self.param_groups])
            return super().step(closure)

    def groups(model, config):
        slow, *fast = model.parameters()
        return Noting([{"params": [slow], "lr": 1e-3}, {"params": fast}], lr=config.learning_rate)

    fit(network(), batches, squared, CONFIG, optimizer=groups)
    shares = np.array(seen) / [1e-3, CONFIG.learning_rate]
    assert len(seen) == 16 and np.allclose(shares[:, 0], shares[:, 1]) and np.isclose(shares[0, 0], 1 / 25)


def test_plain_numbers_in_the_state_of_an_optimizer_come_back(tmp_path):
    def table_only(model, config):  # SparseAdam counts its steps in a plain int
        return torch.optim.SparseAdam([model.table.weight], lr=config.learning_rate)

    expected, model = bags(), bags()
    fit(expected, bag_batches, squared, CONFIG, optimizer=table_only)
    with pytest.raises(ValueError, match="the loss is nan at step 8"):
        fit(bags(), bag_batches, counting(8, lambda: float("nan")), CONFIG, None, tmp_path / "state",
            optimizer=table_only)  # fmt: skip
    fit(model, bag_batches, squared, CONFIG, None, tmp_path / "state", optimizer=table_only)
    assert bits(model) == bits(expected)


def test_a_sparse_state_of_an_optimizer_is_refused_by_name():
    model = bags()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.state[model.table.weight]["momentum_buffer"] = torch.eye(12, 4).to_sparse()
    with pytest.raises(ValueError, match="dense tensors in its state, got 'momentum_buffer' of 'table.weight'"):
        pack_state(model, optimizer)


# The metric


def test_the_best_weights_come_back_and_patience_ends_the_run():
    metrics, states = iter([1.0, 3.0, 2.0, 2.5, 9.0]), []

    def metric(model):
        assert not model.training and not torch.is_grad_enabled()
        states.append(bits(model))
        return next(metrics)

    model = network()
    result = fit(model, batches, squared, replace(CONFIG, epochs=5, patience=2), metric)
    assert result.best_epoch == 1 and result.metrics == (1.0, 3.0, 2.0, 2.5)
    assert bits(model) == states[1] and not model.training


def test_of_equal_metrics_the_first_is_kept():
    states = []
    model = network()
    result = fit(model, batches, squared, CONFIG, lambda model: states.append(bits(model)) or 1.0)
    assert result.best_epoch == 0 and bits(model) == states[0] != states[1]


def test_a_metric_that_is_not_finite_stops_and_the_epoch_is_closed_on_resuming(tmp_path):
    def drawing(model):
        return validate(model) + torch.rand(()).item()

    def broken(model):
        answers.append(drawing(model))
        return float("nan") if len(answers) == 2 else answers[-1]

    answers, expected, model = [], network(), network()
    result = fit(expected, batches, squared, CONFIG, drawing)
    message = r"the metric is nan after epoch 1 \(step 11\).* the weights of step 11; the state is in"
    with pytest.raises(ValueError, match=message):
        fit(network(), batches, squared, CONFIG, broken, tmp_path / "state")
    assert fit(model, batches, squared, CONFIG, drawing, tmp_path / "state") == result
    assert bits(model) == bits(expected)


# What goes wrong


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(whole, tmp_path, bad):
    path, model = tmp_path / "state", network()
    message = r"the loss is (nan|inf) at step 8 \(epoch 1, batch 2\).*holds the weights of step 7; the state is in"
    with pytest.raises(ValueError, match=message):
        fit(model, batches, counting(8, lambda: bad), CONFIG, validate, path)
    assert bits(model) == bits_after(7)
    assert resumes(path, whole)  # the cause is gone: nothing is lost


def bits_after(steps):
    """The weights after so many steps of the run that nothing stops, from its losses alone."""
    seen, model = [], network()

    def noting(model, batch):
        seen.append(bits(model))
        return squared(model, batch)

    fit(model, batches, noting, CONFIG)
    return seen[steps]


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
    with pytest.raises(KeyboardInterrupt, match="interrupted after step 5; the state is in .*call fit again"):
        fit(network(), batches, counting(5, interrupt), CONFIG, validate, path)
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
        fit(network(), batches, squared, CONFIG, metric, tmp_path / "state")
    assert resumes(tmp_path / "state", whole)


def test_a_second_interrupt_stops_at_once():
    reached = []

    def twice():
        interrupt()
        interrupt()
        reached.append(1)

    with pytest.raises(KeyboardInterrupt, match="interrupted twice: stopped at once.*the last checkpoint holds"):
        fit(network(), batches, counting(5, twice), CONFIG, validate)
    assert not reached


def test_a_checkpoint_of_something_else_names_each_difference_and_nothing_else(tmp_path):
    path = tmp_path / "state"
    fit(network(), batches, squared, CONFIG, checkpoint=path, identity={"vocabulary": "a"})

    def refused(message, model=None, config=CONFIG, vocabulary="a", optimizer=None):
        with pytest.raises(ValueError, match=f"belongs to something else: {message}; use what it was made with"):
            fit(model or network(), batches, squared, config, None, path, {"vocabulary": vocabulary},
                optimizer=optimizer)  # fmt: skip

    refused("vocabulary expected 'b', got 'a'", vocabulary="b")
    refused("fit expected {'epochs': 9}, got {'epochs': 3}", config=replace(CONFIG, epochs=9))
    wide = network()
    wide[3] = nn.Linear(8, 2)
    refused(r"shapes expected {'3.bias': \[2\], '3.weight': \[2, 8\]}, got {'3.bias': \[1\], '3.weight': \[1, 8\]}",
            wide)  # fmt: skip
    refused("optimizer expected 'SGD', got 'AdamW'", optimizer=lambda m, c: torch.optim.SGD(m.parameters(), lr=1.0))
    refused("class expected 'Linear', got 'Sequential'; shapes expected .*", nn.Linear(6, 1))


def test_a_checkpoint_of_another_version_or_cut_short_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_checkpoint(path, {"a": torch.ones(3)}, {}, {})
    monkeypatch.setattr("recsys.torch.checkpoint.FORMAT", 9)
    with pytest.raises(ValueError, match="format expected 9, got 2"):
        read_checkpoint(path, {})
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="expected a whole checkpoint of recsys"):
        read_checkpoint(path, {})
    for content in (b"", b"x" * 1000, save({"a": torch.ones(3)}), save({}, metadata={"recsys": "{}"})):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="expected a whole checkpoint of recsys"):
            read_checkpoint(path, {})
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(FileNotFoundError, match="train and save one first"):
            read_checkpoint(path, {})


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


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fills_up_in_training_loses_no_step_before(whole, tmp_path, monkeypatch, call):
    path, model = tmp_path / "state", network()
    full = counting(8, lambda: monkeypatch.setattr(os, call, no_space))
    with pytest.raises(OSError, match="No space left on device.*the one before is untouched; free some space") as error:
        fit(model, batches, full, CONFIG, validate, path)
    assert error.value.errno == errno.ENOSPC and error.value.filename == str(path)
    assert bits(model) == bits_after(8) and [file.name for file in tmp_path.iterdir()] == ["state"]
    monkeypatch.undo()
    assert resumes(path, whole)


def test_an_interrupt_on_a_full_disk_says_both(whole, tmp_path, monkeypatch):
    def action():
        monkeypatch.setattr(os, "fsync", no_space)
        interrupt()

    with pytest.raises(KeyboardInterrupt, match="after step 5; saving failed as well: .*No space left .*untouched"):
        fit(network(), batches, counting(5, action), CONFIG, validate, tmp_path / "state")
    monkeypatch.undo()
    assert resumes(tmp_path / "state", whole)


def test_a_place_that_cannot_be_written_shows_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for options in ({"checkpoint": tmp_path / "file" / "state"}, {"log": tmp_path / "file" / "log"}):
        with pytest.raises(OSError, match="(checkpoint of .* bytes|curves) not written"):
            fit(network(), batches, counting(1, lambda: pytest.fail("a step was taken")), CONFIG, **options)


def test_a_directory_that_is_missing_is_made(tmp_path):
    fit(network(), batches, squared, CONFIG, checkpoint=tmp_path / "a" / "b" / "state")
    assert (tmp_path / "a" / "b" / "state").exists()


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="epochs: expected a number above 0, got 0"):
        FitConfig(epochs=0)
    with pytest.raises(ValueError, match="learning_rate: expected a number above 0, got nan"):
        FitConfig(learning_rate=float("nan"))
    with pytest.raises(ValueError, match="warm_up: expected a share between 0 and 1, got 1"):
        FitConfig(warm_up=1)
    with pytest.raises(ValueError, match="patience: expected at least 1"):
        FitConfig(patience=0)
    with pytest.raises(ValueError, match="patience: 2 came without a metric"):
        fit(network(), batches, squared, replace(CONFIG, patience=2))
    with pytest.raises(ValueError, match="batches: expected at least one in epoch 0, got none"):
        fit(network(), lambda epoch: [], squared, CONFIG)
