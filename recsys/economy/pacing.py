r"""Budgets and quotas that are met by a price: pacing of bids, and boosts of exposures.

*Pacing.* An advertiser with a budget B meets n second-price auctions one after another.
Of all that it could win it should win those with the most value for the money: bid
v / (1 + mu) everywhere, with mu the shadow price of the budget. `pace` finds mu while
the day runs: what was spent above plan raises it. `hindsight` knows the day.

*Quota.* A group of items must get a share q of the exposures. The cheapest way is to add
one boost to all scores of the group: the shadow price of the quota. `boost_for` finds it
at once, `control` while the feed runs, by an integral controller.

Sources: Balseiro and Gur (2019, Management Science 65), adaptive pacing, here with a step
in units of the planned spending; the quota is the multiplier of a linear programme.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.checks import check_axes, check_finite, check_same_shape


@dataclass(frozen=True, eq=False)
class Campaign:
    """What budgets bought in one day.

    Args:
        value: float (n_campaigns,).
        spent: float (n_campaigns,), at most the budget.
        paid: float (n_auctions, n_campaigns), for each auction.
        prices: float (n_auctions, n_campaigns), mu before each auction.
    """

    value: np.ndarray
    spent: np.ndarray
    paid: np.ndarray
    prices: np.ndarray


def pace(
    values: np.ndarray,
    rivals: np.ndarray,
    budgets: np.ndarray,
    *,
    step: float | np.ndarray,
    coins: np.ndarray | None = None,
) -> Campaign:
    """Buy through a day of second-price auctions with a budget, by a moving price of money.

    After each auction log(1 + mu), at least 0, rises by the step times (paid / planned
    - 1), where planned is the budget by the number of auctions. The bid is v / (1 + mu),
    but never more than what is left.

    Args:
        values: float (n_auctions, n_campaigns), what each win is worth.
        rivals: float (n_auctions, n_campaigns), the highest bid of the others.
        budgets: float (n_campaigns,), above 0.
        step: at least 0; 0 bids the value until the budget is gone.
        coins: float (n_auctions, n_campaigns) in [0, 1); if given, bids are not lowered:
            the campaign enters, at its value, where the coin is below 1 / (1 + mu).

    Returns:
        Value, spending and prices; a campaign that ties with its rival wins.

    Raises:
        ValueError: another shape, numbers that are not finite, or a negative step.
    """
    values, rivals = np.asarray(values, float), np.asarray(rivals, float)
    budgets = np.asarray(budgets, float)
    _check_day(values, rivals, budgets, step)
    n_auctions, planned = len(values), budgets / len(values)
    left, log_price = budgets.copy(), np.zeros_like(budgets)
    gained = np.zeros_like(budgets)
    prices, paid = np.empty_like(values), np.empty_like(values)
    for t in range(n_auctions):
        share = np.exp(-log_price)  # 1 / (1 + mu), (n_campaigns,)
        prices[t] = 1 / share - 1
        wanted = values[t] * share if coins is None else values[t] * (coins[t] < share)
        won = (np.minimum(wanted, left) >= rivals[t]) & (wanted > 0)
        paid[t] = np.where(won, rivals[t], 0.0)
        left, gained = left - paid[t], gained + won * values[t]
        log_price = np.maximum(log_price + step * (paid[t] / planned - 1), 0.0)
    return Campaign(gained, budgets - left, paid, prices)


def hindsight(
    values: np.ndarray, rivals: np.ndarray, budget: float
) -> tuple[float, float]:
    """The most value that a budget could have bought of a day, and its shadow price.

    Auctions are bought in order of value for the money as long as it is above 1, the
    last one in part: the optimum of a linear programme, which no bidding exceeds.

    Args:
        values, rivals: float (n_auctions,); prices above 0.
        budget: above 0.

    Returns:
        The value, and mu, by which a bidder who bids v / (1 + mu) wins just these; 0
        where the budget is enough.

    Raises:
        ValueError: another shape or numbers that are not finite.
    """
    values, rivals = np.asarray(values, float), np.asarray(rivals, float)
    _check_day(values[:, None], rivals[:, None], np.array([budget]), 0.0)
    worth = values / rivals
    order = np.argsort(-worth, kind="stable")
    order = order[worth[order] >= 1]
    cost = np.cumsum(rivals[order])
    full = int(np.searchsorted(cost, budget, side="right"))  # that many, as a whole
    value = values[order[:full]].sum()
    if full == len(order):
        return float(value), 0.0
    left = budget - (cost[full - 1] if full else 0.0)
    part = order[full]
    return float(value + left * worth[part]), float(worth[part] - 1)


def boost_for(gaps: np.ndarray, quota: float) -> float:
    """The boost with which a group gets a share of the exposures.

    Args:
        gaps: float (n,), of each exposure: the best score outside less that inside.
        quota: above 0, at most 1.

    Returns:
        The smallest boost, in units of score, at which the share is at least the quota;
        0 where it is without.

    Raises:
        ValueError: a quota out of range, or gaps that are not finite.
    """
    gaps = np.asarray(gaps, dtype=float)
    check_finite("gaps", gaps)
    if not 0 < quota <= 1:
        raise ValueError(f"quota: expected above 0 and at most 1, got {quota}")
    needed = int(np.ceil(quota * len(gaps) - 1e-9))
    return float(max(np.partition(gaps, needed - 1)[needed - 1], 0.0))


def control(
    gaps: np.ndarray, quota: float, gain: float
) -> tuple[np.ndarray, np.ndarray]:
    """Meet a quota round by round: the boost rises by gain times what was missing.

    Args:
        gaps: float (n_rounds, n_exposures), as in `boost_for`, of each round.
        quota: the share that is wanted.
        gain: units of score for a whole share; at least 0.

    Returns:
        Boosts before each round, and the share in it: float (n_rounds,) each. A boost
        is never negative.

    Raises:
        ValueError: a negative gain, or gaps that are not finite.
    """
    gaps = np.asarray(gaps, dtype=float)
    check_axes("gaps", gaps, ("rounds", "exposures"))
    check_finite("gaps", gaps)
    if not gain >= 0:
        raise ValueError(f"gain: expected at least 0, got {gain}")
    boosts, shares, boost = np.empty(len(gaps)), np.empty(len(gaps)), 0.0
    for t, gap in enumerate(gaps):
        boosts[t], shares[t] = boost, (gap <= boost).mean()
        boost = max(boost + gain * (quota - shares[t]), 0.0)
    return boosts, shares


def _check_day(
    values: np.ndarray, rivals: np.ndarray, budgets: np.ndarray, step: float | np.ndarray
) -> None:
    check_axes("values", values, ("auctions", "campaigns"))
    check_same_shape("values", values, "rivals", rivals)
    for name, numbers in (("values", values), ("rivals", rivals), ("budgets", budgets)):
        check_finite(name, numbers)
    if budgets.shape != values.shape[1:] or (budgets <= 0).any():
        raise ValueError(
            f"budgets: expected one above 0 for each of {values.shape[1]} campaigns, "
            f"got {budgets}"
        )
    if np.min(step) < 0:
        raise ValueError(f"step: expected at least 0, got {np.min(step)}")
