"""What can be measured on any log before anything is trained, to foretell whether attention pays.

Attention asks the history a question: which of these events matter *now*, given the newest?
A decay asks nothing; it weighs events by age alone. So attention can pay only where the
newest item changes what the rest of the history says. `moderators` measures by how much, in
bits of the next item's topic, with tables of counts in place of a network.

Topics are clusters of items that the same users took. The next topic is foretold by a
conditional logit from what is frequent, what is in the history at several decays by age,
what follows that, what follows the newest topic, and *readings*: tables of what follows the
newest topic beside an older one, averaged over the older ones. A reading makes the model
richer whichever event asks, so it is held against a *placebo*: the same readings with an
older event, drawn from the history, in the place of the newest. Where order tells nothing,
the newest event is such a draw, and the two models are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD

from recsys.data import Interactions
from recsys.evaluation.conditional_logit import fit_weights, log_probabilities
from recsys.recommender import require_taken

N_TOPICS = 64
COVERED = 0.95  # share of events at which the most taken items are topics of their own
BEFORE = 3  # events before an event that is foretold
HISTORY = 50  # newest events that are read
FORETOLD = 10_000  # events of each half of the users held out, at most
OF_A_USER = 20  # of these, unless there are so few users that it takes more
COUNTED = 100_000  # events that tables are counted from, at most
DECAYS = (1.0, 0.9, 0.7, 0.3)  # weight of an event for each that came after it
PRIOR = 5.0  # events by which a row of a table is smoothed
TINY = 1e-6


@dataclass(frozen=True)
class Moderators:
    """What a log says of itself.

    Args:
        newest_bits: bits that the newest item tells of the next one's topic when it may
            choose what to read, beside the history, its ages and what follows the newest
            item by itself; above a placebo, on users held out, so it may fall below 0.
        newest_bits_error: its standard error over users, topics and tables as they are.
        repeat_share: share of events, each user's first left out, whose item the user had
            before.
        median_length: events of a user.
        events_per_item: their mean.
    """

    newest_bits: float
    newest_bits_error: float
    repeat_share: float
    median_length: float
    events_per_item: float


def moderators(interactions: Interactions, seed: int = 0) -> Moderators:
    """Measure a log.

    Half of the users make topics and tables. Of the others one half fits the weights and
    the other is foretold, then the same with the halves changed over. Events that tie in
    time keep the order of the file, so of a basket the newest item is the last there.

    Args:
        interactions: a log of what was taken; values are not read.
        seed: of the users' parts, topics, events foretold and the placebo's draws.

    Returns:
        Bits, shares and counts of events.

    Raises:
        ValueError: rows with a value of 0 or less, or fewer than four users with four
            events or more.
    """
    require_taken(interactions)
    lengths = interactions.user_counts()
    n_long = int((lengths > BEFORE).sum())
    if n_long < 4:
        raise ValueError(
            f"interactions: expected at least 4 users with {BEFORE + 1} events or more, "
            f"got {n_long} of {len(lengths)}; hand in a longer log"
        )
    gains, users = _gains(interactions, np.random.default_rng(seed), seed)
    of_users = np.bincount(users, gains - gains.mean())  # (n_users,) sums
    n_events, n_firsts = len(interactions), int((lengths > 0).sum())
    n_items = int((interactions.item_counts() > 0).sum())
    return Moderators(
        newest_bits=float(gains.mean()),
        newest_bits_error=float(np.sqrt((of_users**2).sum()) / len(gains)),
        repeat_share=(n_events - interactions.seen().nnz) / (n_events - n_firsts),
        median_length=float(np.median(lengths[lengths > 0])),
        events_per_item=n_events / n_items,
    )


def _gains(
    interactions: Interactions, rng: np.random.Generator, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Bits that the newest event's readings save over the placebo's, and whose they are."""
    log = _coded(interactions, rng, seed)
    counted = rng.permutation(_positions(log, 0))[:COUNTED]
    newest, drawn = _questions(log, counted, rng)
    tables = _tables(log, counted, newest), _tables(log, counted, drawn)
    halves = [_asked(log, tables, part, rng) for part in (1, 2)]
    gains, users = [], []
    for fitted, foretold in (halves, halves[::-1]):
        placebo, own = (
            _bits(fitted, foretold, model) for model in ("placebo", "newest")
        )
        gains.append(placebo - own)
        users.append(foretold.users)
    return np.concatenate(gains), np.concatenate(users)


class _Log(NamedTuple):
    """Events as topics, sorted by user and time."""

    users: np.ndarray  # (n,)
    topics: np.ndarray  # (n,)
    places: np.ndarray  # (n,) how many of the same user are before
    parts: np.ndarray  # (n,) 0 of users who are counted, 1 and 2 of those held out
    popularity: np.ndarray  # (n_topics,) of the counted users, sums to 1


def _coded(interactions: Interactions, rng: np.random.Generator, seed: int) -> _Log:
    lengths = interactions.user_counts()
    long = rng.permutation(np.flatnonzero(lengths > BEFORE))
    quarter = len(long) // 4
    part_of = np.zeros(len(lengths), dtype=np.int64)
    part_of[long[:quarter]] = 1
    part_of[long[quarter : 2 * quarter]] = 2
    topic_of = _topics(interactions.select(part_of[interactions.users] == 0), seed)
    order = interactions.by_time()
    users = interactions.users[order]
    topics, parts = topic_of[interactions.items[order]], part_of[users]
    counts = 1 + np.bincount(topics[parts == 0], minlength=int(topic_of.max()) + 1)
    places = np.arange(len(users)) - (np.cumsum(lengths) - lengths)[users]
    return _Log(users, topics, places, parts, counts / counts.sum())


def _topics(counted: Interactions, seed: int) -> np.ndarray:
    """A topic for each item, int (n_items,): itself if few make up the log, or its cluster.

    Items that no counted user took make up one topic.
    """
    taken = counted.item_counts()
    most = np.argsort(-taken, kind="stable")[: N_TOPICS - 1]
    if taken[most].sum() >= COVERED * taken.sum():
        topics = np.full(len(taken), len(most))
        topics[most] = np.arange(len(most))
        return topics
    vectors = _vectors(counted)
    distinct = np.unique(vectors.round(6), axis=0)
    clusters = KMeans(min(N_TOPICS, len(distinct)), n_init=1, random_state=seed)
    topics = np.full(len(taken), clusters.n_clusters)
    topics[taken > 0] = clusters.fit_predict(vectors[taken > 0])
    return topics


def _vectors(counted: Interactions) -> np.ndarray:
    """(n_items, n_dimensions) of length 1: items are near that the same users took."""
    matrix = counted.matrix()
    matrix.data = np.log1p(matrix.data)
    takers = np.bincount(matrix.indices, minlength=counted.n_items)
    rarity = np.log1p(counted.n_users / np.maximum(takers, 1))
    matrix = _unit(matrix @ sparse.diags_array(rarity))
    svd = TruncatedSVD(min(N_TOPICS, *matrix.shape), random_state=0).fit(matrix)
    vectors = svd.components_.T * svd.singular_values_
    return _unit(sparse.csr_array(vectors)).toarray()


def _unit(rows: sparse.csr_array) -> sparse.csr_array:
    norms = sparse.linalg.norm(rows, axis=1)
    return sparse.diags_array(1 / np.maximum(norms, TINY)) @ rows


def _positions(log: _Log, part: int) -> np.ndarray:
    """Events of a part that have enough before them."""
    return np.flatnonzero((log.parts == part) & (log.places >= BEFORE))


def _spread(log: _Log, part: int, rng: np.random.Generator) -> np.ndarray:
    """Some of them, not too many of a user, in rising order."""
    rows = rng.permutation(_positions(log, part))
    rows = rows[np.argsort(log.users[rows], kind="stable")]
    _, first, counts = np.unique(log.users[rows], return_index=True, return_counts=True)
    nth = np.arange(len(rows)) - np.repeat(first, counts)
    of_a_user = max(OF_A_USER, -(-FORETOLD // len(first)))
    return np.sort(rng.permutation(rows[nth < of_a_user])[:FORETOLD])


def _questions(
    log: _Log, positions: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The newest event before each position, and one drawn from the older ones."""
    n_older = np.minimum(log.places[positions], HISTORY) - 1
    return positions - 1, positions - 2 - rng.integers(n_older)


class _Pairs(NamedTuple):
    """Each position with each event of its history."""

    rows: np.ndarray  # which position
    topics: np.ndarray  # of the event
    ages: np.ndarray  # 0 for the newest


def _pairs(
    log: _Log, positions: np.ndarray, questions: np.ndarray | None = None
) -> _Pairs:
    """The newest events before each position, but for the one that asks."""
    n = np.minimum(log.places[positions], HISTORY)
    rows = np.repeat(np.arange(len(positions)), n)
    ages = np.arange(len(rows)) - (np.cumsum(n) - n)[rows]
    events = positions[rows] - 1 - ages
    kept = slice(None) if questions is None else events != questions[rows]
    return _Pairs(rows[kept], log.topics[events[kept]], ages[kept])


class _Tables(NamedTuple):
    """What follows a question, as smoothed shares along the last axis."""

    after: np.ndarray  # (n_topics, n_topics): given its topic
    beside: list[np.ndarray]  # (n_topics, n_topics, n_topics): and an older one, by decay


def _tables(log: _Log, positions: np.ndarray, questions: np.ndarray) -> _Tables:
    n = len(log.popularity)
    asked, next_ = log.topics[questions], log.topics[positions]
    after = np.bincount(asked * n + next_, minlength=n**2).reshape(n, n)
    after = _smooth(after, log.popularity, PRIOR)
    pairs = _pairs(log, positions, questions)
    cells = (asked[pairs.rows] * n + pairs.topics) * n + next_[pairs.rows]
    beside = []
    for decay in DECAYS:
        counts = np.bincount(cells, decay**pairs.ages, minlength=n**3).reshape(n, n, n)
        beside.append(_smooth(counts, after[:, None], PRIOR))
    return _Tables(after, beside)


def _smooth(counts: np.ndarray, prior: np.ndarray, weight: float) -> np.ndarray:
    """Shares along the last axis, with `weight` events more, spread as the prior says."""
    return (counts + weight * prior) / (counts.sum(-1, keepdims=True) + weight)


class _Asked(NamedTuple):
    """Events to foretell of half of the users held out, and what is known of each topic there."""

    users: np.ndarray  # (n,)
    topics: np.ndarray  # (n,)
    features: dict[str, np.ndarray]  # (n, n_topics, n_features) of each model


def _asked(
    log: _Log, tables: tuple[_Tables, _Tables], part: int, rng: np.random.Generator
) -> _Asked:
    positions = _spread(log, part, rng)
    questions = _questions(log, positions, rng)
    after = tables[0].after
    pairs = _pairs(log, positions)
    known = [np.broadcast_to(log.popularity, (len(positions), len(log.popularity)))]
    for decay in DECAYS:
        weights = _weights(log, pairs, decay)
        known.append(_smooth(weights, log.popularity, 1.0))
        known.append(_smooth(weights, log.popularity, TINY) @ after)
    for table, asks in zip(tables, questions, strict=True):
        known.append(table.after[log.topics[asks]])
    features = {}
    for model, table, asks in zip(("newest", "placebo"), tables, questions, strict=True):
        rows = known + _readings(log, table, positions, asks)
        features[model] = np.log(np.stack(rows, axis=-1), dtype=np.float32)
    return _Asked(log.users[positions], log.topics[positions], features)


def _weights(log: _Log, pairs: _Pairs, decay: float) -> np.ndarray:
    """Sum of the weights of each topic's events, (n_positions, n_topics)."""
    shape = int(pairs.rows[-1]) + 1, len(log.popularity)
    cells = pairs.rows * shape[1] + pairs.topics
    weights = np.bincount(cells, decay**pairs.ages, minlength=shape[0] * shape[1])
    return weights.reshape(shape)


def _readings(
    log: _Log, tables: _Tables, positions: np.ndarray, questions: np.ndarray
) -> list[np.ndarray]:
    """What follows the question beside each other event, averaged: (n, n_topics) a decay."""
    pairs = _pairs(log, positions, questions)
    asked = log.topics[questions]
    readings = []
    for decay, beside in zip(DECAYS, tables.beside, strict=True):
        weights = _weights(log, pairs, decay)
        reading = weights / weights.sum(1, keepdims=True)  # (n, n_topics) of the history
        for topic in np.unique(asked):
            rows = asked == topic
            reading[rows] = reading[rows] @ beside[topic]
        readings.append(reading)
    return readings


def _bits(fitted: _Asked, foretold: _Asked, model: str) -> np.ndarray:
    """Bits that each foretold topic costs, (n,)."""
    weights = fit_weights(fitted.features[model], fitted.topics)
    logs = log_probabilities(foretold.features[model], weights)
    return -logs[np.arange(len(logs)), foretold.topics] / np.log(2)
