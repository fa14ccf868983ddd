"""The same training through Lightning, in one process or in many on many machines.

Every process makes the same batches, as `fit` does, and takes its rows of each: row r
belongs to process r modulo the number of processes. A mean over all targets is not the
mean of the processes' means, since their rows hold different numbers of targets. So
each process adds

    its mean loss * its targets / targets of all processes,

and gradients are summed. Updates, and so the weights, are those of one process up to
rounding; dropout draws from (seed, step, process). In one process the weights are those
of `recsys.training.loop.fit` to the bit.

On several machines, start the same script on each with torchrun, and pass the options
of `lightning.pytorch.Trainer`: `num_nodes`, `devices`, `strategy="ddp"`, an
`accelerator`. Checkpoints, early stopping and curves are Lightning's callbacks and
loggers, options as well. Needs the extra `recsys[lightning]`.

Source: data parallel training as in Li and others, 2020
(https://arxiv.org/abs/2006.15704).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from recsys.runtime import person_watches
from recsys.torch.engine import tensors
from recsys.torch.optimisation import adamw, clip_gradients, set_learning_rate
from recsys.torch.parameters import draw_from
from recsys.training.loop import FitConfig
from recsys.training.steps import check_targets, one_cycle, rows, step_rng


def fit_with_lightning(
    network: nn.Module,
    batches: Callable[[int], Sequence[tuple[np.ndarray, ...]]],
    loss: Callable[[nn.Module, tuple[Tensor, ...]], Tensor],
    config: FitConfig,
    count: Callable[[tuple[np.ndarray, ...]], int] = rows,
    *,
    optimizer: Callable[[nn.Module, FitConfig], torch.optim.Optimizer] = adamw,
    **trainer: Any,
) -> Trainer:
    """Train a network in place, for all epochs of `config`.

    Args:
        network: the module to train; left in evaluation mode.
        batches: from the number of an epoch to its batches, the same at every call. For
            several processes each array of a batch has one row an example.
        loss: from network and batch of tensors to a scalar, a mean over what `count`
            counts.
        config: as `recsys.training.loop.fit`; `patience` and `save_every` are
            Lightning's matter.
        count: from a batch to its number of targets.
        optimizer: from network and config to an optimizer.
        trainer: options of `lightning.pytorch.Trainer`.

    Returns:
        The trainer, after training; `callback_metrics["mean_loss"]` is the mean over
        the targets of the last epoch.

    Raises:
        ValueError: a gradient that is not finite, before it reaches the weights, an
            epoch without a target, or arrays of a batch that cannot be shared between
            processes.
    """
    options = {
        "max_epochs": config.epochs,
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": person_watches(),
        **trainer,
    }
    run = Trainer(
        reload_dataloaders_every_n_epochs=1, use_distributed_sampler=False, **options
    )
    run.fit(_Steps(network, batches, loss, config, count, optimizer))
    network.eval()
    return run


class _Steps(LightningModule):
    """The steps of the loop, written as Lightning's hooks."""

    def __init__(
        self,
        network: nn.Module,
        batches: Callable,
        loss: Callable,
        config: FitConfig,
        count: Callable,
        make_optimizer: Callable,
    ):
        super().__init__()
        self.automatic_optimization = (
            False  # an optimizer may ask for the gradient before it calls a closure
        )
        self.network, self.batches, self.loss = network, batches, loss
        self.config, self.count, self.make_optimizer = config, count, make_optimizer

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self.network, self.config)

    def train_dataloader(self) -> DataLoader:
        batches = self.batches(self.current_epoch)
        own = (
            torch.Generator()
        )  # or the loader would draw from the generator of the caller
        return DataLoader(batches, batch_size=None, collate_fn=_as_it_is, generator=own)

    def on_train_epoch_start(self) -> None:
        self.loss_sum, self.targets = 0.0, 0

    def training_step(self, batch: tuple[np.ndarray, ...], index: int) -> None:
        optimizer = self.optimizers()
        draw_from(
            self.network, step_rng(self.config.seed, self.global_step, self.global_rank)
        )
        self.network.zero_grad()
        value, own, share = self._loss_of_own_rows(batch)
        self.manual_backward(value * share)  # averages the gradients of all processes
        norm = clip_gradients(self.network, self.config.clip_norm).item()
        if not math.isfinite(norm):
            raise ValueError(
                f"the norm of the gradient is {norm} at epoch {self.current_epoch}, batch {index}; "
                "training stopped before it; look at that batch, or lower the learning rate"
            )
        progress = (
            self.current_epoch + index / self.trainer.num_training_batches
        ) / self.config.epochs
        set_learning_rate(optimizer, one_cycle(progress, self.config.warm_up))
        optimizer.step()
        self.loss_sum += value.item() * own
        self.targets += own

    def on_train_epoch_end(self) -> None:
        loss_sum, targets = (
            self._sum_of_processes(self.loss_sum),
            self._sum_of_processes(self.targets),
        )
        check_targets(targets, self.current_epoch)
        self.log("mean_loss", loss_sum / targets)

    def _sum_of_processes(self, value: float) -> float:
        here = torch.tensor(float(value), device=self.device)
        return self.trainer.strategy.reduce(here, reduce_op="sum").item()

    def _loss_of_own_rows(
        self, batch: tuple[np.ndarray, ...]
    ) -> tuple[Tensor, int, float]:
        """Mean loss of this process, its targets, and the factor of its loss.

        The factor makes up for the mean that is taken of the processes' gradients.
        """
        processes = self.trainer.world_size
        lengths = {len(array) for array in batch}
        if processes > 1 and len(lengths) > 1:
            raise ValueError(
                f"batches: expected arrays with one row an example, to share them between {processes} processes, "
                f"got {sorted(lengths)} rows in one batch; train in one process"
            )
        rows_here = tuple(array[self.global_rank :: processes] for array in batch)
        own = self.count(rows_here)
        total = self._sum_of_processes(own)
        used = (
            rows_here if own else batch
        )  # no targets of its own: any batch, with weight 0
        value = self.loss(
            self.network, tuple(tensor.to(self.device) for tensor in tensors(used))
        )
        share = own / max(total, 1) * processes  # of a batch without targets 0
        return value, own, share


def _as_it_is(batch: Any) -> Any:
    return batch
