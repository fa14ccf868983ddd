"""What a shop knows of one customer and one product before a visit, as a row of numbers.

``ShopLog`` holds what is counted once over a log; ``pairs`` proposes products for
each customer and describes each pair. Popularity counts only days before the visit, where its
day is known. How often a product is bought again and what goes with what are counted over the
whole log that is given: a lesson gives one without anybody's answers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recsys.baselines.neighbours import ItemKNN
from recsys.batches.visits import visits
from recsys.data import Interactions
from recsys.recommender import recency_matrix

HALF_LIVES = (1, 3, 10)
"""Days in which a sale loses half its weight, of the three popularities."""

FEATURES = (
    "times bought", "share of visits", "decayed times", "decayed visits", "days since bought", "visits since bought",
    "days over usual gap", "popularity 1", "popularity 3", "popularity 10", "trend", "share that buys again",
    "rows per buyer", "usual gap", "similarity to history", "visits", "basket size", "days since visit",
    "days between visits", "share of new products", "popularity at the end",
)


class Pairs(NamedTuple):
    """Pairs of a customer (a row of the question) and a product, sorted by both, and their features.

    ``rows`` and ``items`` are (n,) int, ``features`` (n, len(FEATURES)) float32; NaN = not defined.
    """

    rows: np.ndarray
    items: np.ndarray
    features: np.ndarray


class ShopLog:
    """Counts over one log that describe products: sales by day, repeats, and what is bought together.

    Parameters
    ----------
    interactions : Interactions, with times in days
    candidates : int
        How many products come from each source: sales with a half-life of 1 and of 3
        days, and similarity to the history. The history itself is always proposed.
    """

    def __init__(self, interactions: Interactions, candidates: int) -> None:
        self.candidates = min(candidates, interactions.n_items)
        self.first, self.last = int(interactions.times.min()), int(interactions.times.max())
        self.popularity = np.stack([_shares(interactions, self.first, self.last, life) for life in HALF_LIVES])
        self.usual = _repeats(interactions)
        self.similarity = ItemKNN(200, 20.0).fit(interactions).similarity

    def shares(self, days: np.ndarray) -> np.ndarray:
        """(n half-lives, n, n_items): each product's share of the decayed sales before each of ``days`` (n,).

        Days after the end of the log see its end.
        """
        return self.popularity[:, np.clip(days - self.first, 0, self.last + 1 - self.first)]

    def pairs(self, past: Interactions, days: np.ndarray, known: bool) -> Pairs:
        """Propose products for each user of ``past`` who comes on ``days`` (n_users,), and describe the pairs.

        Where the days are not ``known`` but supposed, nobody can say which sales came
        before the visit, and the popularity at the end of the log is told too (0 elsewhere).
        """
        n_items = past.n_items
        related = (recency_matrix(past, 0.98) @ self.similarity).toarray().astype(np.float32)  # (n_users, n_items)
        shares = self.shares(days)
        keys = [past.users * n_items + past.items, _tops(shares[0], self.candidates), _tops(shares[1], self.candidates),
                _tops(related, self.candidates)]
        rows, items = np.divmod(np.unique(np.concatenate(keys)), n_items)
        log_shares = np.log(shares[:, rows, items] + 1e-6)
        described = _own(past, days, rows, items, self.usual[2])
        described += [*log_shares, log_shares[0] - log_shares[2], *self.usual[:, items], related[rows, items]]
        described += [feature[rows] for feature in _habits(past, days)]
        described += [np.zeros(len(rows)) if known else np.log(self.popularity[-1, -1, items] + 1e-6)]
        return Pairs(rows, items, np.stack(described, axis=1).astype(np.float32))


def _shares(log: Interactions, first: int, last: int, half_life: float) -> np.ndarray:
    """(n_days + 1, n_items): row d holds decayed shares of the sales of days before ``first + d``."""
    sales = np.zeros((last + 2 - first, log.n_items), dtype=np.float32)
    np.add.at(sales, (log.times - first + 1, log.items), 1)
    for day in range(1, len(sales)):
        sales[day] += 0.5 ** (1 / half_life) * sales[day - 1]
    return sales / np.maximum(sales.sum(axis=1, keepdims=True), 1)


def _repeats(log: Interactions) -> np.ndarray:
    """(3, n_items): the share of buyers who buy again, rows per buyer, mean days between; few buyers are smoothed."""
    pairs = _ByPair(log)
    items = pairs.keys % log.n_items
    buyers, again, rows, days, gaps = (
        np.bincount(items, weights=weights, minlength=log.n_items) for weights in
        (np.ones(len(items)), pairs.count > 1, pairs.count, pairs.newest - pairs.oldest, pairs.count - 1))
    return np.stack([(again + 1) / (buyers + 20), (rows + 1) / (buyers + 1), (days + 30) / (gaps + 1)])


class _ByPair:
    """Sums over each pair of user and item that occurs, at sorted ``keys`` = user * n_items + item."""

    def __init__(self, log: Interactions) -> None:
        self.keys, self.of_row = np.unique(log.users * log.n_items + log.items, return_inverse=True)
        self.count = np.bincount(self.of_row, minlength=len(self.keys))
        self.oldest = self.extreme(np.minimum, log.times)
        self.newest = self.extreme(np.maximum, log.times)

    def sums(self, weights: np.ndarray) -> np.ndarray:
        return np.bincount(self.of_row, weights=weights, minlength=len(self.keys))

    def extreme(self, of: np.ufunc, values: np.ndarray) -> np.ndarray:
        worst = np.iinfo(np.int64).max if of is np.minimum else np.iinfo(np.int64).min
        result = np.full(len(self.keys), worst)
        of.at(result, self.of_row, values)
        return result

    def at(self, keys: np.ndarray, values: np.ndarray, missing: float) -> np.ndarray:
        """``values`` of the pairs ``keys``, ``missing`` where a pair does not occur."""
        if not len(self.keys):
            return np.full(len(keys), missing)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, values[place], missing)


def _own(past: Interactions, days: np.ndarray, rows: np.ndarray, items: np.ndarray,
         usual: np.ndarray) -> list[np.ndarray]:
    """What the customer did with this very product; ``usual`` (n_items,) days stand in for a gap of their own."""
    pairs, visit = _ByPair(past), visits(past)
    keys = rows * past.n_items + items
    ages = days[past.users] - past.times
    count = pairs.at(keys, pairs.count, 0)
    since = pairs.at(keys, days[pairs.keys // past.n_items] - pairs.newest, np.nan)
    gap = pairs.at(keys, (pairs.newest - pairs.oldest) / np.maximum(pairs.count - 1, 1), np.nan)
    gap = np.where(count > 1, gap, usual[items])
    return [count, count / np.maximum(visit.n_baskets[rows], 1), pairs.at(keys, pairs.sums(0.97 ** ages), 0),
            pairs.at(keys, pairs.sums(0.8 ** visit.age), 0), since,
            pairs.at(keys, pairs.extreme(np.minimum, visit.age), np.nan), since / np.maximum(gap, 1)]


def _habits(past: Interactions, days: np.ndarray) -> list[np.ndarray]:
    """(n_users,) each: visits, products a visit, days since the last, days between, share of rows that were new."""
    n_baskets = visits(past).n_baskets
    n_rows = np.bincount(past.users, minlength=past.n_users)
    distinct = np.bincount(_ByPair(past).keys // past.n_items, minlength=past.n_users)
    none = n_rows == 0
    oldest, newest = np.full(past.n_users, np.iinfo(np.int64).max), np.full(past.n_users, np.iinfo(np.int64).min)
    np.minimum.at(oldest, past.users, past.times)
    np.maximum.at(newest, past.users, past.times)
    return [n_baskets, _nan(n_rows / np.maximum(n_baskets, 1), none), _nan(days - newest, none),
            _nan((newest - oldest) / np.maximum(n_baskets - 1, 1), n_baskets < 2),
            _nan(distinct / np.maximum(n_rows, 1), none)]


def _nan(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.where(where, np.nan, values)


def _tops(scores: np.ndarray, k: int) -> np.ndarray:
    """Keys row * n_items + item of the k largest positive scores of each row."""
    n_items = scores.shape[1]
    best = np.argpartition(scores, n_items - k, axis=1)[:, n_items - k:]
    keys = np.arange(len(scores))[:, None] * n_items + best
    return keys[np.take_along_axis(scores, best, axis=1) > 0]
