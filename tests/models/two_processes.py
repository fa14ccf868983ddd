"""Trains through Lightning in as many processes as torchrun starts; `test_lightning` compares the weights.

Usage: torchrun --nproc-per-node 2 two_processes.py DIRECTORY
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from small_run import SMALL_SASREC, Bags, squared

from recsys.torch.fit import FitConfig
from recsys.torch.optimisation import RowwiseAdagrad
from recsys.torch.sasrec import SASRec, next_item_loss
from recsys.torch.sequences import PADDING, NextItemBatches, windows

TRAINING = FitConfig(epochs=2, learning_rate=1e-2)


def targets(batch):
    return int((batch[1] != PADDING).sum())


def sequences():
    """SASRec on 120 sequences of 2 to 13 ids, and one batch of a single row, half of whose processes are idle."""
    random = np.random.default_rng(3)
    rows = windows([random.integers(1, 31, random.integers(2, 14)) for _ in range(120)], SMALL_SASREC.max_length)
    batches = NextItemBatches(rows, SMALL_SASREC.tokens)
    torch.manual_seed(0)
    model = SASRec(30, replace(SMALL_SASREC, dropout=0.0))
    return model, lambda epoch: [*batches(epoch), NextItemBatches(rows[:1], 1)(0)[0]], next_item_loss, TRAINING, targets


def rows_of_a_table():
    """Sparse gradients, an optimizer that asks for them before any closure, rows with unequal numbers of ids."""
    torch.manual_seed(0)
    model = Bags()
    model.drop.p = 0.0

    def batches(epoch):
        ids = np.random.default_rng([5, epoch]).integers(0, 10, (6, 7, 3))
        return [(rows, rows.sum(1, keepdim=True) / 10.0) for rows in torch.from_numpy(ids)]

    return model, batches, squared, TRAINING, lambda batch: len(batch[0])


RUNS = {"sequences": (sequences, {}), "rows": (rows_of_a_table, {
    "optimizer": lambda model, config: RowwiseAdagrad(model.parameters(), lr=config.learning_rate)})}  # fmt: skip


if __name__ == "__main__":
    from recsys.torch.lightning import fit_with_lightning

    for name, (make, options) in RUNS.items():
        model, *rest = make()
        trainer = fit_with_lightning(model, *rest, devices=int(os.environ["WORLD_SIZE"]), strategy="ddp", **options)
        means = {"mean_loss": trainer.callback_metrics["mean_loss"]}
        save_file({**model.state_dict(), **means}, Path(sys.argv[1]) / f"{name}.{trainer.global_rank}")
