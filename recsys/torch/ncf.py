r"""Neural collaborative filtering, GMF, MLP and NeuMF, and its plain rival, the dot product.

The dot product of two vectors, with biases: logit(u, i) = c + b_u + b_i + <p_u, q_i>, trained on
the same pairs with the same loss as the others.

GMF, generalised matrix factorisation, is a weighted sum of the products of two vectors:
logit(u, i) = <h, p_u * q_i> + c. With h all ones it is a dot product; a trained h can be
taken into q, so GMF can say nothing that a dot product cannot.

MLP, a small network, reads the vectors of a user and an item side by side:
h_1 = relu(W [p_u; q_i] + b), then layer upon layer, then a logit. Nothing tells it that the
two vectors should be multiplied; that it has to learn.

NeuMF is GMF and MLP side by side, each with vectors of its own, under one output layer. The
output layer over both is the sum of a logit from each. Trained from the start as one; the
paper also starts it from a trained GMF and a trained MLP, which is not done here.

Sources: He and others, 2017 (https://arxiv.org/abs/1708.05031, equations 9, 10 and 12); the dot
product: Rendle and others, 2020 (https://arxiv.org/abs/2005.09683, section 3).
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from recsys.torch.pairs import PairConfig, PairRecommender, embedding
from recsys.torch.parameters import projection


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
