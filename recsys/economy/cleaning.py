"""From a raw log to one that can be learned from: doubles, bots, dwell, gaps.

A `Cleaning` is fitted to the training log and then applied to any, so nothing of a test
log can leak into what is done to it. To clean twice is to clean once.

Source: Yi et al. (2014), Beyond clicks, section 3, for dwell below a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recsys.economy.events import FeedLog

WHISKER = 3.0
"""Quartile distances above the third quartile from which on a user is far out (Tukey)."""

NEVER_A_BOT = 0.5
"""Whoever clicks at most this share of what is shown is never called a bot."""


@dataclass(frozen=True)
class Cleaning:
    """What a training log taught.

    Args:
        dwell: minutes that fill a click whose dwell was lost.
        most_clicks: share of impressions clicked, above which a user is a bot.
        shortest: minutes below which a click is none.
    """

    dwell: float
    most_clicks: float
    shortest: float


def fit_cleaning(train: FeedLog, *, shortest: float = 0.5) -> Cleaning:
    """Learn from a training log what a bot is and what a lost dwell may have been.

    Args:
        train: the training log alone.
        shortest: minutes below which a click is none, at least 0.

    Returns:
        The median dwell of clicks that count, by users who are no bots, and the limit:
        three quartile distances above the third quartile of the users' click shares.

    Raises:
        ValueError: a negative threshold, or no click whose dwell is known.
    """
    if not 0 <= shortest < np.inf:
        raise ValueError(
            f"shortest: expected a finite number of at least 0, got {shortest}"
        )
    train = _without_doubles(train)
    clicked = _click_shares(train)
    low, high = np.quantile(clicked, [0.25, 0.75]) if len(train) else (0, 0)
    limit = max(NEVER_A_BOT, float(high + WHISKER * (high - low)))
    train = _without_bots(train, limit)
    known = train.dwell[train.click & (train.dwell >= shortest)]
    if not known.size:
        raise ValueError(
            f"train: expected a click with a dwell of at least {shortest}, got none; "
            "fit on a log with clicks"
        )
    return Cleaning(float(np.median(known)), limit, shortest)


def clean(log: FeedLog, fitted: Cleaning) -> FeedLog:
    """Drop doubles and bots, fill lost dwell, and count no click that was left at once.

    Args:
        log: raw, or clean already.
        fitted: from `fit_cleaning`, on the training log.

    Returns:
        The cleaned log, in the order of rows; `imputed` marks what was filled. Ratings
        that were not given stay missing: nobody was asked to guess them.
    """
    log = _without_bots(_without_doubles(log), fitted.most_clicks)
    lost = np.isnan(log.dwell)
    dwell = np.where(lost, np.where(log.click, fitted.dwell, 0.0), log.dwell)
    click = log.click & (dwell >= fitted.shortest)
    return replace(log, dwell=dwell, click=click, imputed=log.imputed | lost)


def _without_doubles(log: FeedLog) -> FeedLog:
    """One row for each round, user, item and position: the first."""
    keys = np.stack([log.round, log.user, log.item, log.position], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    return log.rows(np.sort(first))


def _without_bots(log: FeedLog, most_clicks: float) -> FeedLog:
    users, place = np.unique(log.user, return_inverse=True)
    return log.rows(_click_shares(log)[place] <= most_clicks) if users.size else log


def _click_shares(log: FeedLog) -> np.ndarray:
    """Share of impressions clicked by each user of the log, in rising order of users."""
    _, place, shown = np.unique(log.user, return_inverse=True, return_counts=True)
    return np.bincount(place, log.click, minlength=len(shown)) / shown
