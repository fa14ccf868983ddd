"""From impressions to slates: padded rows of what was read, shown and clicked.

A batch holds each of its articles once, and says which of them a history read and a
slate showed. Ids are those of `recsys.batches`.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from recsys.batches.sequences import PADDING, pad
from recsys.data.errors import DataError
from recsys.data.impressions import ImpressionLog
from recsys.data.interactions import Interactions


@dataclass(frozen=True)
class Slates:
    """One row an impression.

    Args:
        users: int (n,).
        history: int64 (n, length), ids of what the user clicked, or skipped, at earlier
            times, oldest first, padded on the right.
        shown: int64 (n, width), ids.
        clicked: boolean (n, width).
        liked: boolean (n, length), True where `history` was clicked and not skipped;
            without it all was.
    """

    users: np.ndarray
    history: np.ndarray
    shown: np.ndarray
    clicked: np.ndarray
    liked: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.liked is None:
            object.__setattr__(self, "liked", self.history != PADDING)

    def __len__(self) -> int:
        return len(self.users)

    def select(self, rows: np.ndarray) -> Self:
        """The rows of a boolean mask or an index array."""
        columns = self.users, self.history, self.shown, self.clicked, self.liked
        return Slates(*(column[rows] for column in columns))


def slates(log: ImpressionLog, max_history: int) -> Slates:
    """Make rows of the impressions that have a click, a skip and a past.

    Args:
        log: impressions, and the clicks before each; an event before it whose value is
            not above 0 is a skip.
        max_history: the newest events that are kept, at least 1.

    Returns:
        The slates, in the order of the log.

    Raises:
        ValueError: no impression has a click, a skip and an earlier event, or
            max_history below 1.
    """
    if max_history < 1:
        raise ValueError(f"max_history: expected at least 1, got {max_history}.")
    past, past_liked = newest_events(log.histories, max_history)
    users, histories, liked, shown, clicked = [], [], [], [], []
    for row, user in enumerate(log.impressions.users):
        items, clicks = log.impressions.shown(row)
        if not len(past[row]) or clicks.all() or not clicks.any():
            continue
        users.append(user)
        histories.append(past[row])
        liked.append(past_liked[row])
        shown.append(items + 1)
        clicked.append(clicks)
    if not users:
        raise ValueError(
            "log: expected an impression with a click, a skip and an earlier click; found none."
        )
    return Slates(
        np.array(users),
        pad(histories),
        pad(shown),
        pad(clicked).astype(bool),
        pad(liked).astype(bool),
    )


def newest_events(
    log: Interactions, max_history: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """List the newest events of each user, oldest first, and which of them are clicks.

    Args:
        log: any log; where a value is not above 0 the item was skipped.
        max_history: how many are kept, at least 1.

    Returns:
        For each user ids, int (events,), and whether each was clicked, bool (events,).
    """
    rows = [own[-max_history:] for own in log.rows_by_user()]
    ids = [log.items[own] + 1 for own in rows]
    liked = [log.values[own] > 0 for own in rows]
    return ids, liked


def last_histories(log: ImpressionLog, skips: bool = False) -> Interactions:
    """What each user has clicked by the end of the log.

    The past of their last impression, and its clicks.

    Args:
        log: impressions, and the clicks before each; an event before it whose value is
            not above 0 is a skip.
        skips: whether what was skipped stays, with value 0.

    Returns:
        One user for each of `log.impressions.user_ids`; of a user without an impression
        the history is empty.
    """
    impressions = log.impressions
    order = np.lexsort((impressions.times, impressions.users))
    last = np.full(len(impressions.user_ids), -1)
    last[impressions.users[order]] = (
        order  # of one user's impressions, the latest is written last
    )
    past = log.histories.rows_by_user()
    sequences, liked = [], []
    for row in last:
        if row < 0:
            sequences.append([])
            continue
        items, clicks = impressions.shown(row)
        before = log.histories.items[past[row]]
        before_liked = log.histories.values[past[row]] > 0
        kept, kept_before = clicks | skips, before_liked | skips
        sequences.append([*before[kept_before], *items[kept]])
        liked += [*before_liked[kept_before], *clicks[kept]]
    events = Interactions.from_sequences(sequences, impressions.item_ids)
    values = np.array(liked, dtype=float)
    return replace(events, values=values, user_ids=impressions.user_ids)


def refuse_leaks(data: Slates) -> None:
    """Make sure that nothing shown stands in the history it is scored with.

    A clicked candidate that is left in the history tells every model that compares the
    two what the label is.

    Args:
        data: slates.

    Raises:
        DataError: naming the first such row and id.
    """
    same = data.shown[:, :, None] == data.history[:, None, :]  # (n, width, length)
    real = data.shown[:, :, None] != PADDING
    wrong = np.argwhere(same & real)
    if len(wrong):
        row, column, place = wrong[0]
        leaking = len(np.unique(wrong[:, 0]))
        raise DataError(
            f"Row {row} (user {data.users[row]}): the candidate with id {data.shown[row, column]} stands "
            f"in its own history, at place {place}; {leaking} of {len(data)} rows leak "
            "so. Mend: take it out of the history, or split by item before histories are made."
        )


def read_once(
    articles: np.ndarray, history: np.ndarray, shown: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take out the articles that stand in a batch, and say where each id finds its own.

    Args:
        articles: (n_items, ...), what the items are made of.
        history: int64 (batch, length), ids.
        shown: int64 (batch, width), ids.

    Returns:
        Articles (n, ...) in the order of their ids, a row of zeros first where there is
        padding; the rows of it that `history` and that `shown` mean, int64, shaped as
        they are.
    """
    ids = np.concatenate([history, shown], axis=1)  # (batch, length + width)
    used, rows = np.unique(ids, return_inverse=True)  # sorted
    rows = rows.reshape(ids.shape)
    real = used != PADDING
    taken = np.zeros((len(used), *articles.shape[1:]), dtype=articles.dtype)
    taken[real] = articles[used[real] - 1]
    length = history.shape[1]
    return taken, rows[:, :length], rows[:, length:]


@dataclass(frozen=True)
class SlateBatches:
    """Slates with the articles that stand in them, a fresh seeded order in each epoch.

    Args:
        data: slates.
        articles: (n_items, ...), what the items are made of.
        batch_size: slates of a batch.
        seed: with the number of the epoch it decides the order.
    """

    data: Slates
    articles: np.ndarray
    batch_size: int
    seed: int = 0

    def __call__(self, epoch: int) -> list[tuple[np.ndarray, ...]]:
        """Make the batches of one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            What `read_once` gives: articles, history (batch, length) and shown
            (batch, width); liked, boolean (batch, length); then clicked and skipped,
            boolean (batch, width), both False where padded.
        """
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.data))
        batches = []
        for start in range(0, len(order), self.batch_size):
            part = self.data.select(order[start : start + self.batch_size])
            skipped = ~part.clicked & (part.shown != PADDING)  # (batch, width)
            batches.append(
                (
                    *read_once(self.articles, part.history, part.shown),
                    part.liked,
                    part.clicked,
                    skipped,
                )
            )
        return batches
