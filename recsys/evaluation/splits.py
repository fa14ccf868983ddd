"""Splits of a behaviour log into train, validation and test, each with its proof.

A split is a label for every row of the log. It keeps the three parts, says how
it was made, and counts what could leak: rows in two parts, pairs of user and
item in two parts, and training rows that are later than a test row of the same
user or of anybody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.data import Interactions

TIE_BREAKS = ("file-order", "reverse-file-order", "item-ascending", "item-descending", "random")
TIE_BREAK = "file-order"
"""Which of several rows with one time stamp counts as the later one: the later row of the file."""

TRAIN, VALIDATION, TEST, UNUSED = 0, 1, 2, 3


@dataclass(frozen=True)
class Split:
    """Three parts of one log, and how they were made.

    Parameters
    ----------
    interactions : Interactions
        The whole log.
    part : (n,) int array
        0 train, 1 validation, 2 test, 3 in no part, for each row.
    protocol : str
        How the parts were made, in words that can stand beside a number.
    ordered : bool
        Whether the split promises that no user's training row is later than their test row.
    """

    interactions: Interactions
    part: np.ndarray
    protocol: str
    ordered: bool

    def __post_init__(self) -> None:
        part = np.array(self.part, dtype=np.int8)
        part.setflags(write=False)
        object.__setattr__(self, "part", part)
        if len(part) != len(self.interactions):
            raise ValueError(f"A split needs one part for each of {len(self.interactions)} rows; {len(part)} came.")
        if not (part == TEST).any():
            raise ValueError(f"The split has no test rows ({self.protocol}): "
                             "no user has enough events for it. Use a larger log or another split.")
        if self.ordered and self._later_than_own_test():
            raise ValueError(f"{self._later_than_own_test()} fitted rows are later than their user's test, in a "
                             f"split that promises order in time ({self.protocol}).")

    @property
    def train(self) -> Interactions:
        """What a model is fitted on while it is being tuned."""
        return self.interactions.select(self.part == TRAIN)

    @property
    def validation(self) -> Interactions:
        """What settings are chosen on."""
        return self.interactions.select(self.part == VALIDATION)

    @property
    def train_and_validation(self) -> Interactions:
        """What a model is fitted on before the test is read once."""
        return self.interactions.select(self.part <= VALIDATION)

    @property
    def test(self) -> Interactions:
        return self.interactions.select(self.part == TEST)

    def leaks(self) -> dict[str, int]:
        """Counts of what the fitted part (train and validation) shares with the test part.

        ``repeated pairs`` are a leak where items are taken once, and the subject
        itself in repeat-purchase data. ``later than the user's test`` counts fitted
        rows later in time than the same user's first test row; ``later than any
        test`` those later than the first test row of anybody.
        """
        data = self.interactions
        fitted, test = self.part <= VALIDATION, self.part == TEST
        pair = data.users * data.n_items + data.items
        return {"fitted rows": int(fitted.sum()), "test rows": int(test.sum()),
                "repeated pairs": int(np.isin(np.unique(pair[test]), pair[fitted]).sum()),
                "later than the user's test": self._later_than_own_test(),
                "later than any test": int((data.times[fitted] > data.times[test].min()).sum())}

    def _later_than_own_test(self) -> int:
        data = self.interactions
        fitted, test = self.part <= VALIDATION, self.part == TEST
        first_test = np.full(data.n_users, np.iinfo(np.int64).max)
        np.minimum.at(first_test, data.users[test], data.times[test])
        return int((data.times[fitted] > first_test[data.users[fitted]]).sum())


def leave_last_out(interactions: Interactions, ties: str = TIE_BREAK, seed: int = 0) -> Split:
    """The last event of each user is the test, the one before it the validation.

    Users with fewer than three events stay in train. ``ties`` decides among rows
    with one time stamp: one of ``TIE_BREAKS``; ``seed`` matters for ``"random"`` only.
    """
    order = np.lexsort((_tie_key(interactions, ties, seed), interactions.times, interactions.users))
    from_end = np.empty(len(interactions), dtype=np.int64)
    counts = np.bincount(interactions.users, minlength=interactions.n_users)
    from_end[order] = np.cumsum(counts)[interactions.users[order]] - 1 - np.arange(len(interactions))
    enough = counts[interactions.users] >= 3
    part = np.where(enough & (from_end == 0), TEST, np.where(enough & (from_end == 1), VALIDATION, TRAIN))
    return Split(interactions, part, f"leave-last-out by time, ties {ties}", ordered=True)


def last_basket(interactions: Interactions, min_days: int = 3) -> Split:
    """All of a user's last day is the test, all of the day before it (that they came) the validation.

    Users with fewer than ``min_days`` days stay in train. Nothing is ordered within a day.
    """
    users, times = interactions.users, interactions.times
    order = interactions.by_time()
    new_day = np.diff(times[order], prepend=times.min() - 1) != 0
    new_day |= np.diff(users[order], prepend=-1) != 0
    day_users, days = users[order][new_day], times[order][new_day]
    n_days = np.bincount(day_users, minlength=interactions.n_users)
    ends = np.cumsum(n_days)
    last = days[np.maximum(ends - 1, 0)]
    before = days[np.maximum(ends - 2, 0)]
    enough = n_days[users] >= min_days
    part = np.where(enough & (times == last[users]), TEST,
                    np.where(enough & (times == before[users]), VALIDATION, TRAIN))
    return Split(interactions, part, f"last basket of users with at least {min_days} days", ordered=True)


def global_temporal(interactions: Interactions, validation: float = 0.1, test: float = 0.1) -> Split:
    """Two cuts in time, the same for everybody: the last share of all rows is the test.

    Rows that share the time stamp of a cut stay together, on its later side. Test
    rows may have users or items that training has never seen; that is what the
    split is for.
    """
    if not (0 < test < 1 and 0 <= validation and validation + test < 1):
        raise ValueError(f"Shares must be positive and sum to less than 1; validation={validation}, test={test} came.")
    times = interactions.times
    sorted_times = np.sort(times)
    test_from = sorted_times[int(len(times) * (1 - test))]
    validation_from = sorted_times[int(len(times) * (1 - test - validation))]
    part = np.where(times >= test_from, TEST, np.where(times >= validation_from, VALIDATION, TRAIN))
    return Split(interactions, part, f"global temporal, validation {validation:.0%}, test {test:.0%}", ordered=True)


def random_ratio(interactions: Interactions, validation: float = 0.1, test: float = 0.2, seed: int = 0) -> Split:
    """A random share of each user's rows is the test, another the validation.

    Order in time is ignored, so training sees the future of its own test users;
    ``leaks`` counts how often. Shares are rounded down for each user.
    """
    if not (0 < test < 1 and 0 <= validation and validation + test < 1):
        raise ValueError(f"Shares must be positive and sum to less than 1; validation={validation}, test={test} came.")
    order = np.lexsort((np.random.default_rng(seed).random(len(interactions)), interactions.users))
    counts = np.bincount(interactions.users, minlength=interactions.n_users)
    users = interactions.users[order]
    place = np.arange(len(users)) - (np.cumsum(counts) - counts)[users]
    n_test, n_validation = np.floor(counts * test)[users], np.floor(counts * validation)[users]
    part = np.empty(len(users), dtype=np.int8)
    part[order] = np.where(place < n_test, TEST, np.where(place < n_test + n_validation, VALIDATION, TRAIN))
    return Split(interactions, part, f"random {test:.0%} of each user's rows, seed {seed}", ordered=False)


def _tie_key(interactions: Interactions, ties: str, seed: int) -> np.ndarray:
    rows = np.arange(len(interactions))
    if ties == "random":
        return np.random.default_rng(seed).permutation(len(interactions))
    keys = {"file-order": rows, "reverse-file-order": -rows,
            "item-ascending": interactions.items, "item-descending": -interactions.items}
    if ties not in keys:
        raise ValueError(f"Unknown tie-break {ties!r}; expected one of {', '.join(TIE_BREAKS)}.")
    return keys[ties]
