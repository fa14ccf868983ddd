r"""Biased matrix factorisation: a mean, two biases and a product of two vectors.

Settings, batches, `fit` and `score`: `recsys.neural.factorisation`.

r(u, i) = mu + b_u + b_i + <p_u, q_i>, fitted to explicit ratings by squared error with
an L2 penalty on what each rating touches.

Source: Koren, Bell and Volinsky, 2009 (https://doi.org/10.1109/MC.2009.263, equations 4
and 5).
"""

import torch
from torch import Tensor, nn

from recsys.neural import factorisation
from recsys.neural.factorisation import FactorisationConfig as FactorisationConfig
from recsys.torch import engine


class BiasedFactorisation(nn.Module):
    """Mean, biases and factors.

    Args:
        n_users, n_items: numbers of rows.
        dim: size of a factor.
        mean: where the ratings lie, mu.
    """

    def __init__(self, n_users: int, n_items: int, dim: int, mean: float):
        super().__init__()
        self.register_buffer("mean", torch.full((), mean))
        self.user_bias = nn.Parameter(torch.zeros(n_users))
        self.item_bias = nn.Parameter(torch.zeros(n_items))
        self.user_factors = nn.Parameter(0.1 * torch.randn(n_users, dim))
        self.item_factors = nn.Parameter(0.1 * torch.randn(n_items, dim))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Predict the ratings of pairs.

        Args:
            users, items: int64 of shapes that broadcast to the result's.

        Returns:
            Ratings (...).
        """
        user_factors = self.user_factors[users]  # (..., dim)
        item_factors = self.item_factors[items]  # (..., dim)
        product = (user_factors * item_factors).sum(-1)  # (...)
        return self.mean + self.user_bias[users] + self.item_bias[items] + product

    def penalty(self, users: Tensor, items: Tensor) -> Tensor:
        """Squared biases and factors of each pair, (...)."""
        user_bias = self.user_bias[users]  # (...)
        item_bias = self.item_bias[items]  # (...)
        user_factors = self.user_factors[users]  # (..., dim)
        item_factors = self.item_factors[items]  # (..., dim)
        biases = user_bias.square() + item_bias.square()  # (...)
        user_squares = user_factors.square().sum(-1)  # (...)
        item_squares = item_factors.square().sum(-1)  # (...)
        factors = user_squares + item_squares  # (...)
        return biases + factors


def rating_loss(
    network: BiasedFactorisation, batch: tuple[Tensor, Tensor, Tensor], l2: float
) -> Tensor:
    """Squared error plus the penalty, mean over the ratings.

    Args:
        network: the model.
        batch: users and items, int64 (batch,), and ratings, float (batch,).
        l2: weight of the penalty.

    Returns:
        A scalar.

    Source: Koren, Bell and Volinsky, 2009, equation 5.
    """
    users, items, ratings = batch  # (batch,) each
    errors = network(users, items) - ratings  # (batch,)
    penalties = network.penalty(users, items)  # (batch,)
    losses = errors.square() + l2 * penalties  # (batch,)
    return losses.mean()


class FactorisationRecommender(factorisation.FactorisationRecommender):
    """Biased factorisation in this framework; see `recsys.neural.factorisation`."""

    engine, network_class = engine, BiasedFactorisation
    loss = rating_loss
