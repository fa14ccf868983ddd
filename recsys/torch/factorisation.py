r"""Biased matrix factorisation: a rating is a mean, two biases and a product of two vectors.

r(u, i) = mu + b_u + b_i + <p_u, q_i>, fitted to explicit ratings by squared error with an
L2 penalty on what each rating touches. A stranger is served without training: with the
items held fixed, the best b_u and p_u for the ratings given are one ridge regression.

Source: Koren, Bell and Volinsky, 2009 (https://doi.org/10.1109/MC.2009.263, equations 4 and 5).
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from recsys.checks import check_counts
from recsys.data import Interactions
from recsys.recommender import histories
from recsys.torch.fit import FitConfig
from recsys.torch.recommender import NetworkRecommender
from recsys.torch.validation import fit_recommender


@dataclass(frozen=True)
class FactorisationConfig:
    """The size of the factors, and how they are fitted.

    Args:
        dim: size of p_u and q_i.
        l2: penalty on squared biases and factors, for each rating that touches them.
        batch_size: ratings of a step.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: a number out of range.
    """

    dim: int = 32
    l2: float = 0.1
    batch_size: int = 1024
    training: FitConfig = field(default_factory=lambda: FitConfig(epochs=15, learning_rate=0.02, clip_norm=10.0))

    def __post_init__(self) -> None:
        check_counts(self, "dim", "batch_size")
        if not self.l2 > 0:
            raise ValueError(f"l2: expected a number above 0, got {self.l2}")


class BiasedFactorisation(nn.Module):
    """Mean, biases and factors.

    Args:
        n_users, n_items: numbers of rows.
        dim: size of a factor.
        mean: where the ratings lie, mu.
    """

    def __init__(self, n_users: int, n_items: int, dim: int, mean: float):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.user_bias = nn.Parameter(torch.zeros(n_users))
        self.item_bias = nn.Parameter(torch.zeros(n_items))
        self.user_factors = nn.Parameter(0.1 * torch.randn(n_users, dim))
        self.item_factors = nn.Parameter(0.1 * torch.randn(n_items, dim))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Predict the ratings of pairs.

        Args:
            users, items: int64 (batch,).

        Returns:
            Ratings (batch,).
        """
        product = (self.user_factors[users] * self.item_factors[items]).sum(-1)
        return self.mean + self.user_bias[users] + self.item_bias[items] + product

    def penalty(self, users: Tensor, items: Tensor) -> Tensor:
        """Squared biases and factors of each pair, (batch,)."""
        biases = self.user_bias[users] ** 2 + self.item_bias[items] ** 2
        factors = (self.user_factors[users] ** 2).sum(-1) + (self.item_factors[items] ** 2).sum(-1)
        return biases + factors


class FactorisationRecommender(NetworkRecommender):
    """Biased factorisation as a recommender, with `predict` for single ratings.

    Args:
        config: sizes and training.
        checkpoint: file that keeps the state of the training.
        log: directory for TensorBoard.
    """

    network_class, config_class = BiasedFactorisation, FactorisationConfig

    def fit(self, interactions: Interactions) -> "FactorisationRecommender":
        """Fit to `interactions.values` as ratings; raises as `recsys.torch.fit`, and on an empty log.

        An error before the first step leaves the recommender as it was, one in training leaves
        it with the last good weights.
        """
        if not len(interactions):
            raise ValueError("interactions: expected at least one rating, got none")
        return fit_recommender(self, self._new(interactions), interactions, self._batches(interactions), self._loss,
                               self._identity(interactions))  # fmt: skip

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predict the ratings of pairs, within the range of the ratings fitted.

        Args:
            users, items: int arrays (n,).

        Returns:
            Float array (n,).

        Raises:
            ValueError: not fitted, arrays of unequal length, or an index that is unknown.
        """
        histories(self, np.zeros(0, dtype=np.int64), None)  # refuses an unfitted model
        users, items = np.asarray(users), np.asarray(items)
        if users.shape != items.shape:
            raise ValueError(f"users and items: expected pairs, got shapes {users.shape} and {items.shape}")
        _check_known("users", users, self.interactions.n_users)
        _check_known("items", items, self.interactions.n_items)
        with torch.no_grad():
            ratings = self.network(torch.tensor(users), torch.tensor(items)).numpy()
        values = self.interactions.values
        return ratings.astype(np.float64).clip(values.min(), values.max())

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """Score items by predicted rating, not cut to the range: (len(users), n_items).

        With `history`, biases and factors of its users are solved for from its values; a user
        without any gets the mean and the items' biases.
        """
        past = histories(self, np.asarray(users), history)
        own = self._own(np.asarray(users)) if history is None else self._solve(past)  # (users, 1 + dim)
        arrays = self._arrays()
        return arrays["mean"] + arrays["item_bias"] + own[:, :1] + own[:, 1:] @ arrays["item_factors"].T

    def _own(self, users: np.ndarray) -> np.ndarray:
        """The fitted bias and factors, side by side."""
        arrays = self._arrays()
        return np.column_stack([arrays["user_bias"], arrays["user_factors"]])[users.astype(np.int64)]

    def _solve(self, past: Interactions) -> np.ndarray:
        """Ridge regression for each user; the penalty counts once a rating, as in training."""
        arrays, dim = self._arrays(), self.config.dim
        design = np.column_stack([np.ones(past.n_items), arrays["item_factors"]])  # (n_items, 1 + dim)
        rest = past.values - arrays["mean"] - arrays["item_bias"][past.items]
        order = np.argsort(past.users, kind="stable")
        ends = np.cumsum(np.bincount(past.users, minlength=past.n_users))
        solved = np.zeros((past.n_users, 1 + dim))
        for user, rows in enumerate(np.split(order, ends[:-1]) if len(ends) else []):
            if len(rows):
                items = design[past.items[rows]]  # (ratings, 1 + dim)
                normal = items.T @ items + self.config.l2 * len(rows) * np.eye(1 + dim)
                solved[user] = np.linalg.solve(normal, items.T @ rest[rows])
        return solved

    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: value.numpy().astype(np.float64) for name, value in self.network.state_dict().items()}

    def _batches(self, interactions: Interactions):
        columns = [torch.tensor(interactions.users), torch.tensor(interactions.items),
                   torch.tensor(interactions.values, dtype=torch.float32)]  # fmt: skip

        def batches(epoch: int) -> list[tuple[Tensor, ...]]:
            seed = [self.config.training.seed, epoch]
            order = torch.from_numpy(np.random.default_rng(seed).permutation(len(interactions)))
            parts = order.split(self.config.batch_size)
            return [tuple(column[part] for column in columns) for part in parts]

        return batches

    def _loss(self, model: BiasedFactorisation, batch: tuple[Tensor, ...]) -> Tensor:
        users, items, ratings = batch
        error = (model(users, items) - ratings) ** 2
        return (error + self.config.l2 * model.penalty(users, items)).mean()

    def _network(self, interactions: Interactions) -> BiasedFactorisation:
        mean = float(interactions.values.mean())
        return BiasedFactorisation(interactions.n_users, interactions.n_items, self.config.dim, mean)

    def _vocabulary(self, interactions: Interactions) -> tuple[np.ndarray, ...]:
        return interactions.user_ids, interactions.item_ids


def _check_known(name: str, indices: np.ndarray, count: int) -> None:
    wrong = np.flatnonzero((indices < 0) | (indices >= count))
    if wrong.size:
        raise ValueError(f"{name}: expected indices from 0 to {count - 1}, got {indices[wrong[0]]} at place "
                         f"{wrong[0]}; take them from interactions.{name[:-1]}_index(ids)")  # fmt: skip
