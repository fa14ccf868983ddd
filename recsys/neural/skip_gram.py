"""Skip-gram's settings and training, whichever framework its network is written in.

Network, loss and the function to use: `skip_gram` of `recsys.torch` or `recsys.paddle`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from recsys.batches.words import SkipGramBatches
from recsys.checks import check_counts
from recsys.data.words import PADDING, check_words
from recsys.training.loop import FitConfig, FitResult, fit


@dataclass(frozen=True)
class SkipGramConfig:
    """Sizes and training.

    Args:
        dim: size of a vector.
        window: the farthest neighbour.
        negatives: words drawn for each pair.
        batch_size: pairs of a step.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: a number below 1.
    """

    dim: int = 64
    window: int = 5
    negatives: int = 5
    batch_size: int = 2048
    training: FitConfig = field(
        default_factory=lambda: FitConfig(epochs=8, learning_rate=0.01, clip_norm=10.0)
    )

    def __post_init__(self) -> None:
        check_counts(self, "dim", "window", "negatives", "batch_size")


def train_skip_gram(
    engine: ModuleType,
    network_class: type,
    loss: Callable,
    texts: Sequence[np.ndarray],
    n_words: int,
    config: SkipGramConfig = SkipGramConfig(),
) -> tuple[np.ndarray, FitResult]:
    """Train vectors on texts.

    The framework's function of this name has the first three arguments.

    Args:
        engine: the framework's.
        network_class: of the network.
        loss: of the network.
        texts: int arrays of ids from 1 to n_words, as from `Vocabulary.ids`.
        n_words: size of the vocabulary.
        config: sizes and training.

    Returns:
        Vectors float32 (1 + n_words, dim), row 0 (padding) zero, and the course of the
        training.

    Raises:
        ValueError: an id out of range, or no text with two words.
    """
    training = config.training
    counts = _count(texts, n_words)
    batches = SkipGramBatches(
        texts, counts, config.window, config.negatives, config.batch_size, training.seed
    )
    with engine.seeded(training.seed):
        network = network_class(n_words, config)
    run = engine.Engine(network, loss, training)
    result = fit(run, batches, training)
    vectors = run.weights()["centres.weight"]
    vectors[PADDING] = 0
    return vectors, result


def _count(texts: Sequence[np.ndarray], n_words: int) -> np.ndarray:
    """How often each id occurs, int (1 + n_words,)."""
    check_words(texts, n_words)
    if not any(len(ids) > 1 for ids in texts):
        raise ValueError(
            f"texts: expected one with at least two known words, got none among {len(texts)}"
        )
    return np.bincount(np.concatenate(texts), minlength=n_words + 1)
