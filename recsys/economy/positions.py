"""How likely a slot is looked at, from clicks alone.

The position model: an item in slot k is clicked if it is looked at, with chance e_k,
and liked, with chance g_i; the two are independent. Only the product is seen, so
chances of slots are told relative to the first.

Sources: Richardson, Dominowska and Ragno (2007), the model; Joachims, Swaminathan and
Schnabel (2017), exchanged results; Wang et al. (2018), expectation-maximisation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recsys.checks import check_indices


class Positions(NamedTuple):
    """Chances: of a look at each slot, the first at 1, and of each item to be liked."""

    examination: np.ndarray
    liking: np.ndarray


def slot_rates(slots: np.ndarray, clicks: np.ndarray, n_slots: int) -> np.ndarray:
    """Clicks a row in each slot, over that of the first: the truth if slots were dealt.

    Args:
        slots: int (n_rows,), from 0.
        clicks: bool (n_rows,).
        n_slots: how many there are.

    Returns:
        Float (n_slots,), 1 for the first.

    Raises:
        ValueError: a slot without a row, or a first slot without a click.
    """
    check_indices("slots", np.asarray(slots), n_slots, "count slots from 0")
    shown = np.bincount(slots, minlength=n_slots)
    if (shown == 0).any():
        raise ValueError(
            f"slots: expected rows in all {n_slots}, got none in slot "
            f"{shown.argmin()}; leave it out"
        )
    rates = np.bincount(slots, clicks, minlength=n_slots) / shown
    if rates[0] == 0:
        raise ValueError(
            "clicks: expected one in the first slot, got none; there is nothing to "
            "compare the others by"
        )
    return rates / rates[0]


def fit_positions(
    items: np.ndarray, slots: np.ndarray, clicks: np.ndarray, n_steps: int = 200
) -> Positions:
    """Fit the position model by expectation-maximisation.

    A row without a click was looked at with chance e (1 - g) / (1 - e g), and liked
    with chance g (1 - e) / (1 - e g). Averages of these are the next e and g. Slots and
    items are told apart only as far as items stand in several slots.

    Args:
        items: int (n_rows,), from 0.
        slots: int (n_rows,), from 0.
        clicks: bool (n_rows,).
        n_steps: of the algorithm; each raises the likelihood or leaves it.

    Returns:
        Float (n_slots,) and (n_items,). Those of items are times what the first slot's
        chance is, so a click in the first slot.

    Raises:
        ValueError: columns of unequal lengths, or a slot or an item without a row.
    """
    items, slots, clicks = np.asarray(items), np.asarray(slots), np.asarray(clicks)
    if not items.shape == slots.shape == clicks.shape:
        raise ValueError(
            f"items, slots, clicks: expected one length, got {items.shape}, "
            f"{slots.shape}, {clicks.shape}; hand in a row an impression"
        )
    shape = slots.max() + 1, items.max() + 1
    cell = np.ravel_multi_index((slots, items), shape)
    shown = np.bincount(cell, minlength=np.prod(shape)).reshape(shape).astype(float)
    clicked = np.bincount(cell, clicks, minlength=np.prod(shape)).reshape(shape)
    if not (shown.sum(axis=0) > 0).all() or not (shown.sum(axis=1) > 0).all():
        raise ValueError(
            "rows: expected every slot and item up to the largest, got one without; "
            "number them without gaps"
        )
    e, g = np.full(shape[0], 0.5), np.full(shape[1], 0.5)
    for _ in range(n_steps):
        missed = (shown - clicked) / (1 - np.outer(e, g))
        looked = clicked + missed * e[:, None] * (1 - g)
        liked = clicked + missed * (1 - e[:, None]) * g
        e = looked.sum(axis=1) / shown.sum(axis=1)
        g = liked.sum(axis=0) / shown.sum(axis=0)
    return Positions(e / e[0], g * e[0])
