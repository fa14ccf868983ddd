r"""NRMS: an article is made of words by attention, a reader of clicked articles by attention.

`WordEncoder` lets the words of a headline look at each other and averages them by additive
attention; `SelfReader` does the same with the clicked articles. Nowhere does the reader's
vector see the candidate. `TargetReader` is the candidate-aware form: each candidate asks the
clicked articles what speaks for it. `MeanReader` is the control, with even weights. `VectorEncoder`
takes static article vectors in place of words. A candidate's score is the product of its vector
with the reader's; trained by softmax over a click and the skips beside it.

Source: Wu and others, 2019 (https://aclanthology.org/D19-1671, section 2); the candidate's
question: Zhou and others, 2018 (https://arxiv.org/abs/1706.06978, section 4.3), with the scaled
dot product in place of its activation unit.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.checks import check_counts, check_heads
from recsys.torch.cross_attention import AdditiveAttention, DotProductAttention
from recsys.torch.fit import FitConfig
from recsys.torch.multi_head import MultiHeadSelfAttention
from recsys.torch.parameters import projection
from recsys.torch.pooling import MeanPooling
from recsys.torch.sequences import PADDING


@dataclass(frozen=True)
class NRMSConfig:
    """Sizes, the kind of reader, and how they are trained.

    Args:
        reader: "self" (NRMS), "target" (candidate-aware) or "mean" (the control).
        dim: size of an article and of a reader; n_heads divides it.
        n_heads: heads of each self-attention.
        hidden_dim: hidden size of additive attention.
        dropout: share of words and articles dropped in training.
        max_history: the newest clicks that are read.
        batch_size: slates of a step.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: an unknown reader, or dim does not divide by n_heads.
    """

    reader: str = "self"
    dim: int = 64
    n_heads: int = 4
    hidden_dim: int = 32
    dropout: float = 0.1
    max_history: int = 50
    batch_size: int = 128
    training: FitConfig = field(default_factory=lambda: FitConfig(epochs=5, learning_rate=3e-3))

    def __post_init__(self) -> None:
        check_counts(self, "dim", "hidden_dim", "max_history", "batch_size")
        check_heads(self.dim, self.n_heads)
        if self.reader not in READERS:
            raise ValueError(f"reader: expected one of {', '.join(READERS)}, got {self.reader!r}")


class AttentivePooling(nn.Module):
    """Self-attention, then additive attention with one learned query."""

    def __init__(self, config: NRMSConfig):
        super().__init__()
        self.attention = MultiHeadSelfAttention(config.dim, config.n_heads)
        self.pooling = AdditiveAttention(1, config.dim, config.hidden_dim)  # of a constant query: its bias
        self.drop = nn.Dropout(config.dropout)

    def forward(self, items: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Items (batch, length, dim) to (batch, dim) and weights (batch, length); zero where nothing is real."""
        seen, _ = self.attention(self.drop(items), mask)
        output, weights = self.pooling(items.new_ones(len(items), 1, 1), self.drop(seen), mask)
        return output[:, 0], weights[:, 0]


class WordEncoder(nn.Module):
    """From words to an article.

    Args:
        n_words: size of the vocabulary; ids run from 1 to n_words, 0 is padding.
        config: sizes.
    """

    def __init__(self, n_words: int, config: NRMSConfig):
        super().__init__()
        self.words = nn.Embedding(n_words + 1, config.dim, padding_idx=PADDING)
        self.pooling = AttentivePooling(config)

    def forward(self, articles: Tensor) -> tuple[Tensor, Tensor]:
        """Word ids int64 (n, words) to vectors (n, dim) and weights (n, words); no word, no vector."""
        return self.pooling(self.words(articles), articles != PADDING)


class VectorEncoder(nn.Module):
    """From a static vector (in_dim) to an article: one projection, nothing to attend to."""

    def __init__(self, in_dim: int, config: NRMSConfig):
        super().__init__()
        self.project, self.drop = projection(in_dim, config.dim), nn.Dropout(config.dropout)

    def forward(self, articles: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (n, in_dim) to vectors (n, dim) and weights (n, 1), 1 where the vector is not zero."""
        return self.drop(self.project(articles)), (articles != 0).any(1, keepdim=True).to(articles.dtype)


class SelfReader(nn.Module):
    """NRMS: one vector a reader, whatever the candidate."""

    def __init__(self, config: NRMSConfig):
        super().__init__()
        self.pooling = AttentivePooling(config)

    def forward(self, candidates: Tensor, history: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Readers (batch, 1, dim) and weights (batch, 1, length)."""
        reader, weights = self.pooling(history, mask)
        return reader[:, None], weights[:, None]


class TargetReader(nn.Module):
    """Candidate-aware: one vector for each candidate."""

    def __init__(self, config: NRMSConfig):
        super().__init__()
        self.attention = DotProductAttention(config.dim, config.dim, config.dim)

    def forward(self, candidates: Tensor, history: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Readers (batch, candidates, dim) and weights (batch, candidates, length)."""
        return self.attention(candidates, history, mask)


class MeanReader(nn.Module):
    """The control: values projected as in `TargetReader`, weights even."""

    def __init__(self, config: NRMSConfig):
        super().__init__()
        self.value, self.pooling = projection(config.dim, config.dim), MeanPooling()

    def forward(self, candidates: Tensor, history: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Readers (batch, 1, dim) and weights (batch, 1, length)."""
        reader, weights = self.pooling(self.value(history), mask)
        return reader[:, None], weights[:, None]


READERS = {"self": SelfReader, "target": TargetReader, "mean": MeanReader}


class NRMS(nn.Module):
    """The network: a `WordEncoder` or a `VectorEncoder`, and the reader that the config names."""

    def __init__(self, encoder: nn.Module, config: NRMSConfig):
        super().__init__()
        self.encoder, self.reader = encoder, READERS[config.reader](config)

    def forward(self, articles: Tensor, history: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Score candidates by a history.

        An article without a known word (a row of zeros) has vector zero: as a candidate it scores 0,
        in a history it is passed over. An empty history scores 0. No order enters.

        Args:
            articles: word ids int64 (n, words), or vectors (n, in_dim).
            history: int64 (batch, length), row of `articles` plus one, 0 = padding.
            candidates: int64 (batch, candidates), likewise.

        Returns:
            Scores (batch, candidates) and weights over the history (batch, candidates, length).

        Raises:
            ValueError: an id that is not 0 to n, or not two axes of int64.
        """
        for name, ids in (("history", history), ("candidates", candidates)):
            _check_ids(name, ids, len(articles))
        used, place = torch.unique(torch.cat([history, candidates], dim=1), return_inverse=True)
        read = F.pad(articles, (0, 0, 1, 0))[used]  # what stands in this batch, each article once
        vectors = self.encoder(read)[0][place]  # (batch, length + candidates, dim)
        told = (read != 0).any(dim=1)[place]  # has anything to read; padding has not
        past, asked = vectors.split([history.shape[1], candidates.shape[1]], dim=1)
        reader, weights = self.reader(asked, past, told[:, :history.shape[1]])
        scores = (reader * asked).sum(-1)  # (batch, candidates)
        return scores, weights.expand(-1, candidates.shape[1], -1)


def _check_ids(name: str, ids: Tensor, n_articles: int) -> None:
    if ids.dim() != 2 or ids.dtype != torch.int64:
        raise ValueError(f"{name}: expected int64 with two axes, got {ids.dtype} {tuple(ids.shape)}; "
                         "make it with recsys.torch.sequences.pad")  # fmt: skip
    wrong = torch.nonzero((ids < 0) | (ids > n_articles))
    if len(wrong):
        row, column = wrong[0].tolist()
        raise ValueError(f"{name}: expected 0 (padding) to {n_articles}, got {ids[row, column].item()} at row {row}, "
                         f"column {column}; an id is an article's row plus one")  # fmt: skip


def click_loss(scores: Tensor, shown: Tensor, clicked: Tensor) -> Tensor:
    """Softmax cross-entropy of each click against the skips of its slate, mean over clicks.

    Args:
        scores: (batch, width); shown: ids int64 (batch, width), 0 = padding.
        clicked: boolean (batch, width).

    Returns:
        A scalar. Source: Wu and others, 2019, section 2.4.
    """
    skipped = torch.where(clicked | (shown == PADDING), -torch.inf, scores).logsumexp(1, keepdim=True)
    return F.softplus(skipped - scores)[clicked].mean()  # -log e^s / (e^s + sum of e^skipped)
