"""From impressions to slates: padded rows of what was read before, what was shown, what was clicked.

Ids are item index + 1, and 0 pads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.data.errors import DataError
from recsys.data.impressions import ImpressionLog
from recsys.data.interactions import Interactions


@dataclass(frozen=True)
class Slates:
    """One row an impression.

    ``users`` (n,), ``history`` (n, length) ids of what the user clicked at earlier times,
    oldest first and padded on the right, ``shown`` (n, width) ids, and ``clicked`` (n, width)
    boolean.
    """

    users: np.ndarray
    history: np.ndarray
    shown: np.ndarray
    clicked: np.ndarray

    def __len__(self) -> int:
        return len(self.users)

    def select(self, rows: np.ndarray) -> Slates:
        """The rows of a boolean mask or an index array."""
        return Slates(self.users[rows], self.history[rows], self.shown[rows], self.clicked[rows])


def slates(log: ImpressionLog, max_history: int) -> Slates:
    """Make rows of the impressions that have a click, a skip and a past.

    Parameters
    ----------
    log : ImpressionLog
        Impressions, and the clicks before each.
    max_history : int
        The newest clicks that are kept, at least 1.

    Raises
    ------
    ValueError
        Where no impression has a click, a skip and an earlier click.
    """
    if max_history < 1:
        raise ValueError(f"max_history: expected at least 1, got {max_history}.")
    past = _split(log.histories.items[log.histories.by_time()] + 1, log.histories)
    rows = [(user, ids[-max_history:], items + 1, clicked)
            for row, (user, ids) in enumerate(zip(log.impressions.users, past, strict=True))
            for items, clicked in [log.impressions.shown(row)]
            if len(ids) and clicked.any() and not clicked.all()]
    if not rows:
        raise ValueError("log: expected an impression with a click, a skip and an earlier click; found none.")
    users, histories, shown, clicked = zip(*rows, strict=True)
    return Slates(np.array(users), padded(histories), padded(shown), padded(clicked).astype(bool))


def last_histories(log: ImpressionLog) -> Interactions:
    """What each user has clicked by the end of the log: the past of their last impression, and its clicks.

    The result has one user for each of ``log.impressions.user_ids``; a user without an
    impression has an empty history.
    """
    shown = log.impressions
    last = np.full(len(shown.user_ids), -1)
    order = np.lexsort((shown.times, shown.users))
    last[shown.users[order]] = order  # the latest of equal users is written last
    past = _split(log.histories.items[log.histories.by_time()], log.histories)
    sequences = []
    for row in last:
        items, clicked = shown.shown(row) if row >= 0 else (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool))
        sequences.append([*(past[row] if row >= 0 else []), *items[clicked]])
    clicks = Interactions.from_sequences(sequences, shown.item_ids)
    return replace(clicks, user_ids=shown.user_ids)


def _split(ids: np.ndarray, histories: Interactions) -> list[np.ndarray]:
    ends = np.cumsum(np.bincount(histories.users, minlength=histories.n_users))
    return np.split(ids, ends[:-1]) if len(ends) else []


def padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Rows of unequal length as one int64 array, zeros on the right."""
    array = np.zeros((len(rows), max((len(row) for row in rows), default=0)), dtype=np.int64)
    for place, row in enumerate(rows):
        array[place, :len(row)] = row
    return array


def refuse_leaks(data: Slates) -> None:
    """Make sure that nothing shown stands in the history it is scored with.

    A clicked candidate that is left in the history tells every model that compares the two
    what the label is.

    Raises
    ------
    DataError
        Naming the first such row and id.
    """
    same = (data.shown[:, :, None] == data.history[:, None, :]) & (data.shown[:, :, None] > 0)  # (n, width, length)
    wrong = np.argwhere(same)
    if len(wrong):
        row, column, place = wrong[0]
        raise DataError(f"Row {row} (user {data.users[row]}): the candidate with id {data.shown[row, column]} stands "
                        f"in its own history, at place {place}; {len(np.unique(wrong[:, 0]))} of {len(data)} rows leak "
                        "so. Mend: take it out of the history, or split by item before histories are made.")
