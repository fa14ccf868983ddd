"""What TensorBoard shows of a training is what the training was."""

import resource
import sys
from dataclasses import replace

import numpy as np
import pytest

from recsys.training.steps import one_cycle
from tests.training.small_run import CONFIG, Killed, counting, kill, network, read_curves, squared, train, validate


def steps(points):
    return [step for step, _ in points]


def values(points):
    return np.array([value for _, value in points])


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    log = tmp_path_factory.mktemp("run") / "log"
    result = train(network(), squared, CONFIG, validate, log=log)
    return result, read_curves(log)


def test_the_event_file_says_what_the_result_says(logged):
    result, curves = logged
    assert set(curves) == {"loss", "learning_rate", "gradient_norm", "mean_loss", "metric"}
    assert steps(curves["mean_loss"]) == steps(curves["metric"]) == [5, 11, 16]  # the last step of each epoch
    assert (values(curves["mean_loss"]) == np.float32(result.losses)).all()
    assert (values(curves["metric"]) == np.float32(result.metrics)).all()


def test_each_step_has_its_loss_rate_and_norm(logged):
    result, curves = logged
    for name in ("loss", "learning_rate", "gradient_norm"):
        assert steps(curves[name]) == list(range(1, result.steps + 1))
    means = [values(curves["loss"])[part].mean() for part in (slice(0, 5), slice(5, 11), slice(11, 16))]
    assert np.allclose(means, result.losses, rtol=1e-6)
    progress = [(epoch + step / count) / 3 for epoch, count in enumerate((5, 6, 5)) for step in range(count)]
    rates = [CONFIG.learning_rate * one_cycle(share, CONFIG.warm_up) for share in progress]
    assert np.allclose(values(curves["learning_rate"]), rates, rtol=1e-6)
    assert values(curves["gradient_norm"]).max() > CONFIG.clip_norm  # before it was clipped


def test_without_a_metric_there_is_no_curve_of_one(tmp_path):
    train(network(), squared, CONFIG, log=tmp_path)
    assert "metric" not in read_curves(tmp_path)


@pytest.mark.parametrize("step", [1, 8, 12])
def test_a_resumed_run_goes_on_along_the_axis_without_a_gap_or_a_step_twice(logged, tmp_path, step):
    run = (CONFIG, validate, tmp_path / "state")
    with pytest.raises(Killed):
        train(network(), counting(step, kill), *run, log=tmp_path / "log")
    train(network(), squared, *run, log=tmp_path / "log")
    assert len(list((tmp_path / "log").iterdir())) == 2 and read_curves(tmp_path / "log") == logged[1]


def test_a_new_run_in_the_directory_of_a_longer_one_replaces_its_curves(logged, tmp_path):
    train(network(), squared, replace(CONFIG, epochs=5), validate, log=tmp_path)
    train(network(), squared, CONFIG, validate, log=tmp_path)
    assert read_curves(tmp_path) == logged[1]


def test_the_steps_before_an_error_are_there(logged, tmp_path):
    with pytest.raises(ValueError, match="the loss is nan at step 8"):
        train(network(), counting(8, lambda: float("nan")), CONFIG, log=tmp_path)
    assert read_curves(tmp_path)["loss"] == logged[1]["loss"][:7]


def test_logging_does_not_change_the_training(logged):
    assert train(network(), squared, CONFIG, validate) == logged[0]


def test_without_tensorboard_a_log_is_refused_and_training_is_not(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(ModuleNotFoundError, match="TensorBoard writes the curves and is missing.*log=None"):
        train(network(), squared, CONFIG, log=tmp_path)
    train(network(), squared, CONFIG)


def test_a_full_disk_says_that_the_curves_are_not_written(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    full = counting(4, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1])))
    try:
        with pytest.raises(OSError, match="log: curves not written .*; free some space.*events.out.tfevents"):
            train(network(), full, CONFIG, log=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert steps(read_curves(tmp_path)["loss"]) == [1, 2]
