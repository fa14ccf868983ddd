"""Trains through Lightning in as many processes as torchrun starts; `test_lightning` compares the weights.

Usage: torchrun --nproc-per-node 2 -m tests.training.two_processes DIRECTORY
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from recsys.batches.sequences import NextItemBatches, windows
from recsys.torch.optimisation import rowwise_adagrad
from recsys.torch.sasrec import SASRec, SASRecRecommender, next_item_loss
from recsys.training.loop import FitConfig
from recsys.training.steps import rows
from tests.training.small_run import SMALL_SASREC, Bags, squared

TRAINING = FitConfig(epochs=2, learning_rate=1e-2)


def sequences():
    """SASRec on 120 sequences of 2 to 13 ids, and one batch of a single row, half of whose processes are idle."""
    random = np.random.default_rng(3)
    cut = windows([random.integers(1, 31, random.integers(2, 14)) for _ in range(120)], SMALL_SASREC.max_length)
    batches = NextItemBatches(cut, SMALL_SASREC.tokens)
    alone = NextItemBatches(cut[:1], 1)(0)[0]
    torch.manual_seed(0)
    model = SASRec(30, replace(SMALL_SASREC, dropout=0.0))
    return model, lambda epoch: [*batches(epoch), alone], next_item_loss, TRAINING, SASRecRecommender.targets


def rows_of_a_table():
    """Sparse gradients, an optimizer that asks for them before any closure, rows with unequal numbers of ids."""
    torch.manual_seed(0)
    model = Bags()
    model.drop.share = 0.0

    def batches(epoch):
        ids = np.random.default_rng([5, epoch]).integers(0, 10, (6, 7, 3))
        return [(row, row.sum(1, keepdims=True).astype(np.float32) / 10) for row in ids]

    return model, batches, squared, TRAINING, rows


RUNS = {"sequences": (sequences, {}), "rows": (rows_of_a_table, {"optimizer": rowwise_adagrad})}


if __name__ == "__main__":
    from recsys.torch.lightning import fit_with_lightning

    for name, (make, options) in RUNS.items():
        model, *rest = make()
        trainer = fit_with_lightning(model, *rest, devices=int(os.environ["WORLD_SIZE"]), strategy="ddp", **options)
        means = {"mean_loss": trainer.callback_metrics["mean_loss"]}
        save_file({**model.state_dict(), **means}, Path(sys.argv[1]) / f"{name}.{trainer.global_rank}")
