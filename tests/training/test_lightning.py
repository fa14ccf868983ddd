"""Training through Lightning is the training of `fit`: one process to the bit, two processes up to rounding."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import ROOT
from tests.training.small_run import CONFIG, SMALL_SASREC, batches, bits, counting, network, squared, train

pytest.importorskip("lightning", reason="Lightning is not installed: pip install 'recsys[lightning]'")

from recsys.batches.sequences import NextItemBatches, user_sequences, windows
from recsys.torch.lightning import fit_with_lightning
from recsys.torch.optimisation import adamw
from recsys.torch.sasrec import SASRecRecommender
from tests.training.two_processes import RUNS


def test_one_process_gives_the_weights_and_losses_of_fit_to_the_bit():
    expected, model = network(), network()
    result = train(expected)  # dropout, epochs of unequal length, gradients that are clipped
    torch.rand(7)
    outside = torch.get_rng_state()
    trainer = fit_with_lightning(model, batches, squared, CONFIG)
    assert bits(model) == bits(expected) and not model.training
    assert trainer.callback_metrics["mean_loss"].item() == pytest.approx(result.losses[-1], rel=1e-6)
    assert torch.equal(torch.get_rng_state(), outside)


def test_one_process_gives_the_weights_of_a_recommender_to_the_bit_and_its_mean_over_targets(walks):
    """SASRec with dropout and sparse gradients from drawn items, whose batches have unequal numbers of targets."""
    config = replace(SMALL_SASREC, negatives=6)
    log = walks.select(np.random.default_rng(1).random(len(walks)) < 0.7)  # histories of unequal length
    fitted = SASRecRecommender(config).fit(log)
    cut = windows(user_sequences(log), config.max_length)
    made = NextItemBatches(cut, config.tokens, config.training.seed, log.item_counts(), config.negatives)
    counts = [fitted.targets(batch) for batch in made(1)]
    assert len(set(counts)) > 1
    again = SASRecRecommender(config)._new(log)
    trainer = fit_with_lightning(
        again, made, SASRecRecommender.sampled_loss, config.training, SASRecRecommender.targets,
        optimizer=SASRecRecommender.sampled_optimizer,
    )  # fmt: skip
    assert bits(again) == bits(fitted.network)
    assert trainer.callback_metrics["mean_loss"].item() == pytest.approx(fitted.result.losses[-1], rel=1e-6)


def test_a_batch_without_targets_counts_nothing_and_an_epoch_without_one_is_refused():
    """As in `fit`, and no division by zero."""
    of_epoch = [(*batch, np.full((7, 1), place % 2)) for place, batch in enumerate(batches(0))]
    counted = {"count": lambda batch: int(batch[2].sum())}

    def masked(model, batch):
        errors = (model(batch[0]) - batch[1]) ** 2
        return (errors * batch[2]).sum() / batch[2].sum().clamp(min=1)

    expected, model = network(), network()
    result = train(expected, masked, CONFIG, data=lambda epoch: of_epoch, **counted)
    trainer = fit_with_lightning(model, lambda epoch: of_epoch, masked, CONFIG, **counted)
    assert bits(model) == bits(expected)
    assert trainer.callback_metrics["mean_loss"].item() == pytest.approx(result.losses[-1], rel=1e-6)
    with pytest.raises(ValueError, match="batches: expected at least one target in epoch 0, got none"):
        fit_with_lightning(network(), batches, squared, CONFIG, lambda batch: 0)


def test_the_loss_it_reports_is_the_mean_over_targets():
    of_epoch = [(np.array([1.0, 2.0, 3.0]),), (np.array([10.0]),)]

    def given(model, batch):
        return batch[0].mean() + 0 * model[0].weight.sum()

    trainer = fit_with_lightning(network(), lambda epoch: of_epoch, given, CONFIG)
    assert trainer.callback_metrics["mean_loss"].item() == 4.0


def test_a_gradient_that_is_not_finite_stops_before_the_weights():
    model, expected = network(), network()
    with pytest.raises(ValueError, match="the loss is nan at step 8"):
        train(expected, counting(8, lambda: float("nan")))
    with pytest.raises(ValueError, match="the norm of the gradient is nan at epoch 1, batch 2; training stopped"):
        fit_with_lightning(model, batches, counting(8, lambda: float("nan")), CONFIG)
    assert bits(model) == bits(expected)


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """What two gloo processes on this machine have at the end: file name to tensors."""
    directory = tmp_path_factory.mktemp("two")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "tests.training.two_processes", str(directory)],
        cwd=ROOT, capture_output=True, text=True, timeout=600, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {file.name: load_file(file) for file in directory.iterdir()}


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_end_with_the_weights_of_one(of_two, name):
    make, options = RUNS[name]
    model, data, loss, config, count = make()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    result = train(model, loss, config, data=data, count=count, **{"optimizer": adamw, **options})
    for rank in range(2):
        got = of_two[f"{name}.{rank}"]
        for key, value in model.state_dict().items():
            assert (got[key] - value).abs().max() < 1e-5 < 1e-2 < (value - before[key]).abs().max(), (rank, key)
        assert got["mean_loss"].item() == pytest.approx(result.losses[-1], rel=1e-5)
    assert all(torch.equal(value, of_two[f"{name}.1"][key]) for key, value in of_two[f"{name}.0"].items())
