r"""NRMS: attention makes an article of words, and a reader of clicked articles.

Settings, batches, `fit` and `score`: `recsys.neural.news`.

`WordEncoder` lets the words of a headline look at each other and averages them by
additive attention; `SelfReader` does the same with the clicked articles. Nowhere does
the reader's vector see the candidate. `TargetReader` is the candidate-aware form: each
candidate asks the clicked articles what speaks for it. `MeanReader` is the control,
with even weights, `DecayReader` the one whose weights fall with age. `VectorEncoder`
takes static article vectors in place of words. A candidate's score is the product of
its vector with the reader's; trained by softmax over a click and the skips beside it.

What was skipped before may be read as well: the reader of it is taken off, with the
same weights, as in Rocchio's feedback of 1971.

Source: Wu and others, 2019 (https://aclanthology.org/D19-1671, section 2); the
candidate's question: Zhou and others, 2018 (https://arxiv.org/abs/1706.06978,
section 4.3), with the scaled dot product in place of its activation unit.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.batches.sequences import PADDING
from recsys.neural import news
from recsys.neural.news import NRMSConfig
from recsys.torch import engine
from recsys.torch.cross_attention import AdditiveAttention, DotProductAttention
from recsys.torch.functional import attend_
from recsys.torch.multi_head import MultiHeadSelfAttention
from recsys.torch.parameters import Dropout, projection
from recsys.torch.pooling import MeanPooling


class AttentivePooling(nn.Module):
    """Self-attention, then additive attention with one learned query."""

    def __init__(self, config: NRMSConfig):
        super().__init__()
        self.attention = MultiHeadSelfAttention(config.dim, config.n_heads)
        self.pooling = AdditiveAttention(
            1, config.dim, config.hidden_dim
        )  # of a constant query: its bias
        self.drop = Dropout(config.dropout)

    def forward(self, items: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Items (batch, length, dim) to (batch, dim), and weights (batch, length).

        Both are zero where nothing is real.
        """
        kept = self.drop(items)  # (batch, length, dim)
        seen, _ = self.attention(kept, mask)  # (batch, length, dim)
        query = items.new_ones(len(items), 1, 1)  # (batch, 1, 1)
        output, weights = self.pooling(
            query, self.drop(seen), mask
        )  # (batch, 1, dim), (batch, 1, length)
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
        """Word ids int64 (n, words) to vectors (n, dim), and weights (n, words).

        Both are zero without a word.
        """
        words = self.words(articles)  # (n, words, dim)
        return self.pooling(words, articles != PADDING)


class VectorEncoder(nn.Module):
    """From a static vector to an article: one projection, nothing to attend to.

    Args:
        in_dim: size of a static vector.
        config: sizes.
    """

    def __init__(self, in_dim: int, config: NRMSConfig):
        super().__init__()
        self.project = projection(in_dim, config.dim)
        self.drop = Dropout(config.dropout)

    def forward(self, articles: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (n, in_dim) to vectors (n, dim), and weights (n, 1).

        The weight is 1 where the vector is not zero.
        """
        vectors = self.project(articles)  # (n, dim)
        told = (articles != 0).any(dim=1, keepdim=True)  # (n, 1)
        return self.drop(vectors), told.to(articles.dtype)


class SelfReader(nn.Module):
    """NRMS: one vector a reader, whatever the candidate."""

    def __init__(self, config: NRMSConfig):
        super().__init__()
        self.pooling = AttentivePooling(config)

    def forward(
        self, candidates: Tensor, history: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Readers (batch, 1, dim) and weights (batch, 1, length)."""
        reader, weights = self.pooling(history, mask)  # (batch, dim), (batch, length)
        return reader[:, None], weights[:, None]


class TargetReader(nn.Module):
    """Candidate-aware: one vector for each candidate."""

    def __init__(self, config: NRMSConfig):
        super().__init__()
        self.attention = DotProductAttention(config.dim, config.dim, config.dim)

    def forward(
        self, candidates: Tensor, history: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Readers (batch, candidates, dim) and weights (batch, candidates, length)."""
        return self.attention(candidates, history, mask)


class MeanReader(nn.Module):
    """The control: values projected as in `TargetReader`, weights even."""

    def __init__(self, config: NRMSConfig):
        super().__init__()
        self.value = projection(config.dim, config.dim)
        self.pooling = MeanPooling()

    def forward(
        self, candidates: Tensor, history: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Readers (batch, 1, dim) and weights (batch, 1, length)."""
        reader, weights = self.pooling(self.value(history), mask)
        return reader[:, None], weights[:, None]


class DecayReader(nn.Module):
    """The control that knows the order: weights in proportion to exp(-rate * age)."""

    def __init__(self, config: NRMSConfig):
        super().__init__()
        self.value = projection(config.dim, config.dim)
        slope = math.log(math.expm1(2.0**-8))  # softplus gives 1 / 256 back
        self.raw_rate = nn.Parameter(torch.full((1,), slope))

    def forward(
        self, candidates: Tensor, history: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Readers (batch, 1, dim) and weights (batch, 1, length)."""
        place = mask.cumsum(1)  # (batch, length), counts real events
        age = (place[:, -1:] - place).float()  # (batch, length), 0 is the newest
        scores = -F.softplus(self.raw_rate) * age  # (batch, length)
        return attend_(scores[:, None], self.value(history), mask[:, None])


READERS = {
    "self": SelfReader,
    "target": TargetReader,
    "mean": MeanReader,
    "decay": DecayReader,
}


class NRMS(nn.Module):
    """The network: how an article is encoded, and the reader that the config names.

    Args:
        encoder: a `WordEncoder` or a `VectorEncoder`.
        config: sizes, the name of the reader, whether skips are read.
    """

    def __init__(self, encoder: nn.Module, config: NRMSConfig):
        super().__init__()
        self.encoder = encoder
        self.reader = READERS[config.reader](config)
        self.skips = config.skips

    def forward(
        self,
        articles: Tensor,
        history: Tensor,
        candidates: Tensor,
        liked: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Score candidates by a history.

        An article without a known word (a row of zeros, as padding has) has vector
        zero: as a candidate it scores 0, in a history it is passed over. An empty
        history scores 0. No order enters, but for the reader "decay".

        Args:
            articles: what stands in this batch, each once, as
                `recsys.batches.slates.read_once` takes it out: word ids int64
                (n, words), or vectors (n, in_dim).
            history: int64 (batch, length), rows of `articles`.
            candidates: int64 (batch, candidates), likewise.
            liked: boolean (batch, length), True where an event is a click and not a
                skip; without it all are.

        Returns:
            Scores (batch, candidates) and weights over the history
            (batch, candidates, length); those of clicks sum to one, and those of skips
            where they are read.
        """
        length = history.shape[1]
        width = candidates.shape[1]
        encoded, _ = self.encoder(articles)  # (n, dim)
        rows = torch.cat([history, candidates], dim=1)  # (batch, length + width)
        vectors = encoded[rows]  # (batch, length + width, dim)
        past, asked = vectors.split([length, width], dim=1)
        told = (articles != 0).any(dim=1)  # (n,), has anything to read
        real = told[history]  # (batch, length)
        clicked = real if liked is None else real & liked  # (batch, length)
        reader, weights = self.reader(
            asked, past, clicked
        )  # (batch, 1 or width, dim), (.., length)
        if self.skips:
            against, others = self.reader(asked, past, real & ~clicked)
            reader, weights = reader - against, weights + others
        scores = (reader * asked).sum(-1)  # (batch, width)
        weights = weights.expand(-1, width, -1)  # (batch, width, length)
        return scores, weights


def click_loss(network: NRMS, batch: tuple[Tensor, ...]) -> Tensor:
    """Softmax cross-entropy of a click against its slate's skips, mean over clicks.

    A click without a skip beside it costs nothing.

    Args:
        network: the network.
        batch: its four inputs; clicked and skipped, boolean (batch, width), neither
            where padded.

    Returns:
        A scalar.

    Source: Wu and others, 2019, section 2.4.
    """
    articles, history, shown, liked, clicked, skipped = batch
    scores, _ = network(articles, history, shown, liked)  # (batch, width)
    lowest = torch.finfo(scores.dtype).min  # finite: a row of it has a logsumexp
    rivals = scores.masked_fill(~skipped, lowest)  # (batch, width)
    against = rivals.logsumexp(1, keepdim=True)  # (batch, 1), lowest without a skip
    costs = F.softplus(against - scores)  # -log e^s / (e^s + sum of e^skipped)
    return costs[clicked].mean()


class NewsRecommender(news.NewsRecommender):
    """The newsroom's recommender in this framework; see `recsys.neural.news`."""

    engine, network_class, loss = engine, NRMS, click_loss
    word_encoder, vector_encoder = WordEncoder, VectorEncoder
