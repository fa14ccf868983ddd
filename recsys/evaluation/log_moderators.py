"""What can be measured on any log before anything is trained, to foretell whether attention pays.

Attention asks the history a question: which of these events matter *now*, given the newest?
A decay asks nothing; it weighs events by age alone. So attention can pay only where the newest
item changes what the rest of the history says. `moderators` measures by how much, in bits of
the next item's topic, with counts and a few fitted weights in place of a network.

Topics are clusters of items that the same users took. Three models foretell the next topic;
each is a conditional logit, whose few weights are the same for all topics:

- *history*: the topics' popularity and their shares in the history;
- *age*: also shares that decay with age, and what tends to follow the newest topic;
- *newest*: also two readings of the history with the newest event as the question: shares
  among the events near it, and a table of what follows this newest topic beside that older one.

Readings make a model richer, whichever event asks. So the last model is held against a
*placebo*: the same readings with an older event, drawn from the history, as the question.
Where order tells nothing, the newest event is such a draw, and the two models are equal.
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

N_TOPICS = 64  # 16 and 32 do not tell planted styles apart; 128 take four times as long
N_DIMENSIONS = 64
BEFORE = 3  # events before an event that is foretold
HISTORY = 50  # newest events that are read
POSITIONS = 10_000  # foretold of each part of the users held out
A_USER = 20  # of a user, unless there are so few users that it takes more
TABLE_POSITIONS = 100_000
DECAYS = (1.0, 0.9, 0.7, 0.3)  # weight of an event for each that came after it
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
        age_bits: what ages of events and the newest item by itself tell of the next topic beyond
            shares in the history: bits of *history* minus *age*.
        reading_bits: what readings with the newest event as the question tell beyond those: bits
            of *age* minus *newest*. Above 0 without any order too, since readings make the model
            richer.
        newest_bits: how much of it is the newest event's own: bits of *placebo* minus *newest*.
            All three are held out and may fall below 0.
        newest_bits_error: its standard error over users, topics and tables given.
    """

    events: int
    users: int
    items: int
    median_length: float
    events_per_item: float
    repeat_share: float
    age_bits: float
    reading_bits: float
    newest_bits: float
    newest_bits_error: float


def moderators(interactions: Interactions, seed: int = 0) -> Moderators:
    """Measure a log.

    Half of the users make topics and tables. Of the others a quarter fits the weights and a
    quarter is foretold, then the same with the quarters changed over: at most 20,000 events
    that have three before them, of which the newest 50 are read. Events that tie in time keep
    the order of the file, so of a basket the newest item is the last in the file.

    Args:
        interactions: a log of what was taken; values are not read.
        seed: of halves, topics, foretold events and the placebo's questions.

    Returns:
        The moderators, in events, shares and bits.

    Raises:
        ValueError: rows with a value of 0 or less, no rows, or fewer than four users with four
            events or more.

    Source: McFadden (1974), Conditional logit analysis of qualitative choice behavior, for the
        form of the models.
    """
    require_taken(interactions)
    lengths = interactions.user_counts()
    _check(interactions, lengths)
    rng = np.random.default_rng(seed)
    log = _log(interactions, lengths, rng, seed)
    tables = _tables(log, rng)
    one, other = _half(log, tables, 1, rng), _half(log, tables, 2, rng)
    bits = [_held_out(one, other), _held_out(other, one)]
    history, age, placebo, newest = np.concatenate(bits, axis=1)  # (n_positions,) each
    users = np.concatenate([other.users, one.users])
    own = placebo - newest
    n_events, n_pairs = len(interactions), interactions.seen().nnz
    n_users = int((lengths > 0).sum())
    n_items = int((interactions.item_counts() > 0).sum())
    return Moderators(
        events=n_events,
        users=n_users,
        items=n_items,
        median_length=float(np.median(lengths[lengths > 0])),
        events_per_item=n_events / n_items,
        repeat_share=(n_events - n_pairs) / (n_events - n_users),
        age_bits=float((history - age).mean()),
        reading_bits=float((age - newest).mean()),
        newest_bits=float(own.mean()),
        newest_bits_error=_error_over_users(own, users),
    )


def _check(interactions: Interactions, lengths: np.ndarray) -> None:
    if len(interactions) == 0:
        raise ValueError(
            "interactions: expected events, got none; hand in a log with rows"
        )
    n_long = int((lengths > BEFORE).sum())
    if n_long < 4:
        raise ValueError(
            f"interactions: expected at least 4 users with {BEFORE + 1} events or more, got "
            f"{n_long} of {len(lengths)}; two make topics and tables, the others are foretold"
        )


def _error_over_users(values: np.ndarray, users: np.ndarray) -> float:
    """Standard error of a mean whose values depend on each other within a user."""
    of_users = np.bincount(users, values - values.mean())  # (n_users,) sums
    return float(np.sqrt((of_users**2).sum()) / len(values))


class _Log(NamedTuple):
    """Events sorted by user and time, as topics, and what the counted users say of topics."""

    users: np.ndarray  # (n,)
    topics: np.ndarray  # (n,)
    places: np.ndarray  # (n,) how many of the same user are before
    parts: np.ndarray  # (n,) 0 of users who are counted, 1 and 2 of those held out
    popularity: np.ndarray  # (n_topics,) sums to 1
    likeness: np.ndarray  # (n_topics, n_topics) cosines


def _log(
    interactions: Interactions,
    lengths: np.ndarray,
    rng: np.random.Generator,
    seed: int,
) -> _Log:
    part_of = _parts(lengths, rng)  # (n_users,)
    order = interactions.by_time()
    users = interactions.users[order]
    places = np.arange(len(users)) - (np.cumsum(lengths) - lengths)[users]
    vectors = _vectors(interactions.select(part_of[interactions.users] == 0), seed)
    topic_of = _topics(vectors, seed)  # (n_items,)
    topics, parts = topic_of[interactions.items[order]], part_of[users]
    n_topics = int(topic_of.max()) + 1
    counts = 1 + np.bincount(topics[parts == 0], minlength=n_topics)
    centres = np.zeros((n_topics, vectors.shape[1]))
    np.add.at(centres, topic_of, vectors)
    centres = _unit(centres)
    return _Log(
        users, topics, places, parts, counts / counts.sum(), centres @ centres.T
    )


def _parts(lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Part 0 is counted, 1 and 2 are held out: a quarter each of users who can be foretold."""
    users = rng.permutation(np.flatnonzero(lengths > BEFORE))
    quarter = len(users) // 4
    parts = np.zeros(len(lengths), dtype=np.int64)
    parts[users[:quarter]] = 1
    parts[users[quarter : 2 * quarter]] = 2
    return parts


def _vectors(counted: Interactions, seed: int) -> np.ndarray:
    """(n_items, n_dimensions) of length 1: items are near that the same users took."""
    matrix = counted.matrix()
    matrix.data = np.log1p(matrix.data)
    n_takers = np.bincount(matrix.indices, minlength=counted.n_items)
    rarity = np.log1p(counted.n_users / np.maximum(n_takers, 1))
    matrix = matrix @ sparse.diags_array(rarity)
    norms = sparse.linalg.norm(matrix, axis=1)
    matrix = sparse.diags_array(1 / np.maximum(norms, TINY)) @ matrix
    n_dimensions = min(N_DIMENSIONS, *matrix.shape)
    svd = TruncatedSVD(n_dimensions, random_state=seed).fit(matrix)
    return _unit(svd.components_.T * svd.singular_values_)


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, TINY)


def _topics(vectors: np.ndarray, seed: int) -> np.ndarray:
    """A topic for each item: its cluster, or the item itself where there are few.

    Items that no counted user took have no vector and make up one topic.
    """
    n_items = len(vectors)
    if n_items <= N_TOPICS:
        return np.arange(n_items)
    known = vectors.any(1)
    n_distinct = len(np.unique(vectors[known].round(6), axis=0))
    n_topics = min(N_TOPICS, n_distinct)
    topics = np.full(n_items, n_topics)
    clusters = KMeans(n_topics, n_init=1, random_state=seed)
    topics[known] = clusters.fit_predict(vectors[known].astype(np.float32))
    return topics


class _Pairs(NamedTuple):
    """Each position with each event of its history."""

    rows: np.ndarray  # which position
    events: np.ndarray  # which event
    ages: np.ndarray  # 0 for the newest


def _pairs(
    log: _Log, positions: np.ndarray, questions: np.ndarray | None = None
) -> _Pairs:
    """The newest 50 events before each position, but for the one that asks."""
    n = np.minimum(log.places[positions], HISTORY)
    rows = np.repeat(np.arange(len(positions)), n)
    ages = np.arange(len(rows)) - (np.cumsum(n) - n)[rows]
    events = positions[rows] - 1 - ages
    if questions is None:
        return _Pairs(rows, events, ages)
    kept = events != questions[rows]
    return _Pairs(rows[kept], events[kept], ages[kept])


def _questions(
    log: _Log, positions: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The newest event before each position, and one drawn from the older ones."""
    n_older = np.minimum(log.places[positions], HISTORY) - 1
    return positions - 1, positions - 2 - rng.integers(n_older)


class _Table(NamedTuple):
    """What follows a question, smoothed."""

    after: np.ndarray  # (n_topics, n_topics): given its topic
    beside: list[np.ndarray]  # (n_topics, n_topics, n_topics): and an older one, by decay


def _tables(log: _Log, rng: np.random.Generator) -> tuple[_Table, _Table]:
    """Counted with the newest event as the question, and with a drawn one."""
    positions = np.flatnonzero((log.parts == 0) & (log.places >= BEFORE))
    positions = rng.permutation(positions)[:TABLE_POSITIONS]
    newest, drawn = _questions(log, positions, rng)
    return _table(log, positions, newest), _table(log, positions, drawn)


def _table(log: _Log, positions: np.ndarray, questions: np.ndarray) -> _Table:
    n = len(log.popularity)
    asked, target = log.topics[questions], log.topics[positions]
    after = np.bincount(asked * n + target, minlength=n**2).reshape(n, n)
    after = _smooth(after, log.popularity, BACKOFF)
    rows, events, ages = _pairs(log, positions, questions)
    cells = (asked[rows] * n + log.topics[events]) * n + target[rows]
    beside = []
    for decay in DECAYS:
        counts = np.bincount(cells, decay**ages, minlength=n**3).reshape(n, n, n)
        smooth = _smooth(counts, after[:, None], BACKOFF)
        beside.append(smooth.astype(np.float32))
    return _Table(after, beside)


def _smooth(counts: np.ndarray, prior: np.ndarray, weight: float) -> np.ndarray:
    """Shares along the last axis, with `weight` events more, spread as the prior says."""
    return (counts + weight * prior) / (counts.sum(-1, keepdims=True) + weight)


class _Half(NamedTuple):
    """Positions of one part of the held-out users, and what is known of each topic there."""

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
    age = [feature for both in decayed for feature in both]
    age += _alone(log, tables[0], newest) + _alone(log, tables[1], drawn)
    blocks = (
        [np.log(popularity), *whole],
        age,
        _readings(log, tables[1], positions, drawn, after),
        _readings(log, tables[0], positions, newest, after),
    )
    stacked = [np.stack(block, axis=-1).astype(np.float32) for block in blocks]
    return _Half(log.users[positions], log.topics[positions], stacked)


def _positions(log: _Log, part: int, rng: np.random.Generator) -> np.ndarray:
    """Events to foretell, in rising order: at most 10,000, spread over the users."""
    rows = np.flatnonzero((log.parts == part) & (log.places >= BEFORE))
    rows = rows[np.lexsort((rng.random(len(rows)), log.users[rows]))]
    _, first, counts = np.unique(log.users[rows], return_index=True, return_counts=True)
    nth = np.arange(len(rows)) - np.repeat(first, counts)
    a_user = max(A_USER, -(-POSITIONS // len(first)))
    return np.sort(rng.permutation(rows[nth < a_user])[:POSITIONS])


def _shares(
    log: _Log, pairs: _Pairs, weights: np.ndarray, after: np.ndarray
) -> list[np.ndarray]:
    """Topics' shares in weighted histories, and what follows these; logs, over popularity."""
    counts = _counts(log, pairs, weights)
    shares = _smooth(counts, log.popularity, 1.0)
    following = _smooth(counts, log.popularity, TINY) @ after
    return [np.log(shares / log.popularity), np.log(following / log.popularity)]


def _counts(log: _Log, pairs: _Pairs, weights: np.ndarray) -> np.ndarray:
    """(n_positions, n_topics) sums of weights; every position has a pair."""
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
    """The rest of the history, read with a question: what is near it, what follows beside it."""
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
        for topic in np.unique(asked):
            rows = asked == topic
            following[rows] = shares[rows] @ beside[topic]
        features.append(np.log(following / log.popularity))
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
        logs, _ = _likelihoods(test, foretold.targets, weights)
        bits.append(-logs / np.log(2))
    return np.stack(bits)


def _likelihoods(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The log-likelihood of each target (n,), and the probabilities (n, n_topics)."""
    scores = features @ weights.astype(np.float32)  # (n, n_topics)
    scores -= scores.max(1, keepdims=True)
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return logs[np.arange(len(logs)), targets].astype(float), np.exp(logs)


def _fit(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Weights of a conditional logit, (n_features,), under a standard normal prior."""
    n, _, n_features = features.shape
    chosen = features[np.arange(n), targets].mean(0, dtype=float)  # (n_features,)
    rows = features.reshape(-1, n_features)  # (n * n_topics, n_features)

    def loss(weights):
        logs, probabilities = _likelihoods(features, targets, weights)
        expected = probabilities.ravel() @ rows / n  # (n_features,)
        gradient = expected - chosen + weights / n
        return (weights @ weights / 2 - logs.sum()) / n, gradient

    def curvature(weights):
        _, probabilities = _likelihoods(features, targets, weights)
        expected = (probabilities[:, None] @ features)[:, 0]  # (n, n_features)
        squares = (rows * probabilities.reshape(-1, 1)).T @ rows
        return (squares - expected.T @ expected + np.eye(n_features)) / n

    start = np.zeros(n_features)
    found = optimize.minimize(
        loss,
        start,
        method="trust-exact",
        jac=True,
        hess=curvature,
        options={"gtol": 1e-4},
    )
    return found.x
