"""The probability of the next item from what followed the last few: n-grams."""

import numpy as np

from recsys.baselines.fitting import require_log
from recsys.data import Interactions
from recsys.recommender import histories


class NGram:
    """Interpolated absolute discounting over contexts of length 0 to order - 1.

    p(a | h) = max(N(h, a) - D, 0) / N(h) + D N+(h) / N(h) p(a | h'), with N the counts,
    N+(h) how many different items followed h, and h' = h without its oldest item; the
    last p is even over the catalogue. A context that was not seen has p(a | h').

    Args:
        order: items of a gram, at least 1; 1 is the frequency of the item alone.
        discount: D, above 0 and below 1.

    Raises:
        ValueError: one of them out of range.

    Source: Ney, Essen and Kneser, 1994 (Computer Speech & Language 8), section 4, with
    plain counts in every order.
    """

    def __init__(self, order: int = 3, discount: float = 0.7):
        if order < 1:
            raise ValueError(f"order: expected at least 1, got {order}")
        if not 0 < discount < 1:
            raise ValueError(
                f"discount: expected above 0 and below 1, got {discount}"
            )
        self.order, self.discount = order, discount

    def fit(self, interactions: Interactions) -> "NGram":
        """Count what followed what, of each user apart."""
        require_log(interactions)
        counts: dict[tuple[int, ...], dict[int, int]] = {}
        for rows in interactions.rows_by_user():
            items = interactions.items[rows].tolist()
            for place, item in enumerate(items):
                for length in range(min(self.order - 1, place) + 1):
                    context = tuple(items[place - length : place])
                    followers = counts.setdefault(context, {})
                    followers[item] = followers.get(item, 0) + 1
        self.counts = {
            context: (
                np.fromiter(followers, np.int64),
                np.fromiter(followers.values(), np.float64),
            )
            for context, followers in counts.items()
        }
        self.interactions = interactions
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) logarithms to base 2 of what comes next."""
        past = histories(self, users, history)
        rows = [past.items[rows] for rows in past.rows_by_user()]
        scores = np.empty((len(rows), past.n_items))
        for row, items in enumerate(rows):
            scores[row] = np.log2(self.probabilities(items))
        return scores

    def probabilities(self, items: np.ndarray) -> np.ndarray:
        """Of every item after a history, (n_items,); they sum to one."""
        read = [int(item) for item in items[max(0, len(items) - self.order + 1) :]]
        n_items = self.interactions.n_items
        p = np.full(n_items, 1 / n_items)
        for length in range(min(self.order - 1, len(read)) + 1):
            context = tuple(read[len(read) - length :])
            if context not in self.counts:
                break
            followers, seen = self.counts[context]
            p *= self.discount * len(followers) / seen.sum()
            p[followers] += (seen - self.discount) / seen.sum()
        return p

    def bits(self, items: np.ndarray) -> np.ndarray:
        """What each item of a history but the first costs: - log2 p, float (length - 1,)."""
        told = [
            self.probabilities(items[:place])[items[place]]
            for place in range(1, len(items))
        ]
        return -np.log2(told)
