r"""Candidates of a question, and the batches that a network reads them in.

They are drawn (the basket, and products by popularity that are not in it: `draw`), or
proposed (`recsys.baselines.proposals`). What is drawn depends on a seed alone. Ids are
those of `recsys.batches`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recsys.batches.questions import FROM_THE_LOG, Questions
from recsys.batches.repeats import Repeats, values_at
from recsys.checks import check_indices

N_NEGATIVES = 30
"""Draws of a question: independent, so that a product can come twice."""

GAP_EDGES = (2, 4, 8, 15, 31, 61)
"""Days at which an event counts as older: the edges of the ages networks tell apart."""

DRAWS = 1000
"""Times that what fell into a basket is drawn again, before that is called hopeless."""


@dataclass(frozen=True)
class Candidates:
    """Products asked about; the label is 1 where its question's basket holds one.

    Args:
        questions: what is asked.
        question: int (n_rows,), ascending: the question of each row.
        items: int (n_rows,).

    Raises:
        ValueError: questions not ascending or unknown, an unknown item.
    """

    questions: Questions
    question: np.ndarray
    items: np.ndarray

    def __post_init__(self) -> None:
        ascending = (np.diff(self.question) >= 0).all()
        if len(self.question) != len(self.items) or not ascending:
            raise ValueError(
                "candidates: expected one item a row, rows in the order of their questions, got "
                f"{len(self.items)} items for {len(self.question)} rows, or a question after a later one"
            )
        first = self.question.min(initial=0)
        last = self.question.max(initial=-1)
        if first < 0 or last >= len(self.questions):
            raise ValueError(
                f"candidates: expected questions 0 to {len(self.questions) - 1}, got {first} to {last}"
            )
        n_items = self.questions.n_items
        check_indices("candidates", self.items, n_items, FROM_THE_LOG)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def labels(self) -> np.ndarray:
        """1 where bought, int (n_rows,)."""
        return self.questions.in_basket(self.question, self.items).astype(np.int64)

    @property
    def bought_before(self) -> np.ndarray:
        """Whether the product is in the history of its question, bool (n_rows,)."""
        return repeat_counts(self)[0] > 0


def draw(
    questions: Questions,
    weights: np.ndarray,
    n_negatives: int = N_NEGATIVES,
    seed: int | Sequence[int] = 0,
) -> Candidates:
    """Put the basket of each question beside negatives drawn in proportion to weights.

    Draws are independent, and one that falls into the basket is drawn again: an item
    outside the basket comes n_negatives * weight / (weight outside the basket) times on
    average. Items of weight 0 are left out of the baskets too: no negative could stand
    beside them.

    Args:
        questions: what is asked.
        weights: (n_items,) at least 0, such as row counts of the fitted log.
        n_negatives: draws a question.
        seed: of the draws.

    Returns:
        Candidates, for each question its basket and then its negatives.

    Raises:
        ValueError: weights that cannot be drawn from, or a basket that holds all of
            them.
    """
    weights = np.asarray(weights)
    if (
        weights.shape != (questions.n_items,)
        or weights.min() < 0
        or not weights.sum() > 0
    ):
        raise ValueError(
            f"weights: expected {questions.n_items} numbers of at least 0 with a positive sum, got shape "
            f"{weights.shape} with the sum {weights.sum()}"
        )
    owners = np.repeat(np.arange(len(questions)), n_negatives)
    negatives = _outside_baskets(
        questions, owners, weights, np.random.default_rng(seed)
    )
    baskets, bought = np.divmod(questions.keys(), questions.n_items)
    known = weights[bought] > 0
    question = np.concatenate([baskets[known], owners])
    items = np.concatenate([bought[known], negatives])
    order = np.argsort(question, kind="stable")
    return Candidates(questions, question[order], items[order])


def _outside_baskets(
    questions: Questions,
    owners: np.ndarray,
    weights: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw for each owner an item that is not in its basket, int (n,)."""
    ladder = np.cumsum(weights) / np.sum(weights)
    items = np.empty(len(owners), dtype=np.int64)
    wrong = np.arange(len(owners))
    for _ in range(DRAWS):
        items[wrong] = np.searchsorted(ladder, rng.random(len(wrong)), side="right")
        wrong = wrong[questions.in_basket(owners[wrong], items[wrong])]
        if not wrong.size:
            return items
    raise ValueError(
        f"question {owners[wrong[0]]}: expected something to draw outside its basket, got {DRAWS} draws "
        "inside it: its basket holds nearly all that can be drawn; weigh more items"
    )


def repeat_counts(
    candidates: Candidates, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """How often and how lately each candidate was taken before the day asked about.

    Args:
        candidates: n_rows of them.
        groups: int (n_items,), such as the subclass: then any item of the candidate's
            group counts.

    Returns:
        Earlier events (n_rows,) and days since the newest of them (n_rows,), -1 where
        there is none.

    Raises:
        ValueError: groups of another shape, or below 0.
    """
    questions = candidates.questions
    if groups is None:
        groups = np.arange(questions.n_items)
    groups = np.asarray(groups)
    if groups.shape != (questions.n_items,) or groups.min(initial=0) < 0:
        raise ValueError(
            f"groups: expected {questions.n_items} numbers of at least 0, one for each item, got shape "
            f"{groups.shape} from {groups.min(initial=0)}"
        )
    owners, places = questions.events()
    kinds = groups[questions.event_items[places]]
    days = questions.event_days[places]
    taken = Repeats(owners, kinds, days, int(groups.max()) + 1)
    found = taken.find(candidates.question, groups[candidates.items])
    since = questions.days[taken.owners] - taken.newest  # (n_pairs,)
    return values_at(taken.counts, found, 0), values_at(since, found, -1)


class Batch(NamedTuple):
    """Questions of one step, padded on the right; at least one column of each.

    Args:
        history: int64 (batch, length), ids.
        gaps: int64 (batch, length), days before the day asked about, at least 1; 0
            where padded.
        candidates: int64 (batch, candidates), ids.
        labels: float32 (batch, candidates), 0 where padded.
        rows: int64 (batch, candidates), rows of `Candidates`, -1 where padded.
    """

    history: np.ndarray
    gaps: np.ndarray
    candidates: np.ndarray
    labels: np.ndarray
    rows: np.ndarray


def batches(
    candidates: Candidates, max_length: int, size: int, seed: int | Sequence[int] = 0
) -> list[Batch]:
    """Group questions of like size, in a seeded order, and pad them.

    Args:
        candidates: what is asked about.
        max_length: events read; of a longer history the newest are kept.
        size: questions of a batch.
        seed: of the order.

    Returns:
        Batches that hold each candidate once.

    Raises:
        ValueError: a length or size below 1.
    """
    if max_length < 1 or size < 1:
        raise ValueError(
            f"max_length and size: expected at least 1, got {max_length} and {size}"
        )
    rng = np.random.default_rng(seed)
    questions = candidates.questions
    counts = np.bincount(candidates.question, minlength=len(questions))
    lengths = np.minimum(questions.lengths(), max_length)
    steps_of_16 = -(-lengths // 16)
    order = np.lexsort((rng.random(len(counts)), counts, steps_of_16))
    order = order[counts[order] > 0]
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    labels = candidates.labels
    shuffled = rng.permutation(len(groups))
    return [
        batch_of(candidates, labels, groups[place], max_length) for place in shuffled
    ]


def batch_of(
    candidates: Candidates, labels: np.ndarray, group: np.ndarray, max_length: int
) -> Batch:
    """Put some questions, with all their candidates, into one batch.

    Args:
        candidates: what is asked about.
        labels: (n_rows,), `candidates.labels`, which takes a sort to tell.
        group: int (batch,), the questions.
        max_length: events read; of a longer history the newest are kept.

    Returns:
        One row a question, in the order of `group`.
    """
    questions = candidates.questions
    lengths = np.minimum(questions.ends[group] - questions.starts[group], max_length)
    events = _padded_ranges(questions.ends[group] - lengths, lengths)  # (batch, length)
    first = np.searchsorted(candidates.question, group, side="left")
    last = np.searchsorted(candidates.question, group, side="right")
    rows = _padded_ranges(first, last - first)  # (batch, candidates)
    event_days = at_places(questions.event_days, events, 0)
    gaps = questions.days[group][:, None] - event_days
    return Batch(
        history=at_places(questions.event_items, events, -1) + 1,
        gaps=np.where(events < 0, 0, gaps),
        candidates=at_places(candidates.items, rows, -1) + 1,
        labels=at_places(labels, rows, 0).astype(np.float32),
        rows=rows,
    )


def at_places(values: np.ndarray, places: np.ndarray, padding: float) -> np.ndarray:
    """Take values[places] along the first axis, and `padding` where a place is -1."""
    if not len(values):
        return np.full(places.shape, padding)
    taken = values[places]
    taken[places < 0] = padding
    return taken


def _padded_ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """start, start + 1, ... of each row, and -1 after its count; at least a column."""
    columns = np.arange(counts.max(initial=1))
    numbers = starts[:, None] + columns  # (rows, columns)
    return np.where(columns < counts[:, None], numbers, -1)
