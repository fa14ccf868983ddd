r"""Auctions of slots: who gets which slot, what each bidder pays, and whether a lie pays.

A look at slot k brings c_k clicks, most at the top; a click is worth v_i to bidder i.
Each rule gives the slots in order of the bids. They differ in what a click costs:

    first price   the own bid
    second price  the next bid, or the reserve if that is more (generalised: any slots)
    VCG           what the others lose by the bidder's being there:
                  payment_k = sum over j >= k of (c_j - c_{j+1}) max(b_{j+1}, reserve)

With one slot, second price and VCG are one. `soft_auction` divides one slot by a softmax.

Sources: Vickrey (1961), Clarke (1971), Groves (1973); Edelman, Ostrovsky and Schwarz
(2007, American Economic Review 97) and Varian (2007, International Journal of Industrial
Organization 25), slots; Huang and Kannan (2012, https://arxiv.org/abs/1204.1255), the
soft auction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from recsys.attention import softmax
from recsys.checks import check_axes, check_finite, check_temperature

NUDGE = 1e-7
"""How far above a rival's bid a lie is tried, in units of the largest value."""


@dataclass(frozen=True, eq=False)
class Sold:
    """What each bidder of each auction got, and paid.

    Args:
        clicks: float (..., n_bidders), expected.
        payments: float (..., n_bidders), money for all of them.
    """

    clicks: np.ndarray
    payments: np.ndarray

    def profits(self, values: np.ndarray) -> np.ndarray:
        """Clicks times `values`, money a click, less payments: (..., n_bidders)."""
        return self.clicks * values - self.payments


Rule = Callable[..., Sold]
"""`first_price`, `generalised_second_price` or `vcg`."""


def first_price(bids: np.ndarray, clicks: np.ndarray, *, reserve: float = 0.0) -> Sold:
    """Sell slots by bids; a click costs the own bid.

    Args:
        bids: float (..., n_bidders), money a click, at least 0; ties go to the first.
        clicks: float (n_slots,), never rising, at least 0.
        reserve: the lowest bid that is served.

    Returns:
        Clicks and payments of each bidder.

    Raises:
        ValueError: bids, clicks or a reserve that are negative or not finite, or clicks
            that rise.
    """
    order, ranked, rates, _ = _ranked(bids, clicks, reserve)
    return _handed_out(order, rates, rates * ranked)


def generalised_second_price(
    bids: np.ndarray, clicks: np.ndarray, *, reserve: float = 0.0
) -> Sold:
    """Sell slots by bids; a click costs the next bid, or the reserve. As `first_price`."""
    order, _, rates, following = _ranked(bids, clicks, reserve)
    return _handed_out(order, rates, rates * following)


def vcg(bids: np.ndarray, clicks: np.ndarray, *, reserve: float = 0.0) -> Sold:
    """Sell slots by bids; each pays what the others lose by it. As `first_price`."""
    order, _, rates, following = _ranked(bids, clicks, reserve)
    lost = -np.diff(rates, append=0.0, axis=-1) * following  # (..., n_bidders)
    return _handed_out(order, rates, lost[..., ::-1].cumsum(axis=-1)[..., ::-1])


def profits_by_bid(
    rule: Rule,
    values: np.ndarray,
    clicks: np.ndarray,
    bidder: int,
    own: np.ndarray,
    *,
    bids: np.ndarray | None = None,
) -> np.ndarray:
    """What one bidder would earn with each of many bids, the others' bids fixed.

    Args:
        rule: of the auction.
        values: float (n_bidders,), money a click.
        clicks: float (n_slots,).
        bidder: whose bid is varied.
        own: float (n_own,), the bids that are tried.
        bids: float (n_bidders,), of the others; their values by default.

    Returns:
        Float (n_own,), profits.
    """
    others = np.asarray(values if bids is None else bids, dtype=float)
    tried = np.tile(others, (len(own), 1))  # (n_own, n_bidders)
    tried[:, bidder] = own
    return rule(tried, clicks).profits(values)[:, bidder]


def best_deviation(
    rule: Rule,
    values: np.ndarray,
    clicks: np.ndarray,
    *,
    bids: np.ndarray | None = None,
) -> float:
    """The most that any bidder gains by leaving its bid, the others' bids fixed.

    Tried are 0 and a nudge above each rival's bid: every place in the order.
    Second price and VCG depend on the place alone, so nothing is missed; in a first-price
    auction the best of each place is, by a nudge.

    Args:
        rule, values, clicks: as in `profits_by_bid`.
        bids: float (n_bidders,), what all bid; their values by default.

    Returns:
        Profit of the best lie less that of the bid, money; at most 0 in an equilibrium.
    """
    values = np.asarray(values, dtype=float)
    stay = values if bids is None else np.asarray(bids, dtype=float)
    honest = rule(stay, clicks).profits(values)  # (n_bidders,)
    nudge = NUDGE * max(values.max(), stay.max())
    gains = []
    for bidder in range(len(values)):
        rivals = np.delete(stay, bidder)
        own = np.r_[0.0, rivals + nudge]
        earned = profits_by_bid(rule, values, clicks, bidder, own, bids=stay)
        gains.append(earned.max() - honest[bidder])
    return float(max(gains))


def lowest_envy_free_bids(values: np.ndarray, clicks: np.ndarray) -> np.ndarray:
    """The lowest bids at which nobody would rather have another's slot at its price.

    The bid for slot k leaves its owner indifferent between that slot and the one above,
    at the prices of the generalised second-price auction:
    c_{k-1} b_k = (c_{k-1} - c_k) v_k + c_k b_{k+1}. The first bids its value.

    Args:
        values: float (n_bidders,), money a click.
        clicks: float (n_slots,), above 0 and never rising.

    Returns:
        Float (n_bidders,).

    Raises:
        ValueError: as in `first_price`.

    Source: Edelman, Ostrovsky and Schwarz (2007), theorem 1; Varian (2007).
    """
    order, ranked, rates, _ = _ranked(values, clicks, 0.0)
    bids, n_slots = ranked.copy(), np.count_nonzero(rates)
    for k in range(n_slots - 1, 0, -1):
        below = bids[k + 1] if k + 1 < len(bids) else 0.0
        kept = rates[k] / rates[k - 1]
        bids[k] = (1 - kept) * ranked[k] + kept * below
    given = np.empty_like(bids)
    given[order] = bids
    return given


def soft_auction(bids: np.ndarray, temperature: float) -> Sold:
    """Divide one slot by softmax(bids / temperature), at prices that make truth best.

    The shares p maximise bids @ p plus temperature times their entropy. Bidder i pays
    what it takes from the others of that sum: p_i b_i + temperature log(1 - p_i). A
    negative payment is a subsidy for the variety that a low bidder adds.

    Args:
        bids: float (..., n_bidders), at least two bidders.
        temperature: above 0, money.

    Returns:
        Shares as clicks, and payments.

    Raises:
        ValueError: a temperature that is not positive, or bids that are not finite.

    Source: Huang and Kannan (2012), with their 2 / epsilon as temperature.
    """
    check_temperature(temperature)
    bids = np.asarray(bids, dtype=float)
    check_finite("bids", bids)
    shares = softmax(bids / temperature)
    others = np.where(np.eye(bids.shape[-1], dtype=bool), -np.inf, bids[..., None, :])
    without = temperature * logsumexp(others / temperature, axis=-1)
    surplus = temperature * logsumexp(bids / temperature, axis=-1, keepdims=True)
    return Sold(shares, shares * bids + without - surplus)


def _ranked(
    bids: np.ndarray, clicks: np.ndarray, reserve: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Order, bids, rates of the slots and next prices, all (..., n_bidders), best first.

    A place without a slot, or with a bid below the reserve, has the rate 0.
    """
    bids, clicks = np.asarray(bids, dtype=float), np.asarray(clicks, dtype=float)
    _check(bids, clicks, reserve)
    order = np.argsort(-bids, axis=-1, kind="stable")
    ranked = np.take_along_axis(bids, order, axis=-1)
    n_bidders = bids.shape[-1]
    rates = np.zeros(n_bidders)
    rates[: len(clicks)] = clicks[:n_bidders]
    rates = np.where(ranked >= reserve, rates, 0.0)  # (..., n_bidders)
    last = np.zeros_like(ranked[..., :1])
    following = np.concatenate([ranked[..., 1:], last], axis=-1)
    return order, ranked, rates, np.maximum(following, reserve)


def _handed_out(order: np.ndarray, rates: np.ndarray, payments: np.ndarray) -> Sold:
    """From places back to bidders."""
    clicks, money = np.empty_like(rates), np.empty_like(payments)
    np.put_along_axis(clicks, order, rates, axis=-1)
    np.put_along_axis(money, order, payments, axis=-1)
    return Sold(clicks, money)


def _check(bids: np.ndarray, clicks: np.ndarray, reserve: float) -> None:
    check_axes("clicks", clicks, ("slots",))
    for name, numbers in (("bids", bids), ("clicks", clicks), ("reserve", reserve)):
        check_finite(name, np.asarray(numbers))
        if np.min(numbers) < 0:
            raise ValueError(
                f"{name}: expected at least 0, got {np.min(numbers)}; "
                "who stays away bids 0"
            )
    if (np.diff(clicks) > 0).any():
        raise ValueError(
            f"clicks: expected slots from best to worst, got {clicks}; sort them"
        )
