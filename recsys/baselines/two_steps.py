"""Next basket in two steps: propose products, then order them; what every second step shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from recsys.baselines.basket_features import Pairs, ShopLog
from recsys.batches.visits import visits
from recsys.data import Interactions
from recsys.recommender import histories

CHUNK = 512
"""Users described at one time, so that memory stays bounded."""
FLOOR = -100.0
"""What a product scores that nobody proposed and nobody buys; proposed ones stay above."""


class Lesson(NamedTuple):
    """Histories before a basket, the days of the baskets, the pairs proposed, and which were ``bought`` (n,) bool."""

    past: Interactions
    days: np.ndarray
    pairs: Pairs
    bought: np.ndarray


def lessons(interactions: Interactions, age: int, candidates: int, lead: int | None) -> Iterator[Lesson]:
    """Everybody's basket of this ``age`` (0 = newest) as an answer, described from the baskets before it.

    Users come ``CHUNK`` at a time, so that memory stays bounded. ``lead`` as in ``TwoSteps``.

    Raises ``ValueError`` if nobody has a basket of that age with one before it.
    """
    visit = visits(interactions)
    answer = interactions.select((visit.age == age) & (visit.place > 0))
    if not len(answer):
        raise ValueError(f"No user has {age + 2} baskets, so there is nothing to learn from: lower targets.")
    past = interactions.select(visit.age > age)
    log = ShopLog(past, candidates)
    everybody, first = np.unique(answer.users, return_index=True)
    for rows in chunks(len(everybody)):
        users = everybody[rows]
        before, bought = past.of_users(users), answer.of_users(users).seen()
        days = answer.times[first[rows]] if lead is None else supposed_days(before, lead, log.last)
        pairs = log.pairs(before, days, lead is None)
        found = np.repeat(np.arange(len(users)), np.diff(bought.indptr)) * past.n_items + bought.indices
        yield Lesson(before, days, pairs, np.isin(pairs.rows * past.n_items + pairs.items, found))


def supposed_days(past: Interactions, lead: int, end: int) -> np.ndarray:
    """(n_users,) the day ``lead`` days after each user's last one; after ``end`` for a user without any."""
    newest = np.full(past.n_users, np.iinfo(np.int64).min)
    np.maximum.at(newest, past.users, past.times)
    return np.where(np.bincount(past.users, minlength=past.n_users) > 0, newest, end) + lead


def chunks(n: int) -> list[np.ndarray]:
    """The numbers 0 to n - 1, ``CHUNK`` at a time."""
    return [np.arange(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]


class TwoSteps:
    """A recommender that proposes products for each customer and asks its second step for their order.

    The second step has ``learn(lessons)`` and ``order(past, days, pairs)``, which gives
    each pair a number. Products that are not proposed follow the proposed ones, by
    popularity.

    Parameters
    ----------
    lead : int, optional
        None: the day of the visit is known. A number: it is not, and is taken to be
        this many days after the customer's last one, in training and in serving.
    targets : int
        How many of everybody's last baskets are learned from.
    candidates : int
        Products proposed from each source (see ``ShopLog``).
    """

    def __init__(self, lead: int | None, targets: int, candidates: int) -> None:
        if lead is not None and lead < 1:
            raise ValueError(f"lead must be at least 1 day, or None for a known day; {lead} came.")
        if targets < 1 or candidates < 1:
            raise ValueError("targets and candidates must be at least 1, or there is nothing to learn from; "
                             f"{targets} and {candidates} came.")
        self.lead, self.targets, self.candidates = lead, targets, candidates

    def fit(self, interactions: Interactions):
        if interactions.time_unit != "day":
            raise ValueError(f'{type(self).__name__} needs times in days; these are in "{interactions.time_unit}".')
        self.learn([lesson for age in range(self.targets)
                    for lesson in lessons(interactions, age, self.candidates, self.lead)], interactions.n_items)
        self.interactions = interactions
        self.log = ShopLog(interactions, self.candidates)
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None,
              today: np.ndarray | int | None = None) -> np.ndarray:
        """(len(users), n_items) scores: what the second step says of what is proposed, less for all else.

        Parameters
        ----------
        today : int or (len(users),) int array, optional
            The day of the visit, in days since 1970; only where the model has no
            ``lead``. By default the day after the log's last one.

        A history whose times are steps is taken as one visit a day up to the log's last
        day. A customer without history is offered what sells.
        """
        past = self._in_days(histories(self, users, history))
        days = self._visit_days(past, today)
        scores = np.empty((past.n_users, past.n_items))
        for chunk in chunks(past.n_users):
            mine = past.of_users(chunk)
            pairs = self.log.pairs(mine, days[chunk], self.lead is None)
            scores[chunk] = FLOOR + self.log.shares(days[chunk])[-1]  # shares are at most 1
            scores[chunk[pairs.rows], pairs.items] = np.maximum(self.order(mine, days[chunk], pairs), FLOOR + 2)
        return scores

    def _in_days(self, past: Interactions) -> Interactions:
        if past.time_unit == "day":
            return past
        if past.time_unit != "step":
            raise ValueError(f'A history must have times in days or steps; these are in "{past.time_unit}".')
        days = self.log.last - visits(past).age
        return Interactions(past.users, past.items, past.values, days, past.user_ids, past.item_ids, "day")

    def _visit_days(self, past: Interactions, today: np.ndarray | int | None) -> np.ndarray:
        """(n_users,) the day each customer comes, given or supposed."""
        if self.lead is not None:
            if today is not None:
                raise ValueError("today was given to a model with a lead, which supposes the day: use lead=None.")
            return supposed_days(past, self.lead, self.log.last)
        days = np.broadcast_to(np.asarray(self.log.last + 1 if today is None else today, dtype=np.int64), past.n_users)
        early = np.flatnonzero(days[past.users] <= past.times)
        if early.size:
            row = past.users[early[0]]
            raise ValueError(f"today must be after the history: row {row} has a purchase on day "
                             f"{past.times[early[0]]}, and today is {days[row]}.")
        return days
