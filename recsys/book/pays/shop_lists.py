"""What is read of a model in the shop: lists of candidates, and the metrics of each.

What was bought is read four ways: beside products drawn by popularity, told apart by
whether the two were bought before; among the products of the customer's own history,
where nothing is drawn; on a shortlist, as the second of two steps would order it; and
among all products of the shop.
"""

from functools import cached_property
from typing import Any, Protocol

import numpy as np

from recsys.batches.candidates import Candidates
from recsys.batches.questions import Questions
from recsys.data import Interactions
from recsys.evaluation import auc_per_user, ndcg, recall, top_k

PAIRS = {
    "bought again over drawn new": (True, False),
    "bought new over drawn new": (False, False),
    "bought again over drawn again": (True, True),
    "bought new over drawn again": (False, True),
}
"""Whether the bought and the drawn product were in the history."""


INSIDE, SHORTLIST, FULL = "inside the history", "nDCG@10, shortlist", "nDCG@10, full"


RECALLS = {SHORTLIST: "recall@10, shortlist", FULL: "recall@10, full"}


class Model(Protocol):
    """What a shop asks of an arm."""

    def fit(self, interactions: Interactions) -> Any:
        """Learn from earlier baskets."""

    def predict(self, candidates: Candidates) -> np.ndarray:
        """Order drawn candidates: (n_rows,)."""

    def log_odds(self, candidates: Candidates) -> np.ndarray:
        """Order candidates that were not drawn: (n_rows,)."""


class Asked:
    """Candidates with what every model is measured against."""

    def __init__(self, candidates: Candidates):
        self.candidates = candidates
        self.labels = candidates.labels == 1

    @cached_property
    def again(self) -> np.ndarray:
        """Whether the product is in the history, bool (n_rows,)."""
        return self.candidates.bought_before

    def auc(self, scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Within each customer, on some rows; NaN without both classes."""
        question = self.candidates.question[rows]
        found = np.full(len(self.candidates.questions), np.nan)
        found[np.unique(question)] = auc_per_user(
            question, self.labels[rows], scores[rows]
        )
        return found

    def lists(self, scores: np.ndarray, k: int = 10) -> np.ndarray:
        """Which of the k best of each customer were bought: bool (n_customers, k)."""
        question = self.candidates.question
        n_customers = len(self.candidates.questions)
        first = np.searchsorted(question, np.arange(n_customers))
        column = np.arange(len(question)) - first[question]
        table = np.full((n_customers, column.max() + 1), -np.inf)
        table[question, column] = scores  # a row's products ascend: ties by item index
        places = top_k(table, k)
        return self.labels[first[:, None] + places] & (places >= 0)


def ranked(asked_for: Asked, model: Model) -> dict[str, np.ndarray]:
    """nDCG and recall of the ten best; what no list holds counts as missed."""
    candidates = asked_for.candidates
    hits = asked_for.lists(model.log_odds(candidates))
    n_bought = np.diff(candidates.questions.basket_starts)
    return {
        SHORTLIST: ndcg(hits, n_bought),
        RECALLS[SHORTLIST]: recall(hits, n_bought),
    }


def listed(questions: Questions, items: np.ndarray) -> Candidates:
    """The products of each history, and some for everybody, by customer and product."""
    owners, places = questions.events()
    n_items = questions.n_items
    own = owners * n_items + questions.event_items[places]
    of_all = np.arange(len(questions))[:, None] * n_items + items
    question, product = np.divmod(np.union1d(own, of_all), n_items)
    return Candidates(questions, question, product)
