r"""NeuMF: GMF and MLP side by side, each with vectors of its own, under one output layer.

The output layer over both is the sum of a logit from each. Trained from the start as one;
the paper also starts it from a trained GMF and a trained MLP, which is not done here.

Source: He and others, 2017 (https://arxiv.org/abs/1708.05031, equation 12).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from recsys.torch.mlp import MLPConfig, Tower
from recsys.torch.pairs import PairRecommender, embedding
from recsys.torch.parameters import projection


@dataclass(frozen=True)
class NeuMFConfig(MLPConfig):
    """Sizes and training, as `MLPConfig`; each half has vectors of size dim."""


class NeuMF(nn.Module):
    """The network; the first half of a vector belongs to GMF, the second to MLP.

    Args:
        n_users, n_items: numbers of rows.
        config: sizes.
    """

    def __init__(self, n_users: int, n_items: int, config: NeuMFConfig):
        super().__init__()
        self.dim = config.dim
        self.users, self.items = embedding(n_users, 2 * config.dim), embedding(n_items, 2 * config.dim)
        self.product = projection(config.dim, 1, bias=True)
        self.tower = Tower(config.dim, config.hidden)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits of pairs; users and items int64 of shapes that broadcast to the result's."""
        return self.logits(self.users(users), self.items(items))

    def logits(self, user_vectors: Tensor, item_vectors: Tensor) -> Tensor:
        """Logits (...) of vectors (..., 2 dim)."""
        gmf = self.product(user_vectors[..., :self.dim] * item_vectors[..., :self.dim])[..., 0]
        return gmf + self.tower(user_vectors[..., self.dim:], item_vectors[..., self.dim:])


class NeuMFRecommender(PairRecommender):
    """NeuMF as a recommender; see `PairRecommender`."""

    network_class, config_class = NeuMF, NeuMFConfig
