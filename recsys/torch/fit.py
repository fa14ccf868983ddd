"""The training loop of every model: `fit(model, batches, loss, config)`.

It knows nothing of the model. AdamW, the gradient's norm clipped, a learning rate that
rises once and falls once (Smith and Topin, 2018, https://arxiv.org/abs/1708.07120), early
stopping on a validation metric, the best weights restored. A checkpoint holds all that
changes, the state of the random numbers included, so that a run that was killed at any
step and called again ends with the same bits as one that was not.

How a recommender uses it, with held-out events as the metric, and what is left of it after
an error: `recsys.torch.validation`. Through Lightning: `recsys.torch.lightning`.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from recsys.runtime import person_watches
from recsys.torch.checkpoint import read_checkpoint, write_checkpoint
from recsys.torch.optimisation import adamw, clip_gradients, one_cycle, pack_state, set_learning_rate, unpack_state
from recsys.training.curves import Curves
from recsys.training.interrupts import Interrupts

logger = logging.getLogger(__name__)
"""Says the loss of each epoch, at the level INFO."""


@dataclass(frozen=True)
class FitConfig:
    """How long and how fast to train.

    Args:
        epochs: passes over the batches, also the length of the learning-rate cycle.
        learning_rate: at the peak of the cycle.
        warm_up: share of the cycle in which it rises.
        weight_decay: of AdamW.
        clip_norm: the longest gradient that is used as it is.
        patience: epochs without a better metric after which training stops; None = never.
        save_every: steps between checkpoints; one follows each epoch in any case.
        seed: of the numbers drawn in training (dropout).

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
        for name in ("epochs", "learning_rate", "clip_norm", "save_every"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected a number above 0, got {getattr(self, name)}")
        if not 0 < self.warm_up < 1:
            raise ValueError(f"warm_up: expected a share between 0 and 1, got {self.warm_up}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience: expected at least 1, or None, got {self.patience}")


@dataclass(frozen=True)
class FitResult:
    """What happened: mean loss and metric of each epoch, and the epoch whose weights were kept."""

    losses: tuple[float, ...]
    metrics: tuple[float, ...]
    best_epoch: int
    steps: int


def fit(
    model: nn.Module, batches: Callable[[int], Sequence[Any]], loss: Callable[[nn.Module, Any], Tensor],
    config: FitConfig, validate: Callable[[nn.Module], float] | None = None,
    checkpoint: Path | None = None, identity: Mapping[str, Any] | None = None, *,
    optimizer: Callable[[nn.Module, FitConfig], torch.optim.Optimizer] | None = None,
    log: Path | None = None, adopt: Callable[[nn.Module], None] | None = None,
) -> FitResult:  # fmt: skip
    """Train a model in place.

    Where `checkpoint` exists already, training goes on from it: call again with the same
    arguments after a kill or an interrupt. Random numbers outside are left as they were.

    Args:
        model: the module to train; left in evaluation mode.
        batches: from the number of an epoch to its batches, the same at every call.
        loss: from model and batch to a scalar; what it draws comes from torch's generator.
        config: how long and how fast.
        validate: from the model to a metric, higher is better, after each epoch; without it
            the last weights are kept.
        checkpoint: file to keep the state in; its directory is made where it is missing.
        identity: what it belongs to, such as a hash; class, shapes and `config` are added.
        optimizer: from model and config to an optimizer, `adamw` by default. The rates of its
            groups are peaks of the cycle; gradients may be sparse; all that changes in it is
            in its `state`, for each parameter dense tensors and numbers.
        log: directory for TensorBoard: loss, learning_rate and gradient_norm of each step,
            mean_loss and metric of each epoch, over the number of steps taken.
        adopt: called once with the model, however training ends, if at least one step has
            been taken (by this call or the one that it resumes): the model then holds weights
            that were trained. A recommender takes its network over here, so that an error
            before the first step leaves it as it was.

    Returns:
        The course of the training.

    Raises:
        ValueError: a number that is not finite (the model then holds the last good weights),
            a checkpoint of something else, patience without a metric, or no batches.
        KeyboardInterrupt: with the way to resume as its message.
        OSError: a checkpoint could not be written; the one before is as it was.
    """
    if config.patience is not None and validate is None:
        raise ValueError(f"patience: {config.patience} came without a metric; pass validate, or patience=None")
    run = _Run(model, config, checkpoint, identity or {}, optimizer or adamw)
    try:
        with torch.random.fork_rng(devices=[]), Interrupts() as interrupts:
            torch.manual_seed(config.seed)
            run.resume()
            run.curves = Curves(log, run.steps)
            run.train(batches, loss, validate, interrupts)
        run.restore_best()
    finally:
        model.eval()
        if run.steps and adopt is not None:
            adopt(model)
    return FitResult(tuple(run.losses), tuple(run.metrics), run.best_epoch, run.steps)


class _Run:
    """All that changes while a model trains."""

    def __init__(self, model: nn.Module, config: FitConfig, checkpoint: Path | None, identity: Mapping,
                 optimizer: Callable):  # fmt: skip
        self.model, self.config = model, config
        self.optimizer = optimizer(model, config)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.identity = {
            "class": type(model).__name__, "optimizer": type(self.optimizer).__name__, "fit": asdict(config),
            "shapes": {name: list(tensor.shape) for name, tensor in model.state_dict().items()}, **identity,
        }  # fmt: skip
        self.epoch = self.step = self.steps = self.best_epoch = 0
        self.loss_sum = 0.0
        self.losses: list[float] = []
        self.metrics: list[float] = []
        self.best: dict[str, Tensor] = {}
        self.curves = Curves(None, 0)

    @property
    def finished(self) -> bool:
        """Whether the epochs are over, or patience is."""
        waited = self.epoch - 1 - self.best_epoch
        patience = self.config.patience
        stopped = bool(self.metrics) and patience is not None and waited >= patience
        return self.epoch >= self.config.epochs or stopped

    def train(self, batches: Callable, loss: Callable, validate: Callable | None, interrupts: Interrupts) -> None:
        """Take the epochs that are left."""
        with tqdm(total=self.config.epochs, initial=self.epoch, unit="epoch", disable=not person_watches()) as bar:
            while not self.finished:
                self.train_epoch(batches(self.epoch), loss, interrupts)
                self.close_epoch(validate)
                self._heed(interrupts)
                bar.update()

    def train_epoch(self, batches: Sequence[Any], loss: Callable, interrupts: Interrupts) -> None:
        """Take the steps of this epoch that are not taken yet."""
        if not len(batches):
            raise ValueError(f"batches: expected at least one in epoch {self.epoch}, got none; is there any data?")
        self.model.train()
        while self.step < len(batches):
            self._take_step(batches[self.step], self.step / len(batches), loss)
            self._heed(interrupts)
            if self.steps % self.config.save_every == 0 and self.step < len(batches):
                self.save()  # after the last step the epoch is closed first, so that its metric is logged once

    def _take_step(self, batch: Any, share: float, loss: Callable) -> None:
        progress = (self.epoch + share) / self.config.epochs
        rate = set_learning_rate(self.optimizer, one_cycle(progress, self.config.warm_up))
        before, place = torch.get_rng_state(), f"at step {self.steps + 1} (epoch {self.epoch}, batch {self.step})"
        self.model.zero_grad()  # of all parameters: an optimizer may have some of them
        value = loss(self.model, batch)
        self._check_finite("the loss", value.item(), place, before)
        value.backward()
        norm = clip_gradients(self.model, self.config.clip_norm)
        self._check_finite("the norm of the gradient", norm.item(), place, before)
        self.optimizer.step()
        self.loss_sum += value.item()
        self.step += 1
        self.steps += 1
        self.curves.add(self.steps, loss=value.item(), learning_rate=rate, gradient_norm=norm.item())

    def _check_finite(self, what: str, value: float, place: str, before: Tensor) -> None:
        """Stop before an update that would spoil the weights."""
        if not math.isfinite(value):
            torch.set_rng_state(before)
            raise ValueError(
                f"{what} is {value} {place}; training stopped before it, and the model holds the weights of step "
                f"{self.steps}; {self._saved()}; look at that batch, or lower the learning rate"
            )

    def _heed(self, interrupts: Interrupts) -> None:
        if interrupts.came:
            raise KeyboardInterrupt(f"interrupted after step {self.steps}; {self._saved()}")

    def close_epoch(self, validate: Callable | None) -> None:
        """Note the loss, ask for the metric, keep the weights where they are the best so far."""
        means = {"mean_loss": self.loss_sum / self.step}
        if validate is not None:
            means["metric"] = self._read_metric(validate)
        else:
            self.best_epoch = self.epoch
        self.losses.append(means["mean_loss"])
        self.curves.add(self.steps, **means)
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0
        self.save()
        said = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in means.items())
        logger.info("epoch %d of %d: %s", self.epoch, self.config.epochs, said)

    def _read_metric(self, validate: Callable) -> float:
        before = torch.get_rng_state()
        self.model.eval()
        with torch.no_grad():
            metric = float(validate(self.model))
        self._check_finite("the metric", metric, f"after epoch {self.epoch} (step {self.steps})", before)
        if not self.metrics or metric > max(self.metrics):
            self.best_epoch = self.epoch
            self.best = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.metrics.append(metric)
        return metric

    def restore_best(self) -> None:
        if self.best:
            self.model.load_state_dict(self.best)

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
        self.curves.flush()  # first: a step that the checkpoint counts is never missing in the log
        if self.checkpoint is None:
            return
        state, numbers = pack_state(self.model, self.optimizer)
        groups = {"model": self.model.state_dict(), "best": self.best, "optimizer": state}
        tensors = {f"{group}.{name}": value for group, named in groups.items() for name, value in named.items()}
        counted = {name: getattr(self, name) for name in _COUNTED}
        write_checkpoint(self.checkpoint, {"random": torch.get_rng_state(), **tensors},
                         {**counted, "optimizer": numbers}, self.identity)  # fmt: skip

    def resume(self) -> None:
        """Go on from the checkpoint; where there is none, write the first: a place that cannot be written shows now."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return self.save()
        tensors, state = read_checkpoint(self.checkpoint, self.identity)
        torch.set_rng_state(tensors.pop("random"))
        groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
        for name, value in tensors.items():
            group, _, rest = name.partition(".")
            groups[group][rest] = value
        self.model.load_state_dict(groups["model"])
        self.best = groups["best"]
        unpack_state(self.model, self.optimizer, {**groups["optimizer"], **state["optimizer"]})
        for name in _COUNTED:
            setattr(self, name, state[name])


_COUNTED = ("epoch", "step", "steps", "loss_sum", "losses", "metrics", "best_epoch")
