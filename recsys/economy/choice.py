r"""A feed as a market: what a slate is worth, and how a budget of minutes is divided.

A user divides a budget among the slots of a slate and whatever else there is to do:

    p_k = e_k exp(u_k / T) / Z,   Z = sum_k e_k exp(u_k / T) + exp(u_0 / T).

This is the allocation of the book's Part I with a habit in front: e_k, how readily slot
k is looked at. p is the share of the budget in expectation, or the chances of a choice
that is drawn. T log Z is what the choice is worth, and p_k is its slope in u_k.

Choice by random utility never gives an incumbent more when a rival comes. Two models
that can are here beside it: nests with a parameter above one, and rational inattention.

Sources: McFadden (1974), logit; McFadden (1978), nests; Matejka and McKay (2015,
American Economic Review 105), theorem 1, inattention.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from recsys.attention import softmax
from recsys.checks import check_axes, check_finite, check_temperature


@dataclass(frozen=True, eq=False)
class Shares:
    """What each slot and the outside option get of a budget, and what that is worth.

    Args:
        items: float (n_users, n_slots).
        outside: float (n_users,); with `items`, rows sum to 1.
        surplus: float (n_users,), T log Z, in units of utility.
    """

    items: np.ndarray
    outside: np.ndarray
    surplus: np.ndarray


def shares(
    utilities: np.ndarray,
    *,
    temperature: float = 1.0,
    outside: float = 0.0,
    examination: np.ndarray | None = None,
) -> Shares:
    """Divide budgets among the slots of slates and the outside option.

    Args:
        utilities: float (n_users, n_slots), finite.
        temperature: above 0, the price of concentration.
        outside: utility of doing something else; -inf where there is nothing else.
        examination: float (n_slots,), above 0; 1 everywhere by default.

    Returns:
        Shares and surplus.

    Raises:
        ValueError: a temperature or an examination that is not positive, a utility that
            is not finite, an outside option that is +inf or NaN, or another shape.
    """
    check_temperature(temperature)
    scaled = np.asarray(utilities, dtype=float) / temperature  # (n_users, n_slots)
    check_axes("utilities", scaled, ("users", "slots"))
    check_finite("utilities", scaled)
    if not outside < np.inf:
        raise ValueError(
            f"outside: expected a utility below infinity, got {outside}; "
            "-inf says that there is nothing else to do"
        )
    peak = np.maximum(scaled.max(axis=1), outside / temperature)  # (n_users,)
    weights = np.exp(scaled - peak[:, None])  # (n_users, n_slots)
    if examination is not None:
        weights *= checked_examination(examination, scaled.shape[1])
    alone = np.exp(outside / temperature - peak)  # (n_users,)
    total = weights.sum(axis=1) + alone
    weights /= total[:, None]
    return Shares(weights, alone / total, temperature * (peak + np.log(total)))


def nested_shares(
    utilities: np.ndarray, nests: np.ndarray, inner: float, temperature: float = 1.0
) -> np.ndarray:
    """Divide among nests first and within each nest then: the nested logit.

    With `inner` from 0 to 1 it is a random-utility model; above 1 it is not for all
    utilities, and a rival can raise those of its own nest.

    Args:
        utilities: float (n_users, n_items), finite.
        nests: int (n_items,), the nest of each item, from 0.
        inner: the nests' parameter, above 0; 1 is plain softmax.
        temperature: above 0.

    Returns:
        Float (n_users, n_items); rows sum to 1.

    Raises:
        ValueError: a parameter that is not positive, or nests of another shape.

    Source: McFadden (1978), Modelling the choice of residential location, section 5.
    """
    if not 0 < inner < np.inf:
        raise ValueError(f"inner: expected a finite number above 0, got {inner}")
    check_temperature(temperature)
    scaled = np.asarray(utilities, dtype=float) / temperature  # (n_users, n_items)
    check_axes("utilities", scaled, ("users", "items"))
    nests = np.asarray(nests)
    if nests.shape != scaled.shape[1:]:
        raise ValueError(
            f"nests: expected one for each item, {scaled.shape[1:]}, got {nests.shape}"
        )
    nests = np.unique(nests, return_inverse=True)[1]
    divided = np.empty_like(scaled)
    worth = np.empty((len(scaled), nests.max() + 1))  # (n_users, n_nests)
    for nest in range(worth.shape[1]):
        scores = scaled[:, nests == nest] / inner
        divided[:, nests == nest] = softmax(scores)
        worth[:, nest] = inner * logsumexp(scores, axis=1)
    return divided * softmax(worth)[:, nests]


def inattentive(
    values: np.ndarray, prior: np.ndarray, temperature: float, steps: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
    """Choose with an unknown state of the world, where looking has a price.

    Args:
        values: float (n_states, n_items), what each item is worth in each state.
        prior: float (n_states,), chances of the states; they sum to 1.
        temperature: above 0, the price of a nat of information.
        steps: of the iteration, which starts from an even habit.

    Returns:
        Chances (n_states, n_items) in each state, and the habit (n_items,), their mean.

    Raises:
        ValueError: a temperature that is not positive, values that are not finite, or a
            prior that is no distribution over the states.

    Source: Matejka and McKay (2015), theorem 1; the book's chapter on allocation.
    """
    check_temperature(temperature)
    values, prior = np.asarray(values, dtype=float), np.asarray(prior, dtype=float)
    check_finite("values", values)
    fits = prior.shape == values.shape[:1] and (prior >= 0).all()
    if not fits or abs(prior.sum() - 1) > 1e-9:
        raise ValueError(
            f"prior: expected {len(values)} chances that sum to 1, got {prior.tolist()}"
        )
    peak = values.max(axis=1, keepdims=True)
    lift = np.exp((values - peak) / temperature)  # (n_states, n_items)
    habit = np.full(values.shape[1], 1 / values.shape[1])
    for _ in range(steps):
        chances = habit * lift
        chances /= chances.sum(axis=1, keepdims=True)
        habit = prior @ chances
    return chances, habit


def checked_examination(examination: np.ndarray, n_slots: int) -> np.ndarray:
    """Require a number above 0 for each slot.

    Raises:
        ValueError: another shape, or a number that is not positive.
    """
    examined = np.asarray(examination, dtype=float)
    if examined.shape != (n_slots,) or not (examined > 0).all():
        raise ValueError(
            f"examination: expected {n_slots} numbers above 0, one for each slot, got "
            f"{examined.tolist()}; leave a slot out that nobody looks at"
        )
    return examined
