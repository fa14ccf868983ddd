"""What a feed logs: one row an impression, cleaned, labelled, and read for conversion.

`draw_log` lets users choose by the shares of `recsys.economy.rounds`, at most one item of
a slate. A click gives minutes that are those of the ledger in expectation, and only after
a click can there be a like, a purchase or a rating. That is the trap in conversion per
click: who clicks is not who was shown.

Sources: Yi et al. (2014), Beyond clicks, section 3, for dwell below a threshold; Ma et
al. (2018, https://arxiv.org/abs/1804.07931) and Zhang et al. (2020,
https://arxiv.org/abs/1910.09337), equation 8, for conversion over the entire space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from recsys.economy.market import World
from recsys.economy.rounds import State, play_round, utilities

BEHAVIOURS = ("view", "click", "like", "dwell", "purchase", "rating")
"""What a label can weigh."""

LIKES, PURCHASES = 1.0, 2.0
"""What a click must keep, in units of utility, for even odds of a like or a purchase."""

ANSWERED = 0.3
"""Share of clicks that are rated, from 1 to 5."""


@dataclass(frozen=True, eq=False)
class FeedLog:
    """Impressions that were shown, one a row, the slots of a slate in a run.

    Args:
        round, user, item, position: int (n,); position 0 is the best slot.
        propensity: float (n,), the chance of the item in its slot given those above it;
            NaN where it was not kept.
        view, click, like, purchase: bool (n,).
        dwell: float (n,), minutes; 0 without a click, NaN where it was lost.
        rating: float (n,), 1 to 5, NaN where none was given.
        imputed: bool (n,), whether the dwell was filled in.

    Raises:
        ValueError: columns of unequal lengths.
    """

    round: np.ndarray
    user: np.ndarray
    item: np.ndarray
    position: np.ndarray
    propensity: np.ndarray
    view: np.ndarray
    click: np.ndarray
    like: np.ndarray
    dwell: np.ndarray
    purchase: np.ndarray
    rating: np.ndarray
    imputed: np.ndarray

    def __post_init__(self) -> None:
        lengths = {name: np.shape(column) for name, column in self.columns().items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns: expected one length for all, got {lengths}")

    def __len__(self) -> int:
        return len(self.item)

    def columns(self) -> dict[str, np.ndarray]:
        """All columns by name."""
        return dict(self.__dict__)

    def rows(self, chosen: np.ndarray) -> FeedLog:
        """The rows that a mask or indices choose."""
        columns = self.columns()
        return FeedLog(**{name: column[chosen] for name, column in columns.items()})


def draw_choices(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one slot for each row of shares.

    Args:
        chances: float (n, n_slots), not negative; what is left to 1 is the outside.
        rng: where the numbers come from.

    Returns:
        Int (n,), from 0 to n_slots; n_slots is the outside.
    """
    bounds = chances.cumsum(axis=1)  # (n, n_slots)
    return (rng.random(len(chances))[:, None] >= bounds).sum(axis=1)


def draw_log(
    world: World,
    state: State,
    slates: np.ndarray,
    *,
    seed: int,
    propensities: np.ndarray | None = None,
    round: int = 0,
) -> FeedLog:
    """Draw who is still there, what they choose of their slates, and what they do then.

    A slot is viewed if it was clicked, and otherwise with the chance of its examination.

    Args:
        world, state, slates: as for `play_round`.
        seed: of everything drawn.
        propensities: float (n_users, n_slots), as `sampled_slates` gives them.
        round: the number of the round, for the log.

    Returns:
        A row for every slot of every user who is there.

    Raises:
        ValueError: slates that `utilities` refuses, or propensities of another shape.
    """
    divided, _, _ = play_round(world, state, slates)
    slates = np.asarray(slates)
    propensities = _chances(propensities, slates.shape)
    rng = np.random.default_rng(seed)
    there = np.flatnonzero(rng.random(world.n_users) < state.weight)
    shape = (len(there), slates.shape[1])
    slots = np.broadcast_to(np.arange(shape[1]), shape)
    chosen = slots == draw_choices(divided.items[there], rng)[:, None]
    looked = rng.random(shape) < world.examination[: shape[1]]
    done = _done(world, _kept(world, state, slates)[there], chosen, rng)
    columns = {"round": np.full(shape, round), "position": slots, "click": chosen}
    columns |= {"user": np.broadcast_to(there[:, None], shape), "item": slates[there]}
    columns |= {"propensity": propensities[there], "view": chosen | looked}
    columns |= done | {"imputed": np.zeros(shape, dtype=bool)}
    return FeedLog(**{name: column.ravel() for name, column in columns.items()})


def purchase_chances(world: World, state: State, slates: np.ndarray) -> np.ndarray:
    """The planted truth: the chance of a purchase if the slot were clicked.

    Returns:
        Float (n_users, n_slots).
    """
    return expit(_kept(world, state, slates) - PURCHASES)


def inverse_propensities(log: FeedLog) -> np.ndarray:
    """One over the chance of the slate that each row stands in.

    Args:
        log: with a propensity in every row.

    Returns:
        Float (n,).

    Raises:
        ValueError: a propensity that was not kept, is not above 0, or is above 1.
    """
    wrong = np.flatnonzero(~((log.propensity > 0) & (log.propensity <= 1)))
    if wrong.size:
        row = wrong[0]
        raise ValueError(
            f"propensity: expected above 0 and at most 1, got {log.propensity[row]} in row "
            f"{row}; log the chances of `sampled_slates`, what was shown had one"
        )
    keys = np.stack([log.round, log.user], axis=1)
    _, slate = np.unique(keys, axis=0, return_inverse=True)
    slate = slate.ravel()
    return np.exp(-np.bincount(slate, np.log(log.propensity))[slate])


def labels(log: FeedLog, weights: Mapping[str, float]) -> np.ndarray:
    """One label an impression: a weighted sum of what was done.

    Args:
        log: impressions.
        weights: of behaviours, by name of `BEHAVIOURS`; those left out count nothing.

    Returns:
        Float (n,). A dwell or rating that is missing counts 0.

    Raises:
        ValueError: a behaviour that the log does not have.
    """
    unknown = sorted(set(weights) - set(BEHAVIOURS))
    if unknown:
        raise ValueError(
            f"weights: expected names of {', '.join(BEHAVIOURS)}, got {unknown[0]!r}"
        )
    label = np.zeros(len(log))
    for name, weight in weights.items():
        label += weight * np.nan_to_num(getattr(log, name).astype(float))
    return label


@dataclass(frozen=True)
class Conversion:
    """Purchases per click, per impression, and per impression had it been clicked."""

    per_click: float
    per_impression: float
    entire_space: float


def conversion(log: FeedLog, click_chances: np.ndarray) -> Conversion:
    """Read conversion in three ways.

    The first is of those who clicked, who like the item more than those who were shown
    it. The last weighs each purchase by one over the chance of its click, and so speaks
    of all impressions.

    Args:
        log: impressions.
        click_chances: float (n,), the chance that each row was clicked.

    Returns:
        The three readings.

    Raises:
        ValueError: a log without a click, or chances of another shape or not above 0.
    """
    chances = np.asarray(click_chances, dtype=float)
    if chances.shape != log.click.shape or not ((chances > 0) & (chances <= 1)).all():
        raise ValueError(
            f"click_chances: expected {len(log)} numbers above 0 and at most 1, got shape "
            f"{chances.shape} with least {chances.min(initial=1)}; a row that can't be "
            "clicked tells nothing of what follows a click"
        )
    if not log.click.any():
        raise ValueError("log: expected a click, got none; conversion follows a click")
    bought = log.purchase & log.click
    return Conversion(
        per_click=float(bought.sum() / log.click.sum()),
        per_impression=float(bought.mean()),
        entire_space=float((bought / chances).mean()),
    )


def _chances(propensities: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """One a slot; NaN where none were kept."""
    if propensities is None:
        return np.full(shape, np.nan)
    if np.shape(propensities) != shape:
        raise ValueError(
            f"propensities: expected one for each slot, {shape}, got "
            f"{np.shape(propensities)}; give them as `sampled_slates` does"
        )
    return np.asarray(propensities, dtype=float)


def _kept(world: World, state: State, slates: np.ndarray) -> np.ndarray:
    """What each slot gives once it is taken, (n_users, n_slots)."""
    return utilities(world, state, slates) - world.lure[np.asarray(slates)]


def _done(
    world: World, kept: np.ndarray, chosen: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """What follows a click. Minutes have the budget as their mean whatever was kept.

    What disappoints is left early more often (a gamma of lower shape).
    """
    shape = np.exp(np.clip(kept, -2, 2))
    minutes = rng.gamma(shape, world.minutes / shape)
    stars = np.clip(np.rint(3 + kept + rng.normal(0, 0.5, kept.shape)), 1, 5)
    rated = chosen & (rng.random(kept.shape) < ANSWERED)
    return {
        "like": chosen & (rng.random(kept.shape) < expit(kept - LIKES)),
        "dwell": np.where(chosen, minutes, 0.0),
        "purchase": chosen & (rng.random(kept.shape) < expit(kept - PURCHASES)),
        "rating": np.where(rated, stars, np.nan),
    }
