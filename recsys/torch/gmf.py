r"""GMF, generalised matrix factorisation: a weighted sum of the products of two vectors.

logit(u, i) = <h, p_u * q_i> + c. With h all ones it is a dot product; a trained h can be
taken into q, so GMF can say nothing that a dot product cannot.

Source: He and others, 2017 (https://arxiv.org/abs/1708.05031, equation 9).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from recsys.torch.pairs import PairConfig, PairRecommender, embedding
from recsys.torch.parameters import projection


@dataclass(frozen=True)
class GMFConfig(PairConfig):
    """Sizes and training, as `PairConfig`; studies/ncf.py chooses on validation."""


class GMF(nn.Module):
    """The network.

    Args:
        n_users, n_items: numbers of rows.
        config: sizes.
    """

    def __init__(self, n_users: int, n_items: int, config: GMFConfig):
        super().__init__()
        self.users, self.items = embedding(n_users, config.dim), embedding(n_items, config.dim)
        self.output = projection(config.dim, 1, bias=True)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits of pairs; users and items int64 of shapes that broadcast to the result's."""
        return self.logits(self.users(users), self.items(items))

    def logits(self, user_vectors: Tensor, item_vectors: Tensor) -> Tensor:
        """Logits (...) of vectors (..., dim)."""
        return self.output(user_vectors * item_vectors)[..., 0]


class GMFRecommender(PairRecommender):
    """GMF as a recommender; see `PairRecommender`."""

    network_class, config_class = GMF, GMFConfig
