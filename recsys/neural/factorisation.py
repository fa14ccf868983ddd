"""Biased matrix factorisation as a recommender, whichever framework it is trained in.

Network, loss and the class to use: `factorisation` of `recsys.torch` or `recsys.paddle`.

A stranger is served without training: with the items held fixed, the best bias and
factors for the ratings given are one ridge regression.

Source: Koren, Bell and Volinsky, 2009 (https://doi.org/10.1109/MC.2009.263, equations 4
and 5).
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import numpy as np

from recsys.batches.pairs import RatingBatches
from recsys.checks import check_counts, check_indices
from recsys.data import Interactions
from recsys.neural.held_out import check_held_out
from recsys.neural.recommender import NetworkRecommender
from recsys.recommender import check_log, histories, user_indices
from recsys.training.checkpoint import digest
from recsys.training.loop import FitConfig

_FROM_THE_LOG = "take them from interactions"


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
    training: FitConfig = field(
        default_factory=lambda: FitConfig(epochs=15, learning_rate=0.02, clip_norm=10.0)
    )

    def __post_init__(self) -> None:
        check_counts(self, "dim", "batch_size")
        if not self.l2 > 0:
            raise ValueError(f"l2: expected a number above 0, got {self.l2}")


class FactorisationRecommender(NetworkRecommender):
    """Biased factorisation as a recommender, with `predict` for single ratings.

    A user of the vocabulary without a fitted rating is served like an empty history: by
    the mean and the items' biases.

    Args:
        config: sizes and training.
        checkpoint: file that keeps the state of the training; a fit that was stopped
            goes on from it.
        log: directory for TensorBoard.
    """

    config_class = FactorisationConfig

    def fit(
        self, interactions: Interactions, validation: Interactions | None = None
    ) -> Self:
        """Fit to `interactions.values` as ratings.

        Args:
            interactions: what is trained on.
            validation: held-out ratings over the same users and items; the epoch whose
                predictions of them have the lowest root mean squared error is kept, and
                `config.training.patience` may end the training.

        Returns:
            Itself, with `result`, the course of the training; its metrics are minus
            that error.

        Raises:
            ValueError: no rating, and as `recsys.training.loop.fit`.
        """
        check_log("interactions", interactions)
        if not len(interactions):
            raise ValueError(
                "interactions: expected at least one rating, got none; give a log with rows"
            )
        batches = RatingBatches(
            interactions, self.config.batch_size, self.config.training.seed
        )
        return self.train_on(interactions, batches, validation)

    def held_out_metric(
        self, interactions: Interactions, validation: Interactions
    ) -> Callable[[Any], float]:
        """Make the metric: minus the root mean squared error of held-out ratings."""
        check_held_out(interactions, validation)
        trial = copy.copy(self)

        def metric(network: Any) -> float:
            trial.interactions, trial.network = interactions, network
            errors = (
                trial.predict(validation.users, validation.items) - validation.values
            )
            return -float(np.sqrt((errors**2).mean()))

        return metric

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predict the ratings of pairs, within the range of the ratings fitted.

        Args:
            users, items: int arrays (n,).

        Returns:
            Float64 array (n,).

        Raises:
            ValueError: not fitted, arrays of unequal length, or an index that is
                unknown.
        """
        self.check_fitted()
        users, items = np.asarray(users), np.asarray(items)
        if users.shape != items.shape:
            raise ValueError(
                f"users and items: expected pairs, got shapes {users.shape} and {items.shape}; "
                "give an item for each user"
            )
        fitted = self.interactions
        check_indices(
            "users", users, fitted.n_users, f"{_FROM_THE_LOG}.user_index(ids)"
        )
        check_indices(
            "items", items, fitted.n_items, f"{_FROM_THE_LOG}.item_index(ids)"
        )
        ratings = self.run(self.network, users, items).astype(np.float64)  # (n,)
        unrated = self._unrated(users)  # (n,)
        ratings[unrated] = _of_nobody(self._arrays())[items[unrated]]
        values = self.interactions.values
        return ratings.clip(values.min(), values.max())

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """Score items by predicted rating, not cut to the range.

        With `history`, biases and factors of its users are solved for from its values;
        a user without any gets the mean and the items' biases.

        Args:
            users: int (n,), user indices.
            history: replaces what was fitted, one user a row of `users`.

        Returns:
            Float64 (n, n_items).

        Raises:
            ValueError: not fitted, or a history over other items or of other users.
            DataError: an unknown user.
        """
        users = user_indices(users)
        past = histories(self, users, history)
        own = (
            self._fitted(users) if history is None else self.solve(past)
        )  # (n, 1 + dim)
        arrays = self._arrays()
        user_bias = own[:, :1]  # (n, 1)
        products = own[:, 1:] @ arrays["item_factors"].T  # (n, n_items)
        return _of_nobody(arrays) + user_bias + products

    def solve(self, past: Interactions) -> np.ndarray:
        """Find biases and factors by ridge regression.

        The penalty counts once a rating, as in training.

        Args:
            past: histories of ratings over the items that were fitted.

        Returns:
            Float64 (n_users, 1 + dim), the bias first; zero where nothing was rated.
        """
        arrays = self._arrays()
        design = np.column_stack(
            [np.ones(past.n_items), arrays["item_factors"]]
        )  # (n_items, 1 + dim)
        rest = (
            past.values - arrays["mean"] - arrays["item_bias"][past.items]
        )  # (ratings,)
        solved = np.zeros((past.n_users, design.shape[1]))
        for user, rows in enumerate(past.rows_by_user()):
            if len(rows):
                penalty = self.config.l2 * len(rows)
                solved[user] = _ridge(design[past.items[rows]], rest[rows], penalty)
        return solved

    def _fitted(self, users: np.ndarray) -> np.ndarray:
        """The fitted biases and factors, side by side: (n, 1 + dim)."""
        arrays = self._arrays()
        table = np.column_stack(
            [arrays["user_bias"], arrays["user_factors"]]
        )  # (n_users, 1 + dim)
        own = table[users]
        own[self._unrated(users)] = 0
        return own

    def _unrated(self, users: np.ndarray) -> np.ndarray:
        """Whether each user has no rating, so nothing was learnt: boolean (n,)."""
        return self.interactions.user_counts()[users] == 0

    def _arrays(self) -> dict[str, np.ndarray]:
        weights = self._engine(self.network).weights()
        return {name: array.astype(np.float64) for name, array in weights.items()}

    def _engine(self, network: Any) -> Any:
        loss = partial(type(self).loss, l2=self.config.l2)
        return self.engine.Engine(network, loss, self.config.training)

    def _network(self, interactions: Interactions) -> Any:
        mean = float(interactions.values.mean())
        return self.network_class(
            interactions.n_users, interactions.n_items, self.config.dim, mean
        )

    def _identity(self, interactions: Interactions) -> dict:
        """With the users who have a rating: no other row of their table was trained."""
        fitted = np.flatnonzero(interactions.user_counts())
        return {
            **super()._identity(interactions),
            "users with a rating": digest(fitted),
        }

    def _vocabulary(self, interactions: Interactions) -> tuple[np.ndarray, ...]:
        return interactions.user_ids, interactions.item_ids


def _of_nobody(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The rating of each item by somebody of whom nothing is known: (n_items,)."""
    return arrays["mean"] + arrays["item_bias"]


def _ridge(design: np.ndarray, target: np.ndarray, penalty: float) -> np.ndarray:
    """Ridge regression of target (rows,) on design (rows, columns): (columns,)."""
    identity = np.eye(design.shape[1])
    normal = design.T @ design + penalty * identity  # (columns, columns)
    return np.linalg.solve(normal, design.T @ target)
