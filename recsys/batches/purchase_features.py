r"""Hand-made features of a candidate: what a shop would count without a network.

They are the input of the gradient-boosted trees that every network has to stand beside.
Each has a name and one definition; a ranker picks its columns by name. They are made of
the question's history, of a fitted log (`recsys.batches.sales`), or of the product, and
are NaN where there is nothing to count from, which trees can read.
"""

import numpy as np

from recsys.batches.candidates import Candidates, repeat_counts
from recsys.batches.questions import Questions
from recsys.batches.repeats import Repeats, values_at
from recsys.batches.sales import HALF_LIVES, LateSales, sales_before
from recsys.batches.visits import visits_in_order
from recsys.data import Interactions

NAMES = (
    "times bought",
    "days since bought",
    "times in group",
    "days since in group",
    "share",
    "share of group",
    "events",
    "days since visit",
    "share of sales",
    "share of sales of group",
    "repurchase rate",
    "price",
    "price against the usual",
)
"""The columns of `purchase_features`, in order."""

POPULARITIES = tuple(f"popularity {half_life}" for half_life in HALF_LIVES)
"""Logarithms of the shares of late sales."""


def table(columns: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    """Put columns side by side, by name: float32 (n_rows, len(names))."""
    return np.column_stack([columns[name] for name in names]).astype(np.float32)


def purchase_features(
    candidates: Candidates, fitted: Interactions, groups: np.ndarray, prices: np.ndarray
) -> np.ndarray:
    """Count how often and how lately each candidate, and its group, were bought before.

    Args:
        candidates: n_rows of them.
        fitted: the log from which sales and repurchases of products are counted, up to
            the day before the one asked about: the basket asked for never counts, nor
            what came later.
        groups: int (n_items,), such as the subclass, from 0.
        prices: (n_items,) finite, at least 0.

    Returns:
        Float32 (n_rows, 13), columns as `NAMES`; NaN where there is nothing to count
        from.

    Raises:
        ValueError: groups or prices of another shape or out of range.
    """
    days = candidates.questions.days[candidates.question]
    columns = {
        **price_columns(candidates, prices),
        **own_columns(candidates),
        **group_columns(candidates, groups),
        **visit_columns(candidates),
        **sales_before(days, candidates.items, fitted, groups),
    }
    return table(columns, NAMES)


def own_columns(candidates: Candidates) -> dict[str, np.ndarray]:
    """How often and how lately the product was taken, and its share of the history."""
    times, since = repeat_counts(candidates)
    events = candidates.questions.lengths()[candidates.question]
    return {
        "times bought": times,
        "days since bought": np.where(since < 0, np.nan, since),
        "share": _ratio(times, events),
    }


def group_columns(candidates: Candidates, groups: np.ndarray) -> dict[str, np.ndarray]:
    """The same for any product of the candidate's group; groups int (n_items,)."""
    times, since = repeat_counts(candidates, groups)
    events = candidates.questions.lengths()[candidates.question]
    return {
        "times in group": times,
        "days since in group": np.where(since < 0, np.nan, since),
        "share of group": _ratio(times, events),
    }


def visit_columns(candidates: Candidates) -> dict[str, np.ndarray]:
    """Events of the history, and days since its newest."""
    questions = candidates.questions
    since = questions.days - questions.newest_days(np.nan)
    return {
        "events": questions.lengths()[candidates.question],
        "days since visit": since[candidates.question],
    }


def price_columns(candidates: Candidates, prices: np.ndarray) -> dict[str, np.ndarray]:
    """Log of 1 + price, and the difference from the mean of the history's.

    Args:
        candidates: n_rows of them.
        prices: (n_items,) finite, at least 0.

    Returns:
        Arrays (n_rows,) by name.

    Raises:
        ValueError: prices of another shape or out of range.
    """
    questions = candidates.questions
    prices = np.asarray(prices, dtype=float)
    if (
        prices.shape != (questions.n_items,)
        or not (np.isfinite(prices) & (prices >= 0)).all()
    ):
        raise ValueError(
            f"prices: expected {questions.n_items} finite numbers of at least 0, one for each item, got "
            f"shape {prices.shape} or another number; fill a missing one, for example with the median of "
            "its group"
        )
    logs = np.log1p(prices)
    running = np.concatenate([[0.0], np.cumsum(logs[questions.event_items])])
    sums = running[questions.ends] - running[questions.starts]
    usual = _ratio(sums, questions.lengths())  # (n_questions,)
    price = logs[candidates.items]
    return {
        "price": price,
        "price against the usual": price - usual[candidates.question],
    }


def rhythm_columns(
    candidates: Candidates, usual_gap: np.ndarray
) -> dict[str, np.ndarray]:
    """When the customer took the product, in days and visits; late ones weigh more.

    Args:
        candidates: n_rows of them.
        usual_gap: (n_items,), days that stand in for a gap of the customer's own.

    Returns:
        Arrays (n_rows,) by name.
    """
    questions = candidates.questions
    owners, places = questions.events()
    days = questions.event_days[places]
    visits = visits_in_order(owners, days, len(questions))
    taken = Repeats(owners, questions.event_items[places], days, questions.n_items)
    found = taken.find(candidates.question, candidates.items)

    counts = values_at(taken.counts, found, 0)
    in_days = taken.sums(0.97 ** (questions.days[owners] - days))  # (n_pairs,)
    in_visits = taken.sums(0.8**visits.age)
    since = values_at(questions.days[taken.owners] - taken.newest, found, np.nan)
    own_gaps = (taken.newest - taken.oldest) / np.maximum(taken.counts - 1, 1)
    gaps = np.where(
        counts > 1, values_at(own_gaps, found, np.nan), usual_gap[candidates.items]
    )
    return {
        "share of visits": counts
        / np.maximum(visits.n_baskets, 1)[candidates.question],
        "decayed times": values_at(in_days, found, 0),
        "decayed visits": values_at(in_visits, found, 0),
        "visits since bought": values_at(taken.of_newest(visits.age), found, np.nan),
        "days over usual gap": since / np.maximum(gaps, 1),
    }


def habit_columns(candidates: Candidates) -> dict[str, np.ndarray]:
    """How often the customer visits, for how many products, how many of them new."""
    habits = _habits(candidates.questions)
    return {name: values[candidates.question] for name, values in habits.items()}


def _habits(questions: Questions) -> dict[str, np.ndarray]:
    owners, places = questions.events()
    days = questions.event_days[places]
    n_visits = visits_in_order(owners, days, len(questions)).n_baskets
    taken = Repeats(owners, questions.event_items[places], days, questions.n_items)
    n_products = np.bincount(taken.owners, minlength=len(questions))
    events = questions.lengths()
    oldest = np.append(questions.event_days, 0)[
        np.where(events > 0, questions.starts, -1)
    ]
    spans = questions.newest_days(0) - oldest
    between = spans / np.maximum(n_visits - 1, 1)
    return {
        "visits": n_visits,
        "basket size": _ratio(events, n_visits),
        "days between visits": np.where(n_visits < 2, np.nan, between),
        "share of new products": _ratio(n_products, events),
    }


def late_sales_columns(
    candidates: Candidates, sales: LateSales
) -> dict[str, np.ndarray]:
    """Logarithms of the shares of late sales before the day, and their trend."""
    days = candidates.questions.days[candidates.question]
    places = sales.places(days)
    shares = sales.shares[:, places, candidates.items]  # (half-lives, n_rows)
    logs = np.log(shares + 1e-6)
    columns = dict(zip(POPULARITIES, logs, strict=True))
    columns["trend"] = logs[0] - logs[-1]
    return columns


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Elementwise above / below, NaN for 0 / 0."""
    with np.errstate(invalid="ignore"):
        return above / below
