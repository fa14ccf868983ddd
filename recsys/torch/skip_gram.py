r"""Skip-gram with negative sampling: a word's vector tells neighbours from strangers.

Settings, batches and training: `recsys.neural.skip_gram`.

For each word w and each neighbour c within a window, and k words n drawn from the
counts to the power 3/4, the loss is -log s(<v_w, u_c>) - sum log s(-<v_w, u_n>), s the
logistic function. The window of each word is drawn from 1 to `window`, so that near
neighbours count more. Nothing here is particular to words: histories of item ids give
item vectors (Barkan and Koenigstein, 2016, https://arxiv.org/abs/1603.04259).

Source: Mikolov and others, 2013 (https://arxiv.org/abs/1310.4546, section 2.2).
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.neural import skip_gram
from recsys.neural.skip_gram import SkipGramConfig
from recsys.torch import engine


class SkipGram(nn.Module):
    """Two vectors a word: one as the centre, one as a neighbour.

    Args:
        n_words: ids run from 1 to n_words; 0 is padding and is never drawn.
        config: size of a vector.
    """

    def __init__(self, n_words: int, config: SkipGramConfig):
        super().__init__()
        dim = config.dim
        self.centres = nn.Embedding(n_words + 1, dim)
        self.neighbours = nn.Embedding(n_words + 1, dim)
        nn.init.uniform_(self.centres.weight, -0.5 / dim, 0.5 / dim)
        nn.init.zeros_(self.neighbours.weight)

    def forward(self, centres: Tensor, words: Tensor) -> Tensor:
        """Score pairs: centres int64 (batch,), words int64 (batch, k) to (batch, k)."""
        centre = self.centres(centres)[:, :, None]  # (batch, dim, 1)
        scores = self.neighbours(words) @ centre  # (batch, k, 1)
        return scores[..., 0]


def negative_sampling_loss(
    model: SkipGram, batch: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """The loss above, mean over pairs.

    Args:
        model: the network.
        batch: centres (batch,), neighbours (batch,), strangers (batch, negatives), all
            int64.

    Returns:
        A scalar.
    """
    centres, neighbours, strangers = batch
    neighbour = neighbours[:, None]  # (batch, 1)
    words = torch.cat([neighbour, strangers], dim=1)  # (batch, 1 + negatives)
    scores = model(centres, words)  # (batch, 1 + negatives)
    near, strange = scores[:, 0], scores[:, 1:]  # (batch,), (batch, negatives)
    of_neighbour = F.softplus(-near)  # (batch,)
    of_strangers = F.softplus(strange).sum(1)  # (batch,)
    return (of_neighbour + of_strangers).mean()


train_skip_gram = partial(
    skip_gram.train_skip_gram, engine, SkipGram, negative_sampling_loss
)
