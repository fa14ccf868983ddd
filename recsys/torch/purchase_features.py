r"""Hand-made features of a candidate: what a shop would count before it trained a network.

They are the input of the gradient-boosted trees that every target ranker has to stand
beside. Each is made of the question's history, of the fitted log, or of the product.
"""

import numpy as np

from recsys.data import Interactions
from recsys.torch.candidates import Candidates, repeat_counts

NAMES = ("times", "days since", "times in group", "days since in group", "share", "share of group", "events",
         "days since last visit", "share of sales", "share of sales of group", "repurchase rate", "price", "price against the usual")
"""The columns, in order."""


def purchase_features(candidates: Candidates, fitted: Interactions, groups: np.ndarray,
                      prices: np.ndarray) -> np.ndarray:
    """Count for each candidate how often and how lately it, and its group, were bought before.

    Args:
        candidates: n_rows of them.
        fitted: the log from which sales and repurchases of products are counted, up to the day
            before the one asked about: the basket asked for never counts, nor what came later.
        groups: int (n_items,), such as the subclass, from 0.
        prices: (n_items,) finite, at least 0.

    Returns:
        Float array (n_rows, 13), columns as `NAMES`; NaN where there is nothing to count from,
        which trees can read.

    Raises:
        ValueError: groups or prices of another shape or out of range.
    """
    asked_about, items, question = candidates.questions, candidates.items, candidates.question
    prices = np.asarray(prices, dtype=float)
    if prices.shape != (asked_about.n_items,) or not (np.isfinite(prices) & (prices >= 0)).all():
        raise ValueError(f"prices: expected {asked_about.n_items} finite numbers of at least 0, one for each item; "
                         "fill a missing one, for example with the median of its group")
    times, lately = repeat_counts(candidates)
    in_group, lately_in_group = repeat_counts(candidates, groups)
    events = asked_about.lengths()
    with np.errstate(divide="ignore", invalid="ignore"):
        share, group_share = times / events[question], in_group / events[question]
        usual = _price_sums(asked_about, np.log1p(prices)) / events
    newest = asked_about.event_days[np.maximum(asked_about.ends - 1, 0)] if len(asked_about.event_days) else 0
    visit = np.where(events > 0, asked_about.days - newest, np.nan)
    return np.column_stack([
        times, _or_nan(lately), in_group, _or_nan(lately_in_group), share, group_share, events[question],
        visit[question], *_sales(asked_about.days[question], items, fitted, groups),
        np.log1p(prices)[items], np.log1p(prices)[items] - usual[question],
    ]).astype(np.float32)  # fmt: skip


def _or_nan(days: np.ndarray) -> np.ndarray:
    return np.where(days < 0, np.nan, days)


def _price_sums(asked_about, prices: np.ndarray) -> np.ndarray:
    """Sum of the prices in each history, (n_questions,)."""
    running = np.concatenate([[0.0], np.cumsum(prices[asked_about.event_items])])
    return running[asked_about.ends] - running[asked_about.starts]


def _sales(days: np.ndarray, items: np.ndarray, fitted: Interactions, groups: np.ndarray) -> tuple[np.ndarray, ...]:
    """Before each day: share of the rows of an item and of its group, and share of its customers who came back."""
    marks, place = np.unique(days, return_inverse=True)
    rows = _before(marks, fitted.times, fitted.items, fitted.n_items)  # (days, n_items)
    of_groups = _before(marks, fitted.times, groups[fitted.items], groups.max() + 1)
    visits = np.unique(np.stack([fitted.users, fitted.items, fitted.times]), axis=1)  # one a customer, item and day
    new = np.r_[True, (np.diff(visits[:2], axis=1) != 0).any(axis=0)][:visits.shape[1]]
    second = np.r_[False, new[:-1] & ~new[1:]][:visits.shape[1]]
    first_time, came_back = (_before(marks, visits[2, which], visits[1, which], fitted.n_items) for which in (new, second))
    with np.errstate(divide="ignore", invalid="ignore"):
        total = rows.sum(axis=1)[place]
        return (rows[place, items] / total, of_groups[place, groups[items]] / total,
                came_back[place, items] / first_time[place, items])


def _before(marks: np.ndarray, days: np.ndarray, what: np.ndarray, n: int) -> np.ndarray:
    """How often each of n things stands on a day before each mark (ascending), (n_marks, n)."""
    counts = np.zeros((len(marks) + 1, n), dtype=np.int32)
    np.add.at(counts, (np.searchsorted(marks, days, side="right"), what), 1)
    return np.cumsum(counts, axis=0)[:-1]
