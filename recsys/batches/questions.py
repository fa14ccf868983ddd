r"""Will this customer take this product on this day? Questions, and no leak in them.

A question is a customer and a day; its history is what the customer took before that
day, and its basket what they then took. A history that holds the day asked about, or a
later one, is refused: with it a model would read the answer instead of predicting it.

Where questions come from: `asked` (a history and baskets given apart), `every_basket`
and `newest_baskets` (to learn from), `coming` (to serve: nobody knows the basket).
"""

from dataclasses import dataclass, replace

import numpy as np

from recsys.batches.visits import visits
from recsys.checks import check_indices
from recsys.data import Baskets, Interactions

FROM_THE_LOG = "take them from interactions.item_index(ids)"
"""What mends an item that is not in the catalogue."""


@dataclass(frozen=True)
class Questions:
    """Customers and days, each with the history before it and the basket of it.

    Args:
        users, days: int (n_questions,).
        event_items, event_days: int (n_events,), all histories; those of two questions
            may overlap.
        starts, ends: int (n_questions,); events starts[q] to ends[q] - 1 are the
            history of q, oldest first.
        basket_items: int, the baskets one after the other, distinct items in each.
        basket_starts: int (n_questions + 1,).
        n_items: size of the catalogue.

    Raises:
        ValueError: arrays that do not fit, an unknown item, or a history that is out of
            order or not all before the day asked about.
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
        columns = (
            self.users,
            self.days,
            self.starts,
            self.ends,
            self.basket_starts[1:],
        )
        counts = {len(column) for column in columns}
        if len(counts) != 1 or len(self.event_items) != len(self.event_days):
            lengths = [len(column) for column in columns]
            raise ValueError(
                f"questions: expected one user, day, start, end and basket for each, got {lengths}, and one day an "
                f"event, got {len(self.event_days)} for {len(self.event_items)}"
            )
        for name in ("event_items", "basket_items"):
            check_indices(name, getattr(self, name), self.n_items, FROM_THE_LOG)
        self._check_order()
        self._check_leaks()

    def _check_order(self) -> None:
        known = np.flatnonzero(self.ends > self.starts)
        falls = np.concatenate(
            [[0], np.cumsum(np.diff(self.event_days) < 0)]
        )  # (n_events,)
        inside = falls[self.ends[known] - 1] - falls[self.starts[known]]
        disorder = known[inside > 0]
        if disorder.size:
            raise ValueError(
                f"question {disorder[0]}: expected a history from old to new, got days out of order; "
                "sort the events of each user by day"
            )

    def _check_leaks(self) -> None:
        """The guard: every event is before the day asked about."""
        known = np.flatnonzero(self.ends > self.starts)
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
        """One number a pair of a question and an item of its basket, ascending."""
        owners = np.repeat(np.arange(len(self)), np.diff(self.basket_starts))
        return np.sort(owners * self.n_items + self.basket_items)

    def in_basket(self, question: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Whether each item is in the basket of its question, bool (n,)."""
        keys = np.append(self.keys(), -1)
        wanted = question * self.n_items + items
        places = np.searchsorted(keys[:-1], wanted)
        return keys[places] == wanted

    def lengths(self) -> np.ndarray:
        """Events in each history, (n_questions,)."""
        return self.ends - self.starts

    def events(self) -> tuple[np.ndarray, np.ndarray]:
        """List the events of all histories: question and place of each, (n,).

        A place is one in `event_items`, and of a history the oldest comes first.
        """
        return ranges(self.starts, self.lengths())

    def newest_days(self, missing: float) -> np.ndarray:
        """Day of each history's newest event, or `missing`, (n_questions,)."""
        days = np.append(self.event_days, missing)
        return days[np.where(self.ends > self.starts, self.ends - 1, -1)]

    def select(self, rows: np.ndarray) -> "Questions":
        """Some questions, by a boolean mask or an index array; events are shared."""
        sizes = np.diff(self.basket_starts)[rows]
        _, places = ranges(self.basket_starts[:-1][rows], sizes)
        return replace(
            self,
            users=self.users[rows],
            days=self.days[rows],
            starts=self.starts[rows],
            ends=self.ends[rows],
            basket_items=self.basket_items[places],
            basket_starts=np.concatenate([[0], np.cumsum(sizes)]),
        )


def ranges(starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write out start, start + 1, ... of each row, one row after the other.

    Args:
        starts, lengths: int (n_rows,).

    Returns:
        Row and number of each, both int (sum of lengths,).
    """
    rows = np.repeat(np.arange(len(lengths)), lengths)
    before = np.cumsum(lengths) - lengths  # (n_rows,) what earlier rows take
    within = np.arange(len(rows)) - before[rows]
    return rows, starts[rows] + within


def asked(history: Interactions, baskets: Interactions) -> Questions:
    """Ask for the baskets of each customer and day, with a history given apart.

    Args:
        history: what may be known, times in days; the whole of a customer's rows
            becomes the history.
        baskets: the rows that are asked for, such as the test part of a split, over the
            same users and items, times in days.

    Returns:
        One question for each customer and day of `baskets`.

    Raises:
        ValueError: a history that is not all before the day asked about, over other
            users or items, or whose times are not days.
        DataError: baskets whose times are not days.
    """
    for name in ("user_ids", "item_ids"):
        if not np.array_equal(getattr(history, name), getattr(baskets, name)):
            raise ValueError(
                f"history: expected the {name} of the baskets, got others; take both from one log"
            )
    if history.time_unit != "day":
        raise ValueError(f'history: expected times in days, got "{history.time_unit}"')
    wanted = Baskets.from_interactions(baskets)
    order = history.by_time()
    counts = history.user_counts()
    ends = np.cumsum(counts)  # (n_users,)
    return Questions(
        users=wanted.users,
        days=wanted.days,
        event_items=history.items[order],
        event_days=history.times[order],
        starts=(ends - counts)[wanted.users],
        ends=ends[wanted.users],
        basket_items=wanted.items,
        basket_starts=wanted.starts,
        n_items=history.n_items,
    )


def every_basket(interactions: Interactions) -> Questions:
    """Ask for every basket but a customer's first, with what came before it.

    Args:
        interactions: a log with times in days.

    Returns:
        Questions to learn from, by customer and day.

    Raises:
        DataError: times that are not days.
    """
    taken = Baskets.from_interactions(interactions)
    order = interactions.by_time()
    owners = interactions.users[order]
    event_days = interactions.times[order]
    first_day = event_days.min(initial=0)  # below 0 before 1970
    span = event_days.max(initial=0) - first_day + 1
    event_keys = owners * span + event_days - first_day  # ascending
    basket_keys = taken.users * span + taken.days - first_day
    questions = Questions(
        users=taken.users,
        days=taken.days,
        event_items=interactions.items[order],
        event_days=event_days,
        starts=np.searchsorted(owners, taken.users),
        ends=np.searchsorted(event_keys, basket_keys),
        basket_items=taken.items,
        basket_starts=taken.starts,
        n_items=interactions.n_items,
    )
    return questions.select(questions.lengths() > 0)


def newest_baskets(
    interactions: Interactions, n_baskets: int
) -> tuple[Questions, np.ndarray]:
    """Ask for customers' newest baskets, with what came before each as the history.

    Args:
        interactions: a log with times in days.
        n_baskets: how many of each customer, at most; the first one is never asked for.

    Returns:
        Questions to learn from: the newest basket of every customer, then the one
        before, and so on; and the age of each basket, 0 for the newest, int
        (n_questions,) ascending.

    Raises:
        ValueError: nobody has so many baskets and one before them.
        DataError: times that are not days.
    """
    questions = every_basket(interactions)
    n_asked = np.bincount(questions.users, minlength=interactions.n_users)
    last = np.cumsum(n_asked) - 1  # (n_users,) place of the newest question
    ages = last[questions.users] - np.arange(len(questions))
    if n_asked.max(initial=0) < n_baskets:
        raise ValueError(
            f"interactions: expected a customer with {n_baskets + 1} baskets, got at most "
            f"{n_asked.max(initial=0) + 1}; ask for fewer"
        )
    kept = np.flatnonzero(ages < n_baskets)
    kept = kept[np.argsort(ages[kept], kind="stable")]
    return questions.select(kept), ages[kept]


def coming(
    history: Interactions,
    end: int,
    usual_gap: int | None = None,
    days: np.ndarray | int | None = None,
) -> Questions:
    """Ask for the next basket of each customer, which nobody knows.

    Args:
        history: one user a question; times in days, or in steps, which are read as one
            visit a day up to `end`.
        end: last day of the log that was fitted.
        usual_gap: None: the day of a basket is told. A number: it is not, and is taken
            to be so many days after the customer's newest one, or after `end` for a
            customer without any.
        days: int or int (n_users,), the days, where they are told; by default the one
            after `end`.

    Returns:
        One question for each user, with an empty basket.

    Raises:
        ValueError: days beside a usual gap, days that are not after the history, or
            times in seconds.
    """
    if usual_gap is not None and days is not None:
        raise ValueError(
            f"days: expected none where the day is supposed ({usual_gap} days after the newest basket), "
            "got some; use usual_gap=None"
        )
    history = in_days(history, end)
    if usual_gap is not None:
        days = history.newest_times(missing=end) + usual_gap
    elif days is None:
        days = end + 1
    order = history.by_time()
    counts = history.user_counts()
    ends = np.cumsum(counts)
    return Questions(
        users=np.arange(history.n_users),
        days=np.broadcast_to(np.asarray(days, dtype=np.int64), history.n_users),
        event_items=history.items[order],
        event_days=history.times[order],
        starts=ends - counts,
        ends=ends,
        basket_items=np.zeros(0, dtype=np.int64),
        basket_starts=np.zeros(history.n_users + 1, dtype=np.int64),
        n_items=history.n_items,
    )


def in_days(history: Interactions, end: int) -> Interactions:
    """Read times in steps, as of a list written by hand, as a visit a day up to `end`.

    Args:
        history: times in days, which stay, or in steps.
        end: day of the newest visit.

    Returns:
        The same rows, times in days.

    Raises:
        ValueError: times in seconds.
    """
    if history.time_unit == "day":
        return history
    if history.time_unit != "step":
        raise ValueError(
            f'history: expected times in days or steps, got "{history.time_unit}"; '
            "divide them by the length of a day"
        )
    return history.with_times(end - visits(history).age, "day")
