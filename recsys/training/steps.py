"""What one step of a training is, whoever takes it: its rate, its draws, its targets.

A learning rate that rises once and falls once: Smith and Topin (2018),
https://arxiv.org/abs/1708.07120. What a step draws comes from (seed, number of the
step).
"""

import math

import numpy as np


def one_cycle(progress: float, warm_up: float) -> float:
    """Share of the peak rate: half a cosine up from 1/25, half a cosine down to 0.

    Args:
        progress: share of the training done, 0 to 1.
        warm_up: share in which it rises, between 0 and 1.

    Returns:
        A number from 0 to 1.
    """
    if progress < warm_up:
        return 1 - (1 - 1 / 25) * (1 + math.cos(math.pi * progress / warm_up)) / 2
    return (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) / 2


def step_rng(seed: int, step: int, process: int = 0) -> np.random.Generator:
    """Make what one step draws from.

    The 2 keeps it apart from the order of an epoch's batches, drawn from (seed, epoch),
    and from negatives, drawn from (seed, epoch, 1).

    Args:
        seed: of the training.
        step: number of steps taken before.
        process: of several that train together; each draws numbers of its own.
    """
    return np.random.default_rng([seed, step, 2, process])


def rows(batch: tuple[np.ndarray, ...]) -> int:
    """Count the rows of a batch, for losses with one target a row."""
    return len(batch[0])


def check_targets(targets: float, epoch: int) -> None:
    """Require that an epoch had something to learn from.

    Raises:
        ValueError: no target.
    """
    if not targets:
        raise ValueError(
            f"batches: expected at least one target in epoch {epoch}, got none, so there is no mean loss; "
            "look at the batches and at what counts their targets"
        )
