r"""Neural collaborative filtering, GMF, MLP and NeuMF, and its rival, the dot product.

Settings, batches, `fit` and `score`: `recsys.neural.ncf`.

The dot product of two vectors, with biases: logit(u, i) = c + b_u + b_i + <p_u, q_i>,
trained on the same pairs with the same loss as the others.

GMF, generalised matrix factorisation, is a weighted sum of the products of two vectors:
logit(u, i) = <h, p_u * q_i> + c. With h all ones it is a dot product; a trained h can
be taken into q, so GMF can say nothing that a dot product cannot.

MLP, a small network, reads the vectors of a user and an item side by side:
h_1 = relu(W [p_u; q_i] + b), then layer upon layer, then a logit. Nothing tells it that
the two vectors should be multiplied; that it has to learn.

NeuMF is GMF and MLP side by side, each with vectors of its own, under one output layer.
The output layer over both is the sum of a logit from each. Trained from the start as
one; the paper also starts it from a trained GMF and a trained MLP, which is not done
here.

Sources: He and others, 2017 (https://arxiv.org/abs/1708.05031, equations 9, 10 and 12);
the dot product: Rendle and others, 2020 (https://arxiv.org/abs/2005.09683, section 3).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.neural import ncf
from recsys.neural.ncf import (
    DotProductConfig,
    GMFConfig,
    MLPConfig,
    NeuMFConfig,
    PairConfig,
)
from recsys.torch import engine
from recsys.torch.parameters import projection


def embedding(count: int, dim: int) -> nn.Embedding:
    """Make a table of small normal vectors.

    Args:
        count: rows.
        dim: size of a row.

    Returns:
        The table (count, dim), standard deviation 0.1.
    """
    layer = nn.Embedding(count, dim)
    nn.init.normal_(layer.weight, std=0.1)
    return layer


class PairNetwork(nn.Module):
    """A table of users, a table of items, and in each network its own `logits`.

    Args:
        n_users, n_items: numbers of rows.
        dim: size of a row.
        config: sizes, the penalty, how many negatives are drawn.
    """

    def __init__(self, n_users: int, n_items: int, dim: int, config: PairConfig):
        super().__init__()
        self.config = config
        self.users = embedding(n_users, dim)
        self.items = embedding(n_items, dim)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits of pairs; users and items int64, of shapes that broadcast."""
        return self.logits(self.users(users), self.items(items))

    def scores(self, user_vectors: Tensor) -> Tensor:
        """Logits (users, n_items) of vectors (users, dim) with every item."""
        return self.logits(user_vectors[:, None], self.items.weight)

    def mean_user(self, users: Tensor) -> Tensor:
        """The mean vector (dim,) of users, int64 (n,)."""
        return self.users(users).mean(0)


class DotProduct(PairNetwork):
    """The network; the last number of a vector is its bias.

    Args:
        n_users, n_items: numbers of rows.
        config: sizes.
    """

    def __init__(self, n_users: int, n_items: int, config: DotProductConfig):
        super().__init__(n_users, n_items, config.dim + 1, config)
        self.constant = nn.Parameter(torch.zeros(()))
        with torch.no_grad():
            self.users.weight[:, -1] = 0
            self.items.weight[:, -1] = 0

    def logits(self, user_vectors: Tensor, item_vectors: Tensor) -> Tensor:
        """Logits (...) of vectors (..., dim + 1)."""
        user_factors = user_vectors[..., :-1]  # (..., dim)
        item_factors = item_vectors[..., :-1]  # (..., dim)
        product = (user_factors * item_factors).sum(-1)  # (...)
        user_bias = user_vectors[..., -1]  # (...)
        item_bias = item_vectors[..., -1]  # (...)
        return self.constant + user_bias + item_bias + product


class GMF(PairNetwork):
    """The network.

    Args:
        n_users, n_items: numbers of rows.
        config: sizes.
    """

    def __init__(self, n_users: int, n_items: int, config: GMFConfig):
        super().__init__(n_users, n_items, config.dim, config)
        self.output = projection(config.dim, 1, bias=True)

    def logits(self, user_vectors: Tensor, item_vectors: Tensor) -> Tensor:
        """Logits (...) of vectors (..., dim)."""
        products = user_vectors * item_vectors  # (..., dim)
        return self.output(products)[..., 0]


class Tower(nn.Module):
    """Layers over the two vectors, side by side.

    The first layer is a matrix for users and one for items, which is the layer over
    both vectors, written so that a user meets all items without a copy of each.

    Args:
        dim: size of a vector.
        hidden: sizes of the hidden layers.
    """

    def __init__(self, dim: int, hidden: tuple[int, ...]):
        super().__init__()
        self.first_user = projection(dim, hidden[0], bias=True)
        self.first_item = projection(dim, hidden[0])
        self.hidden = nn.ModuleList(
            projection(*sizes, bias=True) for sizes in pairwise(hidden)
        )
        self.output = projection(hidden[-1], 1, bias=True)

    def forward(self, user_vectors: Tensor, item_vectors: Tensor) -> Tensor:
        """Logits (...) of vectors (..., dim)."""
        of_user = self.first_user(user_vectors)  # (..., hidden[0])
        of_item = self.first_item(item_vectors)  # (..., hidden[0])
        states = F.relu(of_user + of_item)  # (..., hidden[0])
        for layer in self.hidden:
            states = F.relu(layer(states))  # (..., hidden)
        return self.output(states)[..., 0]


class MLP(PairNetwork):
    """The network.

    Args:
        n_users, n_items: numbers of rows.
        config: sizes.
    """

    def __init__(self, n_users: int, n_items: int, config: MLPConfig):
        super().__init__(n_users, n_items, config.dim, config)
        self.tower = Tower(config.dim, config.hidden)

    def logits(self, user_vectors: Tensor, item_vectors: Tensor) -> Tensor:
        """Logits (...) of vectors (..., dim)."""
        return self.tower(user_vectors, item_vectors)


class NeuMF(PairNetwork):
    """The network; the first half of a vector belongs to GMF, the second to MLP.

    Args:
        n_users, n_items: numbers of rows.
        config: sizes.
    """

    def __init__(self, n_users: int, n_items: int, config: NeuMFConfig):
        super().__init__(n_users, n_items, 2 * config.dim, config)
        self.product = projection(config.dim, 1, bias=True)
        self.tower = Tower(config.dim, config.hidden)

    def logits(self, user_vectors: Tensor, item_vectors: Tensor) -> Tensor:
        """Logits (...) of vectors (..., 2 dim)."""
        gmf_user, mlp_user = user_vectors.chunk(2, -1)  # (..., dim) each
        gmf_item, mlp_item = item_vectors.chunk(2, -1)  # (..., dim) each
        gmf = self.product(gmf_user * gmf_item)[..., 0]  # (...)
        mlp = self.tower(mlp_user, mlp_item)  # (...)
        return gmf + mlp


def pair_loss(network: PairNetwork, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Binary cross-entropy of the labels plus the penalty, mean over the pairs.

    Args:
        network: its `config.l2` is the weight of the penalty.
        batch: users and items, int64 (batch,), and labels, float (batch,).

    Returns:
        A scalar.

    Source: He and others, 2017, equation 7.
    """
    users, items, labels = batch  # (batch,) each
    user_vectors = network.users(users)  # (batch, dim)
    item_vectors = network.items(items)  # (batch, dim)
    logits = network.logits(user_vectors, item_vectors)  # (batch,)
    entropy = F.binary_cross_entropy_with_logits(logits, labels)  # scalar
    squares = user_vectors.square().sum() + item_vectors.square().sum()
    penalty = network.config.l2 * squares
    return entropy + penalty / len(labels)


def logits_and_slopes(network: PairNetwork, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of vectors with every item, and how they rise with the vector.

    Args:
        network: any of them.
        vectors: float (n, dim), one a user.

    Returns:
        Logits (n, n_items), and the derivative of each by its vector,
        (n, n_items, dim).
    """
    n_items = len(network.items.weight)
    copies = vectors.detach()[:, None].repeat(1, n_items, 1)  # (n, n_items, dim)
    copies.requires_grad_()
    with torch.enable_grad():
        logits = network.logits(copies, network.items.weight.detach())  # (n, n_items)
        total = logits.sum()  # scalar; each copy meets one item only
        (slopes,) = torch.autograd.grad(total, copies)  # (n, n_items, dim)
    return logits.detach(), slopes


class DotProductRecommender(ncf.DotProductRecommender):
    """The dot product in this framework; see `recsys.neural.ncf`."""

    engine, network_class = engine, DotProduct
    loss, slopes = pair_loss, logits_and_slopes


class GMFRecommender(ncf.GMFRecommender):
    """GMF in this framework; see `recsys.neural.ncf`."""

    engine, network_class = engine, GMF
    loss, slopes = pair_loss, logits_and_slopes


class MLPRecommender(ncf.MLPRecommender):
    """MLP in this framework; see `recsys.neural.ncf`."""

    engine, network_class = engine, MLP
    loss, slopes = pair_loss, logits_and_slopes


class NeuMFRecommender(ncf.NeuMFRecommender):
    """NeuMF in this framework; see `recsys.neural.ncf`."""

    engine, network_class = engine, NeuMF
    loss, slopes = pair_loss, logits_and_slopes
