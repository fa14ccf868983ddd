r"""MLP: a small network reads the vectors of a user and an item side by side.

h_1 = relu(W [p_u; q_i] + b), then layer upon layer, then a logit. Nothing tells it that the
two vectors should be multiplied; that it has to learn.

Source: He and others, 2017 (https://arxiv.org/abs/1708.05031, equation 10).
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from recsys.torch.pairs import PairConfig, PairRecommender, embedding
from recsys.torch.parameters import projection


@dataclass(frozen=True)
class MLPConfig(PairConfig):
    """Sizes and training; studies/ncf.py chooses on validation.

    Args:
        hidden: sizes of the hidden layers, at least one.
        others: as `PairConfig`.

    Raises:
        ValueError: a number out of range.
    """

    hidden: tuple[int, ...] = (64, 32, 16)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden: expected the sizes of one layer or more, got {self.hidden}")


class Tower(nn.Module):
    """Layers over the two vectors, side by side.

    The first layer is a matrix for users and one for items, which is the layer over both
    vectors, written so that a user meets all items without a copy of each.

    Args:
        dim: size of a vector.
        hidden: sizes of the hidden layers.
    """

    def __init__(self, dim: int, hidden: tuple[int, ...]):
        super().__init__()
        self.first_user, self.first_item = projection(dim, hidden[0], bias=True), projection(dim, hidden[0])
        self.hidden = nn.ModuleList(projection(*sizes, bias=True) for sizes in pairwise(hidden))
        self.output = projection(hidden[-1], 1, bias=True)

    def forward(self, user_vectors: Tensor, item_vectors: Tensor) -> Tensor:
        """Logits (...) of vectors (..., dim)."""
        states = torch.relu(self.first_user(user_vectors) + self.first_item(item_vectors))
        for layer in self.hidden:
            states = torch.relu(layer(states))  # (..., hidden)
        return self.output(states)[..., 0]


class MLP(nn.Module):
    """The network.

    Args:
        n_users, n_items: numbers of rows.
        config: sizes.
    """

    def __init__(self, n_users: int, n_items: int, config: MLPConfig):
        super().__init__()
        self.users, self.items = embedding(n_users, config.dim), embedding(n_items, config.dim)
        self.tower = Tower(config.dim, config.hidden)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits of pairs; users and items int64 of shapes that broadcast to the result's."""
        return self.logits(self.users(users), self.items(items))

    def logits(self, user_vectors: Tensor, item_vectors: Tensor) -> Tensor:
        """Logits (...) of vectors (..., dim)."""
        return self.tower(user_vectors, item_vectors)


class MLPRecommender(PairRecommender):
    """MLP as a recommender; see `PairRecommender`."""

    network_class, config_class = MLP, MLPConfig
