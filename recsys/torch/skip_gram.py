r"""Skip-gram with negative sampling: a word's vector is what tells its neighbours from strangers.

For each word w and each neighbour c within a window, and k words n drawn from the counts to the
power 3/4, the loss is -log s(<v_w, u_c>) - sum log s(-<v_w, u_n>), s the logistic function. The
window of each word is drawn from 1 to `window`, so that near neighbours count more. Nothing here
is particular to words: histories of item ids give item vectors (Barkan and Koenigstein, 2016,
https://arxiv.org/abs/1603.04259).

Source: Mikolov and others, 2013 (https://arxiv.org/abs/1310.4546, section 2.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.batches.words import skip_gram_pairs
from recsys.checks import check_counts
from recsys.data.words import check_words
from recsys.torch.fit import FitConfig, FitResult, fit


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
    training: FitConfig = field(default_factory=lambda: FitConfig(epochs=8, learning_rate=0.01, clip_norm=10.0))

    def __post_init__(self) -> None:
        check_counts(self, "dim", "window", "negatives", "batch_size")


class SkipGram(nn.Module):
    """Two vectors a word: one as the centre, one as a neighbour.

    Args:
        n_words: ids run from 1 to n_words; 0 is padding and is never drawn.
        dim: size of a vector.
    """

    def __init__(self, n_words: int, dim: int):
        super().__init__()
        self.centres, self.neighbours = nn.Embedding(n_words + 1, dim), nn.Embedding(n_words + 1, dim)
        nn.init.uniform_(self.centres.weight, -0.5 / dim, 0.5 / dim)
        nn.init.zeros_(self.neighbours.weight)

    def forward(self, centres: Tensor, words: Tensor) -> Tensor:
        """Score pairs: centres int64 (batch,), words int64 (batch, k) to (batch, k)."""
        return (self.neighbours(words) @ self.centres(centres)[:, :, None])[..., 0]


def negative_sampling_loss(model: SkipGram, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """The loss above, mean over pairs.

    Args:
        model: the network.
        batch: centres (batch,), neighbours (batch,), strangers (batch, negatives), all int64.

    Returns:
        A scalar.
    """
    centres, neighbours, strangers = batch
    scores = model(centres, torch.cat([neighbours[:, None], strangers], dim=1))
    return (F.softplus(-scores[:, 0]) + F.softplus(scores[:, 1:]).sum(1)).mean()


def train_skip_gram(
    texts: Sequence[np.ndarray], n_words: int, config: SkipGramConfig = SkipGramConfig()
) -> tuple[np.ndarray, FitResult]:
    """Train vectors on texts.

    Args:
        texts: int arrays of ids from 1 to n_words, as from `Vocabulary.ids`.
        n_words: size of the vocabulary.
        config: sizes and training.

    Returns:
        Vectors float32 (1 + n_words, dim), row 0 (padding) zero, and the course of the training.

    Raises:
        ValueError: an id out of range, or no text with two words.
    """
    counts = _count(texts, n_words)
    noise = torch.from_numpy(counts**0.75)

    def batches(epoch: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        random = np.random.default_rng([config.training.seed, epoch])
        pairs = torch.from_numpy(random.permutation(skip_gram_pairs(texts, config.window, random)))
        source = torch.Generator().manual_seed(int(random.integers(2**31)))
        drawn = torch.multinomial(noise, len(pairs) * config.negatives, replacement=True, generator=source)
        strangers = drawn.view(len(pairs), config.negatives)
        size = config.batch_size
        return list(zip(pairs[:, 0].split(size), pairs[:, 1].split(size), strangers.split(size), strict=True))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        model = SkipGram(n_words, config.dim)
    result = fit(model, batches, negative_sampling_loss, config.training)
    vectors = model.centres.weight.detach().numpy().copy()
    vectors[0] = 0
    return vectors, result


def _count(texts: Sequence[np.ndarray], n_words: int) -> np.ndarray:
    """How often each id occurs, float (1 + n_words,)."""
    check_words(texts, n_words)
    if not any(len(ids) > 1 for ids in texts):
        raise ValueError(f"texts: expected one with at least two known words, got none among {len(texts)}")
    return np.bincount(np.concatenate(texts), minlength=n_words + 1).astype(float)
