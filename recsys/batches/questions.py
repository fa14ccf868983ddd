r"""Will this customer take this product on this day? The questions, and the guard against the leak.

A question is a customer and a day; its history is what the customer took before that day,
and its basket what they then took. A history that holds the day asked about, or a later
one, is refused: with it a model would read the answer instead of predicting it.
"""

from dataclasses import dataclass

import numpy as np

from recsys.data import Baskets, Interactions


@dataclass(frozen=True)
class Questions:
    """Customers and days, each with the history before it and the basket of it.

    Args:
        users, days: int (n_questions,).
        event_items, event_days: int (n_events,), all histories; those of two questions may overlap.
        starts, ends: int (n_questions,); events starts[q] to ends[q] - 1 are the history of q, oldest first.
        basket_items: int, the baskets one after the other, distinct items in each.
        basket_starts: int (n_questions + 1,).
        n_items: size of the catalogue.

    Raises:
        ValueError: arrays that do not fit, an unknown item, or a history that is out of order
            or not all before the day asked about.
    """

    users: np.ndarray
    days: np.ndarray
    event_items: np.ndarray
    event_days: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    basket_items: np.ndarray
    basket_starts: np.ndarray
    n_items: int

    def __post_init__(self) -> None:
        counts = {len(column) for column in (self.users, self.days, self.starts, self.ends, self.basket_starts[1:])}
        if len(counts) != 1 or len(self.event_items) != len(self.event_days):
            raise ValueError("questions: expected one user, day, start, end and basket for each, and one day an event")
        for name in ("event_items", "basket_items"):
            check_items(name, getattr(self, name), self.n_items)
        self._check_histories()

    def _check_histories(self) -> None:
        """The guard against the leak: every event before the day asked about, and in order."""
        known = np.flatnonzero(self.ends > self.starts)
        falls = np.concatenate([[0], np.cumsum(np.diff(self.event_days) < 0)])
        disorder = known[falls[self.ends[known] - 1] > falls[self.starts[known]]]
        if disorder.size:
            raise ValueError(f"question {disorder[0]}: expected a history from old to new, got days out of order; "
                             "sort the events of each user by day")
        newest = self.event_days[self.ends[known] - 1]
        leaks = np.flatnonzero(newest >= self.days[known])
        if leaks.size:
            q = known[leaks[0]]
            raise ValueError(
                f"question {q} (user {self.users[q]}, day {self.days[q]}): expected a history before that day, got "
                f"item {self.event_items[self.ends[q] - 1]} on day {newest[leaks[0]]}; leave the basket asked for, "
                "and all that follows it, out of the history"
            )

    def __len__(self) -> int:
        return len(self.users)

    def keys(self) -> np.ndarray:
        """One number for each pair of a question and an item of its basket, (n,) ascending."""
        owner = np.repeat(np.arange(len(self)), np.diff(self.basket_starts))
        return np.sort(owner * self.n_items + self.basket_items)

    def in_basket(self, question: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Whether each item is in the basket of its question, bool (n,)."""
        keys, wanted = np.append(self.keys(), -1), question * self.n_items + items
        return keys[np.searchsorted(keys[:-1], wanted)] == wanted

    def lengths(self) -> np.ndarray:
        """Events in each history, (n_questions,)."""
        return self.ends - self.starts


def asked(history: Interactions, baskets: Interactions) -> Questions:
    """Ask for the baskets of each customer and day, with a history given apart.

    Args:
        history: what may be known, times in days; the whole of a customer's rows becomes the history.
        baskets: the rows that are asked for, such as the test part of a split, over the same
            users and items, times in days.

    Returns:
        One question for each customer and day of `baskets`.

    Raises:
        ValueError: a history that is not all before the day asked about, over other users or items,
            or whose times are not days.
        DataError: baskets whose times are not days.
    """
    for name in ("user_ids", "item_ids"):
        if not np.array_equal(getattr(history, name), getattr(baskets, name)):
            raise ValueError(f"history: expected the {name} of the baskets, got others; take both from one log")
    if history.time_unit != "day":
        raise ValueError(f'history: expected times in days, got "{history.time_unit}"')
    order = history.by_time()
    ends = np.cumsum(np.bincount(history.users, minlength=history.n_users))
    wanted = Baskets.from_interactions(baskets)
    first = np.concatenate([[0], ends])[wanted.users]
    return Questions(wanted.users, wanted.days, history.items[order], history.times[order], first, ends[wanted.users],
                     wanted.items, wanted.starts, history.n_items)  # fmt: skip


def every_basket(interactions: Interactions) -> Questions:
    """Ask for every basket but each customer's first, with what came before it as the history.

    Args:
        interactions: a log with times in days.

    Returns:
        Questions to learn from.
    """
    order, taken = interactions.by_time(), Baskets.from_interactions(interactions)
    owners, event_days = interactions.users[order], interactions.times[order]
    first = event_days.min(initial=0)  # below 0 before 1970
    span = int(event_days.max(initial=0) - first) + 1
    starts = np.searchsorted(owners, taken.users)
    ends = np.searchsorted(owners * span + event_days - first, taken.users * span + taken.days - first)
    known, sizes = ends > starts, np.diff(taken.starts)
    return Questions(taken.users[known], taken.days[known], interactions.items[order], event_days, starts[known],
                     ends[known], taken.items[np.repeat(known, sizes)],
                     np.concatenate([[0], np.cumsum(sizes[known])]), interactions.n_items)  # fmt: skip


def check_items(name: str, items: np.ndarray, n_items: int) -> None:
    """Require item indices of the catalogue; raises `ValueError` naming the first other one."""
    wrong = np.flatnonzero((items < 0) | (items >= n_items))
    if wrong.size:
        raise ValueError(f"{name}: expected item indices from 0 to {n_items - 1}, got {items[wrong[0]]} at place "
                         f"{wrong[0]}; take them from interactions.item_index(ids)")
