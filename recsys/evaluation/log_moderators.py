"""What a log tells before anything is trained: whether attention is likely to pay.

Attention asks the history a question: which of these events matter *now*, given the
newest? A decay asks nothing; it weighs events by age alone. So attention can pay only
where the newest item changes what the rest of the history says. `moderators` measures
by how much, in bits of the next item's topic, with counts and a few fitted weights in
place of a network.

The next topic is foretold by a conditional logit from what a history says by age alone
and what follows its newest topic, and once more with *readings* of the history in which
the newest event asks (`recsys.evaluation.topic_readings`). Readings make the model
richer in any case. So what they save is held against what they save on the same events
of each user in another order, where the newest is any of them and not worth asking.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.data import Interactions
from recsys.evaluation.conditional_logit import fit_weights, log_probabilities
from recsys.evaluation.topic_readings import (
    BEFORE,
    Tables,
    TopicLog,
    by_age,
    count,
    in_another_order,
    read,
    topic_log,
)
from recsys.recommender import require_taken

FORETOLD = 10_000  # events of each half of the users held out, at most
OF_A_USER = 20  # of these, unless there are so few users that it takes more
COUNTED = 100_000  # events that tables are counted from, at most


@dataclass(frozen=True)
class Moderators:
    """What a log says of itself.

    Args:
        newest_bits: bits that the newest item tells of the next one's topic when it may
            choose what to read, beside the history, its ages and what follows the
            newest item by itself; what is told as well of the same events in another
            order is taken off. Of users held out, so it may fall below 0.
        newest_bits_error: its standard error over users, topics and tables as they are;
            another seed has others, which move it by about as much again.
        repeat_share: share of events, each user's first left out, whose item the user
            had before.
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

    Half of the users make topics and tables. Of the others one half fits the weights
    and the other is foretold, then the same with the halves changed over. Events that
    tie in time keep the order of the file, so of a basket the newest item is the last
    there.

    Args:
        interactions: a log of what was taken; values are not read.
        seed: of the users' parts, topics, events foretold and the other order.

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
            f"interactions: expected at least 4 users with {BEFORE + 1} events or "
            f"more, got {n_long} of {len(lengths)}; hand in a longer log"
        )
    bits, error = _newest_bits(interactions, seed)
    n_events, n_firsts = len(interactions), int((lengths > 0).sum())
    n_items = int((interactions.item_counts() > 0).sum())
    return Moderators(
        newest_bits=bits,
        newest_bits_error=error,
        repeat_share=(n_events - interactions.seen().nnz) / (n_events - n_firsts),
        median_length=float(np.median(lengths[lengths > 0])),
        events_per_item=n_events / n_items,
    )


def _newest_bits(interactions: Interactions, seed: int) -> tuple[float, float]:
    """The mean over events foretold, and its standard error over users."""
    rng = np.random.default_rng(seed)
    log = topic_log(interactions, rng, seed)
    counted = rng.permutation(_long_enough(log, 0))[:COUNTED]
    halves = [_spread(log, part, rng) for part in (1, 2)]
    gains = _gains(log, counted, *halves)
    gains -= _gains(in_another_order(log, rng), counted, *halves)
    users = log.users[np.concatenate(halves)]
    of_users = np.bincount(users, gains - gains.mean())  # (n_users,) sums
    error = np.sqrt((of_users**2).sum()) / len(gains)
    return float(gains.mean()), float(error)


def _long_enough(log: TopicLog, part: int) -> np.ndarray:
    """Events of a part of the users that have enough before them."""
    return np.flatnonzero((log.parts == part) & (log.places >= BEFORE))


def _spread(log: TopicLog, part: int, rng: np.random.Generator) -> np.ndarray:
    """Some of them, not too many of a user, in rising order."""
    rows = rng.permutation(_long_enough(log, part))
    rows = rows[np.argsort(log.users[rows], kind="stable")]
    _, first, n = np.unique(log.users[rows], return_index=True, return_counts=True)
    nth = np.arange(len(rows)) - np.repeat(first, n)
    of_a_user = max(OF_A_USER, -(-FORETOLD // len(first)))
    return np.sort(rng.permutation(rows[nth < of_a_user])[:FORETOLD])


def _gains(
    log: TopicLog, counted: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Bits that readings save on each event of two halves, foretold by the other half.

    Args:
        log: of topics.
        counted: int (n,), events from which tables are counted.
        first, second: int (n,), events to foretell.

    Returns:
        Float (n of both,).
    """
    tables = count(log, counted)
    features = [_features(log, tables, half) for half in (first, second)]
    topics = [log.topics[first], log.topics[second]]
    gains = []
    for foretold, fitted in ((0, 1), (1, 0)):
        plain, richer = (
            _bits(fit_weights(x[fitted], topics[fitted]), x[foretold], topics[foretold])
            for x in zip(*features, strict=True)
        )
        gains.append(plain - richer)
    return np.concatenate(gains)


def _features(
    log: TopicLog, tables: Tables, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of each topic, without readings and with them: (n, n_topics, n_features) each."""
    shape = len(positions), len(log.popularity)
    plain = [
        np.broadcast_to(log.popularity, shape),
        tables.after[log.topics[positions - 1]],
        *by_age(log, positions, tables.after),
    ]
    everything = plain + read(log, tables, positions)
    logs = np.log(np.stack(everything, axis=-1)).astype(np.float32)
    return logs[..., : len(plain)], logs


def _bits(
    weights: np.ndarray, features: np.ndarray, topics: np.ndarray
) -> np.ndarray:
    """Bits that each foretold topic costs, (n,)."""
    logs = log_probabilities(features, weights)
    return -logs[np.arange(len(logs)), topics] / np.log(2)
