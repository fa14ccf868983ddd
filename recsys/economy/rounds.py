r"""One round of a feed, and the books that close after it.

`play_round` shows every user a slate and returns what happened in expectation: a user's
shares are a budget of minutes divided, and leaving is a weight that shrinks, so a run has
no sampling noise. The ledger holds three accounts, and three identities tie them:

- minutes: items + outside = budget of the users who are still there;
- money: creators + platform = advertisers;
- utility: realised surplus = T log Z - disappointment.

The last one says what bait takes. A user divides by what is promised, and T log Z is what
that is worth. What is kept is less by the lure of what was taken, sum_k p_k lure_k. The
realised surplus is counted on its own, as sum_k p_k (u_k - lure_k) + p_0 u_0 less
T sum_k p_k log(p_k / e_k), the price of concentration of Part I.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from recsys.economy.choice import Shares, shares
from recsys.economy.market import World

BLOCK = 1024
"""Users that are played at once: their arrays stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class State:
    """What a round leaves behind.

    Args:
        fatigue: float (n_users, n_topics), utility that each topic has lost for a while.
        memory: float (n_users,), remembered disappointment, in units of utility.
        weight: float (n_users,), from 0 to 1: how much of each user is still there.
    """

    fatigue: np.ndarray
    memory: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Ledger:
    """The books of a round: users, platform and creators.

    Money and minutes count the users who are still there; a utility is one user's.

    Args:
        weight: float (n_users,), as the round began.
        budget: minutes of a user.
        temperature: of the world, the scale of utility.
        feed, outside: float (n_users,), minutes.
        promised: float (n_users,), T log Z.
        realised, disappointment: float (n_users,), utility.
        items: float (n_items,), minutes on each item.
        creators: float (n_creators,), money paid to each.
        platform: money that stays with it.
        advertisers: money that they paid.
    """

    weight: np.ndarray
    budget: float
    temperature: float
    feed: np.ndarray
    outside: np.ndarray
    promised: np.ndarray
    realised: np.ndarray
    disappointment: np.ndarray
    items: np.ndarray
    creators: np.ndarray
    platform: float
    advertisers: float

    def gaps(self) -> dict[str, float]:
        """By how much each identity fails, relative to the size of what it adds up.

        Utilities have no zero of their own: the temperature is added to their size.
        """
        spent = self.items.sum() + self.outside.sum()
        budget = self.budget * self.weight.sum()
        paid = self.creators.sum() + self.platform
        kept = self.promised - self.disappointment
        size = np.abs(self.promised) + np.abs(self.disappointment) + self.temperature
        return {
            "minutes": _relative(spent - budget, budget),
            "money": _relative(paid - self.advertisers, self.advertisers),
            "utility": float((np.abs(self.realised - kept) / size).max(initial=0)),
        }


def start(world: World) -> State:
    """Everybody is there, rested, and remembers nothing."""
    return State(
        np.zeros_like(world.tastes, dtype=float),
        np.zeros(world.n_users),
        np.ones(world.n_users),
    )


def utilities(world: World, state: State, slates: np.ndarray) -> np.ndarray:
    """What each item of a slate promises its user.

    Args:
        world: the market.
        state: before the round.
        slates: int (n_users, n_slots), items, best slot first; no item twice in a row.
            Fewer slots than the world has are the first ones.

    Returns:
        Float (n_users, n_slots).

    Raises:
        ValueError: a state of another world, slates of another shape or dtype, or an item
            that is unknown or twice in a slate.
    """
    slates = _checked(world, state, slates)
    return _promised(world, world.tastes, state, slates)[0]


def play_round(
    world: World, state: State, slates: np.ndarray
) -> tuple[Shares, Ledger, State]:
    """Show every user a slate.

    Args:
        world: the market.
        state: as `start` or the last round left it.
        slates: int (n_users, n_slots), items, best slot first; no item twice in a row.

    Returns:
        The shares of slots and outside, the books, and the state after the round.

    Raises:
        ValueError: a state or slates that `utilities` refuses.
    """
    slates = _checked(world, state, slates)
    played, items = _played(world, state, slates)
    ledger = _ledger(world, state, played, items)
    divided = Shares(played["shares"], played["alone"], played["promised"])
    return divided, ledger, State(played["fatigue"], played["memory"], played["weight"])


def _checked(world: World, state: State, slates: np.ndarray) -> np.ndarray:
    """Require one slate a user, of known items, none twice, and a state of this world."""
    if state.fatigue.shape != world.tastes.shape:
        raise ValueError(
            f"state: expected fatigue of shape {world.tastes.shape}, as tastes, got "
            f"{state.fatigue.shape}; begin with `start(world)`"
        )
    slates = np.asarray(slates)
    largest = min(len(world.examination), world.n_items)
    whole = slates.dtype.kind in "iu"
    if not whole or slates.ndim != 2 or len(slates) != world.n_users:
        raise ValueError(
            f"slates: expected whole numbers of shape ({world.n_users} users, slots), got "
            f"{slates.dtype} of shape {slates.shape}; give each user a row of item indices"
        )
    if not 1 <= slates.shape[1] <= largest:
        raise ValueError(
            f"slates: expected 1 to {largest} slots, got {slates.shape[1]}; the world has "
            f"{len(world.examination)} slots and {world.n_items} items"
        )
    if slates.min() < 0 or slates.max() >= world.n_items:
        row, slot = np.argwhere((slates < 0) | (slates >= world.n_items))[0].tolist()
        raise ValueError(
            f"slates: expected items from 0 to {world.n_items - 1}, got "
            f"{slates[row, slot]} for user {row} in slot {slot}; take indices of `topics`"
        )
    _check_distinct(slates)
    return slates


def _check_distinct(slates: np.ndarray) -> None:
    for first in range(0, len(slates), BLOCK):
        ordered = np.sort(slates[first : first + BLOCK], axis=1)
        twice = ordered[:, 1:] == ordered[:, :-1]  # (users, n_slots - 1)
        if twice.any():
            row, place = np.argwhere(twice)[0].tolist()
            raise ValueError(
                f"slates: expected no item twice in a slate, got item {ordered[row, place]} "
                f"twice for user {first + row}; rank without replacement"
            )


def _promised(world: World, tastes: np.ndarray, state: State, slates: np.ndarray):
    """What each slot promises and where in tastes its topic stands: (n_users, n_slots)."""
    slots = np.ascontiguousarray(slates.T)  # (n_slots, n_users): sums run along users
    places = np.take(world.topics, slots)
    places += np.arange(len(tastes)) * world.n_topics
    promised = np.take(tastes - state.fatigue, places)
    promised += np.take(world.quality + world.lure, slots)
    promised -= state.memory + world.nuisance * world.load
    return promised.T, places.T


def _played(
    world: World, state: State, slates: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """`_play` for all users, a block at a time."""
    if world.n_users <= BLOCK:
        return _play(world, world.tastes, state, slates)
    played, items = {}, np.zeros(world.n_items)
    for first in range(0, world.n_users, BLOCK):
        rows = slice(first, first + BLOCK)
        part = State(state.fatigue[rows], state.memory[rows], state.weight[rows])
        users, made = _play(world, world.tastes[rows], part, slates[rows])
        items += made
        for name, column in users.items():
            if name not in played:
                played[name] = np.empty((world.n_users, *column.shape[1:]))
            played[name][rows] = column
    return played, items


def _play(
    world: World, tastes: np.ndarray, state: State, slates: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What a round is to each of some users, by name, and their minutes on each item."""
    promised, places = _promised(world, tastes, state, slates)
    examined = world.examination[: slates.shape[1]]
    divided = shares(
        promised,
        temperature=world.temperature,
        outside=world.outside,
        examination=examined,
    )
    lure = np.take(world.lure, slates.T).T  # (n_users, n_slots)
    disappointment = (divided.items * lure).sum(axis=1)
    realised = _realised(world, divided, promised - lure, examined)
    spent = divided.items * (world.minutes * state.weight)[:, None]
    items = np.bincount(slates.T.ravel(), spent.T.ravel(), minlength=world.n_items)
    users = {"shares": divided.items, "alone": divided.outside}
    users |= {"promised": divided.surplus, "realised": realised}
    users |= {"feed": spent.sum(axis=1), "disappointment": disappointment}
    users |= _after(world, state, places, users)
    return users, items


def _after(
    world: World, state: State, places: np.ndarray, users: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The state that a round leaves, by name."""
    fatigue = state.fatigue
    seen = np.bincount(places.T.ravel(), users["shares"].T.ravel(), fatigue.size)
    worth = users["realised"] - world.outside  # beyond doing something else
    return {
        "fatigue": world.fatigue_kept * fatigue
        + world.fatigue_gain * seen.reshape(fatigue.shape),
        "memory": world.memory_kept * state.memory
        + world.memory_gain * users["disappointment"],
        "weight": state.weight * expit(world.attachment * worth - world.leave),
    }


def _realised(
    world: World, divided: Shares, kept: np.ndarray, examined: np.ndarray
) -> np.ndarray:
    """What was taken and what it gave, less the price of concentration: (n_users,)."""
    price = world.temperature  # of a nat of concentration
    each = kept - price * _log(divided.items / examined)  # (n_users, n_slots)
    other = world.outside - price * _log(divided.outside)
    return (divided.items * each).sum(axis=1) + divided.outside * other


def _ledger(
    world: World, state: State, played: dict[str, np.ndarray], items: np.ndarray
) -> Ledger:
    rate = world.load * world.price  # money for a minute beside any item
    kept = (1 - world.creators_share) * rate * played["feed"].sum()
    made = np.bincount(world.creators, items, minlength=world.n_creators)
    return Ledger(
        weight=state.weight,
        budget=world.minutes,
        temperature=world.temperature,
        feed=played["feed"],
        outside=played["alone"] * world.minutes * state.weight,
        promised=played["promised"],
        realised=played["realised"],
        disappointment=played["disappointment"],
        items=items,
        creators=world.creators_share * rate * made,
        platform=float(kept + world.fees @ items),
        advertisers=float(((rate + world.fees) * items).sum()),
    )


def _log(ratio: np.ndarray) -> np.ndarray:
    """The logarithm, finite at 0, where a share of 0 takes it away."""
    return np.log(np.maximum(ratio, 1e-300))


def _relative(gap: float, size: float) -> float:
    return float(abs(gap) / size) if size > 0 else float(abs(gap))
