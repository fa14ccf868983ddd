"""What can be measured on any log before anything is trained, to foretell whether attention pays.

Attention asks the history a question: which of these events matter *now*, given the newest?
A decay asks none; it weighs events by age alone. So attention can pay only where the newest
item changes what the rest of the history says. `moderators` measures by how much, in bits of
the next item's topic, with counts and a handful of fitted weights in place of a network.

Topics are clusters of items that the same users took. Three models foretell the next topic;
each is a conditional logit, whose few weights are the same for every topic:

- *history*: the topics' popularity and their shares in the history;
- *age*: also shares with decays by age, and what tends to follow the newest topic;
- *newest*: also two readings of the history with the newest item as the question: shares
  among events near it, and a table of what follows this newest topic beside that older one.

A reading makes any model richer, whatever the question is, so the last one is held against a
*placebo*: the same readings with an event drawn from the history as the question. Where the
order of a history tells nothing, the newest event is such a draw, and the two are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import optimize, sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD

from recsys.data import Interactions
from recsys.recommender import require_taken

N_TOPICS = 64
N_DIMENSIONS = 64
BEFORE = 3  # events before a position that is foretold
HISTORY = 50  # newest events that are read
POSITIONS = 10_000  # foretold in each half of the users held out
A_USER = 20  # of them, at most, unless there are few users
TABLE_POSITIONS = 100_000
DECAYS = (1.0, 0.9, 0.7, 0.3)  # weight of an event for each one that came after it
NEAR = ((0.1, 1.0), (0.1, 0.9), (0.3, 1.0), (0.3, 0.9))  # temperature and decay
BACKOFF = 5.0  # events that a row of a table is smoothed with
TINY = 1e-6


@dataclass(frozen=True)
class Moderators:
    """What a log says of itself.

    Args:
        events: rows.
        users, items: with at least one event.
        median_length: events of a user.
        events_per_item: their mean.
        repeat_share: share of events, each user's first left out, whose item the user had before.
        newest_bits: what the newest item gives about the next one's topic as a question to the
            history, beyond the history by age and the newest item by itself; held out, so it may
            fall below 0.
        newest_bits_error: its standard error over users, for these topics and halves.
        age_bits: what the age of events and the newest item by itself give, beyond shares in the
            history; held out likewise.
    """

    events: int
    users: int
    items: int
    median_length: float
    events_per_item: float
    repeat_share: float
    newest_bits: float
    newest_bits_error: float
    age_bits: float


def moderators(interactions: Interactions, seed: int = 0) -> Moderators:
    """Measure a log.

    Half of the users make the topics and the tables. The others are the held-out ones: a
    quarter fits the weights and another is foretold, and the same with the quarters changed
    over. Foretold are at most 20,000 events that have three before them; the newest 50 of
    these are read. Events that tie in time keep the order of the file, so within a basket
    "newest" means the last in the file.

    Args:
        interactions: any log of what was taken; values are not read.
        seed: of the halves, the positions, the topics and the placebo's draws.

    Returns:
        The moderators, in events, shares and bits.

    Raises:
        ValueError: rows with a value of 0 or less, no rows, or fewer than four users with
            four events or more.

    Source: McFadden (1974), Conditional logit analysis of qualitative choice behavior, for the
        models; the placebo is a permutation control of the question.
    """
    require_taken(interactions)
    lengths = interactions.user_counts()
    _check(interactions, lengths)
    rng = np.random.default_rng(seed)
    parts = _parts(lengths, rng)  # (n_users,)
    log = _log(interactions, parts, lengths, seed)
    tables = _tables(log, rng)
    one, other = _half(log, tables, 1, rng), _half(log, tables, 2, rng)
    bits = [_held_out(one, other), _held_out(other, one)]
    history, age, placebo, newest = np.concatenate(bits, axis=1)
    gain = placebo - newest  # (n_positions,)
    foretold = np.concatenate([other.users, one.users])
    of_users = np.bincount(foretold, gain - gain.mean())
    n_pairs, n_users = interactions.seen().nnz, int((lengths > 0).sum())
    n_items = int((interactions.item_counts() > 0).sum())
    return Moderators(
        events=len(interactions),
        users=n_users,
        items=n_items,
        median_length=float(np.median(lengths[lengths > 0])),
        events_per_item=len(interactions) / n_items,
        repeat_share=(len(interactions) - n_pairs) / (len(interactions) - n_users),
        newest_bits=float(gain.mean()),
        newest_bits_error=float(np.sqrt((of_users**2).sum()) / len(gain)),
        age_bits=float((history - age).mean()),
    )


def _check(interactions: Interactions, lengths: np.ndarray) -> None:
    if len(interactions) == 0:
        raise ValueError(
            "interactions: expected events, got none; hand in the log, not a selection of it"
        )
    n_long = int((lengths > BEFORE).sum())
    if n_long < 4:
        raise ValueError(
            f"interactions: expected at least 4 users with {BEFORE + 1} events or more, got "
            f"{n_long}; some make topics and tables, others are foretold after {BEFORE} events"
        )


def _parts(lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Part 0 is counted, 1 and 2 are held out, of users long enough to be foretold."""
    users = rng.permutation(np.flatnonzero(lengths > BEFORE))
    quarter = len(users) // 4
    parts = np.zeros(len(lengths), dtype=int)
    parts[users[:quarter]] = 1
    parts[users[quarter : 2 * quarter]] = 2
    return parts


class _Log(NamedTuple):
    """Events sorted by user and time, as topics, and what the counted users say of topics."""

    users: np.ndarray  # (n,)
    topics: np.ndarray  # (n,)
    places: np.ndarray  # (n,) events of the same user before
    parts: np.ndarray  # (n,)
    popularity: np.ndarray  # (n_topics,), sums to 1
    likeness: np.ndarray  # (n_topics, n_topics) cosines


def _log(
    interactions: Interactions, parts: np.ndarray, lengths: np.ndarray, seed: int
) -> _Log:
    order = interactions.by_time()
    users = interactions.users[order]
    places = np.arange(len(users)) - (np.cumsum(lengths) - lengths)[users]
    counted = interactions.select(parts[interactions.users] == 0)
    vectors = _vectors(counted, seed)
    topic_of = _topics(vectors, seed)  # (n_items,)
    n_topics = int(topic_of.max()) + 1
    topics = topic_of[interactions.items[order]]
    counts = np.bincount(topics[parts[users] == 0], minlength=n_topics) + 1.0
    centres = np.zeros((n_topics, vectors.shape[1]))
    np.add.at(centres, topic_of, vectors)
    centres = _unit(centres)
    return _Log(
        users, topics, places, parts[users], counts / counts.sum(), centres @ centres.T
    )


def _vectors(counted: Interactions, seed: int) -> np.ndarray:
    """(n_items, n_dimensions) of length 1: items are near that the same users took."""
    matrix = counted.matrix()
    matrix.data = np.log1p(matrix.data)
    n_takers = np.maximum(np.bincount(matrix.indices, minlength=counted.n_items), 1)
    matrix = matrix @ sparse.diags(np.log1p(counted.n_users / n_takers))
    norms = np.sqrt(matrix.multiply(matrix).sum(1)).A1
    matrix = sparse.diags(1 / np.maximum(norms, TINY)) @ matrix
    svd = TruncatedSVD(min(N_DIMENSIONS, *matrix.shape), random_state=seed).fit(matrix)
    return _unit(svd.components_.T * svd.singular_values_)


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, TINY)


def _topics(vectors: np.ndarray, seed: int) -> np.ndarray:
    """A topic for each item: its cluster, or itself where items are few.

    Items that no counted user took have no vector and make up a topic of their own.
    """
    n_items = len(vectors)
    if n_items <= N_TOPICS:
        return np.arange(n_items)
    known = vectors.any(1)
    n_distinct = len(np.unique(vectors[known].round(6), axis=0))
    n_topics = min(N_TOPICS, n_distinct)
    means = KMeans(n_topics, n_init=1, random_state=seed)
    topics = np.full(n_items, n_topics)
    topics[known] = means.fit_predict(vectors[known].astype(np.float32))
    return topics


def _positions(
    log: _Log, part: int, rng: np.random.Generator
) -> np.ndarray:
    """Events to foretell, in rising order: at most 10,000, and few of one user."""
    rows = np.flatnonzero((log.parts == part) & (log.places >= BEFORE))
    rows = rows[np.lexsort((rng.random(len(rows)), log.users[rows]))]
    _, first, counts = np.unique(log.users[rows], return_index=True, return_counts=True)
    nth = np.arange(len(rows)) - np.repeat(first, counts)
    rows = rows[nth < max(A_USER, -(-POSITIONS // len(first)))]
    return np.sort(rng.permutation(rows)[:POSITIONS])


class _Pairs(NamedTuple):
    """Each position with each event of its history: which position, which event, its age."""

    rows: np.ndarray
    events: np.ndarray
    ages: np.ndarray


def _pairs(log: _Log, positions: np.ndarray, without: np.ndarray | None = None) -> _Pairs:
    """The newest 50 events before each position, one event of each left out."""
    n = np.minimum(log.places[positions], HISTORY)
    rows = np.repeat(np.arange(len(positions)), n)
    ages = np.arange(len(rows)) - (np.cumsum(n) - n)[rows]
    events = positions[rows] - 1 - ages
    if without is None:
        return _Pairs(rows, events, ages)
    kept = events != without[rows]
    return _Pairs(rows[kept], events[kept], ages[kept])


def _questions(
    log: _Log, positions: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The newest event before each position, and one drawn from the older ones of its history."""
    n_older = np.minimum(log.places[positions], HISTORY) - 1
    return positions - 1, positions - 2 - rng.integers(n_older)


class _Table(NamedTuple):
    """How topics follow a question, smoothed."""

    after: np.ndarray  # (n_topics, n_topics): given the question's
    beside: list[np.ndarray]  # for each decay (n_topics, n_topics, n_topics): and an older one


def _tables(log: _Log, rng: np.random.Generator) -> tuple[_Table, _Table]:
    """Of the counted users: with the newest event as the question, and with a drawn one."""
    rows = np.flatnonzero((log.parts == 0) & (log.places >= BEFORE))
    positions = rng.permutation(rows)[:TABLE_POSITIONS]
    newest, drawn = _questions(log, positions, rng)
    return _table(log, positions, newest), _table(log, positions, drawn)


def _table(log: _Log, positions: np.ndarray, questions: np.ndarray) -> _Table:
    n = len(log.popularity)
    asked, target = log.topics[questions], log.topics[positions]
    after = np.bincount(asked * n + target, minlength=n * n).reshape(n, n)
    after = _smooth(after, log.popularity)
    pairs = _pairs(log, positions, questions)
    cells = (asked[pairs.rows] * n + log.topics[pairs.events]) * n + target[pairs.rows]
    beside = []
    for decay in DECAYS:
        counts = np.bincount(cells, decay**pairs.ages, minlength=n**3)
        smoothed = _smooth(counts.reshape(n, n, n), after[:, None])
        beside.append(smoothed.astype(np.float32))
    return _Table(after, beside)


def _smooth(counts: np.ndarray, prior: np.ndarray, weight: float = BACKOFF) -> np.ndarray:
    """Shares along the last axis, after `weight` events spread as the prior says."""
    return (counts + weight * prior) / (counts.sum(-1, keepdims=True) + weight)


class _Half(NamedTuple):
    """Positions of one part of the held-out users, and what is known at each of every topic."""

    users: np.ndarray  # (n,)
    targets: np.ndarray  # (n,) topics
    blocks: list[np.ndarray]  # (n, n_topics, n_features): history, age, placebo, newest


MODELS = (0,), (0, 1), (0, 1, 2), (0, 1, 3)  # blocks of history, age, placebo, newest


def _half(
    log: _Log, tables: tuple[_Table, _Table], part: int, rng: np.random.Generator
) -> _Half:
    positions = _positions(log, part, rng)
    newest, drawn = _questions(log, positions, rng)
    after = tables[0].after
    pairs = _pairs(log, positions)
    whole, *decayed = (
        _shares(log, pairs, decay**pairs.ages, after) for decay in DECAYS
    )
    popularity = np.broadcast_to(log.popularity, whole[0].shape)
    age = sum(decayed, [])
    age += _alone(log, tables[0], newest) + _alone(log, tables[1], drawn)
    blocks = (
        [np.log(popularity), *whole],
        age,
        _readings(log, tables[1], positions, drawn, after),
        _readings(log, tables[0], positions, newest, after),
    )
    stacked = [np.stack(block, axis=-1).astype(np.float32) for block in blocks]
    return _Half(log.users[positions], log.topics[positions], stacked)


def _shares(
    log: _Log, pairs: _Pairs, weights: np.ndarray, after: np.ndarray
) -> list[np.ndarray]:
    counts = _counts(log, pairs, weights)
    shares = counts / counts.sum(1, keepdims=True)
    return [shares*5, shares @ np.log(after / log.popularity)]


def _counts(log: _Log, pairs: _Pairs, weights: np.ndarray) -> np.ndarray:
    """(n_positions, n_topics) sums of weights; no position is without a pair."""
    shape = int(pairs.rows[-1]) + 1, len(log.popularity)
    cells = pairs.rows * shape[1] + log.topics[pairs.events]
    return np.bincount(cells, weights, minlength=shape[0] * shape[1]).reshape(shape)


def _alone(log: _Log, table: _Table, questions: np.ndarray) -> list[np.ndarray]:
    """What a question says by itself: what follows it, and which topic it is."""
    asked = log.topics[questions]
    follows = np.log(table.after / log.popularity)
    return [follows[asked], np.eye(len(follows))[asked]]


def _readings(
    log: _Log,
    table: _Table,
    positions: np.ndarray,
    questions: np.ndarray,
    after: np.ndarray,
) -> list[np.ndarray]:
    """The rest of the history read with a question: what is near it, what follows beside it."""
    pairs = _pairs(log, positions, questions)
    asked = log.topics[questions]
    likeness = log.likeness[asked[pairs.rows], log.topics[pairs.events]]
    features = []
    for temperature, decay in NEAR:
        weights = np.exp((likeness - 1) / temperature) * decay**pairs.ages
        features += _shares(log, pairs, weights, after)
    for decay, beside in zip(DECAYS, table.beside, strict=True):
        counts = _counts(log, pairs, decay**pairs.ages)
        shares = counts / counts.sum(1, keepdims=True)
        following = np.empty_like(shares)
        beside = np.log(beside / log.popularity)
        for topic in np.unique(asked):
            rows = asked == topic
            following[rows] = shares[rows] @ beside[topic]
        features.append(following)
    return features


def _held_out(fitted: _Half, foretold: _Half) -> np.ndarray:
    """Bits that each foretold topic takes under the four models: (4, n)."""
    bits = []
    for model in MODELS:
        train, test = (
            np.concatenate([half.blocks[block] for block in model], axis=-1)
            for half in (fitted, foretold)
        )
        weights = _fit(train, fitted.targets)
        bits.append(-_log_likelihoods(test, foretold.targets, weights)[0] / np.log(2))
    return np.stack(bits)


def _log_likelihoods(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood of each target (n,), and the probabilities (n, n_topics)."""
    scores = features @ weights.astype(np.float32)  # (n, n_topics)
    scores -= scores.max(1, keepdims=True)
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return logs[np.arange(len(logs)), targets].astype(float), np.exp(logs)


def _fit(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Weights of a conditional logit, (n_features,), under a standard normal prior."""
    n, _, n_features = features.shape
    chosen = features[np.arange(n), targets].mean(0, dtype=float)  # (n_features,)
    rows = features.reshape(-1, n_features)

    def loss(weights):
        logs, probabilities = _log_likelihoods(features, targets, weights)
        expected = probabilities.ravel() @ rows / n
        prior = weights @ weights / 2
        return (prior - logs.sum()) / n, expected - chosen + weights / n

    def curvature(weights):
        probabilities = _log_likelihoods(features, targets, weights)[1]
        expected = (probabilities[:, None] @ features)[:, 0]  # (n, n_features)
        squares = (rows * probabilities.reshape(-1, 1)).T @ rows
        return (squares - expected.T @ expected + np.eye(n_features)) / n

    start = np.zeros(n_features)
    return optimize.minimize(
        loss, start, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-4}
    ).x
