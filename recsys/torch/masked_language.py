r"""A small masked language model: words are hidden, and the words around them say which.

Word and place embeddings, blocks of self-attention that look both ways, and a score for every
word of the vocabulary from the same embedding (tied). Of each text some words are chosen; of
those 80 in 100 are replaced by a mask, 10 by a random word and 10 left, and each is to be named.
It is BERT's objective on a vocabulary of whole words and a corpus of a few hundred articles: a
small encoder trained here, not the published checkpoint, and without its second objective.

Source: Devlin and others, 2019 (https://aclanthology.org/N19-1423, section 3.1).
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.batches.words import hide_words, text_windows
from recsys.checks import check_counts, check_heads
from recsys.data.words import check_words
from recsys.torch.fit import FitConfig, FitResult, fit
from recsys.torch.multi_head import MultiHeadSelfAttention
from recsys.torch.parameters import projection
from recsys.torch.sequences import PADDING


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
        ValueError: dim does not divide by n_heads, a count below 1, or a share outside 0 to 1.
    """

    dim: int = 64
    n_blocks: int = 2
    n_heads: int = 4
    dropout: float = 0.1
    max_length: int = 64
    masked: float = 0.15
    batch_size: int = 32
    training: FitConfig = field(default_factory=lambda: FitConfig(epochs=20, learning_rate=3e-3))

    def __post_init__(self) -> None:
        check_counts(self, "dim", "n_blocks", "max_length", "batch_size")
        check_heads(self.dim, self.n_heads)
        if not 0 < self.masked < 1:
            raise ValueError(f"masked: expected a share between 0 and 1, got {self.masked}")


class Block(nn.Module):
    """Self-attention, then a feed-forward layer, each behind a norm and beside a residual."""

    def __init__(self, config: MaskedLanguageConfig):
        super().__init__()
        dim = config.dim
        self.before_attention, self.before_feed = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = MultiHeadSelfAttention(dim, config.n_heads, dropout=config.dropout)
        self.wide, self.narrow = projection(dim, 4 * dim, bias=True), projection(4 * dim, dim, bias=True)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, states: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """States (batch, length, dim) to states, and weights (batch, heads, length, length)."""
        mixed, weights = self.attention(self.before_attention(states), real)
        states = states + self.drop(mixed)
        fed = self.narrow(F.gelu(self.wide(self.before_feed(states))))
        return states + self.drop(fed), weights


class MaskedLanguageModel(nn.Module):
    """The network, from word ids to a score for every word at every place.

    Args:
        n_words: ids run from 1 to n_words; 0 is padding and n_words + 1 the mask.
        config: sizes.
    """

    def __init__(self, n_words: int, config: MaskedLanguageConfig):
        super().__init__()
        self.n_words, self.config = n_words, config
        self.words = nn.Embedding(n_words + 2, config.dim, padding_idx=PADDING)
        self.places = nn.Embedding(config.max_length, config.dim)
        for table in (self.words, self.places):
            nn.init.normal_(table.weight, std=config.dim**-0.5)
        with torch.no_grad():
            self.words.weight[PADDING] = 0
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_blocks))
        self.norm, self.bias = nn.LayerNorm(config.dim), nn.Parameter(torch.zeros(n_words))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Score every word at every place.

        Args:
            ids: int64 (batch, length), padded on the right.

        Returns:
            Scores (batch, length, n_words), word id i in column i - 1, and weights
            (batch, blocks, heads, length, length).

        Raises:
            ValueError: not int64 with two axes, too long, or an id out of range.
        """
        states, weights = self.states(ids)
        return self.scores(states), weights

    def states(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, but the states (batch, length, dim) that the scores are made from."""
        self._check(ids)
        states = self.words(ids) + self.places.weight[:ids.shape[1]]
        weights = []
        for block in self.blocks:
            states, weight = block(states, ids != PADDING)
            weights.append(weight)
        return self.norm(states), torch.stack(weights, dim=1)

    def scores(self, states: Tensor) -> Tensor:
        """States (..., dim) to scores (..., n_words)."""
        return states @ self.words.weight[1:-1].T + self.bias

    def _check(self, ids: Tensor) -> None:
        if ids.dim() != 2 or ids.dtype != torch.int64 or ids.shape[1] > self.config.max_length:
            raise ValueError(f"ids: expected int64 (batch, at most {self.config.max_length}), got {ids.dtype} "
                             f"{tuple(ids.shape)}; cut texts with text_windows")  # fmt: skip
        wrong = torch.nonzero((ids < 0) | (ids > self.n_words + 1))
        if len(wrong):
            row, column = wrong[0].tolist()
            raise ValueError(f"ids: expected 0 (padding) to {self.n_words + 1} (mask), got {ids[row, column].item()} at "
                             f"row {row}, column {column}")  # fmt: skip


def masked_loss(model: MaskedLanguageModel, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy of the words to be named, mean over them; a batch without any has loss 0."""
    inputs, targets = batch
    named = targets != PADDING
    scores = model.scores(model.states(inputs)[0][named])  # (n_named, n_words)
    return F.cross_entropy(scores, targets[named] - 1, reduction="sum") / max(1, int(named.sum()))


def train_masked_language(
    texts: list[np.ndarray], n_words: int, config: MaskedLanguageConfig = MaskedLanguageConfig()
) -> tuple[MaskedLanguageModel, FitResult]:
    """Train on texts; fresh words are hidden in each epoch.

    Args:
        texts: int arrays of ids from 1 to n_words, as from `Vocabulary.ids`.
        n_words: size of the vocabulary.
        config: sizes and training.

    Returns:
        The network, and the course of the training.

    Raises:
        ValueError: no text with a known word, an id out of range, or as `recsys.torch.fit`.
    """
    check_words(texts, n_words)
    rows = text_windows(texts, config.max_length)
    if not len(rows):
        raise ValueError(f"texts: expected one with a known word, got none among {len(texts)}")

    def batches(epoch: int) -> list[tuple[Tensor, ...]]:
        random = np.random.default_rng([config.training.seed, epoch])
        order = random.permutation(len(rows))
        pair = [torch.from_numpy(part) for part in hide_words(rows[order], n_words, config.masked, random)]
        return list(zip(*(part.split(config.batch_size) for part in pair), strict=True))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        model = MaskedLanguageModel(n_words, config)
    return model, fit(model, batches, masked_loss, config.training)


@torch.no_grad()
def masked_accuracy(model: MaskedLanguageModel, texts: list[np.ndarray], share: float = 0.15, seed: int = 0) -> float:
    """How often the word behind a mask is named first; every chosen word is masked.

    Args:
        model: a trained network.
        texts: int arrays of ids.
        share: of words that are masked.
        seed: of the choice.

    Returns:
        A share of the masked words. Always naming the most frequent word is the chance to beat.

    Raises:
        ValueError: no word was masked.
    """
    rows = text_windows(texts, model.config.max_length)
    chosen = (rows != PADDING) & (np.random.default_rng(seed).random(rows.shape) < share)
    if not chosen.any():
        raise ValueError(f"texts: expected a word to mask, got none of {(rows != PADDING).sum()}; "
                         "give more text or a larger share")
    states, _ = model.eval().states(torch.from_numpy(np.where(chosen, model.n_words + 1, rows)))
    named = model.scores(states[torch.from_numpy(chosen)]).argmax(-1).numpy() + 1
    return float((named == rows[chosen]).mean())


@torch.no_grad()
def text_vectors(model: MaskedLanguageModel, ids: np.ndarray) -> np.ndarray:
    """A text as the mean of its words' states: (n, dim) for int64 (n, length); zeros without a known word."""
    states, _ = model.eval().states(torch.from_numpy(ids))
    real = torch.from_numpy(ids != PADDING)[:, :, None]
    return ((states * real).sum(1) / real.sum(1).clamp(min=1)).numpy()
