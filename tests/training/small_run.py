"""A training of sixteen steps in a few milliseconds, with all that a real one has, and ways to stop it."""

import contextlib
import os

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from recsys.torch.engine import Engine, seeded, tensors
from recsys.torch.optimisation import adamw
from recsys.torch.parameters import Dropout
from recsys.training.loop import FitConfig, fit
from tests.settings import SMALL_SASREC as SMALL_SASREC

CONFIG = FitConfig(epochs=3, learning_rate=0.02, save_every=2, weight_decay=0.01)


class Killed(BaseException):
    """Not an `Exception`: nothing on the way may catch it, as nothing catches a real kill."""


def train(model, loss=None, config=CONFIG, validate=None, checkpoint=None, *, data=None, optimizer=adamw, **options):
    """`fit` of a network, by default with the batches and the loss of this file."""
    engine = Engine(model, loss or squared, config, optimizer)
    return fit(engine, data or batches, config, validate, checkpoint, **options)


def network(seed=1):
    with seeded(seed):
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), Dropout(0.3), nn.Linear(8, 1))


def batches(epoch):
    """Five batches in even epochs, six in odd ones."""
    random = np.random.default_rng([4, epoch])
    data = random.normal(size=(5 + epoch % 2, 7, 6)).astype(np.float32)
    return [(rows, rows[:, :1] * 2) for rows in data]


def squared(model, batch):
    return ((model(batch[0]) - batch[1]) ** 2).mean()


def validate(model):
    return -squared(model, tensors(batches(99)[0])).item()


class Bags(nn.Module):
    """Rows of a table with sparse gradients, some met twice in a batch, summed by a dense layer."""

    def __init__(self):
        super().__init__()
        self.table, self.drop, self.out = nn.Embedding(12, 4, sparse=True), Dropout(0.3), nn.Linear(4, 1)

    def forward(self, ids):
        return self.out(self.drop(self.table(ids)).sum(1))


def bags(seed=1):
    with seeded(seed):
        return Bags()


def bag_batches(epoch):
    """Of the twelve rows, ten at most are met in an epoch."""
    ids = np.random.default_rng([4, epoch]).integers(0, 10, (5 + epoch % 2, 7, 3))
    return [(rows, rows.sum(1, keepdims=True).astype(np.float32) / 10) for rows in ids]


def bits(model):
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def counting(stop, action, loss=squared):
    """The loss, with `action` before the given step; what it returns is a factor of the loss."""
    taken = []

    def counted(model, batch):
        taken.append(1)
        factor = action() if len(taken) == stop else None
        return loss(model, batch) if factor is None else factor * loss(model, batch)

    return counted


def kill():
    raise Killed


@contextlib.contextmanager
def killed_at(event):
    """Kill at the given moment: before each loss and metric, before and after each file is in its place.

    Yields what wraps a function, and at "count" how many moments have passed.
    """
    clock = {"count": 0}

    def tick():
        clock["count"] += 1
        if clock["count"] == event:
            raise Killed

    def wrapped(function, after=False):
        def ticking(*arguments):
            tick()
            value = function(*arguments)
            if after:
                tick()
            return value

        return ticking

    replace, os.replace = os.replace, wrapped(os.replace, after=True)
    try:
        yield wrapped, clock
    finally:
        os.replace = replace


def read_curves(directory):
    """What TensorBoard shows of a run: for each name the pairs of step and value."""
    events = EventAccumulator(str(directory), {"scalars": 0}).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
