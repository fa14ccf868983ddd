r"""The first of two steps: propose products for a question, so that a ranker has few to order.

Proposed is what the customer ever took, what sold of late before the day, and what goes with the
history. The second step is `BasketRanker` (trees) or `recsys.neural.next_basket` (a network).
Source of the two steps: Covington and others (2016), section 2.
"""

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy import sparse

from recsys.baselines.neighbours import ItemKNN
from recsys.batches.candidates import Candidates
from recsys.batches.questions import Questions, newest_baskets
from recsys.batches.sales import LateSales, repurchases
from recsys.batches.visits import visits
from recsys.checks import check_count
from recsys.data import Interactions
from recsys.evaluation import top_k
from recsys.recommender import check_log

CHUNK = 512
"""Questions that are proposed for at one time, so that memory stays bounded."""
RECENCY = 0.98
"""Weight lost with each later event of the history, in what goes with it."""
FLOOR = -100.0
"""What a product scores that nobody proposed and nobody buys; proposed ones stay above."""


class Proposed(NamedTuple):
    """Candidates that were proposed, and how much each goes with its history, float32 (n_rows,)."""

    candidates: Candidates
    similarity: np.ndarray


class Proposals:
    """What a log says of products, and the products that it proposes for a question.

    Args:
        interactions: a log with times in days.
        per_source: how many products come from each source: sales with a half-life of 1 and of 3
            days, and similarity to the history. The history itself is always proposed.

    Attributes:
        sales: late sales by day.
        repurchases: how each product is bought again.
        similarity: sparse (n_items, n_items), of an item of the history and one that goes with it.
    """

    def __init__(self, interactions: Interactions, per_source: int):
        self.interactions = interactions
        self.per_source = min(per_source, interactions.n_items)
        self.sales = LateSales(interactions)
        self.repurchases = repurchases(interactions)
        self.similarity = ItemKNN(200, 20.0).fit(interactions).similarity

    def propose(self, questions: Questions) -> Proposed:
        """Propose products for each question, in order of the items: sorted, each once."""
        parts = [self._propose(questions, rows) for rows in _chunks(len(questions))]
        question, items, similarity = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        return Proposed(Candidates(questions, question, items), similarity)

    def _propose(
        self, questions: Questions, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Question, item and similarity of what is proposed for some questions."""
        some = questions.select(rows)
        owners, places = some.events()
        taken = some.event_items[places]
        related = self._related(some, owners, places)  # (questions, n_items)
        days = self.sales.places(some.days)
        n_items = some.n_items
        keys = [owners * n_items + taken, _best(related, self.per_source)]
        for half_life in (0, 1):
            keys.append(_best(self.sales.shares[half_life][days], self.per_source))
        row, items = np.divmod(np.unique(np.concatenate(keys)), n_items)
        return rows[row], items, related[row, items]

    def _related(
        self, questions: Questions, owners: np.ndarray, places: np.ndarray
    ) -> np.ndarray:
        """Similarity of every product to each history, its late events weighing more."""
        ages = questions.ends[owners] - 1 - places  # later events of the history
        items = questions.event_items[places]
        shape = (len(questions), questions.n_items)
        history = sparse.csr_matrix((RECENCY**ages, (owners, items)), shape=shape)
        history.sum_duplicates()
        related = history @ self.similarity
        return related.toarray().astype(np.float32)


def propose_to_learn(
    interactions: Interactions,
    n_baskets: int,
    per_source: int,
    usual_gap: int | None,
    describe: Callable[[Proposals, Proposed], np.ndarray],
) -> tuple[Candidates, np.ndarray]:
    """Propose products for everybody's newest baskets, from the log as it was before each.

    Args:
        interactions: a log with times in days.
        n_baskets: how many of each customer, the newest.
        per_source: as in `Proposals`.
        usual_gap: None: the day of a basket is told. A number: the question is asked so many days
            after the basket before it, whenever it came.
        describe: gives each proposed candidate its row of numbers.

    Returns:
        Candidates, and their descriptions (n_rows, columns).

    Raises:
        ValueError: times that are not days, or nobody has so many baskets and one before them.
    """
    check_log("interactions", interactions)
    if interactions.time_unit != "day":
        raise ValueError(
            f'interactions: expected times in days, got "{interactions.time_unit}"; '
            "divide them by the length of a day"
        )
    questions, ages = newest_baskets(interactions, n_baskets)
    if usual_gap is not None:
        questions = replace(questions, days=questions.newest_days(0) + usual_gap)
    ages_in_log = visits(interactions).age
    question, items, described = [], [], []
    for age in range(n_baskets):
        asked_now = np.flatnonzero(ages == age)
        proposals = Proposals(interactions.select(ages_in_log > age), per_source)
        proposed = proposals.propose(questions.select(asked_now))
        question.append(asked_now[proposed.candidates.question])
        items.append(proposed.candidates.items)
        described.append(describe(proposals, proposed))
    candidates = Candidates(questions, np.concatenate(question), np.concatenate(items))
    return candidates, np.concatenate(described)


def score_everything(
    proposals: Proposals,
    questions: Questions,
    rank: Callable[[Proposals, Proposed], np.ndarray],
) -> np.ndarray:
    """Score every product: what a ranker says of what is proposed; below it, late sales.

    Args:
        proposals: from the log that was fitted.
        questions: n of them.
        rank: gives each proposed candidate a number.

    Returns:
        Float (n, n_items).
    """
    scores = np.empty((len(questions), questions.n_items))
    for rows in _chunks(len(questions)):
        some = questions.select(rows)
        proposed = proposals.propose(some)
        ranked = rank(proposals, proposed)
        scores[rows] = FLOOR + proposals.sales.before(
            some.days, -1
        )  # shares are at most 1
        scores[rows[proposed.candidates.question], proposed.candidates.items] = (
            np.maximum(ranked, FLOOR + 2)
        )
    return scores


def check_proposing(usual_gap: int | None, **counts: int) -> None:
    """Require a gap of at least a day, or None, and counts of at least 1.

    Raises:
        ValueError: another number.
    """
    is_told = usual_gap is None
    if not is_told and not (isinstance(usual_gap, Integral) and usual_gap >= 1):
        raise ValueError(
            f"usual_gap: expected at least 1 day, or None for a day that is told, got {usual_gap}"
        )
    for name, count in counts.items():
        check_count(name, count)


def _chunks(n: int) -> list[np.ndarray]:
    return [
        np.arange(start, min(start + CHUNK, n)) for start in range(0, max(n, 1), CHUNK)
    ]


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """Keys row * n_items + item of the k largest positive scores of each row."""
    n_rows, n_items = scores.shape
    items = top_k(scores, k)  # (rows, k), of equal scores the smaller index
    keys = np.arange(n_rows)[:, None] * n_items + items  # (rows, k)
    positive = np.take_along_axis(scores, items, axis=1) > 0
    return keys[positive]
