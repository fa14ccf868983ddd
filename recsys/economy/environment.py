"""The feed as environments of gymnasium: one user, or many at once. Adaptors only.

An action is a slate. The observation is what a user likes now and remembers, the reward
the minutes spent on the feed, in expectation; leaving is drawn and ends an episode. This
module alone imports gymnasium (`pip install "recsys[gym]"`).

Source: Ie et al. (2019, https://arxiv.org/abs/1909.04847), sections 3 and 4, for a feed
as an environment of slates.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

from recsys.checks import check_count
from recsys.economy.market import World
from recsys.economy.rounds import State, play_round, start


class Slates(spaces.Space[np.ndarray]):
    """Rows of distinct items, best slot first.

    Args:
        n_items: to choose from.
        shape: (n_slots,), or (n_users, n_slots).
        seed: of `sample`.
    """

    def __init__(
        self, n_items: int, shape: tuple[int, ...], seed: int | None = None
    ) -> None:
        super().__init__(shape, np.int64, seed)
        self.n_items = n_items

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def sample(self, mask: None = None, probability: None = None) -> np.ndarray:
        """Draw slates evenly."""
        noise = self.np_random.random((*self.shape[:-1], self.n_items))
        return noise.argsort(axis=-1)[..., : self.shape[-1]]

    def contains(self, x: Any) -> bool:
        """Whether x has the shape, and known items, none twice in a row."""
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "iu":
            return False
        if x.shape != self.shape or x.min() < 0 or x.max() >= self.n_items:
            return False
        return bool((np.diff(np.sort(x, axis=-1), axis=-1) > 0).all())


class Feeds(VectorEnv):
    """All users of a world at once; who leaves starts afresh in the same step.

    Args:
        world: the market.
        horizon: rounds after which an episode is cut off.

    Raises:
        ValueError: a horizon below 1; an action that `play_round` refuses.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, world: World, horizon: int = 100) -> None:
        check_count("horizon", horizon)
        self.world, self.horizon, self.num_envs = world, horizon, world.n_users
        n_slots = min(len(world.examination), world.n_items)
        width = 2 * world.n_topics + 1
        self.single_action_space = Slates(world.n_items, (n_slots,))
        self.action_space = Slates(world.n_items, (world.n_users, n_slots))
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (width,), float)
        self.observation_space = spaces.Box(
            -np.inf, np.inf, (world.n_users, width), float
        )

    def reset(
        self, *, seed: int | None = None, options: dict | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Everybody is there, rested, and remembers nothing."""
        super().reset(seed=seed)
        self.state = start(self.world)
        self.rounds = np.zeros(self.num_envs, dtype=np.int64)
        return _observed(self.world, self.state), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Show each user a slate.

        The info is the ledger, by name; `final_obs` is what those who are done saw
        before they started afresh.
        """
        _, ledger, after = play_round(self.world, self.state, actions)
        left = self.np_random.random(self.num_envs) >= after.weight
        self.rounds += 1
        cut = (self.rounds >= self.horizon) & ~left
        done, info = left | cut, dict(vars(ledger))
        here = (~done).astype(float)
        self.state = State(
            after.fatigue * here[:, None], after.memory * here, np.ones(self.num_envs)
        )
        if done.any():
            info |= {"final_obs": _observed(self.world, after), "_final_obs": done}
            self.rounds[done] = 0
        return _observed(self.world, self.state), ledger.feed, left, cut, info


class Feed(gymnasium.Env):
    """One user of a world.

    Args:
        world: the market.
        user: who it is.
        horizon: rounds after which an episode is cut off.

    Raises:
        ValueError: an unknown user or a horizon below 1; an action that is no slate.
    """

    def __init__(self, world: World, user: int = 0, horizon: int = 100) -> None:
        check_count("horizon", horizon)
        if not 0 <= user < world.n_users:
            raise ValueError(
                f"user: expected from 0 to {world.n_users - 1}, got {user}"
            )
        self.world = replace(world, tastes=world.tastes[[user]])
        self.horizon = horizon
        n_slots = min(len(world.examination), world.n_items)
        self.action_space = Slates(world.n_items, (n_slots,))
        width = 2 * world.n_topics + 1
        self.observation_space = spaces.Box(-np.inf, np.inf, (width,), float)

    def reset(
        self, *, seed: int | None = None, options: dict | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """The user is there, rested, and remembers nothing."""
        super().reset(seed=seed)
        self.state, self.rounds = start(self.world), 0
        return _observed(self.world, self.state)[0], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Show the slate; the info is the ledger, by name."""
        slates = np.asarray(action)[None]
        _, ledger, after = play_round(self.world, self.state, slates)
        left = bool(self.np_random.random() >= after.weight[0])
        self.state = State(after.fatigue, after.memory, np.ones(1))
        self.rounds += 1
        cut = self.rounds >= self.horizon and not left
        observed = _observed(self.world, self.state)[0]
        return observed, float(ledger.feed[0]), left, cut, dict(vars(ledger))


def _observed(world: World, state: State) -> np.ndarray:
    """Tastes, fatigue and remembered disappointment: (n_users, 2 n_topics + 1)."""
    return np.concatenate([world.tastes, state.fatigue, state.memory[:, None]], axis=1)
