"""Who is shown what: exact best slates, slates drawn with known chances, mixed slates.

`best_slates` ranks a whole catalogue without scoring it: where a score is a user's taste
for the topic plus something of the item, the best k are among the best k of each topic.
`sampled_slates` draws without replacement (Plackett-Luce) and says with what chances.
`slot_kinds` and `compose` mix content, adverts and exploration under gaps.

Sources: Plackett (1975), The analysis of permutations; for the draw by noise, Kool et al.
(2019, https://arxiv.org/abs/1903.06059), section 2.
"""

from __future__ import annotations

import numpy as np

from recsys.checks import (
    check_axes,
    check_count,
    check_finite,
    check_indices,
    check_temperature,
)

CONTENT, ADVERT, EXPLORATION = 0, 1, 2
"""The kinds of a slot."""

BLOCK = 1024
"""Users that are ranked at once."""


def best_slates(
    tastes: np.ndarray, item_scores: np.ndarray, topics: np.ndarray, k: int
) -> np.ndarray:
    """The k items with the largest `tastes[user, topic] + item_score`, best first.

    The best of each topic are merged. Where scores tie, which rounding alone can do
    inside a topic too, the user's whole catalogue is sorted, so that the lower item
    index always comes first.

    Args:
        tastes: float (n_users, n_topics), less fatigue where there is any.
        item_scores: float (n_items,).
        topics: int (n_items,).
        k: slots, at most n_items.

    Returns:
        Int (n_users, k), equal to a stable sort of all scores.

    Raises:
        ValueError: scores that are not finite, another shape, a topic that has no taste,
            or more slots than items.
    """
    tastes, item_scores = np.asarray(tastes, float), np.asarray(item_scores, float)
    topics = np.asarray(topics)
    _check_scores(tastes, item_scores, topics, k)
    heads, items = _best_of_topics(item_scores, topics, tastes.shape[1], k + 1)
    slates = np.empty((len(tastes), k), dtype=np.int64)
    for first in range(0, len(tastes), BLOCK):
        block = tastes[first : first + BLOCK]
        merged, tied = _merged(block, heads, items, k)
        for user in np.flatnonzero(tied):
            scores = block[user, topics] + item_scores
            merged[user] = np.argsort(-scores, kind="stable")[:k]
        slates[first : first + BLOCK] = merged
    return slates


def sampled_slates(
    scores: np.ndarray, k: int, *, temperature: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw slates without replacement, each slot by softmax over what is left.

    Args:
        scores: float (n_users, n_items).
        k: slots, at most n_items.
        temperature: above 0; low ranks, high draws evenly.
        seed: of the draw.

    Returns:
        Slates, int (n_users, k), and propensities, float (n_users, k): the chance of each
        item in its slot given those above it. A row's product is the chance of the slate.

    Raises:
        ValueError: scores that are not finite, a temperature that is not positive, or
            more slots than items.
    """
    check_temperature(temperature)
    scaled = np.asarray(scores, dtype=float) / temperature  # (n_users, n_items)
    check_axes("scores", scaled, ("users", "items"))
    check_finite("scores", scaled)
    _check_slots(k, scaled.shape[1])
    noise = np.random.default_rng(seed).gumbel(size=scaled.shape)
    order = np.argsort(-(scaled + noise), axis=1, kind="stable")
    ranked = np.take_along_axis(scaled, order, axis=1)
    from_last = np.logaddexp.accumulate(ranked[:, ::-1], axis=1)
    left = from_last[
        :, ::-1
    ]  # (n_users, n_items), log-sums over a place and those below
    return order[:, :k], np.exp(ranked - left)[:, :k]


def slot_kinds(
    n_slots: int, *, n_adverts: int = 0, gap: int = 1, n_explored: int = 0
) -> np.ndarray:
    """Which slot is for what: adverts behind gaps, exploration last.

    Args:
        n_slots: of the slate.
        n_adverts: slots for adverts, as early as the gaps allow.
        gap: slots before the first advert, and at least so many between two.
        n_explored: slots at the end that explore.

    Returns:
        Int (n_slots,), of `CONTENT`, `ADVERT` and `EXPLORATION`.

    Raises:
        ValueError: a negative number, or they do not fit.
    """
    if min(n_adverts, gap, n_explored) < 0:
        raise ValueError(
            "n_adverts, gap, n_explored: expected at least 0, got "
            f"{n_adverts}, {gap}, {n_explored}"
        )
    if n_adverts * (gap + 1) + n_explored > n_slots:
        raise ValueError(
            f"n_slots: expected at least {n_adverts * (gap + 1) + n_explored} for "
            f"{n_adverts} adverts with a gap of {gap} and {n_explored} explored slots, "
            f"got {n_slots}; show fewer adverts"
        )
    kinds = np.full(n_slots, CONTENT)
    kinds[gap : n_adverts * (gap + 1) : gap + 1] = ADVERT
    kinds[n_slots - n_explored :] = EXPLORATION
    return kinds


def compose(
    kinds: np.ndarray, content: np.ndarray, adverts: np.ndarray, explored: np.ndarray
) -> np.ndarray:
    """Fill the slots of each kind from its own list, no item twice.

    Adverts are placed first, then what is explored, then content, each in the order of
    its list and without what is placed already. So the chance of the slate is that of
    the explored items, if no advert is among them.

    Args:
        kinds: int (n_slots,), as `slot_kinds` makes them.
        content, adverts, explored: int (n_users, any length), items, best first.

    Returns:
        Int (n_users, n_slots).

    Raises:
        ValueError: another number of users, or a list that ends too early.
    """
    kinds = np.asarray(kinds)
    slates = np.full((len(content), len(kinds)), -1, dtype=np.int64)
    pools = {"adverts": (ADVERT, adverts), "explored": (EXPLORATION, explored)}
    pools["content"] = (CONTENT, content)
    for name, (kind, pool) in pools.items():
        slots = np.flatnonzero(kinds == kind)
        if slots.size:
            slates[:, slots] = _next_of(name, np.asarray(pool), slates, len(slots))
    return slates


def _next_of(name: str, pool: np.ndarray, placed: np.ndarray, count: int) -> np.ndarray:
    """The first `count` of each row of a pool that are not placed: (n_users, count)."""
    if pool.ndim != 2 or len(pool) != len(placed):
        raise ValueError(
            f"{name}: expected a row of items for each of {len(placed)} users, got shape "
            f"{pool.shape}"
        )
    taken = (pool[:, :, None] == placed[:, None, :]).any(axis=2)  # (n_users, length)
    left = (~taken).sum(axis=1)
    if (left < count).any():
        user = int(np.argmax(left < count))
        raise ValueError(
            f"{name}: expected at least {count} items that are not placed yet, got "
            f"{left[user]} for user {user}; give a longer list"
        )
    order = np.argsort(taken, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(pool, order, axis=1)


def _best_of_topics(
    item_scores: np.ndarray, topics: np.ndarray, n_topics: int, depth: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and indices of each topic's best items, (n_topics, depth + 1).

    The last column, and what a topic lacks, is -inf.
    """
    heads = np.full((n_topics, depth + 1), -np.inf)
    items = np.zeros((n_topics, depth + 1), dtype=np.int64)
    for topic in range(n_topics):
        members = np.flatnonzero(topics == topic)
        best = members[np.argsort(-item_scores[members], kind="stable")[:depth]]
        heads[topic, : len(best)], items[topic, : len(best)] = item_scores[best], best
    return heads, items


def _merged(
    tastes: np.ndarray, heads: np.ndarray, items: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Slates (n_users, k) by the best head of all topics, and whose scores tie."""
    n_users, n_topics = tastes.shape
    users, taken = np.arange(n_users), np.zeros((n_users, n_topics), dtype=np.int64)
    first = tastes + heads[:, 0]  # (n_users, n_topics), the score of each topic's next
    slates, tied = np.empty((n_users, k), dtype=np.int64), np.zeros(n_users, dtype=bool)
    last = np.full(n_users, np.inf)
    for slot in range(k + 1):
        topic = first.argmax(axis=1)
        score, place = first[users, topic], taken[users, topic]
        tied |= (score == last) & np.isfinite(score)
        last = score
        if slot < k:
            slates[:, slot] = items[topic, place]
        taken[users, topic] = place + 1
        first[users, topic] = tastes[users, topic] + heads[topic, place + 1]
    return slates, tied


def _check_slots(k: int, n_items: int) -> None:
    check_count("k", k)
    if k > n_items:
        raise ValueError(f"k: expected at most the {n_items} items, got {k}")


def _check_scores(
    tastes: np.ndarray, item_scores: np.ndarray, topics: np.ndarray, k: int
) -> None:
    check_axes("tastes", tastes, ("users", "topics"))
    check_axes("item_scores", item_scores, ("items",))
    check_finite("tastes", tastes)
    check_finite("item_scores", item_scores)
    if topics.shape != item_scores.shape:
        raise ValueError(
            f"topics: expected one for each of {len(item_scores)} items, got {topics.shape}"
        )
    check_indices("topics", topics, tastes.shape[1], "give a taste for each topic")
    _check_slots(k, len(topics))
