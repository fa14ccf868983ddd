"""The training loop of every network, in either framework: `fit`.

It knows nothing of the network, and of the framework only what an `Engine` does: a
gradient, an update, arrays in and out. Here stand the epochs, early stopping on a
validation metric, and checkpoints. What a step draws comes from (seed, number of the
step), so a checkpoint needs no state of a generator, and a run that was killed at any
step and called again ends with the same bits as one that was not. A step's rate and
draws: `recsys.training.steps`.

How a recommender uses it, with held-out events as the metric:
`recsys.neural.recommender`. Through Lightning: `recsys.torch.lightning`.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from recsys.checks import check_counts
from recsys.runtime import person_watches
from recsys.training.checkpoint import read_checkpoint, write_checkpoint
from recsys.training.curves import Curves
from recsys.training.interrupts import Interrupts
from recsys.training.lock import alone
from recsys.training.steps import check_targets, one_cycle, rows, step_rng

logger = logging.getLogger(__name__)
"""Says the loss of each epoch, at the level INFO."""


class Engine(Protocol):
    """What the loop asks of a framework: one network, its loss and its optimizer."""

    network: Any
    identity: dict[str, Any]

    def gradient(
        self, batch: tuple[np.ndarray, ...], rng: np.random.Generator
    ) -> tuple[float, float]:
        """Loss of a batch, and the norm of its gradient, which is clipped and kept."""

    def update(self, share: float) -> float:
        """Take the step with a share of the peak learning rate; returns the rate."""

    def training(self, on: bool) -> None:
        """Dropout on or off."""

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of parameters and buffers."""

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Put them back."""

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What changes in the optimizer: arrays, and plain numbers."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Put it back."""


@dataclass(frozen=True)
class FitConfig:
    """How long and how fast to train.

    Args:
        epochs: passes over the batches, also the length of the learning-rate cycle.
        learning_rate: at the peak of the cycle.
        warm_up: share of the cycle in which it rises.
        weight_decay: of AdamW.
        clip_norm: the longest gradient that is used as it is.
        patience: epochs without a better metric after which training stops;
            None = never.
        save_every: steps between checkpoints; one follows each epoch in any case.
        seed: of first weights, batches, and what a step draws.

    Raises:
        ValueError: a number out of range.
    """

    epochs: int = 20
    learning_rate: float = 3e-3
    warm_up: float = 0.1
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    patience: int | None = None
    save_every: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(self, "epochs", "save_every")
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name}: expected a number above 0, got {value}")
        if not self.weight_decay >= 0:
            raise ValueError(
                f"weight_decay: expected at least 0, got {self.weight_decay}"
            )
        if not 0 < self.warm_up < 1:
            raise ValueError(
                f"warm_up: expected a share between 0 and 1, got {self.warm_up}"
            )
        if self.seed < 0:
            raise ValueError(f"seed: expected at least 0, got {self.seed}")
        if self.patience is not None:
            check_counts(self, "patience")


@dataclass(frozen=True)
class FitResult:
    """The course of a training.

    Args:
        losses: mean loss over the targets, of each epoch.
        metrics: of each epoch; empty without one.
        best_epoch: the epoch whose weights were kept, from 0.
        steps: taken in all.
    """

    losses: tuple[float, ...]
    metrics: tuple[float, ...]
    best_epoch: int
    steps: int


def fit(
    engine: Engine,
    batches: Callable[[int], Sequence[tuple[np.ndarray, ...]]],
    config: FitConfig,
    validate: Callable[[Any], float] | None = None,
    checkpoint: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    *,
    count: Callable[[tuple[np.ndarray, ...]], int] = rows,
    log: Path | None = None,
    adopt: Callable[[Any], None] | None = None,
) -> FitResult:
    """Train the network of an engine in place.

    Where `checkpoint` exists already, training goes on from it: call again with the
    same arguments after a kill or an interrupt. One run at a time has it.

    Args:
        engine: network, loss and optimizer; the network is left in evaluation mode.
        batches: from the number of an epoch to its batches, the same at every call.
        config: how long and how fast.
        validate: from the network to a metric, higher is better, after each epoch;
            without it the last weights are kept.
        checkpoint: file to keep the state in; its directory is made where it is
            missing.
        identity: what it belongs to, such as a hash; the engine's own and `config` are
            added.
        count: from a batch to the number of targets that its loss is the mean over.
        log: directory for TensorBoard: loss, learning_rate and gradient_norm of each
            step, mean_loss (over targets) and metric of each epoch, over the number of
            steps taken.
        adopt: called once with the network, however training ends, if at least one step
            has been taken (by this call or the one that it resumes): the network then
            holds weights that were trained. A recommender takes its network over here,
            so that an error before the first step leaves it as it was.

    Returns:
        The course of the training.

    Raises:
        ValueError: a number that is not finite (the network then holds the last good
            weights), a checkpoint of something else, patience without a metric, no
            batches, or an epoch without a target.
        KeyboardInterrupt: with the way to resume as its message.
        OSError: a checkpoint could not be written; the one before is as it was. Or
            another run trains with it (BlockingIOError).
    """
    if config.patience is not None and validate is None:
        raise ValueError(
            f"patience: expected a metric beside it, got {config.patience} and none; "
            "pass validate, or patience=None"
        )
    run = _Run(engine, config, checkpoint, identity or {}, count)
    try:
        with alone(run.checkpoint), Interrupts() as interrupts:
            run.resume()
            run.curves = Curves(log, run.steps)
            run.train(batches, validate, interrupts)
            run.heed(interrupts)  # of a run that was finished before, too
        run.restore_best()
    finally:
        engine.training(False)
        if run.steps and adopt is not None:
            adopt(engine.network)
    return FitResult(tuple(run.losses), tuple(run.metrics), run.best_epoch, run.steps)


class _Run:
    """All that changes while a network trains."""

    def __init__(
        self,
        engine: Engine,
        config: FitConfig,
        checkpoint: Path | None,
        identity: Mapping,
        count: Callable,
    ):
        self.engine, self.config, self.count = engine, config, count
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.identity = {**engine.identity, "fit": asdict(config), **identity}
        self.epoch = self.step = self.steps = self.best_epoch = 0
        self.loss_sum = 0.0
        self.targets = 0
        self.losses: list[float] = []
        self.metrics: list[float] = []
        self.best: dict[str, np.ndarray] = {}
        self.curves = Curves(None, 0)

    @property
    def finished(self) -> bool:
        """Whether the epochs are over, or patience is."""
        if self.epoch >= self.config.epochs:
            return True
        waited = self.epoch - 1 - self.best_epoch
        patience = self.config.patience
        return bool(self.metrics) and patience is not None and waited >= patience

    def train(
        self, batches: Callable, validate: Callable | None, interrupts: Interrupts
    ) -> None:
        """Take the epochs that are left."""
        epochs = self.config.epochs
        with tqdm(
            total=epochs, initial=self.epoch, unit="epoch", disable=not person_watches()
        ) as bar:
            while not self.finished:
                self.train_epoch(batches(self.epoch), interrupts)
                self.close_epoch(validate)
                self.heed(interrupts)
                bar.update()

    def train_epoch(self, batches: Sequence, interrupts: Interrupts) -> None:
        """Take the steps of this epoch that are not taken yet."""
        if not len(batches):
            raise ValueError(
                f"batches: expected at least one in epoch {self.epoch}, got none; is there any data?"
            )
        self.engine.training(True)
        while self.step < len(batches):
            self._take_step(batches[self.step], self.step / len(batches))
            self.heed(interrupts)
            due = self.steps % self.config.save_every == 0
            if due and self.step < len(batches):
                # After the last step the epoch is closed first: one metric in the log.
                self.save()

    def _take_step(self, batch: tuple[np.ndarray, ...], share: float) -> None:
        progress = (self.epoch + share) / self.config.epochs
        place = f"at step {self.steps + 1} (epoch {self.epoch}, batch {self.step})"
        rng = step_rng(self.config.seed, self.steps)
        loss, norm = self.engine.gradient(batch, rng)
        self._check_finite("the loss", loss, place)
        self._check_finite("the norm of the gradient", norm, place)
        rate = self.engine.update(one_cycle(progress, self.config.warm_up))
        targets = self.count(batch)
        self.loss_sum += loss * targets
        self.targets += targets
        self.step += 1
        self.steps += 1
        self.curves.add(self.steps, loss=loss, learning_rate=rate, gradient_norm=norm)

    def _check_finite(self, what: str, value: float, place: str) -> None:
        """Stop before an update that would spoil the weights."""
        if not math.isfinite(value):
            raise ValueError(
                f"{what} is {value} {place}; training stopped before it, and the model holds the weights of step "
                f"{self.steps}; {self._saved()}; look at that batch, or lower the learning rate"
            )

    def heed(self, interrupts: Interrupts) -> None:
        if interrupts.came:
            raise KeyboardInterrupt(
                f"interrupted after step {self.steps}; {self._saved()}"
            )

    def close_epoch(self, validate: Callable | None) -> None:
        """Note the loss, ask for the metric, keep the weights if they are the best."""
        check_targets(self.targets, self.epoch)
        means = {"mean_loss": self.loss_sum / self.targets}
        if validate is not None:
            means["metric"] = self._read_metric(validate)
        else:
            self.best_epoch = self.epoch
        self.losses.append(means["mean_loss"])
        self.curves.add(self.steps, **means)
        self.epoch, self.step = self.epoch + 1, 0
        self.loss_sum, self.targets = 0.0, 0
        self.save()
        said = ", ".join(
            f"{name.replace('_', ' ')} {value:.4f}" for name, value in means.items()
        )
        logger.info("epoch %d of %d: %s", self.epoch, self.config.epochs, said)

    def _read_metric(self, validate: Callable) -> float:
        self.engine.training(False)
        metric = float(validate(self.engine.network))
        self._check_finite(
            "the metric", metric, f"after epoch {self.epoch} (step {self.steps})"
        )
        if not self.metrics or metric > max(self.metrics):
            self.best_epoch, self.best = self.epoch, self.engine.weights()
        self.metrics.append(metric)
        return metric

    def restore_best(self) -> None:
        if self.best:
            self.engine.load_weights(self.best)

    def _saved(self) -> str:
        """Save, and say where and how to go on."""
        try:
            self.save()
        except OSError as error:
            return f"saving failed as well: {error}"
        if self.checkpoint is None:
            return "nothing was saved, since no checkpoint was given"
        return f"the state is in {self.checkpoint}: call fit again with the same arguments to resume"

    def save(self) -> None:
        # First, so that a step that the checkpoint counts is never missing in the log.
        self.curves.flush()
        if self.checkpoint is None:
            return
        moments, numbers = self.engine.state()
        groups = {
            "model": self.engine.weights(),
            "best": self.best,
            "optimizer": moments,
        }
        arrays = {}
        for group, named in groups.items():
            for name, array in named.items():
                arrays[f"{group}.{name}"] = array
        state = {name: getattr(self, name) for name in _COUNTED}
        state["optimizer"] = numbers
        write_checkpoint(self.checkpoint, arrays, state, self.identity)

    def resume(self) -> None:
        """Go on from the checkpoint; where there is none, write the first.

        A place that cannot be written shows now.
        """
        if self.checkpoint is None or not self.checkpoint.exists():
            return self.save()
        arrays, state = read_checkpoint(self.checkpoint, self.identity)
        missing = {*_COUNTED, "optimizer"} - set(state)
        if missing:
            raise ValueError(
                f"{self.checkpoint}: expected the state of a training, got none of "
                f"{', '.join(sorted(missing))}; weights alone cannot be trained on: give another path"
            )
        try:
            self._put_back(arrays, state)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.checkpoint}: expected the state of a training of this network, got another "
                f"({error}); delete it or give another path"
            ) from error

    def _put_back(
        self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]
    ) -> None:
        groups: dict[str, dict[str, np.ndarray]] = {
            "model": {},
            "best": {},
            "optimizer": {},
        }
        for name, array in arrays.items():
            group, _, rest = name.partition(".")
            groups[group][rest] = array
        self.best = groups["best"]
        self.restore_best()  # to see now, and not after the last epoch, if it can be
        self.engine.load_weights(groups["model"])
        self.engine.load_state({**groups["optimizer"], **state["optimizer"]})
        for name in _COUNTED:
            setattr(self, name, state[name])


_COUNTED = (
    "epoch",
    "step",
    "steps",
    "loss_sum",
    "targets",
    "losses",
    "metrics",
    "best_epoch",
)
