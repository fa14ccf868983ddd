r"""The dot product of two vectors, with biases: the plain rival of neural collaborative filtering.

logit(u, i) = c + b_u + b_i + <p_u, q_i>, trained on the same pairs with the same loss as
GMF, MLP and NeuMF.

Source: Rendle and others, 2020 (https://arxiv.org/abs/2005.09683, section 3).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recsys.torch.pairs import PairConfig, PairRecommender, embedding


@dataclass(frozen=True)
class DotProductConfig(PairConfig):
    """Sizes and training, as `PairConfig`; studies/ncf.py chooses on validation."""


class DotProduct(nn.Module):
    """The network; the last number of a vector is its bias.

    Args:
        n_users, n_items: numbers of rows.
        config: sizes.
    """

    def __init__(self, n_users: int, n_items: int, config: DotProductConfig):
        super().__init__()
        self.users, self.items = embedding(n_users, config.dim + 1), embedding(n_items, config.dim + 1)
        self.constant = nn.Parameter(torch.zeros(()))
        with torch.no_grad():
            self.users.weight[:, -1] = 0
            self.items.weight[:, -1] = 0

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits of pairs; users and items int64 of shapes that broadcast to the result's."""
        return self.logits(self.users(users), self.items(items))

    def logits(self, user_vectors: Tensor, item_vectors: Tensor) -> Tensor:
        """Logits (...) of vectors (..., dim + 1)."""
        product = (user_vectors[..., :-1] * item_vectors[..., :-1]).sum(-1)
        return self.constant + user_vectors[..., -1] + item_vectors[..., -1] + product


class DotProductRecommender(PairRecommender):
    """The dot product as a recommender; see `PairRecommender`."""

    network_class, config_class = DotProduct, DotProductConfig
