"""Training through Lightning is the training of `fit`: one process to the bit, two processes up to rounding."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_run import CONFIG, batches, bits, counting, network, squared

from recsys.torch.fit import fit

pytest.importorskip("lightning", reason="Lightning is not installed: pip install 'recsys[lightning]'")
from two_processes import RUNS

from recsys.torch.lightning import fit_with_lightning

HERE = Path(__file__).parent


def rows(batch):
    return len(batch[0])


def test_one_process_gives_the_weights_and_losses_of_fit_to_the_bit():
    expected, model = network(), network()
    result = fit(expected, batches, squared, CONFIG)  # dropout, epochs of unequal length, gradients that are clipped
    torch.rand(7)
    outside = torch.get_rng_state()
    trainer = fit_with_lightning(model, batches, squared, CONFIG, rows)
    assert bits(model) == bits(expected) and not model.training
    assert trainer.callback_metrics["mean_loss"].item() == pytest.approx(result.losses[-1], rel=1e-6)
    assert torch.equal(torch.get_rng_state(), outside)


def test_a_gradient_that_is_not_finite_stops_before_the_weights():
    model, expected = network(), network()
    with pytest.raises(ValueError, match="the loss is nan at step 8"):
        fit(expected, batches, counting(8, lambda: float("nan")), CONFIG)
    with pytest.raises(ValueError, match="the norm of the gradient is nan at epoch 1, batch 2; training stopped"):
        fit_with_lightning(model, batches, counting(8, lambda: float("nan")), CONFIG, rows)
    assert bits(model) == bits(expected)


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """What two gloo processes on this machine have at the end: file name to tensors."""
    directory = tmp_path_factory.mktemp("two")
    path = os.pathsep.join(filter(None, [str(HERE.parents[1]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(HERE / "two_processes.py"), str(directory)],
        cwd=HERE, capture_output=True, text=True, timeout=600, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {file.name: load_file(file) for file in directory.iterdir()}


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_end_with_the_weights_of_one(of_two, name):
    make, options = RUNS[name]
    model, data, loss, config, _ = make()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    result = fit(model, data, loss, config, **options)
    for rank in range(2):
        got = of_two[f"{name}.{rank}"]
        for key, value in model.state_dict().items():
            assert (got[key] - value).abs().max() < 1e-5 < 1e-2 < (value - before[key]).abs().max(), (rank, key)
        assert got["mean_loss"].item() == pytest.approx(result.losses[-1], rel=1e-5)
    assert all(torch.equal(value, of_two[f"{name}.1"][key]) for key, value in of_two[f"{name}.0"].items())
