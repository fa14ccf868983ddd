"""The masked language model's settings, training and use, whichever the framework.

Network, loss and the functions to use: `masked_language` of `recsys.torch` or `recsys.paddle`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from recsys.batches.words import HiddenWordBatches, text_windows
from recsys.checks import check_counts, check_dropout, check_heads, check_ids
from recsys.data.words import PADDING, check_words
from recsys.training.loop import FitConfig, FitResult, fit


@dataclass(frozen=True)
class MaskedLanguageConfig:
    """Sizes and training.

    Args:
        dim: size of embeddings and states; n_heads divides it.
        n_blocks: blocks on top of each other.
        n_heads: heads of a block.
        dropout: share of states and weights dropped in training.
        max_length: the most words of a window.
        masked: share of words to be named.
        batch_size: windows of a step.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: dim does not divide by n_heads, a count below 1, or a share outside
            0 to 1.
    """

    dim: int = 64
    n_blocks: int = 2
    n_heads: int = 4
    dropout: float = 0.1
    max_length: int = 64
    masked: float = 0.15
    batch_size: int = 32
    training: FitConfig = field(
        default_factory=lambda: FitConfig(epochs=20, learning_rate=3e-3)
    )

    def __post_init__(self) -> None:
        check_counts(self, "dim", "n_blocks", "n_heads", "max_length", "batch_size")
        check_heads(self.dim, self.n_heads)
        check_dropout(self.dropout)
        if not 0 < self.masked < 1:
            raise ValueError(
                f"masked: expected a share between 0 and 1, got {self.masked}"
            )


def train_masked_language(
    engine: ModuleType,
    network_class: type,
    loss: Callable,
    texts: Sequence[np.ndarray],
    n_words: int,
    config: MaskedLanguageConfig = MaskedLanguageConfig(),
) -> tuple[Any, FitResult]:
    """Train on texts, with fresh words hidden in each epoch.

    The framework's function of this name has the first three arguments.

    Args:
        engine: the framework's.
        network_class: of the network.
        loss: of the network.
        texts: int arrays of ids from 1 to n_words, as from `Vocabulary.ids`.
        n_words: size of the vocabulary.
        config: sizes and training.

    Returns:
        The network, in evaluation mode, and the course of the training.

    Raises:
        ValueError: no text with a known word, an id out of range, or as
            `recsys.training.loop`.
    """
    training = config.training
    check_words(texts, n_words)
    rows = text_windows(texts, config.max_length)
    if not len(rows):
        raise ValueError(
            f"texts: expected one with a known word, got none among {len(texts)}"
        )
    batches = HiddenWordBatches(
        rows, n_words, config.masked, config.batch_size, training.seed
    )
    with engine.seeded(training.seed):
        model = network_class(n_words, config)
    run = engine.Engine(model, loss, training)
    return model, fit(run, batches, training, count=_named)


def masked_accuracy(
    engine: ModuleType,
    model: Any,
    texts: Sequence[np.ndarray],
    share: float = 0.15,
    seed: int = 0,
) -> float:
    """How often the word behind a mask is named first; every chosen word is masked.

    Args:
        engine: the framework's, which its function of this name has.
        model: a trained network.
        texts: int arrays of ids from 1 to n_words.
        share: of words that are masked.
        seed: of the choice.

    Returns:
        A share of the masked words. Always naming the most frequent word is the chance
        to beat.

    Raises:
        ValueError: no word was masked, or an id out of range.
    """
    check_words(texts, model.n_words)
    rows = text_windows(texts, model.config.max_length)
    real = rows != PADDING  # (n, length)
    chosen = real & (np.random.default_rng(seed).random(rows.shape) < share)
    if not chosen.any():
        raise ValueError(
            f"texts: expected a word to mask, got none of {real.sum()}; "
            "give more text or a larger share"
        )
    masked = np.where(chosen, model.n_words + 1, rows)
    states, _ = engine.run(model.states, masked)  # (n, length, dim)
    scores = engine.run(model.scores, states[chosen])  # (n_chosen, n_words)
    named = scores.argmax(-1) + 1
    return float((named == rows[chosen]).mean())


def text_vectors(engine: ModuleType, model: Any, ids: np.ndarray) -> np.ndarray:
    """A text as the mean of its words' states.

    Args:
        engine: the framework's, which its function of this name has.
        model: a trained network.
        ids: int64 (n, length), 0 = padding; at most `max_length` columns.

    Returns:
        Float32 (n, dim); zeros for a text without a known word.

    Raises:
        ValueError: too many columns, or an id out of range.
    """
    check_ids("ids", ids, model.n_words + 1)
    longest = model.config.max_length
    if ids.shape[1] > longest:
        raise ValueError(
            f"ids: expected at most {longest} columns, got {ids.shape[1]}; cut texts with text_windows"
        )
    return engine.run(model.mean_state, ids)


def _named(batch: tuple[np.ndarray, np.ndarray]) -> int:
    """Count the words to be named."""
    _, targets = batch
    return int((targets != PADDING).sum())
