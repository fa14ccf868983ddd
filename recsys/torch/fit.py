"""The training loop of every model: `fit(model, batches, loss, config)`.

It knows nothing of the model. AdamW, the gradient's norm clipped, a learning rate that
rises once and falls once (Smith and Topin, 2018, https://arxiv.org/abs/1708.07120), early
stopping on a validation metric, the best weights restored. A checkpoint holds all that
changes, the state of the random numbers included, so that a run that was killed at any
step and called again ends with the same bits as one that was not.
"""

import math
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from recsys.runtime import person_watches
from recsys.torch.checkpoint import read_checkpoint, write_checkpoint


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


def one_cycle(progress: float, warm_up: float) -> float:
    """Share of the peak learning rate: half a cosine up from 1/25, half a cosine down to 0.

    Args:
        progress: share of the training done, 0 to 1.
        warm_up: share in which it rises, between 0 and 1.

    Returns:
        A number from 0 to 1.
    """
    if progress < warm_up:
        return 1 - (1 - 1 / 25) * (1 + math.cos(math.pi * progress / warm_up)) / 2
    return (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) / 2


def fit(
    model: nn.Module, batches: Callable[[int], Sequence[Any]], loss: Callable[[nn.Module, Any], Tensor],
    config: FitConfig, validate: Callable[[nn.Module], float] | None = None,
    checkpoint: Path | None = None, identity: Mapping[str, Any] | None = None,
) -> FitResult:  # fmt: skip
    """Train a model in place.

    Where `checkpoint` exists already, training goes on from it: call again with the same
    arguments after a kill or an interrupt. Random numbers outside are left as they were.

    Args:
        model: the module to train; left in evaluation mode.
        batches: from the number of an epoch to its batches, the same at every call.
        loss: from model and batch to a scalar.
        config: how long and how fast.
        validate: from the model to a metric, higher is better, after each epoch; without it
            the last weights are kept.
        checkpoint: file to keep the state in.
        identity: what it belongs to, such as a hash; class, shapes and `config` are added.

    Returns:
        The course of the training.

    Raises:
        ValueError: a number that is not finite (the model then holds the last good weights),
            a checkpoint of something else, patience without a metric, or no batches.
        KeyboardInterrupt: with the way to resume as its message.
        OSError: a checkpoint could not be written.
    """
    if config.patience is not None and validate is None:
        raise ValueError(f"patience: {config.patience} came without a metric; pass validate, or patience=None")
    run = _Run(model, config, checkpoint, identity or {})
    try:
        with torch.random.fork_rng(devices=[]), _Interrupts() as interrupts:
            torch.manual_seed(config.seed)
            run.resume()
            run.train(batches, loss, validate, interrupts)
    finally:
        model.eval()
    run.restore_best()
    return FitResult(tuple(run.losses), tuple(run.metrics), run.best_epoch, run.steps)


class _Interrupts:
    """Ctrl-C waits for the end of a step, so that no state is half updated."""

    def __enter__(self) -> "_Interrupts":
        self.came = False
        self.main = threading.current_thread() is threading.main_thread()
        if self.main:
            self.before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number, frame) -> None:
        if self.came:
            raise KeyboardInterrupt("interrupted twice: stopped at once, in the middle of a step")
        self.came = True

    def __exit__(self, *error) -> None:
        if self.main:
            signal.signal(signal.SIGINT, self.before)


class _Run:
    """All that changes while a model trains."""

    def __init__(self, model: nn.Module, config: FitConfig, checkpoint: Path | None, identity: Mapping):
        self.model, self.config = model, config
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
        self.identity = {"class": type(model).__name__, "shapes": shapes, "fit": asdict(config), **identity}
        self.epoch = self.step = self.steps = self.best_epoch = 0
        self.loss_sum = 0.0
        self.losses: list[float] = []
        self.metrics: list[float] = []
        self.best: dict[str, Tensor] = {}

    @property
    def finished(self) -> bool:
        """Whether the epochs are over, or patience is."""
        waited = self.epoch - 1 - self.best_epoch
        patience = self.config.patience
        stopped = bool(self.metrics) and patience is not None and waited >= patience
        return self.epoch >= self.config.epochs or stopped

    def train(self, batches: Callable, loss: Callable, validate: Callable | None, interrupts: _Interrupts) -> None:
        """Take the epochs that are left."""
        with tqdm(total=self.config.epochs, initial=self.epoch, unit="epoch", disable=not person_watches()) as bar:
            while not self.finished:
                self.train_epoch(batches(self.epoch), loss, interrupts)
                self.close_epoch(validate)
                bar.update()

    def train_epoch(self, batches: Sequence[Any], loss: Callable, interrupts: _Interrupts) -> None:
        """Take the steps of this epoch that are not taken yet."""
        if not len(batches):
            raise ValueError(f"batches: expected at least one in epoch {self.epoch}, got none; is there any data?")
        self.model.train()
        while self.step < len(batches):
            self._take_step(batches[self.step], self.step / len(batches), loss)
            if interrupts.came:
                raise KeyboardInterrupt(f"interrupted after step {self.steps}; {self._saved()}")
            if self.steps % self.config.save_every == 0:
                self.save()

    def _take_step(self, batch: Any, share: float, loss: Callable) -> None:
        progress = (self.epoch + share) / self.config.epochs
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * one_cycle(progress, self.config.warm_up)
        before = torch.get_rng_state()
        self.optimizer.zero_grad()
        value = loss(self.model, batch)
        self._check_finite("the loss", value.item(), before)
        value.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self._check_finite("the norm of the gradient", norm.item(), before)
        self.optimizer.step()
        self.loss_sum += value.item()
        self.step += 1
        self.steps += 1

    def _check_finite(self, what: str, value: float, before: Tensor) -> None:
        """Stop before an update that would spoil the weights."""
        if not math.isfinite(value):
            torch.set_rng_state(before)
            raise ValueError(
                f"{what} is {value} at step {self.steps + 1} (epoch {self.epoch}, batch {self.step}); training "
                f"stopped before it, and the model holds the weights of step {self.steps}; {self._saved()}; look "
                "at that batch, or lower the learning rate"
            )

    def close_epoch(self, validate: Callable | None) -> None:
        """Note the loss, ask for the metric, keep the weights where they are the best so far."""
        mean = self.loss_sum / max(self.step, 1)
        if validate is not None:
            self.model.eval()
            with torch.no_grad():
                metric = float(validate(self.model))
            self._check_finite("the metric", metric, torch.get_rng_state())
            if not self.metrics or metric > max(self.metrics):
                self.best_epoch = self.epoch
                self.best = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.metrics.append(metric)
        else:
            self.best_epoch = self.epoch
        self.losses.append(mean)
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0
        self.save()

    def restore_best(self) -> None:
        if self.best:
            self.model.load_state_dict(self.best)

    def _saved(self) -> str:
        """Save, and say where and how to go on."""
        if self.checkpoint is None:
            return "nothing was saved, since no checkpoint was given"
        self.save()
        return f"the state is in {self.checkpoint}: call fit again with the same arguments to resume"

    def save(self) -> None:
        if self.checkpoint is None:
            return
        tensors = {"random": torch.get_rng_state()}
        tensors |= {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{name}:{key}"] = value
        write_checkpoint(self.checkpoint, tensors, {name: getattr(self, name) for name in _COUNTED}, self.identity)

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        tensors, state = read_checkpoint(self.checkpoint, self.identity)
        for name in _COUNTED:
            setattr(self, name, state[name])
        torch.set_rng_state(tensors.pop("random"))
        parameters = dict(self.model.named_parameters())
        weights = {}
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "adam":
                parameter, _, key = rest.rpartition(":")
                self.optimizer.state[parameters[parameter]][key] = value
            else:
                (weights if kind == "model" else self.best)[rest] = value
        self.model.load_state_dict(weights)


_COUNTED = ("epoch", "step", "steps", "loss_sum", "losses", "metrics", "best_epoch")
