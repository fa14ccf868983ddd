"""A frozen feed market: users with tastes, items with lures, slots, creators and money.

`World` holds what does not change while a feed runs; `recsys.economy.rounds` has what
does. `planted_world` draws one.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import cached_property

import numpy as np

from recsys.checks import (
    check_axes,
    check_count,
    check_finite,
    check_indices,
    check_temperature,
)
from recsys.economy.choice import checked_examination


@dataclass(frozen=True, eq=False)
class World:
    """A frozen feed market: users, items, slots, money, and how a round is remembered.

    What an item promises a rested user is `tastes[user, topic] + quality + lure`; what
    it keeps is without the lure. An advert in a slot is an item with a fee.

    Args:
        tastes: float (n_users, n_topics), in units of utility like the next two.
        topics: int (n_items,), the topic of each item.
        quality, lure: float (n_items,), what is there, and what is promised beyond it.
        creators: int (n_items,), from 0.
        fees: float (n_items,), money that a minute on the item costs its advertiser.
        examination: float (n_slots,), above 0 and at most 1.
        minutes: the budget of a user in a round, at least 0.
        temperature: above 0.
        outside: utility of doing something else.
        load: adverts beside each minute of the feed, at least 0.
        nuisance: utility that a unit of load takes, at least 0.
        price: money for an advert beside the feed, at least 0.
        creators_share: of that money, from 0 to 1; fees go to the platform.
        fatigue_gain, fatigue_kept: what a topic loses when it gets the whole budget, and
            the part of earlier fatigue that stays.
        memory_gain, memory_kept: likewise for disappointment, which lowers every item.
        leave: log-odds of leaving after a round that was worth what the outside is.
        attachment: by how much a unit of realised surplus above that lowers them.

    Raises:
        ValueError: a column of another shape, a number out of range or not finite, or an
            item of an unknown topic or creator.
    """

    tastes: np.ndarray
    topics: np.ndarray
    quality: np.ndarray
    lure: np.ndarray
    creators: np.ndarray
    fees: np.ndarray
    examination: np.ndarray
    minutes: float = 60.0
    temperature: float = 1.0
    outside: float = 0.0
    load: float = 0.0
    nuisance: float = 0.0
    price: float = 1.0
    creators_share: float = 0.5
    fatigue_gain: float = 0.0
    fatigue_kept: float = 0.5
    memory_gain: float = 0.0
    memory_kept: float = 0.5
    leave: float = -np.inf
    attachment: float = 0.0

    def __post_init__(self) -> None:
        _check_columns(self)
        _check_numbers(self)

    @property
    def n_users(self) -> int:
        return len(self.tastes)

    @property
    def n_items(self) -> int:
        return len(self.topics)

    @property
    def n_topics(self) -> int:
        return self.tastes.shape[1]

    @cached_property
    def n_creators(self) -> int:
        return int(self.creators.max()) + 1


def planted_world(
    n_users: int,
    n_items: int,
    *,
    n_topics: int = 16,
    n_creators: int = 20,
    n_slots: int = 10,
    seed: int = 0,
    **settings: float,
) -> World:
    """Draw tastes, topics, quality, lures and creators.

    Args:
        n_users, n_items, n_topics, n_creators, n_slots: how many.
        seed: of everything drawn.
        settings: numbers of `World`, such as `temperature`.

    Returns:
        A world whose slot k is looked at with 1 / log2(k + 1), k from 1, without fees.
        Tastes are standard normal, quality half as wide, lures exponential of mean .5.

    Raises:
        ValueError: a count below 1, or a setting out of range.
    """
    counts = {"n_users": n_users, "n_items": n_items, "n_topics": n_topics}
    counts |= {"n_creators": n_creators, "n_slots": n_slots}
    for name, count in counts.items():
        check_count(name, count)
    rng = np.random.default_rng(seed)
    return World(
        tastes=rng.normal(size=(n_users, n_topics)),
        topics=rng.integers(n_topics, size=n_items),
        quality=rng.normal(0, 0.5, n_items),
        lure=rng.exponential(0.5, n_items),
        creators=rng.integers(n_creators, size=n_items),
        fees=np.zeros(n_items),
        examination=1 / np.log2(np.arange(2, n_slots + 2)),
        **settings,
    )


def _check_columns(world: World) -> None:
    check_axes("tastes", world.tastes, ("users", "topics"))
    for name in ("topics", "quality", "lure", "creators", "fees"):
        column = world.__dict__[name]
        if column.shape != (world.n_items,):
            raise ValueError(
                f"{name}: expected one for each of the {world.n_items} items of topics, "
                f"got shape {column.shape}"
            )
    for name in ("tastes", "quality", "lure", "fees"):
        check_finite(name, world.__dict__[name])
    for name, count in (("tastes", world.n_users), ("topics", world.n_items)):
        if not count:
            raise ValueError(f"{name}: expected at least one row, got none")
    mend = "count topics and creators from 0"
    check_indices("topics", world.topics, world.n_topics, mend)
    check_indices("creators", world.creators, np.iinfo(np.int64).max, mend)
    examination = checked_examination(world.examination, len(world.examination))
    if (examination > 1).any():
        raise ValueError(
            f"examination: expected at most 1, got {examination.max()}; "
            "a slot is looked at once"
        )
    if (world.fees < 0).any():
        raise ValueError(
            f"fees: expected at least 0, got {world.fees.min()} for item "
            f"{world.fees.argmin()}; 0 is content"
        )


RANGES = {name: (0, 1) for name in ("creators_share", "fatigue_kept", "memory_kept")}
RANGES |= {"outside": (-np.inf, np.inf), "leave": (-np.inf, np.inf)}
"""What the numbers of a world may be; the others are at least 0."""


def _check_numbers(world: World) -> None:
    check_temperature(world.temperature)
    for name in (field.name for field in fields(world) if field.default is not MISSING):
        value, (low, high) = world.__dict__[name], RANGES.get(name, (0, np.inf))
        if not low <= value <= high or (np.isinf(value) and name != "leave"):
            raise ValueError(
                f"{name}: expected a finite number from {low} to {high}, got {value}"
            )
