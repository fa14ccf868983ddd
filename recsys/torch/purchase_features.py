r"""Hand-made features of a candidate: what a shop would count before it trained a network.

They are the input of the gradient-boosted trees that every target ranker has to stand
beside. Each is made of the question's history, of the fitted log, or of the product.
"""

import numpy as np

from recsys.data import Interactions
from recsys.torch.candidates import Candidates, repeat_counts

NAMES = ("times", "days since", "times in group", "days since in group", "share", "share of group", "events",
         "days since last visit", "rows", "rows of group", "repurchase rate", "price", "price against the usual")
"""The columns, in order."""


def purchase_features(candidates: Candidates, fitted: Interactions, groups: np.ndarray,
                      prices: np.ndarray) -> np.ndarray:
    """Count for each candidate how often and how lately it, and its group, were bought before.

    Args:
        candidates: n_rows of them.
        fitted: the log from which rows and repurchase rates of products are counted.
        groups: int (n_items,), such as the subclass, from 0.
        prices: (n_items,) at least 0.

    Returns:
        Float array (n_rows, 13), columns as `NAMES`; NaN where the customer has nothing to count
        from, which trees can read.
    """
    asked_about, items, question = candidates.questions, candidates.items, candidates.question
    times, lately = repeat_counts(candidates)
    in_group, lately_in_group = repeat_counts(candidates, groups)
    events = asked_about.lengths()
    with np.errstate(divide="ignore", invalid="ignore"):
        share, group_share = times / events[question], in_group / events[question]
        usual = _price_sums(asked_about, np.log1p(prices)) / events
    newest = asked_about.event_days[np.maximum(asked_about.ends - 1, 0)] if len(asked_about.event_days) else 0
    visit = np.where(events > 0, asked_about.days - newest, np.nan)
    rows = np.bincount(fitted.items, minlength=fitted.n_items)
    rows_of_group = np.bincount(groups, weights=rows)[groups]
    return np.column_stack([
        times, _or_nan(lately), in_group, _or_nan(lately_in_group), share, group_share, events[question],
        visit[question], rows[items], rows_of_group[items], _repurchase_rates(fitted)[items],
        np.log1p(prices)[items], np.log1p(prices)[items] - usual[question],
    ]).astype(np.float32)  # fmt: skip


def _or_nan(days: np.ndarray) -> np.ndarray:
    return np.where(days < 0, np.nan, days)


def _price_sums(asked_about, prices: np.ndarray) -> np.ndarray:
    """Sum of the prices in each history, (n_questions,)."""
    running = np.concatenate([[0.0], np.cumsum(prices[asked_about.event_items])])
    return running[asked_about.ends] - running[asked_about.starts]


def _repurchase_rates(fitted: Interactions) -> np.ndarray:
    """Share of an item's customers who came back for it, (n_items,); NaN for one never sold."""
    days = np.unique(np.column_stack([fitted.users, fitted.items, fitted.times]), axis=0)
    pairs, n_days = np.unique(days[:, 0] * fitted.n_items + days[:, 1], return_counts=True)
    items = pairs % fitted.n_items
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.bincount(items[n_days > 1], minlength=fitted.n_items) / np.bincount(items, minlength=fitted.n_items)
