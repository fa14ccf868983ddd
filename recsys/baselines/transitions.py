"""What follows what: a first-order Markov chain, and a counter of transitions at a distance.

Neither is trained: both count, in a second. Times that tie take the order of the file.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys.data import Interactions
from recsys.recommender import histories


def transition_counts(interactions: Interactions, weights: np.ndarray) -> sparse.csr_matrix:
    """How often one item comes after another, weighed by the distance.

    Parameters
    ----------
    interactions : Interactions
    weights : (window,) float array
        ``weights[d - 1]`` is what a pair counts whose second item comes d events after the first.

    Returns
    -------
    (n_items, n_items) matrix C with C[b, a] = sum over d of w(d) N(b, a, d), where
    N(b, a, d) counts the users' pairs of b and, d events later, a.
    """
    order = interactions.by_time()
    users, items = interactions.users[order], interactions.items[order]
    total = sparse.csr_matrix((interactions.n_items,) * 2)
    for distance, weight in enumerate(weights, start=1):
        same = users[distance:] == users[:-distance]
        first, second = items[:-distance][same], items[distance:][same]
        total += sparse.csr_matrix((np.full(len(first), float(weight)), (first, second)), shape=total.shape)
    return total


class Markov:
    """Score of an item = how likely it follows the user's last one, smoothed by popularity.

    score(a) = (N(b, a) + s pop(a)) / (N(b) + s), with b the newest item of the history,
    N the counts of transitions, pop the share of events; without a history pop(a).

    Parameters
    ----------
    smoothing : float
        s, above 0: how many transitions the popularity is worth.

    Ties have the rule of the ranking. Source: Rendle and others (2010), section 3, without factors.
    """

    def __init__(self, smoothing: float = 1.0) -> None:
        _check_positive("smoothing", smoothing)
        self.smoothing = smoothing

    def fit(self, interactions: Interactions) -> Markov:
        self.interactions = interactions
        self.counts = transition_counts(interactions, np.ones(1))
        self.popularity = _popularity(interactions)
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = histories(self, users, history)
        last = past.select(past.ages() == 0).matrix()  # one entry a row, or none
        followers = (last @ self.counts).toarray()
        leavers = last @ np.asarray(self.counts.sum(axis=1)).ravel()
        return (followers + self.smoothing * self.popularity) / (leavers[:, None] + self.smoothing)


class TransitionCounter:
    """Score of an item = what the whole history says about it, each event by its followers.

    score(a) = sum over the history h of k(age) log(1 + C[h, a] n / tau) + lambda log pop(a),
    with C as in ``transition_counts``, w(d) = d ** -distance_power up to ``window``, n the
    number of items, and pop the share of events, one event added to each item so that its
    logarithm is finite. k falls as recency ** age and sums to one over a history. The sum is
    that of log P(a | h) up to a term that is the same for all items, with
    P(a | h) = (C[h, a] + tau / n) / (C[h] + tau). The defaults were chosen on the validation
    part of MovieLens 100K.

    Parameters
    ----------
    window : int
        How many events later a pair still counts.
    distance_power : float
        How fast a pair counts less with its distance.
    recency : float
        What an event of the history weighs less for each later one, above 0 and at most 1.
    tau : float
        Above 0; small lets the first count weigh most, large makes the score linear in counts.
    popularity_weight : float
        lambda; below 0 it favours rare items. An empty history is scored by log pop(a) alone.
    head : int, optional
        With it, recency weighs the newest ``head`` events only, which together get
        ``head_share``; all older ones share the rest alike.
    head_share : float
        Used with ``head``.

    Ties have the rule of the ranking. Source: Petrov and others, RecSys 2026, as PCTM in their
    code (spotify-research/sequential-capacity-probes, docs/PROTOCOL.md).
    """

    def __init__(self, window: int = 10, distance_power: float = 1.0, recency: float = 0.7, tau: float = 3000.0,
                 popularity_weight: float = -0.03, head: int | None = None, head_share: float = 0.8) -> None:
        _check_positive("window", window)
        _check_positive("tau", tau)
        if not 0 < recency <= 1:
            raise ValueError(f"recency must be above 0 and at most 1; {recency} came.")
        self.window, self.distance_power, self.recency = window, distance_power, recency
        self.tau, self.popularity_weight = tau, popularity_weight
        self.head, self.head_share = head, head_share

    def fit(self, interactions: Interactions) -> TransitionCounter:
        self.interactions = interactions
        weights = np.arange(1, self.window + 1) ** -float(self.distance_power)
        self.evidence = transition_counts(interactions, weights)
        self.evidence.data = np.log1p(self.evidence.data * interactions.n_items / self.tau)
        self.log_popularity = np.log(_popularity(interactions, added=1))
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """(len(users), n_items) scores."""
        past = histories(self, users, history)
        lengths = np.bincount(past.users, minlength=past.n_users)
        evidence = past.matrix(self._kernel(past.users, past.ages(), lengths)) @ self.evidence
        weight = np.where(lengths > 0, self.popularity_weight, 1.0)  # (users,)
        return evidence.toarray() + weight[:, None] * self.log_popularity

    def _kernel(self, users: np.ndarray, ages: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """k of each event; it sums to one over each user's."""
        weights = self.recency ** ages
        if self.head is None:
            return weights / np.bincount(users, weights)[users]
        weights[ages >= self.head] = 0
        older = (lengths - self.head)[users]
        weights *= np.where(older > 0, self.head_share, 1.0) / np.bincount(users, weights)[users]
        return np.where(ages < self.head, weights, (1 - self.head_share) / np.maximum(older, 1))


def _popularity(interactions: Interactions, added: int = 0) -> np.ndarray:
    counts = np.bincount(interactions.items, minlength=interactions.n_items) + added
    return counts / max(counts.sum(), 1)


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} must be above 0; {value} came.")
