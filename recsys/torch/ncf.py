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
from typing import NamedTuple

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

STEPS = 30
"""Steps in which a stranger's vector is solved for; more change nothing printed."""


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
        for table in (self.users, self.items):
            nn.init.zeros_(table.weight[:, -1])

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
        first = self.first_user(user_vectors) + self.first_item(
            item_vectors
        )  # (..., hidden[0])
        states = torch.relu(first)  # (..., hidden[0])
        for layer in self.hidden:
            states = torch.relu(layer(states))  # (..., hidden)
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
        dim = self.config.dim
        gmf_user, mlp_user = user_vectors.split(dim, dim=-1)  # (..., dim) each
        gmf_item, mlp_item = item_vectors.split(dim, dim=-1)  # (..., dim) each
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
    squares = (user_vectors**2).sum() + (item_vectors**2).sum()
    penalty = network.config.l2 * squares
    return entropy + penalty / len(labels)


class Expansion(NamedTuple):
    """The expected loss of each user around a vector, to second order."""

    loss: Tensor  # (n,)
    gradient: Tensor  # (n, dim)
    curvature: Tensor  # (n, dim, dim), without the penalty's part


@torch.no_grad()
def solve_users(network: PairNetwork, seen: Tensor, start: Tensor) -> Tensor:
    """Find the vectors of users from what they took, everything else held fixed.

    For each user the expected loss of `pair_loss` over all draws of negatives is
    brought down from `start` by damped Gauss-Newton steps (Levenberg and Marquardt):
    damping falls after a step that helped, and rises after one that did not, which is
    taken back. Where logits are linear in the vector (GMF, dot product) this is
    Newton's method, and the minimum is the only one; through the layers of an MLP it is
    a good point nearby. Nothing is random, and no user has a part in another's vector.

    Args:
        network: in float64.
        seen: float64 (n, n_items), 1 where taken.
        start: float64 (dim,), such as the mean of the fitted users.

    Returns:
        Float64 (n, dim); `start` where nothing was taken.
    """
    took_any = (seen > 0).any(1, keepdim=True)  # (n, 1)
    weights = pair_weights(seen, network.config.negatives)  # (n, n_items)
    vectors = start.repeat(len(seen), 1)  # (n, dim)
    damping = torch.full_like(vectors[:, :1], 0.01)  # (n, 1)
    here = expand(network, vectors, seen, weights)
    for _ in range(STEPS):
        step = damped_step(here, damping, network.config.l2)  # (n, dim)
        tried = vectors - step * took_any  # (n, dim)
        there = expand(network, tried, seen, weights)
        helped = (there.loss < here.loss)[:, None]  # (n, 1)
        vectors = torch.where(helped, tried, vectors)  # (n, dim)
        here = Expansion(
            torch.where(helped[:, 0], there.loss, here.loss),
            torch.where(helped, there.gradient, here.gradient),
            torch.where(helped[..., None], there.curvature, here.curvature),
        )
        damping = torch.where(helped, damping / 4, damping * 4)  # (n, 1)
    return vectors


def pair_weights(seen: Tensor, negatives: int) -> Tensor:
    """Weigh each pair as often as it is met in an epoch, on average.

    An item taken is met once; one not taken as often as it is drawn, which is
    `negatives` times the number taken over the number not taken.

    Args:
        seen: float (n, n_items), 1 where taken.
        negatives: items drawn for each one taken.

    Returns:
        Weights (n, n_items); rows sum to one, or are zero where nothing was taken.
    """
    taken = seen.sum(1, keepdim=True)  # (n, 1)
    not_taken = seen.shape[1] - taken  # (n, 1)
    draws = negatives * taken / not_taken.clamp(min=1)  # (n, 1)
    met = torch.where(seen > 0, 1.0, draws)  # (n, n_items)
    pairs = (1 + negatives) * taken  # (n, 1)
    return met / pairs.clamp(min=1)


def damped_step(here: Expansion, damping: Tensor, l2: float) -> Tensor:
    """The step (n, dim) to the expansion's minimum, shortened by damping (n, 1)."""
    dim = here.gradient.shape[1]
    identity = torch.eye(dim, dtype=damping.dtype)  # (dim, dim)
    added = 2 * l2 + damping  # (n, 1)
    ridge = added[..., None] * identity  # (n, dim, dim)
    return torch.linalg.solve(here.curvature + ridge, here.gradient)


def expand(
    network: PairNetwork, vectors: Tensor, seen: Tensor, weights: Tensor
) -> Expansion:
    """Expand the expected loss of each user around a vector.

    The curvature is Gauss and Newton's: that of the loss over the logits, carried
    through their slopes, without the bend of the layers.

    Args:
        network: in float64.
        vectors: (n, dim), one a user.
        seen: (n, n_items), 1 where taken.
        weights: (n, n_items), of the pairs.
    """
    l2 = network.config.l2
    logits, slopes = logits_and_slopes(
        network, vectors
    )  # (n, n_items), (n, n_items, dim)
    entropy = F.binary_cross_entropy_with_logits(
        logits, seen, reduction="none"
    )  # (n, n_items)
    squares = (vectors**2).sum(1)  # (n,)
    loss = (weights * entropy).sum(1) + l2 * squares  # (n,)

    chance = torch.sigmoid(logits)  # (n, n_items)
    errors = weights * (chance - seen)  # (n, n_items)
    pull = errors[:, None] @ slopes  # (n, 1, dim)
    gradient = pull[:, 0] + 2 * l2 * vectors  # (n, dim)

    bends = weights * chance * (1 - chance)  # (n, n_items)
    bent = bends[..., None] * slopes  # (n, n_items, dim)
    curvature = slopes.mT @ bent  # (n, dim, dim)
    return Expansion(loss, gradient, curvature)


def logits_and_slopes(network: PairNetwork, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (n, n_items) of vectors (n, dim), and their slopes (n, n_items, dim).

    A slope is the derivative of a logit by its user's vector.
    """
    n_items = len(network.items.weight)
    copies = (
        vectors[:, None].repeat(1, n_items, 1).requires_grad_()
    )  # (n, n_items, dim)
    with torch.enable_grad():
        logits = network.logits(copies, network.items.weight.detach())  # (n, n_items)
        (slopes,) = torch.autograd.grad(
            logits.sum(), copies
        )  # each copy meets one item only
    return logits.detach(), slopes


class DotProductRecommender(ncf.DotProductRecommender):
    """The dot product in this framework; see `recsys.neural.ncf`."""

    engine, network_class = engine, DotProduct
    loss, solve = pair_loss, solve_users


class GMFRecommender(ncf.GMFRecommender):
    """GMF in this framework; see `recsys.neural.ncf`."""

    engine, network_class = engine, GMF
    loss, solve = pair_loss, solve_users


class MLPRecommender(ncf.MLPRecommender):
    """MLP in this framework; see `recsys.neural.ncf`."""

    engine, network_class = engine, MLP
    loss, solve = pair_loss, solve_users


class NeuMFRecommender(ncf.NeuMFRecommender):
    """NeuMF in this framework; see `recsys.neural.ncf`."""

    engine, network_class = engine, NeuMF
    loss, solve = pair_loss, solve_users
