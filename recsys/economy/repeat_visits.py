"""Bait or honest: a game in which what pays today decides who is there tomorrow.

A user comes back again and again and trusts the feed more or less. Each time the feed
shows bait, which holds attention longer and may cost trust, or something honest, which
may win trust back. Who trusts less watches less and leaves sooner. Trust is a state
with few values, so the game is solved exactly, from the last visit to the first
(Bellman, 1957), and a rule that learns from episodes can be held against the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recsys.checks import check_count


@dataclass(frozen=True)
class Game:
    """A Markov decision process of finite length; who leaves gets nothing any more.

    Args:
        rewards: float (n_states, n_actions), expected reward of a visit.
        moves: float (n_states, n_actions, n_states), chance of the next state; what a
            row lacks to 1 is the chance that there is no next visit.
        start: state of the first visit.
        horizon: number of visits at most.

    Raises:
        ValueError: shapes that don't fit, chances out of range, no visit.
    """

    rewards: np.ndarray
    moves: np.ndarray
    start: int
    horizon: int

    def __post_init__(self) -> None:
        check_count("horizon", self.horizon)
        n_states = len(self.rewards)
        if self.moves.shape != (*self.rewards.shape, n_states):
            raise ValueError(
                "moves: expected shape (n_states, n_actions, n_states) for rewards of "
                f"shape {self.rewards.shape}, got {self.moves.shape}"
            )
        staying = self.moves.sum(axis=-1)
        if (self.moves < 0).any() or (staying > 1 + 1e-12).any():
            raise ValueError(
                "moves: expected chances that sum to at most 1, got sums from "
                f"{staying.min():g} to {staying.max():g} and entries from "
                f"{self.moves.min():g}"
            )
        if not 0 <= self.start < n_states:
            raise ValueError(
                f"start: expected a state from 0 to {n_states - 1}, got {self.start}"
            )


class Episodes(NamedTuple):
    """What was seen of many users, visit by visit.

    Args:
        states: int (..., horizon), state before each visit; -1 where nobody came.
        actions: int (..., horizon), what was shown; -1 where nobody came.
        rewards: float (..., horizon), 0 where nobody came.
    """

    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray


def trust_game(
    *,
    honest: float = 10.0,
    bait: float = 15.0,
    moving: float = 0.41,
    horizon: int = 100,
) -> Game:
    """Five levels of trust, from 0 to 4; a new user has 3. Action 1 is bait.

    Before each visit a user leaves, with a chance that falls with trust. Whoever comes
    watches `honest` or `bait` minutes, times a factor that rises with trust. Then trust
    rises or falls by one, with chance `moving`.

    Args:
        honest, bait: minutes of a visit at full trust.
        moving: chance that a visit changes trust.
        horizon: number of visits at most.

    Raises:
        ValueError: `moving` out of range, or no visit.
    """
    if not 0 <= moving <= 1:
        raise ValueError(f"moving: expected a chance from 0 to 1, got {moving}")
    factor = np.array([0.80, 0.85, 0.90, 0.95, 1.00])
    leaving = np.array([0.06, 0.04, 0.03, 0.022, 0.02])
    n_states = len(factor)
    moves = np.zeros((n_states, 2, n_states))
    for state in range(n_states):
        for action, change in enumerate((1, -1)):
            reached = min(max(state + change, 0), n_states - 1)
            moves[state, action, state] += 1 - moving
            moves[state, action, reached] += moving
    coming = 1 - leaving
    rewards = np.outer(coming * factor, [honest, bait])
    return Game(rewards, moves * coming[:, None, None], start=3, horizon=horizon)


def solve(game: Game) -> tuple[np.ndarray, np.ndarray]:
    """The best that can be had from each visit on, and how.

    Returns:
        values, float (horizon + 1, n_states), the last row 0; and actions, int
        (horizon, n_states), the first of those that are best.

    Source: Bellman (1957), backward induction.
    """
    values = np.zeros((game.horizon + 1, len(game.rewards)))
    actions = np.zeros((game.horizon, len(game.rewards)), dtype=int)
    for visit in range(game.horizon - 1, -1, -1):
        gains = game.rewards + game.moves @ values[visit + 1]  # (n_states, n_actions)
        actions[visit] = gains.argmax(axis=1)
        values[visit] = gains.max(axis=1)
    return values, actions


def policy_value(game: Game, policy: np.ndarray) -> np.ndarray:
    """What a rule earns from the start, exactly.

    Args:
        game: to be played.
        policy: float (..., n_states, n_actions), chance of each action in each state,
            the same at every visit. Leading axes are replicas.

    Returns:
        Float (...), the expected sum of rewards of a user.

    Raises:
        ValueError: chances of another shape, or that don't sum to 1.
    """
    policy = _checked_policy(game, policy)
    values = np.zeros(policy.shape[:-1])  # (..., n_states)
    for _ in range(game.horizon):
        gains = game.rewards + np.einsum("sat,...t->...sa", game.moves, values)
        values = (policy * gains).sum(axis=-1)
    return values[..., game.start]


def play_game(
    game: Game, policy: np.ndarray, n_episodes: int, rng: np.random.Generator
) -> Episodes:
    """Draw users who are served by a rule.

    Args:
        game: to be played.
        policy: float (n_replicas, n_states, n_actions), as for `policy_value`.
        n_episodes: users of each replica.
        rng: where everything is drawn from.

    Returns:
        Arrays of shape (n_replicas, n_episodes, horizon). A visit's reward is the
        expected one of its state and action.

    Raises:
        ValueError: no episode, or a policy that `policy_value` refuses.
    """
    check_count("n_episodes", n_episodes)
    policy = _checked_policy(game, policy)
    shape = (len(policy), n_episodes)
    rows = np.arange(len(policy))[:, None]
    chosen_up_to, moved_up_to = policy.cumsum(-1), game.moves.cumsum(-1)
    states = np.full((*shape, game.horizon), -1)
    actions, rewards = np.full_like(states, -1), np.zeros(states.shape)
    state, here = np.full(shape, game.start), np.ones(shape, dtype=bool)
    for visit in range(game.horizon):
        luck = rng.random((2, *shape, 1))
        action = (luck[0] >= chosen_up_to[rows, state]).sum(-1)
        action = np.minimum(action, policy.shape[-1] - 1)
        states[..., visit] = np.where(here, state, -1)
        actions[..., visit] = np.where(here, action, -1)
        rewards[..., visit] = here * game.rewards[state, action]
        reached = (luck[1] >= moved_up_to[state, action]).sum(-1)
        here &= reached < len(game.rewards)
        state = np.where(here, reached, 0)
    return Episodes(states, actions, rewards)


def _checked_policy(game: Game, policy: np.ndarray) -> np.ndarray:
    policy = np.asarray(policy, dtype=float)
    if policy.shape[-2:] != game.rewards.shape:
        raise ValueError(
            "policy: expected (..., n_states, n_actions) with the last two "
            f"{game.rewards.shape}, got shape {policy.shape}"
        )
    sums = policy.sum(axis=-1)
    if (policy < 0).any() or not np.allclose(sums, 1):
        raise ValueError(
            "policy: expected chances that sum to 1 in each state, got sums from "
            f"{sums.min():g} to {sums.max():g} and entries from {policy.min():g}"
        )
    return policy
