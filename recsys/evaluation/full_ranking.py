"""``evaluate(model, split, k)``: fit on what may be seen, rank everything, keep every user's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data import Interactions
from recsys.evaluation import metrics
from recsys.evaluation.compare import bootstrap_interval
from recsys.evaluation.ranking import TIE_RULE, hits_of, top_k
from recsys.evaluation.splits import Split
from recsys.recommender import Recommender

CHUNK_BYTES = 64 * 2**20
"""Scores held at one time; the number of users in a chunk follows from it."""


@dataclass(frozen=True)
class Evaluation:
    """What one model did for each user, and under which protocol.

    ``ranked`` is (n_users, k); ``per_user`` maps a metric's name to (n_users,).
    """

    users: np.ndarray
    ranked: np.ndarray
    per_user: Mapping[str, np.ndarray]
    protocol: str

    def __getitem__(self, metric: str) -> np.ndarray:
        return self.per_user[metric]

    def mean(self, metric: str) -> float:
        """The mean of one metric over users."""
        return float(self.per_user[metric].mean())


def evaluate(model: Recommender, split: Split, k: int = 10, on: str = "test", repeats: bool = False,
             ties: str = TIE_RULE) -> Evaluation:
    """Fit ``model`` and rank the full catalogue for every user who has something in the part ``on``.

    Parameters
    ----------
    model : Recommender
    split : Split
    k : int
    on : ``"validation"`` or ``"test"``
        For validation the model is fitted on train; for the test on train and validation.
    repeats : bool
        False masks the items a user already has; True lets them be recommended again.
    ties : str
        How items of equal score are ordered, one of ``TIE_RULES``.

    Returns
    -------
    Evaluation with nDCG (ideal capped at k), recall, precision, hit rate, MRR and MAP.

    Memory is bounded: scores are made for ``CHUNK_BYTES`` at a time.
    """
    if on not in ("validation", "test"):
        raise ValueError(f'on must be "validation" or "test"; {on!r} came.')
    fitted = split.train if on == "validation" else split.train_and_validation
    truth = getattr(split, on)
    model.fit(fitted)
    users = np.unique(truth.users)
    ranked = _rank(model, users, fitted, k, repeats, ties)
    relevant = truth.of_users(users).seen()
    protocol = (f"{split.protocol}; full ranking of {fitted.n_items:,} items; fitted on "
                f"{'train' if on == 'validation' else 'train and validation'}; read on {on}; seen items "
                f"{'allowed' if repeats else 'masked'}; score ties by {ties}; nDCG ideal capped at k; "
                f"{len(users):,} users")
    return Evaluation(users, ranked, list_metrics(hits_of(ranked, relevant), np.diff(relevant.indptr), k), protocol)


def list_metrics(hits: np.ndarray, n_relevant: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """The list metrics of one set of hits, by the names that tables print."""
    return {f"nDCG@{k}": metrics.ndcg(hits, n_relevant), f"recall@{k}": metrics.recall(hits, n_relevant),
            f"precision@{k}": metrics.precision(hits), f"hit@{k}": metrics.hit_rate(hits),
            f"MRR@{k}": metrics.reciprocal_rank(hits), f"MAP@{k}": metrics.average_precision(hits, n_relevant)}


def compare_table(results: Mapping[str, Evaluation], names: list[str]) -> pd.DataFrame:
    """One row a model, one column a metric: the mean and its 95% interval over users."""
    return pd.DataFrame({metric: {model: str(bootstrap_interval(result[metric])) for model, result in results.items()}
                         for metric in names})


def _rank(model: Recommender, users: np.ndarray, fitted: Interactions, k: int, repeats: bool,
          ties: str) -> np.ndarray:
    size = max(1, CHUNK_BYTES // (8 * fitted.n_items))
    seen = None if repeats else fitted.seen()
    ranked = np.empty((len(users), k), dtype=np.int64)
    for start in range(0, len(users), size):
        chunk = users[start:start + size]
        scores = np.asarray(model.score(chunk))
        if scores.shape != (len(chunk), fitted.n_items):
            raise ValueError(f"score() must return (users, items) = {(len(chunk), fitted.n_items)}; "
                             f"{type(model).__name__} returned {scores.shape}.")
        ranked[start:start + size] = top_k(scores, k, None if repeats else seen[chunk], ties)
    return ranked
