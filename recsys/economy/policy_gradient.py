r"""Policies that learn from what followed their actions, or those of another policy.

A policy pi gives chances to actions by a softmax of scores s. For any weight w that was
observed after action a, the derivative of w log pi(a) with respect to the scores is

w (one_hot(a) - pi),

and everything here is a choice of w:

- w = r, the reward, for rows of another policy as they stand: cloning;
- w = r pi(a) / beta(a), with beta the chance that the logger gave to a: the gradient of
  what pi earns with one item;
- that times K (1 - pi(a))^(K - 1): the gradient of what pi earns with a set of items
  that is drawn from it K times (top-K correction);
- w = the reward of this and all later visits, less what is usual in the state, for
  actions of the policy itself: REINFORCE.

Sources: Williams (1992, Machine Learning 8) for REINFORCE; Chen et al. (2019,
https://arxiv.org/abs/1812.02353) for the two corrections.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recsys.attention.weights import softmax
from recsys.checks import check_axes, check_count
from recsys.economy.repeat_visits import Episodes, Game, play_game


class ActionLog(NamedTuple):
    """Rows of a logger: who came, what was shown, what followed, how likely it was.

    Args:
        contexts: float (n, n_features), of who came.
        actions: int (n,), the item that was shown.
        rewards: float (n,), at least 0.
        propensities: float (n,), chance that the logger gave to this item, above 0.
    """

    contexts: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    propensities: np.ndarray


def score_gradient(
    chances: np.ndarray, actions: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Derivative of `weights * log chances[actions]` with respect to softmax scores.

    Args:
        chances: float (..., n_actions), softmax of the scores.
        actions: int (...), one for each row.
        weights: float (...), taken for given.

    Returns:
        Float (..., n_actions); each row sums to 0.

    Raises:
        ValueError: an action or weight too few or too many.
    """
    chances, actions = np.asarray(chances, dtype=float), np.asarray(actions)
    weights = np.asarray(weights, dtype=float)
    if not chances.shape[:-1] == actions.shape == weights.shape:
        raise ValueError(
            "actions and weights: expected one for each row of chances, shape "
            f"{chances.shape[:-1]}, got {actions.shape} and {weights.shape}"
        )
    taken = np.arange(chances.shape[-1]) == actions[..., None]
    return weights[..., None] * (taken - chances)


def top_k_factor(chances: np.ndarray, k: int) -> np.ndarray:
    """K (1 - pi)^(K - 1): how a chance in one draw moves the chance to be in K.

    Args:
        chances: float, any shape, of an item in one draw.
        k: number of draws, at least 1; with 1 the factor is 1.

    Raises:
        ValueError: no draw.

    Source: Chen et al. (2019); it is the derivative of 1 - (1 - pi)^K.
    """
    check_count("k", k)
    return k * (1 - np.asarray(chances, dtype=float)) ** (k - 1)


def top_k_optimum(rewards: np.ndarray, k: int) -> np.ndarray:
    """Chances with the largest sum of r (1 - (1 - pi)^K): water-filling.

    Every item that gets a chance has the same slope K r (1 - pi)^(K - 1), the price;
    items whose slope starts below it get none.

    Args:
        rewards: float (n_items,), above 0.
        k: number of draws, at least 2.

    Raises:
        ValueError: fewer than two draws, no item, or a reward that is not positive.
    """
    rewards = np.asarray(rewards, dtype=float)
    check_axes("rewards", rewards, ("items",))
    if k < 2:
        raise ValueError(f"k: expected at least 2, got {k}; one draw goes to the best")
    if not len(rewards) or not (rewards > 0).all():
        raise ValueError(f"rewards: expected numbers above 0, got {rewards}")
    low, high = 0.0, k * rewards.max()
    for _ in range(200):
        price = (low + high) / 2
        chances = np.maximum(1 - (price / (k * rewards)) ** (1 / (k - 1)), 0)
        low, high = (price, high) if chances.sum() > 1 else (low, price)
    return chances / chances.sum()


def fit_policy(
    log: ActionLog,
    n_actions: int,
    k: int | None,
    *,
    n_epochs: int = 6,
    rate: float = 0.02,
    n_rows: int = 1000,
    seed: int = 0,
) -> np.ndarray:
    """Ascend one of the gradients above over a log, with Adam (Kingma and Ba, 2015).

    Args:
        log: of the logger.
        n_actions: items there are.
        k: None to clone what was rewarded; 1 to weight rows by pi / beta; more for the
            top-K correction on top of it.
        n_epochs: passes over the log.
        rate: of the first step; it falls to 0 in a straight line.
        n_rows: of a step.
        seed: of the order of the rows.

    Returns:
        Float (n_features + 1, n_actions); scores are `[contexts, 1] @ coefficients`.

    Raises:
        ValueError: a propensity that is not above 0, or no epoch or row.
    """
    check_count("n_epochs", n_epochs)
    check_count("n_rows", n_rows)
    if not (log.propensities > 0).all():
        raise ValueError(
            f"propensities: expected chances above 0, got {log.propensities.min()}; "
            "what the logger never shows can't be weighted"
        )
    log = ActionLog(*(column[log.rewards != 0] for column in log))  # 0 weighs nothing
    features = np.column_stack([log.contexts, np.ones(len(log.contexts))])
    coefficients = np.zeros((features.shape[1], n_actions))
    rng, adam = np.random.default_rng(seed), _Adam(coefficients.shape)
    starts = range(0, len(features), n_rows)
    n_steps = n_epochs * len(starts)
    for _ in range(n_epochs):
        order = rng.permutation(len(features))
        for first in starts:
            rows = order[first : first + n_rows]
            chances = softmax(features[rows] @ coefficients)
            weights = _weights(log, rows, chances, k)
            by_score = score_gradient(chances, log.actions[rows], weights)
            gradient = features[rows].T @ by_score / len(rows)
            left = 1 - adam.steps / n_steps
            coefficients += rate * left * adam.direction(gradient)
    return coefficients


def reinforce(
    game: Game,
    n_replicas: int,
    *,
    n_iterations: int = 300,
    n_episodes: int = 200,
    rate: float = 0.1,
    baseline: bool = True,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Learn a rule by playing it, in many replicas side by side.

    Args:
        game: with states that the rule sees.
        n_replicas: rules that are learned from their own episodes.
        n_iterations: gradient steps.
        n_episodes: users of a step.
        rate: of Adam.
        baseline: whether the mean of what followed a state is subtracted.
        seed: of all episodes.

    Returns:
        The last rule's chances, float (n_replicas, n_states, n_actions); and the mean
        reward of each step's episodes, float (n_iterations, n_replicas).

    Raises:
        ValueError: a number below 1.

    Source: Williams (1992); Sutton and Barto (2018), sections 13.3 and 13.4.
    """
    for name, count in (("n_replicas", n_replicas), ("n_iterations", n_iterations)):
        check_count(name, count)
    rng = np.random.default_rng(seed)
    scores = np.zeros((n_replicas, *game.rewards.shape))
    adam, earned = _Adam(scores.shape), np.empty((n_iterations, n_replicas))
    for step in range(n_iterations):
        policy = softmax(scores)
        episodes = play_game(game, policy, n_episodes, rng)
        earned[step] = episodes.rewards.sum(axis=-1).mean(axis=-1)
        gradient = _episode_gradient(policy, episodes, baseline)
        scores += rate * adam.direction(gradient)
    return softmax(scores), earned


def _weights(
    log: ActionLog, rows: np.ndarray, chances: np.ndarray, k: int | None
) -> np.ndarray:
    rewards = log.rewards[rows]
    if k is None:
        return rewards
    taken = chances[np.arange(len(rows)), log.actions[rows]]
    return rewards * taken / log.propensities[rows] * top_k_factor(taken, k)


def _episode_gradient(
    policy: np.ndarray, episodes: Episodes, baseline: bool
) -> np.ndarray:
    """Mean over episodes of the sum over visits, (n_replicas, n_states, n_actions)."""
    n_replicas, n_states, n_actions = policy.shape
    to_come = episodes.rewards[..., ::-1].cumsum(-1)[..., ::-1]  # (replicas, n, visits)
    came = episodes.states >= 0
    replica = np.nonzero(came)[0]
    state = replica * n_states + episodes.states[came]
    cell = state * n_actions + episodes.actions[came]
    weights, size = to_come[came], n_replicas * n_states
    visits = np.bincount(state, minlength=size)
    if baseline:
        usual = np.bincount(state, weights, size) / np.maximum(visits, 1)
        weights = weights - usual[state]
    by_cell = np.bincount(cell, weights, size * n_actions).reshape(policy.shape)
    by_state = by_cell.sum(axis=-1, keepdims=True)
    return (by_cell - policy * by_state) / came.shape[1]


class _Adam:
    """Adam's direction, upwards: a running mean over the root of a running square."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.mean, self.square, self.steps = np.zeros(shape), np.zeros(shape), 0

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        self.steps += 1
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.001 * (gradient**2 - self.square)
        mean = self.mean / (1 - 0.9**self.steps)
        return mean / (np.sqrt(self.square / (1 - 0.999**self.steps)) + 1e-8)
