"""The same training through Lightning, in one process or in many on many machines.

Every process makes the same batches, as `fit` does, and takes its rows of each: row r belongs
to process r modulo the number of processes. A mean over all targets is not the mean of the
processes' means, since their rows hold different numbers of targets. So each process adds

    its mean loss * its targets / targets of all processes,

and gradients are summed. Updates, and so the weights, are those of one process up to
rounding; for dropout and sampled negatives each process draws its own numbers. In one
process the weights are those of `fit` to the bit.

On several machines, start the same script on each with torchrun, and pass the options of
`lightning.pytorch.Trainer`: `num_nodes`, `devices`, `strategy="ddp"`, an `accelerator`.
Checkpoints, early stopping and curves are Lightning's callbacks and loggers, options as well.
Needs the extra `recsys[lightning]`.

Source: data parallel training as in Li and others, 2020 (https://arxiv.org/abs/2006.15704).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from recsys.runtime import person_watches
from recsys.torch.fit import FitConfig
from recsys.torch.optimisation import adamw, clip_gradients, one_cycle, set_learning_rate


def fit_with_lightning(
    model: nn.Module, batches: Callable[[int], Sequence[tuple[Tensor, ...]]],
    loss: Callable[[nn.Module, Any], Tensor], config: FitConfig, count: Callable[[tuple[Tensor, ...]], int], *,
    optimizer: Callable[[nn.Module, FitConfig], torch.optim.Optimizer] = adamw, **trainer: Any,
) -> Trainer:  # fmt: skip
    """Train a model in place, for all epochs of `config`.

    Args:
        model: the module to train; left in evaluation mode.
        batches: as `fit`; each a tuple of tensors with one row an example.
        loss: as `fit`, a mean over what `count` counts.
        config: as `fit`; `patience` and `save_every` are Lightning's matter.
        count: from a batch to its number of targets, such as the ids that are not padding.
        optimizer: as `fit`.
        trainer: options of `lightning.pytorch.Trainer`.

    Returns:
        The trainer, after training; `callback_metrics["mean_loss"]` is that of the last epoch.

    Raises:
        ValueError: a gradient that is not finite, before it reaches the weights.
    """
    options = {
        "max_epochs": config.epochs, "accelerator": "cpu", "devices": 1, "logger": False, "enable_checkpointing": False,
        "enable_model_summary": False, "enable_progress_bar": person_watches(), **trainer,
    }  # fmt: skip
    run = Trainer(reload_dataloaders_every_n_epochs=1, use_distributed_sampler=False, **options)
    with torch.random.fork_rng(devices=[]):
        run.fit(_Steps(model, batches, loss, config, count, optimizer))
    model.eval()
    return run


class _Steps(LightningModule):
    """The steps of `fit`, written as Lightning's hooks."""

    def __init__(self, model: nn.Module, batches: Callable, loss: Callable, config: FitConfig, count: Callable,
                 make_optimizer: Callable):  # fmt: skip
        super().__init__()
        self.automatic_optimization = False  # an optimizer may ask for the gradient before it calls a closure
        self.model, self.batches, self.loss, self.config = model, batches, loss, config
        self.count, self.make_optimizer = count, make_optimizer

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self.model, self.config)

    def train_dataloader(self) -> DataLoader:
        # A generator of its own: the loader would draw from that of the dropout.
        return DataLoader(self.batches(self.current_epoch), batch_size=None, collate_fn=_as_it_is,
                          generator=torch.Generator())  # fmt: skip

    def on_train_start(self) -> None:
        torch.manual_seed(self.config.seed + self.global_rank)

    def training_step(self, batch: tuple[Tensor, ...], index: int) -> None:
        optimizer = self.optimizers()
        progress = (self.current_epoch + index / self.trainer.num_training_batches) / self.config.epochs
        set_learning_rate(optimizer, one_cycle(progress, self.config.warm_up))
        self.model.zero_grad()
        value = self._share_of_loss(batch)
        self.manual_backward(value)  # averages the gradients of all processes
        norm = clip_gradients(self.model, self.config.clip_norm).item()
        if not math.isfinite(norm):
            raise ValueError(f"the norm of the gradient is {norm} at epoch {self.current_epoch}, batch {index}; "
                             "training stopped before it; look at that batch, or lower the learning rate")  # fmt: skip
        optimizer.step()
        self.log("mean_loss", value.detach(), on_step=False, on_epoch=True, batch_size=1, sync_dist=True)

    def _share_of_loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        """What this process adds to the loss, times the number of processes, since gradients are averaged."""
        processes = self.trainer.world_size
        share = tuple(tensor[self.global_rank::processes] for tensor in batch)
        own = self.count(share)
        total = self.trainer.strategy.reduce(torch.tensor(float(own), device=self.device), reduce_op="sum").item()
        return self.loss(self.model, share if own else batch) * (own / total * processes)  # no targets: weight 0


def _as_it_is(batch: Any) -> Any:
    return batch
