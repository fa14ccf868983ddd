"""What follows what: a first-order Markov chain, and a counter of transitions at a distance.

Neither is trained: both count, in a second. Times that tie take the order of the file.
"""

import numpy as np
from scipy import sparse

from recsys.baselines.fitting import require_log
from recsys.data import Interactions
from recsys.recommender import histories


def transition_counts(
    interactions: Interactions, weights: np.ndarray
) -> sparse.csr_matrix:
    """How often one item comes after another, weighed by the distance.

    Args:
        interactions: the log.
        weights: (window,) float; `weights[d - 1]` is what a pair counts whose second item comes d
            events after the first.

    Returns:
        (n_items, n_items) sparse matrix C with C[b, a] = sum over d of w(d) N(b, a, d), where
        N(b, a, d) counts the users' pairs of b and, d events later, a.
    """
    order = interactions.by_time()
    users, items = interactions.users[order], interactions.items[order]
    total = sparse.csr_matrix((interactions.n_items, interactions.n_items))
    for distance, weight in enumerate(weights, start=1):
        earlier, later = slice(None, -distance), slice(distance, None)
        same_user = users[earlier] == users[later]
        first = items[earlier][same_user]
        second = items[later][same_user]
        counted = np.full(len(first), float(weight))
        total += sparse.csr_matrix((counted, (first, second)), shape=total.shape)
    return total


class Markov:
    """Score of an item = how likely it follows the user's last one, smoothed by popularity.

    score(a) = (N(b, a) + s pop(a)) / (N(b) + s), with b the newest item of the history,
    N the counts of transitions, pop the share of events; without a history pop(a).

    Args:
        smoothing: s, above 0: how many transitions the popularity is worth.

    Raises:
        ValueError: a smoothing of 0 or below.

    Ties have the rule of the ranking.

    Source: Rendle and others (2010), section 3, without factors.
    """

    def __init__(self, smoothing: float = 1.0) -> None:
        _check_positive("smoothing", smoothing)
        self.smoothing = smoothing

    def fit(self, interactions: Interactions) -> "Markov":
        """Count which item follows which, and every item's share of events."""
        require_log(interactions)
        counts = transition_counts(interactions, np.ones(1))
        popularity = _popularity(interactions)
        self.interactions = interactions
        self.counts = counts
        self.popularity = popularity
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = histories(self, users, history)
        newest = past.ages() == 0
        last = past.select(newest).matrix()  # one entry a row, or none
        followers = (last @ self.counts).toarray()  # (len(users), n_items)
        n_followed = np.ravel(self.counts.sum(axis=1))  # (n_items,)
        n_followers = last @ n_followed  # (len(users),)
        smoothed = followers + self.smoothing * self.popularity
        total = n_followers[:, None] + self.smoothing
        return smoothed / total


class TransitionCounter:
    """Score of an item = what the whole history says about it, each event by its followers.

    score(a) = sum over the history h of k(age) log(1 + C[h, a] n / tau) + lambda log pop(a),
    with C as in `transition_counts`, w(d) = d ** -distance_power up to `window`, n the
    number of items, and pop the share of events, one event added to each item so that its
    logarithm is finite. k falls as recency ** age and sums to one over a history. The sum is
    that of log P(a | h) up to a term that is the same for all items, with
    P(a | h) = (C[h, a] + tau / n) / (C[h] + tau). The defaults were chosen on the validation
    part of MovieLens 100K.

    Args:
        window: how many events later a pair still counts, at least 1.
        distance_power: how fast a pair counts less with its distance.
        recency: what an event of the history weighs less for each later one, above 0 and at most 1.
        tau: above 0; small lets the first count weigh most, large makes the score linear in counts.
        popularity_weight: lambda; below 0 it favours rare items. An empty history is scored by
            log pop(a) alone.
        head: with it, recency weighs the newest `head` events only, which together get
            `head_share`; all older ones share the rest alike.
        head_share: used with `head`.

    Raises:
        ValueError: a window, tau or recency out of range.

    Ties have the rule of the ranking.

    Source: Petrov and others, RecSys 2026, as PCTM in their code
    (spotify-research/sequential-capacity-probes, docs/PROTOCOL.md).
    """

    def __init__(
        self,
        window: int = 10,
        distance_power: float = 1.0,
        recency: float = 0.7,
        tau: float = 3000.0,
        popularity_weight: float = -0.03,
        head: int | None = None,
        head_share: float = 0.8,
    ) -> None:
        _check_positive("window", window)
        _check_positive("tau", tau)
        if not 0 < recency <= 1:
            raise ValueError(f"recency: expected above 0 and at most 1, got {recency}")
        self.window = window
        self.distance_power = distance_power
        self.recency = recency
        self.tau = tau
        self.popularity_weight = popularity_weight
        self.head = head
        self.head_share = head_share

    def fit(self, interactions: Interactions) -> "TransitionCounter":
        """Count what follows what: `evidence`, (n_items, n_items) sparse, and log popularity."""
        require_log(interactions)
        distances = np.arange(1, self.window + 1)
        weights = distances ** -float(self.distance_power)
        evidence = transition_counts(interactions, weights)
        counts = evidence.data
        evidence.data = np.log1p(counts * interactions.n_items / self.tau)
        log_popularity = np.log(_popularity(interactions, added=1))
        self.interactions = interactions
        self.evidence = evidence
        self.log_popularity = log_popularity
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = histories(self, users, history)
        lengths = past.user_counts()  # (len(users),)
        kernel = self._kernel(past.users, past.ages(), lengths)
        evidence = past.matrix(kernel) @ self.evidence  # (len(users), n_items)
        weight = np.where(lengths > 0, self.popularity_weight, 1.0)
        popular = weight[:, None] * self.log_popularity
        return evidence.toarray() + popular

    def _kernel(
        self, users: np.ndarray, ages: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        """k of each event, (n,); it sums to one over each user's."""
        weights = self.recency**ages
        if self.head is None:
            total = np.bincount(users, weights)
            return weights / total[users]
        in_head = ages < self.head
        weights[~in_head] = 0
        total = np.bincount(users, weights)
        n_older = (lengths - self.head)[users]
        share = np.where(n_older > 0, self.head_share, 1.0)
        weights *= share / total[users]
        each_older = (1 - self.head_share) / np.maximum(n_older, 1)
        return np.where(in_head, weights, each_older)


def _popularity(interactions: Interactions, added: int = 0) -> np.ndarray:
    """Every item's share of events, so many `added` to each: (n_items,) float."""
    counts = interactions.item_counts() + added
    return counts / max(counts.sum(), 1)


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name}: expected above 0, got {value}")
