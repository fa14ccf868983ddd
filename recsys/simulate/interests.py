"""Viewers with several interests at once, in sessions: planted sequences whose truth is known.

A catalogue of topics, each of several styles, each of several items. A viewer has a few
topics and, in each, one style of their own. They sit down for a session in one topic; most
items of it are of their style there, the rest of any style of the topic. So the newest item
tells the topic, and only the older items of the same topic tell the style: a reader that
can pick them out of a mixed history knows more than one that averages over all of it.

After a session ends (with probability 1 - stay after each item) the next topic is drawn
evenly from the viewer's own, which may be the same one again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.data import Interactions


@dataclass(frozen=True)
class PlantedInterests:
    """The log and the truth behind it.

    Viewer u likes style `styles[u, j]` of topic `topics[u, j]`.

    Args:
        interactions: what viewers watched; a time is a place in the list.
        item_topics, item_styles: int (n_items,).
        topics, styles: int (n_users, n_interests).
        stay: probability that a session goes on after an item.
        noise: share of events whose style is drawn evenly.
    """

    interactions: Interactions
    item_topics: np.ndarray
    item_styles: np.ndarray
    topics: np.ndarray
    styles: np.ndarray
    stay: float
    noise: float

    def probabilities(self, users: np.ndarray, last: np.ndarray) -> np.ndarray:
        """How likely each item comes next, for one who knows the truth.

        Args:
            users: int (n,), user indices.
            last: int (n,), item index of each viewer's newest event.

        Returns:
            Float (n, n_items); rows sum to 1.
        """
        n_interests, n_styles = self.topics.shape[1], self.item_styles.max() + 1
        group = np.bincount(
            self.item_topics * n_styles + self.item_styles
        )  # items of a topic and style
        rows = np.zeros((len(users), len(self.item_topics)))
        for topic, style in zip(
            self.topics[users].T, self.styles[users].T, strict=True
        ):
            now = (
                self.stay * (topic == self.item_topics[last])
                + (1 - self.stay) / n_interests
            )  # (n,)
            own = self.item_styles[None] == style[:, None]  # (n, n_items)
            share = (1 - self.noise) * own + self.noise / n_styles
            share = share / group[self.item_topics * n_styles + self.item_styles]
            rows += now[:, None] * share * (self.item_topics[None] == topic[:, None])
        return rows


def planted_interests(
    n_users: int,
    n_interests: int,
    length: int = 40,
    *,
    n_topics: int = 8,
    n_styles: int = 8,
    items_per_style: int = 5,
    stay: float = 0.7,
    noise: float = 0.5,
    seed: int = 0,
) -> PlantedInterests:
    """Draw viewers, their interests and what they watched.

    Args:
        n_users, n_interests, length: viewers, topics of each, events of each.
        n_topics, n_styles, items_per_style: the number of items is their product.
        stay: probability that a session goes on after an item, from 0 to below 1.
        noise: share of events whose style is drawn evenly from the topic's.
        seed: of everything drawn.

    Returns:
        The log, and what was planted.

    Raises:
        ValueError: a count below 1, more interests than topics, or a share out of range.
    """
    _check(
        n_users, n_interests, length, n_topics, n_styles, items_per_style, stay, noise
    )
    rng = np.random.default_rng(seed)
    topics = rng.permuted(np.tile(np.arange(n_topics), (n_users, 1)), axis=1)[
        :, :n_interests
    ]
    styles = rng.integers(n_styles, size=(n_users, n_interests))
    users = np.arange(n_users)
    current = rng.integers(n_interests, size=n_users)
    items = np.empty((n_users, length), dtype=np.int64)
    for step in range(length):
        style = np.where(
            rng.random(n_users) < noise,
            rng.integers(n_styles, size=n_users),
            styles[users, current],
        )
        group = topics[users, current] * n_styles + style
        items[:, step] = group * items_per_style + rng.integers(
            items_per_style, size=n_users
        )
        moves = rng.random(n_users) >= stay
        current = np.where(moves, rng.integers(n_interests, size=n_users), current)
    n_items = n_topics * n_styles * items_per_style
    groups = np.arange(n_items) // items_per_style
    log = Interactions.from_sequences(items, np.arange(n_items))
    return PlantedInterests(
        log, groups // n_styles, groups % n_styles, topics, styles, stay, noise
    )


def _check(
    n_users, n_interests, length, n_topics, n_styles, items_per_style, stay, noise
) -> None:
    counts = {
        "n_users": n_users,
        "n_interests": n_interests,
        "length": length,
        "n_topics": n_topics,
        "n_styles": n_styles,
        "items_per_style": items_per_style,
    }
    for name, count in counts.items():
        if count < 1:
            raise ValueError(
                f"{name}: expected at least 1, got {count}; there is nothing to draw"
            )
    if n_interests > n_topics:
        raise ValueError(
            f"n_interests: expected at most the {n_topics} of n_topics, got {n_interests}; "
            "a viewer has no topic twice"
        )
    if not 0 <= stay < 1:
        raise ValueError(
            f"stay: expected from 0 to below 1, got {stay}; at 1 no session would end"
        )
    if not 0 <= noise <= 1:
        raise ValueError(
            f"noise: expected a share from 0 to 1, got {noise}; 0 draws no style evenly"
        )
