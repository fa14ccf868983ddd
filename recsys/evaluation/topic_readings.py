"""A log as topics, and what a history says of the next one: by age, or if asked.

Topics are clusters of items that the same users took, at most 65, so that tables of
three topics can be counted. `by_age` is what a weight by age reads: shares of topics,
each event weighed by a decay. `read` lets the newest event ask the others, in two ways:
shares of topics where events near it weigh more, and what follows it beside each other
event.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD

from recsys.data import Interactions

N_TOPICS = 64  # 16 and 32 do not tell planted styles apart; 128 take four times as long
COVERED = 0.95  # share of events at which the most taken items are topics of their own
BEFORE = 3  # events before an event that is foretold
HISTORY = 50  # newest events that are read
DECAYS = (1.0, 0.9, 0.7, 0.3)  # weight of an event for each that came after it
NEAR = ((0.1, 1.0), (0.1, 0.9), (0.3, 1.0), (0.3, 0.9))  # temperature and decay
PRIOR = 5.0  # events by which a row of a table is smoothed
TINY = 1e-6


class TopicLog(NamedTuple):
    """Events as topics, sorted by user and time."""

    users: np.ndarray  # (n,)
    topics: np.ndarray  # (n,)
    places: np.ndarray  # (n,) how many of the same user are before
    parts: np.ndarray  # (n,) 0 of users who are counted, 1 and 2 of those held out
    popularity: np.ndarray  # (n_topics,) of the counted users, sums to 1
    likeness: np.ndarray  # (n_topics, n_topics) cosines


def topic_log(
    interactions: Interactions, rng: np.random.Generator, seed: int
) -> TopicLog:
    """Cut users into parts, items into topics.

    Args:
        interactions: with four users of four events or more; these alone are held out,
            a quarter in part 1 and a quarter in part 2.
        rng: draws the parts.
        seed: of the topics, which the users of part 0 make.
    """
    lengths = interactions.user_counts()
    part_of = _parts(lengths, rng)  # (n_users,)
    counted = interactions.select(part_of[interactions.users] == 0)
    vectors = _vectors(counted)
    topic_of = _topics(counted, vectors, seed)  # (n_items,)
    order = interactions.by_time()
    users = interactions.users[order]
    places = np.arange(len(users)) - (np.cumsum(lengths) - lengths)[users]
    n_topics = int(topic_of.max()) + 1
    taken = 1 + np.bincount(topic_of[counted.items], minlength=n_topics)
    centres = np.zeros((n_topics, vectors.shape[1]))
    np.add.at(centres, topic_of, vectors)
    centres = _unit(centres)
    return TopicLog(
        users,
        topic_of[interactions.items[order]],
        places,
        part_of[users],
        taken / taken.sum(),
        centres @ centres.T,
    )


def _parts(lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    long = rng.permutation(np.flatnonzero(lengths > BEFORE))
    quarter = len(long) // 4
    parts = np.zeros(len(lengths), dtype=np.int64)
    parts[long[:quarter]] = 1
    parts[long[quarter : 2 * quarter]] = 2
    return parts


def _vectors(counted: Interactions) -> np.ndarray:
    """(n_items, n_dimensions) of length 1: items are near that the same users took."""
    matrix = counted.matrix()
    matrix.data = np.log1p(matrix.data)
    takers = np.bincount(matrix.indices, minlength=counted.n_items)
    rarity = np.log1p(counted.n_users / np.maximum(takers, 1))
    matrix = matrix @ sparse.diags_array(rarity)
    norms = np.maximum(sparse.linalg.norm(matrix, axis=1), TINY)
    matrix = sparse.diags_array(1 / norms) @ matrix
    svd = TruncatedSVD(min(N_TOPICS, *matrix.shape), random_state=0).fit(matrix)
    return _unit(svd.components_.T * svd.singular_values_)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)


def _topics(counted: Interactions, vectors: np.ndarray, seed: int) -> np.ndarray:
    """A topic for each item: itself where few items make up the log, else its cluster.

    The rest of the items, or those that no counted user took, are one topic.
    """
    taken = counted.item_counts()
    most = np.argsort(-taken, kind="stable")[:N_TOPICS]
    if taken[most].sum() >= COVERED * taken.sum():
        topics = np.full(len(taken), len(most))
        topics[most] = np.arange(len(most))
        return topics
    known = taken > 0
    n_distinct = len(np.unique(vectors[known].round(6), axis=0))
    clusters = KMeans(min(N_TOPICS, n_distinct), n_init=1, random_state=seed)
    topics = np.full(len(taken), clusters.n_clusters)
    topics[known] = clusters.fit_predict(vectors[known].astype(np.float32))
    return topics


def in_another_order(log: TopicLog, rng: np.random.Generator) -> TopicLog:
    """The same events of each user, in an order that is drawn."""
    order = np.lexsort((rng.random(len(log.users)), log.users))
    return log._replace(topics=log.topics[order])


class Tables(NamedTuple):
    """What follows the newest event, as smoothed shares along the last axis."""

    after: np.ndarray  # (n_topics, n_topics): given its topic
    beside: list[np.ndarray]  # (n_topics, n_topics, n_topics): and an older one's


def count(log: TopicLog, positions: np.ndarray) -> Tables:
    """Count what stands at some positions, int (n,), given the events before each."""
    n = len(log.popularity)
    asked, found = log.topics[positions - 1], log.topics[positions]
    after = np.bincount(asked * n + found, minlength=n**2).reshape(n, n)
    after = _smooth(after, log.popularity, PRIOR)
    pairs = _pairs(log, positions, youngest=1)
    cells = (asked[pairs.rows] * n + pairs.topics) * n + found[pairs.rows]
    beside = []
    for decay in DECAYS:
        sums = np.bincount(cells, decay**pairs.ages, minlength=n**3).reshape(n, n, n)
        beside.append(_smooth(sums, after[:, None], PRIOR).astype(np.float32))
    return Tables(after, beside)


def _smooth(sums: np.ndarray, prior: np.ndarray, weight: float) -> np.ndarray:
    """Shares along the last axis, with `weight` more events, spread as the prior."""
    return (sums + weight * prior) / (sums.sum(-1, keepdims=True) + weight)


class _Pairs(NamedTuple):
    """Each position with each event of its history."""

    rows: np.ndarray  # which position
    topics: np.ndarray  # of the event
    ages: np.ndarray  # 0 for the newest


def _pairs(log: TopicLog, positions: np.ndarray, youngest: int) -> _Pairs:
    """The events before each position, from an age on."""
    n = np.minimum(log.places[positions], HISTORY) - youngest
    rows = np.repeat(np.arange(len(positions)), n)
    ages = youngest + np.arange(len(rows)) - (np.cumsum(n) - n)[rows]
    return _Pairs(rows, log.topics[positions[rows] - 1 - ages], ages)


def by_age(
    log: TopicLog, positions: np.ndarray, after: np.ndarray
) -> list[np.ndarray]:
    """Topics' shares in the history before each position, and what follows these.

    Args:
        log: of topics.
        positions: int (n,), events with a history.
        after: (n_topics, n_topics), what follows a topic.

    Returns:
        Two (n, n_topics) arrays of shares for each decay.
    """
    pairs = _pairs(log, positions, youngest=0)
    shares = [_shares(log, pairs, decay**pairs.ages, after) for decay in DECAYS]
    return [share for both in shares for share in both]


def read(log: TopicLog, tables: Tables, positions: np.ndarray) -> list[np.ndarray]:
    """The history before each position without its newest event, as that one reads it.

    Args:
        log: of topics.
        tables: what follows.
        positions: int (n,), events with a history.

    Returns:
        (n, n_topics) arrays of shares: two for each temperature and decay of events
        near the newest, one for each decay of what follows beside it.
    """
    pairs = _pairs(log, positions, youngest=1)
    asked = log.topics[positions - 1]
    likeness = log.likeness[asked[pairs.rows], pairs.topics]
    readings = []
    for temperature, decay in NEAR:
        weights = np.exp((likeness - 1) / temperature) * decay**pairs.ages
        readings += _shares(log, pairs, weights, tables.after)
    for decay, beside in zip(DECAYS, tables.beside, strict=True):
        reading = _smooth(_sums(log, pairs, decay**pairs.ages), log.popularity, TINY)
        for topic in np.unique(asked):
            rows = asked == topic
            reading[rows] = reading[rows] @ beside[topic]
        readings.append(reading)
    return readings


def _shares(
    log: TopicLog, pairs: _Pairs, weights: np.ndarray, after: np.ndarray
) -> list[np.ndarray]:
    """Topics' shares in a weighted history, and what follows: (n, n_topics) each."""
    sums = _sums(log, pairs, weights)
    following = _smooth(sums, log.popularity, TINY) @ after
    return [_smooth(sums, log.popularity, 1.0), following]


def _sums(log: TopicLog, pairs: _Pairs, weights: np.ndarray) -> np.ndarray:
    """Of each topic's weights in each history, (n, n_topics)."""
    shape = int(pairs.rows[-1]) + 1, len(log.popularity)
    cells = pairs.rows * shape[1] + pairs.topics
    return np.bincount(cells, weights, minlength=np.prod(shape)).reshape(shape)
