r"""Candidates of a question: its basket, and products drawn by popularity that are not in it.

Item i has id i + 1 and padding has id 0. What is drawn depends on a seed alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recsys.batches.questions import Questions, check_items

N_NEGATIVES = 30
"""Draws of a question: independent, so that a product can come twice."""


@dataclass(frozen=True)
class Candidates:
    """Products asked about; the label is 1 where the product is in the basket of its question.

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
        if len(self.question) != len(self.items) or (np.diff(self.question) < 0).any():
            raise ValueError("candidates: expected one item a row, rows in the order of their questions")
        if len(self.question) and not 0 <= self.question[0] <= self.question[-1] < len(self.questions):
            raise ValueError(f"candidates: expected questions 0 to {len(self.questions) - 1}, got "
                             f"{self.question[0]} to {self.question[-1]}")
        check_items("candidates", self.items, self.questions.n_items)

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


def draw(questions: Questions, weights: np.ndarray, n_negatives: int = N_NEGATIVES,
         seed: int | Sequence[int] = 0) -> Candidates:
    """Put the basket of each question beside negatives drawn in proportion to weights.

    Draws are independent, and one that falls into the basket is drawn again: an item outside
    the basket comes n_negatives * weight / (weight outside the basket) times on average.
    Items of weight 0 are left out of the baskets too: no negative could stand beside them.

    Args:
        questions: what is asked.
        weights: (n_items,) at least 0, such as row counts of the fitted log.
        n_negatives: draws a question.
        seed: of the draws.

    Returns:
        Candidates, for each question its basket and then its negatives.

    Raises:
        ValueError: weights that cannot be drawn from, or a basket that holds all of them.
    """
    if np.shape(weights) != (questions.n_items,) or np.min(weights) < 0 or not np.sum(weights) > 0:
        raise ValueError(f"weights: expected {questions.n_items} numbers of at least 0 with a positive sum")
    random, keys = np.random.default_rng(seed), questions.keys()
    ladder = np.cumsum(weights) / np.sum(weights)
    owner = np.repeat(np.arange(len(questions)), n_negatives)
    negatives, wrong = np.empty(len(owner), dtype=np.int64), np.arange(len(owner))
    for _ in range(1000):
        negatives[wrong] = np.searchsorted(ladder, random.random(len(wrong)), side="right")
        wrong = wrong[questions.in_basket(owner[wrong], negatives[wrong])]
        if not wrong.size:
            break
    else:
        raise ValueError(f"question {owner[wrong[0]]}: its basket holds nearly all that can be drawn; weigh more items")
    keys = keys[np.asarray(weights)[keys % questions.n_items] > 0]
    question = np.concatenate([keys // questions.n_items, owner])
    items = np.concatenate([keys % questions.n_items, negatives])
    order = np.argsort(question, kind="stable")
    return Candidates(questions, question[order], items[order])


def repeat_counts(candidates: Candidates, groups: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """How often and how lately the customer had taken each candidate before the day asked about.

    Args:
        candidates: n_rows of them.
        groups: int (n_items,), such as the subclass: then any item of the candidate's group counts.

    Returns:
        Earlier events (n_rows,) and days since the newest of them (n_rows,), -1 where there is none.

    Raises:
        ValueError: groups of another shape, or below 0.
    """
    asked_about = candidates.questions
    groups = np.arange(asked_about.n_items) if groups is None else np.asarray(groups)
    if groups.shape != (asked_about.n_items,) or groups.min(initial=0) < 0:
        raise ValueError(f"groups: expected {asked_about.n_items} numbers of at least 0, one for each item, got shape "
                         f"{groups.shape} from {groups.min(initial=0)}")
    lengths = asked_about.lengths()
    owner = np.repeat(np.arange(len(asked_about)), lengths)
    places = np.arange(len(owner)) + np.repeat(asked_about.starts - (np.cumsum(lengths) - lengths), lengths)
    span = int(groups.max()) + 1
    keys = owner * span + groups[asked_about.event_items[places]]
    order = np.argsort(keys, kind="stable")  # within a key from old to new
    wanted = candidates.question * span + groups[candidates.items]
    low, high = (np.searchsorted(keys[order], wanted, side=side) for side in ("left", "right"))
    newest = asked_about.event_days[places][order][np.maximum(high - 1, 0)] if len(order) else np.zeros(len(wanted))
    days = asked_about.days[candidates.question] - newest
    return high - low, np.where(high > low, days, -1)


class Batch(NamedTuple):
    """Questions of one step; id 0 is padding, on the right.

    history, gaps: int64 (batch, length), ids and days before the day asked about.
    candidates: int64 (batch, candidates), ids.
    labels: float32 (batch, candidates), 0 where padded.
    rows: int64 (batch, candidates), rows of `Candidates`, -1 where padded.
    """

    history: Tensor
    gaps: Tensor
    candidates: Tensor
    labels: Tensor
    rows: Tensor


def batches(candidates: Candidates, max_length: int, size: int, seed: int | Sequence[int] = 0) -> list[Batch]:
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
        raise ValueError(f"max_length and size: expected at least 1, got {max_length} and {size}")
    random, asked_about = np.random.default_rng(seed), candidates.questions
    counts = np.bincount(candidates.question, minlength=len(asked_about))
    lengths = np.minimum(asked_about.lengths(), max_length)
    order = np.lexsort((random.random(len(counts)), counts, -(-lengths // 16)))
    order = order[counts[order] > 0]
    labels, first = candidates.labels, np.cumsum(counts) - counts
    groups = [order[start:start + size] for start in range(0, len(order), size)]
    shuffled = random.permutation(len(groups))
    return [_batch(candidates, labels, groups[place], lengths, first, counts) for place in shuffled]


def _batch(candidates: Candidates, labels: np.ndarray, group: np.ndarray, lengths, first, counts) -> Batch:
    asked_about = candidates.questions
    events = _padded(asked_about.ends[group] - lengths[group], lengths[group])  # (batch, length), -1 where padded
    rows = _padded(first[group], counts[group])
    history = np.where(events < 0, 0, _take(asked_about.event_items, events) + 1)
    gaps = np.where(events < 0, 0, asked_about.days[group][:, None] - _take(asked_about.event_days, events))
    ids = np.where(rows < 0, 0, _take(candidates.items, rows) + 1)
    bought = np.where(rows < 0, 0, _take(labels, rows)).astype(np.float32)
    return Batch(*(torch.from_numpy(array) for array in (history, gaps, ids, bought, rows)))


def _padded(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """start, start + 1, ... of each row, and -1 after its count."""
    columns = np.arange(counts.max(initial=0))
    return np.where(columns < counts[:, None], starts[:, None] + columns, -1)


def _take(array: np.ndarray, places: np.ndarray) -> np.ndarray:
    """array[places], where places of -1 may hold anything, even of an empty array."""
    return array[places] if len(array) else np.zeros(places.shape, dtype=np.int64)
