"""What a log tells before anything is trained: whether attention is likely to pay.

Attention asks the history a question: which of these events matter *now*, given the
newest? A decay asks nothing; it weighs events by age alone. So attention can pay only
where the newest item changes what the rest of the history says. `moderators` measures
by how much, in bits of the next item's topic, with counts and a few fitted weights in
place of a network.

The next topic is foretold by a conditional logit from what a history says by age alone,
what follows its newest topic, and *readings* of the history in which the newest event
asks (`recsys.evaluation.topic_readings`). A reading makes the model richer whichever
event asks. So it is held against a *placebo*: the same readings, asked by an older
event that is drawn from the history. Where order tells nothing, the newest event is
such a draw, and the two models are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recsys.data import Interactions
from recsys.evaluation.conditional_logit import fit_weights, log_probabilities
from recsys.evaluation.topic_readings import (
    BEFORE,
    HISTORY,
    Tables,
    TopicLog,
    by_age,
    count,
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
            choose what to read, above a placebo and beside the history, its ages and
            what follows the newest item by itself. Of users held out, so it may fall
            below 0.
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
            f"interactions: expected at least 4 users with {BEFORE + 1} events or "
            f"more, got {n_long} of {len(lengths)}; hand in a longer log"
        )
    gains, users = _gains(interactions, seed)
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


class _Half(NamedTuple):
    """Events to foretell, and what is known of each topic there."""

    users: np.ndarray  # (n,)
    topics: np.ndarray  # (n,)
    features: dict[str, np.ndarray]  # (n, n_topics, n_features) of each model


def _gains(interactions: Interactions, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bits that each foretold event costs less than with the placebo; its user."""
    rng = np.random.default_rng(seed)
    log = topic_log(interactions, rng, seed)
    counted = rng.permutation(_positions(log, 0))[:COUNTED]
    tables = [count(log, counted, asks) for asks in _questions(log, counted, rng)]
    halves = [_half(log, tables, part, rng) for part in (1, 2)]
    gains, users = [], []
    for fitted, foretold in (halves, halves[::-1]):
        bits = {model: _bits(fitted, foretold, model) for model in fitted.features}
        gains.append(bits["placebo"] - bits["newest"])
        users.append(foretold.users)
    return np.concatenate(gains), np.concatenate(users)


def _positions(log: TopicLog, part: int) -> np.ndarray:
    """Events of a part of the users that have enough before them."""
    return np.flatnonzero((log.parts == part) & (log.places >= BEFORE))


def _spread(log: TopicLog, part: int, rng: np.random.Generator) -> np.ndarray:
    """Some of them, not too many of a user, in rising order."""
    rows = rng.permutation(_positions(log, part))
    rows = rows[np.argsort(log.users[rows], kind="stable")]
    _, first, n = np.unique(log.users[rows], return_index=True, return_counts=True)
    nth = np.arange(len(rows)) - np.repeat(first, n)
    of_a_user = max(OF_A_USER, -(-FORETOLD // len(first)))
    return np.sort(rng.permutation(rows[nth < of_a_user])[:FORETOLD])


def _questions(
    log: TopicLog, positions: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The newest event before each position, and one drawn from the older ones."""
    n_older = np.minimum(log.places[positions], HISTORY) - 1
    return positions - 1, positions - 2 - rng.integers(n_older)


def _half(
    log: TopicLog, tables: list[Tables], part: int, rng: np.random.Generator
) -> _Half:
    positions = _spread(log, part, rng)
    questions = _questions(log, positions, rng)
    after = tables[0].after
    shape = len(positions), len(log.popularity)
    known = [np.broadcast_to(log.popularity, shape), *by_age(log, positions, after)]
    for table, asks in zip(tables, questions, strict=True):
        known.append(table.after[log.topics[asks]])
    features = {}
    for model, table, asks in zip(
        ("newest", "placebo"), tables, questions, strict=True
    ):
        shares = known + read(log, table, positions, asks, after)
        features[model] = np.log(np.stack(shares, axis=-1)).astype(np.float32)
    return _Half(log.users[positions], log.topics[positions], features)


def _bits(fitted: _Half, foretold: _Half, model: str) -> np.ndarray:
    """Bits that each foretold topic costs, (n,)."""
    weights = fit_weights(fitted.features[model], fitted.topics)
    logs = log_probabilities(foretold.features[model], weights)
    return -logs[np.arange(len(logs)), foretold.topics] / np.log(2)
