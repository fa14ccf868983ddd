"""Neural collaborative filtering as recommenders, whichever the framework.

Networks, loss and the classes to use: `recsys.torch.ncf` and `recsys.paddle.ncf`.

GMF, MLP, NeuMF and the dot product learn from pairs: what a user took, against items
drawn at random that the user did not take. Each is a network with a table of users, a
table of items and `logits(user_vectors, item_vectors)`. All are trained with binary
cross-entropy, and an L2 penalty on the vectors that a pair touches. A stranger has no
row in the table of users: the vector is solved for, with items and layers held fixed,
as the minimum of the loss that training would have had (`recsys.neural.solve`).

Source: He and others, 2017 (https://arxiv.org/abs/1708.05031, section 3.1.1); the
penalty: Rendle and others, 2020 (https://arxiv.org/abs/2005.09683, section 3).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import numpy as np

from recsys.batches.pairs import PairBatches
from recsys.checks import check_counts
from recsys.data import Interactions
from recsys.neural.recommender import NetworkRecommender
from recsys.neural.solve import solve_users
from recsys.recommender import histories, require_taken, user_indices
from recsys.training.checkpoint import digest
from recsys.training.loop import FitConfig

CHUNK_PAIRS = 2**17
"""Pairs that are scored at one time."""


@dataclass(frozen=True)
class PairConfig:
    """How pairs are drawn, and what is trained on them.

    Args:
        dim: size of an embedding.
        l2: penalty on the squared vectors of a pair, for each pair that touches them.
        negatives: items drawn for each one taken, afresh in each epoch.
        batch_size: pairs of a step.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: a number out of range.
    """

    dim: int = 32
    l2: float = 0.001
    negatives: int = 4
    batch_size: int = 4096
    training: FitConfig = field(
        default_factory=lambda: FitConfig(epochs=10, learning_rate=0.01, clip_norm=10.0)
    )

    def __post_init__(self) -> None:
        check_counts(self, "dim", "negatives", "batch_size")
        if not self.l2 > 0:
            raise ValueError(
                f"l2: expected a number above 0, so that a stranger's vector exists, got {self.l2}"
            )


@dataclass(frozen=True)
class DotProductConfig(PairConfig):
    """Sizes and training, as `PairConfig`; studies/ncf.py chooses on validation."""


@dataclass(frozen=True)
class GMFConfig(PairConfig):
    """Sizes and training, as `PairConfig`; studies/ncf.py chooses on validation."""


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
            raise ValueError(
                f"hidden: expected the sizes of one layer or more, got {self.hidden}"
            )


@dataclass(frozen=True)
class NeuMFConfig(MLPConfig):
    """Sizes and training, as `MLPConfig`; each half has vectors of size dim."""


class PairRecommender(NetworkRecommender):
    """A network over pairs with `fit(interactions)` and `score(users, history=None)`.

    A user of the vocabulary without a fitted event is served like an empty history: by
    the mean vector of the users who have one.

    A framework's class names also `slopes`, from a network and vectors of users to their
    logits with all items, and the derivative of each by its vector.

    Args:
        config: sizes and training.
        checkpoint: file that keeps the state of the training; a fit that was stopped
            goes on from it.
        log: directory for TensorBoard.
    """

    slopes: Callable

    def fit(
        self, interactions: Interactions, validation: Interactions | None = None
    ) -> Self:
        """Train on what was taken.

        Args:
            interactions: what is trained on.
            validation: held-out events of the same users; the epoch with the best
                nDCG@10 on them is kept, and `config.training.patience` may end the
                training.

        Returns:
            Itself, with `result`, the course of the training.

        Raises:
            ValueError: a value at 0 or below, and as `PairBatches` and
                `recsys.training.loop.fit`.
        """
        require_taken(interactions)
        config = self.config
        batches = PairBatches(
            interactions, config.negatives, config.batch_size, config.training.seed
        )
        return self.train_on(interactions, batches, validation)

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """Score all items for each user by the logit.

        Args:
            users: int (n,), user indices.
            history: replaces what was fitted for them; their vectors are solved for
                from it.

        Returns:
            Float (n, n_items).

        Raises:
            ValueError: not fitted, or a history over other items or other numbers of
                users.
            DataError: an unknown user.
        """
        users = user_indices(users)
        past = histories(self, users, history)
        if history is not None:
            return self._score_histories(past)
        vectors = self.run(self.network.users, users)  # (n, user dim)
        scores = self._score_vectors(self.network, vectors)  # (n, n_items)
        unfitted = self.interactions.user_counts()[users] == 0  # (n,)
        if unfitted.any():
            nothing = Interactions.from_sequences([[]], self.interactions.item_ids)
            scores[unfitted] = self._score_histories(nothing)
        return scores

    def solve(self, past: Interactions) -> np.ndarray:
        """Find the vectors of users from what they took; see `recsys.neural.solve`.

        Args:
            past: histories over the items that were fitted.

        Returns:
            Float64 (n_users, user dim); the mean of the fitted users where nothing was
            taken.
        """
        config = self.config
        network = self.engine.in_float64(self.network)
        start = self.run(network.mean_user, self._fitted_users())  # (user dim,)
        slopes = partial(self.run, partial(type(self).slopes, network))
        seen = past.seen()  # sparse (n_users, n_items)
        size = max(1, CHUNK_PAIRS // 8 // past.n_items)
        vectors = np.empty((past.n_users, len(start)))
        for first in range(0, past.n_users, size):
            rows = slice(first, first + size)
            taken = seen[rows].toarray()  # (rows, n_items)
            vectors[rows] = solve_users(
                slopes, start, taken, config.negatives, config.l2
            )
        return vectors

    def _score_histories(self, past: Interactions) -> np.ndarray:
        """Scores by vectors solved for from what was taken: (n_users, n_items)."""
        network = self.engine.in_float64(self.network)
        return self._score_vectors(network, self.solve(past))

    def _score_vectors(self, network: Any, vectors: np.ndarray) -> np.ndarray:
        """Scores (n, n_items) of user vectors (n, user dim), some of them at a time."""
        n_items = self.interactions.n_items
        size = max(1, CHUNK_PAIRS // n_items)
        scores = np.empty((len(vectors), n_items), dtype=vectors.dtype)
        for first in range(0, len(vectors), size):
            rows = slice(first, first + size)
            scores[rows] = self.run(network.scores, vectors[rows])
        return scores

    def _fitted_users(self) -> np.ndarray:
        """The users with an event; no other row of their table was trained."""
        return np.flatnonzero(self.interactions.user_counts())

    def _network(self, interactions: Interactions) -> Any:
        return self.network_class(
            interactions.n_users, interactions.n_items, self.config
        )

    def _identity(self, interactions: Interactions) -> dict:
        """With the users who have an event: no other row of their table was trained."""
        fitted = np.flatnonzero(interactions.user_counts())
        return {
            **super()._identity(interactions),
            "users with an event": digest(fitted),
        }

    def _vocabulary(self, interactions: Interactions) -> tuple[np.ndarray, ...]:
        return interactions.user_ids, interactions.item_ids


class DotProductRecommender(PairRecommender):
    """The dot product as a recommender; see `PairRecommender`."""

    config_class = DotProductConfig


class GMFRecommender(PairRecommender):
    """GMF as a recommender; see `PairRecommender`."""

    config_class = GMFConfig


class MLPRecommender(PairRecommender):
    """MLP as a recommender; see `PairRecommender`."""

    config_class = MLPConfig


class NeuMFRecommender(PairRecommender):
    """NeuMF as a recommender; see `PairRecommender`."""

    config_class = NeuMFConfig
