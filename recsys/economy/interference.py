r"""Worlds where the arms of an experiment touch each other, or an arm its own past.

A test that compares two halves of the users answers for a world where all are treated
only if one half does not change the other. Here are four ways in which it does. The
truth of each can be had: the world is run twice, with everybody treated and nobody.

- *shared learning*: both arms read and fill one table of clicks (`stream_clicks`);
- *shared budgets*: both arms spend the money of the same advertisers (`budget_spend`);
- *memory*: users remember what they were shown, and leave (`feed_minutes`);
- *leakage*: users of one city buy from the stock of another (`sales_by_city`).

A design of the first two says, step by step, with what chance a visitor is treated, and
whether each arm has its own copy of what would be shared.

Sources: Su et al. (2024, https://arxiv.org/abs/2305.07764), section 3, for arms with
their own corpus; Liu, Mao and Kang (2021, https://arxiv.org/abs/2012.08724) for budgets
split between arms; Bojinov, Simchi-Levi and Zhao (2023,
https://arxiv.org/abs/2009.00148) for switchbacks and what is carried over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recsys.checks import check_axes, check_count
from recsys.economy.market import World
from recsys.economy.rankers import best_slates
from recsys.economy.rounds import play_round, start

DRAWN = 1000
"""Steps of a stream whose random numbers are drawn at once."""


class ByArm(NamedTuple):
    """What each arm of each design got; the control first, the treatment last.

    Args:
        outcome: float (n_designs, n_replicas, 2), clicks or money.
        exposed: float (n_designs, n_replicas, 2), visitors or days.
    """

    outcome: np.ndarray
    exposed: np.ndarray

    @property
    def rates(self) -> np.ndarray:
        """Outcome for each that was exposed; NaN in an arm without any."""
        with np.errstate(invalid="ignore"):
            return self.outcome / self.exposed

    @property
    def lifts(self) -> np.ndarray:
        """What each design says, (n_designs, n_replicas): treated over control less 1."""
        return self.rates[..., 1] / self.rates[..., 0] - 1


@dataclass(frozen=True)
class Stream:
    """Visitors who come one by one to articles that come and go.

    Args:
        n_articles: at any time.
        life: steps after which an article is replaced by a fresh one.
        clicks, skips: of the Beta distribution that click rates are drawn from.
        prior: click rate that the ranker expects of a fresh article, worth one visitor.
        explored: share of treated visitors who see an article drawn at random.
        lift: by which share treatment raises the chance of a click.

    Raises:
        ValueError: no article, a life shorter than there are articles, or a number out
            of range.
    """

    n_articles: int = 20
    life: int = 4000
    clicks: float = 1.5
    skips: float = 28.5
    prior: float = 0.02
    explored: float = 0.0
    lift: float = 0.0

    def __post_init__(self) -> None:
        check_count("n_articles", self.n_articles)
        ranges = {"life": (self.n_articles, np.inf), "lift": (-1, np.inf)}
        ranges |= {"clicks": (1e-9, np.inf), "skips": (1e-9, np.inf)}
        ranges |= {"prior": (0, 1), "explored": (0, 1)}
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(
                    f"{name}: expected from {low} to {high}, got {value}"
                )


def stream_clicks(
    stream: Stream, chances: np.ndarray, own: np.ndarray, n_replicas: int, seed: int
) -> ByArm:
    """Run designs side by side on the same articles and the same luck.

    A visitor sees the article with the largest click rate so far, or explores.

    Args:
        stream: the world.
        chances: float (n_designs, n_steps), that the visitor of a step is treated.
        own: bool (n_designs,), whether each arm learns from its own visitors alone.
        n_replicas: worlds drawn.
        seed: of everything drawn.

    Returns:
        Clicks and visitors.

    Raises:
        ValueError: no replica, chances below 0 or above 1, or of another shape.
    """
    chances, own = _checked_designs(chances, own)
    check_count("n_replicas", n_replicas)
    rng = np.random.default_rng(seed)
    rates = rng.beta(stream.clicks, stream.skips, (n_replicas, stream.n_articles))
    n_designs, n_steps = chances.shape
    tables = _Tables(stream, n_designs * n_replicas, np.repeat(own, n_replicas))
    replica = np.tile(np.arange(n_replicas), n_designs)  # (n_designs * n_replicas,)
    every = int(stream.life) // stream.n_articles
    for step in range(n_steps):
        if step % DRAWN == 0:
            drawn = rng.random((DRAWN, 4, n_replicas))
        arm, whether, which, luck = drawn[step % DRAWN][:, replica]
        treated = arm < np.repeat(chances[:, step], n_replicas)
        explored = treated & (whether < stream.explored)
        article = tables.best(treated)
        article[explored] = (which[explored] * stream.n_articles).astype(int)
        chance = rates[replica, article] * (1 + stream.lift * treated)
        tables.add(treated, article, luck < chance)
        if (step + 1) % every == 0:
            fresh = (step + 1) // every % stream.n_articles
            rates[:, fresh] = rng.beta(stream.clicks, stream.skips, n_replicas)
            tables.forget(fresh)
    shape = (n_designs, n_replicas, 2)
    return ByArm(tables.outcome.reshape(shape), tables.exposed.reshape(shape))


class _Tables:
    """Clicks by article, in one table or one of each arm, and totals by arm."""

    def __init__(self, stream: Stream, n_rows: int, own: np.ndarray) -> None:
        self.prior, self.own = stream.prior, own
        self.rows = np.arange(n_rows)
        self.seen = np.ones((2 * n_rows, stream.n_articles))
        self.found = np.full_like(self.seen, stream.prior)
        self.rate = self.found.copy()
        self.outcome, self.exposed = np.zeros((n_rows, 2)), np.zeros((n_rows, 2))

    def best(self, treated: np.ndarray) -> np.ndarray:
        """The article with the largest rate, for the arm of each row: (n_rows,)."""
        self.table = 2 * self.rows + (self.own & treated)
        return self.rate[self.table].argmax(axis=1)

    def add(
        self, treated: np.ndarray, article: np.ndarray, clicked: np.ndarray
    ) -> None:
        """Count what happened, in the table that `best` read."""
        place = self.table, article
        self.seen[place] += 1
        self.found[place] += clicked
        self.rate[place] = self.found[place] / self.seen[place]
        arm = self.rows, treated.astype(int)
        self.outcome[arm] += clicked
        self.exposed[arm] += 1

    def forget(self, article: int) -> None:
        """An article is replaced by one of which nothing is known."""
        self.seen[:, article] = 1
        self.found[:, article] = self.rate[:, article] = self.prior


def budget_spend(
    bids: np.ndarray,
    budgets: np.ndarray,
    lift: float,
    chances: np.ndarray,
    own: np.ndarray,
    n_replicas: int,
    seed: int,
) -> ByArm:
    """Advertisers pay until the day's budget is gone; treatment brings more to pay for.

    Who comes first is served first. So where a budget is shared and ends, each arm gets
    the part of it that its bids are of all bids.

    Args:
        bids: float (n_advertisers,), mean number of a day's bids, of one unit of money.
        budgets: float (n_advertisers,), money of a day.
        lift: by which share treatment raises the number of bids.
        chances: float (n_designs, n_days), share of the visitors who are treated.
        own: bool (n_designs,), whether budgets are split between the arms beforehand.
        n_replicas: worlds drawn.
        seed: of the bids.

    Returns:
        Money, and days' worth of visitors.

    Raises:
        ValueError: a negative bid or budget, a lift below -1, other shapes, or chances
            out of range.
    """
    chances, own = _checked_designs(chances, own)
    check_count("n_replicas", n_replicas)
    bids, budgets = np.asarray(bids, dtype=float), np.asarray(budgets, dtype=float)
    if bids.shape != budgets.shape or not ((bids >= 0) & (budgets >= 0)).all():
        raise ValueError(
            "bids and budgets: expected at least 0 for each advertiser, got "
            f"shapes {bids.shape} and {budgets.shape} from {bids.min(initial=0)} and "
            f"{budgets.min(initial=0)}"
        )
    if not lift >= -1:
        raise ValueError(f"lift: expected at least -1, got {lift}")
    rng = np.random.default_rng(seed)
    outcome, exposed = np.zeros((2, len(chances), n_replicas, 2))
    for design, day in np.ndindex(chances.shape):
        share = np.array([1 - chances[design, day], chances[design, day]])
        mean = bids[:, None] * share * [1, 1 + lift]  # (n_advertisers, 2)
        made = rng.poisson(mean, (n_replicas, *mean.shape))
        if own[design]:
            paid = np.minimum(made, budgets[:, None] * share)
        else:
            total = made.sum(axis=2, keepdims=True)  # (n_replicas, n_advertisers, 1)
            served = np.minimum(1, budgets[:, None] / np.maximum(total, 1))
            paid = made * served
        outcome[design] += paid.sum(axis=1)
        exposed[design] += share
    return ByArm(outcome, exposed)


def feed_minutes(world: World, treated: np.ndarray) -> np.ndarray:
    """Rank by what is promised for the treated, by what is there for the others.

    Args:
        world: of a feed; the treatment is bait where its items have lures.
        treated: bool (n_rounds, n_users), who is treated when.

    Returns:
        Float (n_rounds, n_users), expected minutes on the feed.

    Raises:
        ValueError: `treated` of another shape.
    """
    treated = np.asarray(treated, dtype=bool)
    check_axes("treated", treated, ("rounds", "users"))
    if treated.shape[1] != world.n_users:
        raise ValueError(
            f"treated: expected a column for each of {world.n_users} users, got "
            f"{treated.shape[1]}"
        )
    n_slots = min(len(world.examination), world.n_items)
    state, minutes = start(world), np.empty(treated.shape)
    for number, arm in enumerate(treated):
        tastes = world.tastes - state.fatigue
        slates = np.empty((world.n_users, n_slots), dtype=np.int64)
        for promised in (False, True):
            scores = world.quality + promised * world.lure
            rows = arm == promised
            slates[rows] = best_slates(tastes[rows], scores, world.topics, n_slots)
        _, ledger, state = play_round(world, state, slates)
        minutes[number] = ledger.feed
    return minutes


def sales_by_city(
    demand: np.ndarray, stock: np.ndarray, own_share: float
) -> np.ndarray:
    """Sell all stock, each city's to those who ask for it, in proportion.

    Args:
        demand: float (n_cities,), above 0, of the users of a city.
        stock: float (n_cities,), above 0.
        own_share: of a city's demand that goes to its own stock, from 0 to 1; the rest
            goes to all stock alike.

    Returns:
        Float (n_cities,), what the users of each city get; it sums to the stock.

    Raises:
        ValueError: other shapes, a number that is not positive, or a share off range.
    """
    demand, stock = np.asarray(demand, dtype=float), np.asarray(stock, dtype=float)
    if demand.shape != stock.shape or not ((demand > 0) & (stock > 0)).all():
        raise ValueError(
            "demand and stock: expected a number above 0 for each city, got shapes "
            f"{demand.shape} and {stock.shape}"
        )
    if not 0 <= own_share <= 1:
        raise ValueError(f"own_share: expected from 0 to 1, got {own_share}")
    abroad = (1 - own_share) * demand  # spread over all stock
    asked = own_share * demand + abroad.sum() * stock / stock.sum()
    served = stock / asked  # of each unit of demand for a city's stock
    return own_share * demand * served + abroad * (stock * served).sum() / stock.sum()


def _checked_designs(
    chances: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    chances, own = np.asarray(chances, dtype=float), np.asarray(own, dtype=bool)
    check_axes("chances", chances, ("designs", "steps"))
    if own.shape != chances.shape[:1]:
        raise ValueError(
            f"own: expected one for each of {len(chances)} designs, got {own.shape}"
        )
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError(
            "chances: expected from 0 to 1, got "
            f"{chances.min(initial=0)} to {chances.max(initial=1)}"
        )
    return chances, own
