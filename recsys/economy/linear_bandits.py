"""Bandits with a line: one vector for all articles, reward = x . theta + noise.

What they learn of an article they learn of all that are like it, so it is not lost when
the article goes. The methods are those of `bandits`; the first axis holds replicas.

Sources: Li et al. (2010, https://arxiv.org/abs/1003.0146) for LinUCB, here with one
vector for all arms; Agrawal and Goyal (2013,
https://arxiv.org/abs/1209.3352) for linear Thompson sampling.
"""

from __future__ import annotations

import numpy as np

from recsys.checks import check_count


class _Line:
    """A ridge regression for each replica: A = l2 I + sum x x', b = sum reward x."""

    def __init__(self, n_replicas: int, n_features: int, l2: float) -> None:
        check_count("n_replicas", n_replicas)
        check_count("n_features", n_features)
        if not l2 > 0:
            raise ValueError(f"l2: expected above 0, got {l2}; 1 is usual")
        self.inverse = np.tile(np.eye(n_features) / l2, (n_replicas, 1, 1))  # of A
        self.total = np.zeros((n_replicas, n_features))  # b
        self.theta = np.zeros((n_replicas, n_features))
        self.rows = np.arange(n_replicas)

    def learn(
        self, contexts: np.ndarray, arms: np.ndarray, rewards: np.ndarray
    ) -> None:
        """Add a row to each regression; the inverse follows by Sherman and Morrison."""
        x = contexts[self.rows, arms]  # (n_replicas, n_features)
        turned = (self.inverse @ x[:, :, None])[:, :, 0]
        scale = 1 + (x * turned).sum(axis=1)
        self.inverse -= turned[:, :, None] * (turned / scale[:, None])[:, None, :]
        self.total += rewards[:, None] * x
        self.theta = (self.inverse @ self.total[:, :, None])[:, :, 0]

    def forget(self, arm: int) -> None:
        """Nothing is known of an arm by itself, so nothing is lost."""

    def _checked(self, contexts: np.ndarray) -> np.ndarray:
        n_replicas, n_features = self.theta.shape
        shape = np.shape(contexts)
        if len(shape) != 3 or (shape[0], shape[2]) != (n_replicas, n_features):
            raise ValueError(
                f"contexts: expected ({n_replicas} replicas, arms, {n_features} "
                f"features), got {shape}; make the bandit with n_replicas={shape[:1]} "
                f"and n_features={shape[-1:]}, or hand it the features it was made for"
            )
        return contexts


class LinUCB(_Line):
    """The largest x . theta + alpha sqrt(x' A^-1 x); with alpha 0 it is greedy.

    Args:
        n_replicas, n_features: of the contexts.
        alpha: weight of the uncertainty, at least 0.
        l2: of the ridge.

    Raises:
        ValueError: alpha negative, l2 not positive, no replica or no feature.

    Source: Li et al. (2010), with one regression for all arms.
    """

    def __init__(
        self, n_replicas: int, n_features: int, alpha: float, l2: float = 1.0
    ) -> None:
        super().__init__(n_replicas, n_features, l2)
        self.alpha = check_weight("alpha", alpha)

    def scores(self, contexts: np.ndarray) -> np.ndarray:
        """Upper ends, (n_replicas, n_arms), of contexts (n_replicas, n_arms, d).

        Raises:
            ValueError: other replicas or features than the bandit was made for.
        """
        contexts = self._checked(contexts)
        expected = (contexts @ self.theta[:, :, None])[:, :, 0]
        variance = ((contexts @ self.inverse) * contexts).sum(axis=2)
        return expected + self.alpha * np.sqrt(variance)

    def choose(self, contexts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """An arm for each replica, int (n_replicas,)."""
        return self.scores(contexts).argmax(axis=1)


class LinearThompson(_Line):
    """The largest x . theta for one draw of theta from its posterior.

    Args:
        n_replicas, n_features: of the contexts.
        scale: standard deviation of the noise that the posterior assumes, at least 0.
        l2: of the ridge.

    Raises:
        ValueError: scale negative, l2 not positive, no replica or no feature.

    Source: Agrawal and Goyal (2013).
    """

    def __init__(
        self, n_replicas: int, n_features: int, scale: float, l2: float = 1.0
    ) -> None:
        super().__init__(n_replicas, n_features, l2)
        self.scale = check_weight("scale", scale)

    def choose(self, contexts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """An arm for each replica, int (n_replicas,)."""
        contexts = self._checked(contexts)
        noise = rng.normal(size=(*self.theta.shape, 1))
        drawn = (np.linalg.cholesky(self.inverse) @ noise)[:, :, 0]
        theta = self.theta + self.scale * drawn
        return (contexts @ theta[:, :, None])[:, :, 0].argmax(axis=1)


def check_weight(name: str, value: float) -> float:
    """Require a number of at least 0.

    Raises:
        ValueError: any other.
    """
    if not 0 <= value < np.inf:
        raise ValueError(
            f"{name}: expected at least 0, got {value}; 0 does not explore at all"
        )
    return value
