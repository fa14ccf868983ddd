"""Bandits: who chooses one of several arms learns from what the chosen one brought.

Each keeps many replicas side by side, as the first axis of its arrays, and has three
methods. `choose(contexts, rng)` gives an arm for each replica, `learn(contexts, arms,
rewards)` takes what came, and `forget(arm)` says that the article in that place is a
new one. `shelf.play` calls them.

Here are those by count: they know an arm by its place alone. `linear_bandits` has those
with a line, which share what they learn among all articles.

Sources: Auer, Cesa-Bianchi and Fischer (2002, Machine Learning 47); Chapelle and Li
(2011, NeurIPS 24); Auer et al. (2002, SIAM Journal on Computing 32).
"""

from __future__ import annotations

import numpy as np

from recsys.checks import check_count


class _ByCount:
    """Rewards and choices of each arm, (n_replicas, n_arms); contexts are not read."""

    def __init__(self, n_replicas: int, n_arms: int) -> None:
        check_count("n_replicas", n_replicas)
        check_count("n_arms", n_arms)
        self.n_arms = n_arms
        self.tried, self.won = np.zeros((2, n_replicas, n_arms))
        self.rows = np.arange(n_replicas)

    def learn(self, contexts, arms: np.ndarray, rewards: np.ndarray) -> None:
        """Count what the chosen arms (n_replicas,) brought."""
        self.tried[self.rows, arms] += 1
        self.won[self.rows, arms] += rewards

    def forget(self, arm: int) -> None:
        """Start anew for one arm."""
        self.tried[:, arm] = self.won[:, arm] = 0

    def means(self) -> np.ndarray:
        """Mean reward of each arm; infinite for one that was never tried."""
        untried = np.full_like(self.won, np.inf)
        return np.divide(self.won, self.tried, out=untried, where=self.tried > 0)


class EpsilonGreedy(_ByCount):
    """The best mean so far, or now and then any arm.

    Args:
        n_replicas, n_arms: as everywhere in this module.
        epsilon: chance of an arm drawn evenly, from 0 to 1.

    Raises:
        ValueError: epsilon out of range, no replica or no arm.

    Source: Auer, Cesa-Bianchi and Fischer (2002), with epsilon constant.
    """

    def __init__(self, n_replicas: int, n_arms: int, epsilon: float) -> None:
        super().__init__(n_replicas, n_arms)
        self.epsilon = check_share("epsilon", epsilon)

    def choose(self, contexts, rng: np.random.Generator) -> np.ndarray:
        """An arm for each replica, int (n_replicas,)."""
        anyhow = rng.random(len(self.rows)) < self.epsilon
        drawn = rng.integers(self.n_arms, size=len(self.rows))
        return np.where(anyhow, drawn, first_best(self.means(), rng))


class UCB1(_ByCount):
    """The largest mean + sqrt(2 ln n / tried), n being all choices still counted.

    Source: Auer, Cesa-Bianchi and Fischer (2002).
    """

    def scores(self) -> np.ndarray:
        """Upper ends, (n_replicas, n_arms)."""
        total = np.maximum(self.tried.sum(axis=1, keepdims=True), 1)
        bonus = np.sqrt(2 * np.log(total) / np.maximum(self.tried, 1))
        return self.means() + bonus

    def choose(self, contexts, rng: np.random.Generator) -> np.ndarray:
        """An arm for each replica, int (n_replicas,)."""
        return first_best(self.scores(), rng)


class Thompson(_ByCount):
    """The largest of one draw per arm from Beta(1 + clicks, 1 + skips).

    Args:
        n_replicas, n_arms: as everywhere in this module.
        kept: of all counts at each step, above 0 to 1; below 1 the past fades.

    Raises:
        ValueError: kept out of range, no replica or no arm.

    Source: Chapelle and Li (2011); rewards are 0 or 1.
    """

    def __init__(self, n_replicas: int, n_arms: int, kept: float = 1.0) -> None:
        super().__init__(n_replicas, n_arms)
        if not 0 < kept <= 1:
            raise ValueError(
                f"kept: expected above 0 to 1, got {kept}; 1 forgets nothing"
            )
        self.kept = kept

    def choose(self, contexts, rng: np.random.Generator) -> np.ndarray:
        """An arm for each replica, int (n_replicas,)."""
        return rng.beta(1 + self.won, 1 + self.tried - self.won).argmax(axis=1)

    def learn(self, contexts, arms: np.ndarray, rewards: np.ndarray) -> None:
        """Let all counts fade, then count what the chosen arms brought."""
        if self.kept < 1:
            self.tried *= self.kept
            self.won *= self.kept
        super().learn(contexts, arms, rewards)


class EXP3:
    """Exponential weights of rewards over their chances: no arm need have a rate.

    Args:
        n_replicas, n_arms: as everywhere in this module.
        gamma: share of choices drawn evenly, above 0 to 1.
        shared: of all weight, handed round evenly at each step, from 0 to 1.

    Raises:
        ValueError: gamma or shared out of range, no replica or no arm.

    Source: Auer et al. (2002, SIAM Journal on Computing 32), Exp3 and Exp3.S.
    """

    def __init__(
        self, n_replicas: int, n_arms: int, gamma: float, shared: float = 0.0
    ) -> None:
        check_count("n_replicas", n_replicas)
        check_count("n_arms", n_arms)
        if not gamma > 0:
            raise ValueError(f"gamma: expected above 0 to 1, got {gamma}")
        self.gamma = check_share("gamma", gamma)
        self.shared = check_share("shared", shared)
        self.n_arms = n_arms
        self.weights = np.full((n_replicas, n_arms), 1 / n_arms)
        self.rows = np.arange(n_replicas)

    def chances(self) -> np.ndarray:
        """With which each arm is chosen, (n_replicas, n_arms)."""
        return (1 - self.gamma) * self.weights + self.gamma / self.n_arms

    def choose(self, contexts, rng: np.random.Generator) -> np.ndarray:
        """An arm for each replica, int (n_replicas,)."""
        up_to = self.chances().cumsum(axis=1)
        drawn = rng.random((len(self.rows), 1)) * up_to[:, -1:]
        return (drawn >= up_to).sum(axis=1)

    def learn(self, contexts, arms: np.ndarray, rewards: np.ndarray) -> None:
        """Raise the weight of what brought something, the more the rarer it was."""
        chosen, n_arms = (self.rows, arms), self.n_arms
        estimate = rewards / self.chances()[chosen]
        self.weights[chosen] *= np.exp(self.gamma / n_arms * estimate)
        self.weights /= self.weights.sum(axis=1, keepdims=True)
        self.weights += self.shared * (1 / n_arms - self.weights)

    def forget(self, arm: int) -> None:
        """Give one arm the mean weight of all others."""
        others = 1 - self.weights[:, arm]
        self.weights[:, arm] = others / max(self.n_arms - 1, 1)
        self.weights /= self.weights.sum(axis=1, keepdims=True)


def first_best(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The arm with the largest score, (n_replicas,); ties are broken evenly."""
    best = scores == scores.max(axis=1, keepdims=True)
    return np.where(best, rng.random(scores.shape), -1).argmax(axis=1)


def check_share(name: str, value: float) -> float:
    """Require a number from 0 to 1.

    Raises:
        ValueError: any other.
    """
    if not 0 <= value <= 1:
        raise ValueError(
            f"{name}: expected a share from 0 to 1, got {value}; 10% is 0.1"
        )
    return value
