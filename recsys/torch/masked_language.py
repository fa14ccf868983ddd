r"""A small masked language model: the words around a hidden one say which it is.

Settings, batches and training: `recsys.neural.masked_language`.

Word and place embeddings, blocks of self-attention that look both ways, and a score for
every word of the vocabulary from the same embedding (tied). Of each text some words are
chosen; of those 80 in 100 are replaced by a mask, 10 by a random word and 10 left, and
each is to be named. It is BERT's objective on a vocabulary of whole words and a corpus
of a few hundred articles: a small encoder trained here, not the published checkpoint,
and without its second objective.

Source: Devlin and others, 2019 (https://aclanthology.org/N19-1423, section 3.1).
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.batches.sequences import PADDING
from recsys.neural import masked_language
from recsys.neural.masked_language import MaskedLanguageConfig
from recsys.torch import engine
from recsys.torch.multi_head import MultiHeadSelfAttention
from recsys.torch.parameters import Dropout, projection


class Block(nn.Module):
    """Self-attention, then a feed-forward layer, behind norms, beside residuals."""

    def __init__(self, config: MaskedLanguageConfig):
        super().__init__()
        dim = config.dim
        self.before_attention = nn.LayerNorm(dim)
        self.before_feed = nn.LayerNorm(dim)
        self.attention = MultiHeadSelfAttention(
            dim, config.n_heads, dropout=config.dropout
        )
        self.wide = projection(dim, 4 * dim, bias=True)
        self.narrow = projection(4 * dim, dim, bias=True)
        self.drop = Dropout(config.dropout)

    def forward(self, states: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Let positions look at each other, and work each over.

        Args:
            states: (batch, length, dim).
            real: boolean (batch, length), True = real word.

        Returns:
            States (batch, length, dim) and weights (batch, heads, length, length).
        """
        normed = self.before_attention(states)  # (batch, length, dim)
        mixed, weights = self.attention(normed, real)  # mixed (batch, length, dim)
        states = states + self.drop(mixed)  # (batch, length, dim)
        normed = self.before_feed(states)  # (batch, length, dim)
        wide = F.gelu(self.wide(normed))  # (batch, length, 4 * dim)
        fed = self.narrow(wide)  # (batch, length, dim)
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
        self.norm = nn.LayerNorm(config.dim)
        self.bias = nn.Parameter(torch.zeros(n_words))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Score every word at every place.

        Args:
            ids: int64 (batch, length), padded on the right; length at most
                `max_length`.

        Returns:
            Scores (batch, length, n_words), word id i in column i - 1, and weights
            (batch, blocks, heads, length, length).
        """
        states, weights = self.states(ids)
        return self.scores(states), weights

    def states(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, but states (batch, length, dim) in place of the scores."""
        length = ids.shape[1]
        real = ids != PADDING  # (batch, length)
        states = self.words(ids) + self.places.weight[:length]  # (batch, length, dim)
        weights = []
        for block in self.blocks:
            states, weight = block(states, real)  # (batch, length, dim)
            weights.append(weight)
        return self.norm(states), torch.stack(weights, dim=1)

    def scores(self, states: Tensor) -> Tensor:
        """States (..., dim) to scores (..., n_words)."""
        return states @ self.words.weight[1:-1].T + self.bias

    def mean_state(self, ids: Tensor) -> Tensor:
        """Average the states of the real words: (batch, dim), zero without one."""
        states, _ = self.states(ids)  # (batch, length, dim)
        real = (ids != PADDING)[:, :, None].to(states.dtype)  # (batch, length, 1)
        total = (states * real).sum(1)  # (batch, dim)
        count = real.sum(1).clamp(min=1)  # (batch, 1)
        return total / count


def masked_loss(model: MaskedLanguageModel, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy of the words to be named, mean over them; 0 without any.

    Args:
        model: the network.
        batch: inputs and targets, int64 (batch, length), targets 0 where nothing is to
            be named.

    Returns:
        A scalar.
    """
    inputs, targets = batch  # (batch, length) each
    named = targets != PADDING  # (batch, length)
    states, _ = model.states(inputs)  # (batch, length, dim)
    scores = model.scores(states[named])  # (n_named, n_words)
    total = F.cross_entropy(scores, targets[named] - 1, reduction="sum")
    return total / max(1, len(scores))


train_masked_language = partial(
    masked_language.train_masked_language, engine, MaskedLanguageModel, masked_loss
)
masked_accuracy = partial(masked_language.masked_accuracy, engine)
text_vectors = partial(masked_language.text_vectors, engine)
