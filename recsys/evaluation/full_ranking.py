"""`evaluate(model, split, k)`: fit on what may be seen, rank everything, keep each number."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from recsys.data import Interactions
from recsys.evaluation import metrics
from recsys.evaluation.compare import bootstrap_interval
from recsys.evaluation.ranking import (
    TIE_RULE,
    check_k,
    checked_scores,
    chunks,
    hits_of,
    top_k,
)
from recsys.evaluation.splits import Split
from recsys.recommender import Recommender, require_taken


@dataclass(frozen=True)
class Evaluation:
    """What one model did for each user, and under which protocol.

    Attributes:
        users: (n_users,) int, who was asked.
        ranked: (n_users, k) int, their lists; -1 is an empty place.
        per_user: maps a metric's name to (n_users,) floats.
        protocol: everything that a number of these depends on, in words.
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


def evaluate(
    model: Recommender,
    split: Split,
    k: int = 10,
    on: str = "test",
    repeats: bool = False,
    ties: str = TIE_RULE,
    fit: bool = True,
) -> Evaluation:
    """Fit `model` and rank the full catalogue for every user who has something in the part `on`.

    Args:
        model: a recommender.
        split: what it is fitted and read on.
        k: length of the lists, from 1 to the number of items.
        on: "validation" or "test". For validation the model is fitted on train; for the test
            on train and validation.
        repeats: False masks the items a user already has; True lets them be recommended again.
        ties: how items of equal score are ordered, one of `TIE_RULES`.
        fit: False takes the model as it stands, fitted before on the part named under `on`.

    Returns:
        nDCG (ideal capped at k), recall, precision, hit rate, MRR and MAP of every user. Memory
        is bounded: scores are made for `CHUNK_BYTES` at a time.

    Raises:
        ValueError: before anything is fitted, an unknown part or one without rows, a k that the
            catalogue cannot fill, or values of 0 and less, which were not taken; a model that was
            fitted on another number of rows, or that returns another shape.
    """
    if on not in ("validation", "test"):
        raise ValueError(f'on: expected "validation" or "test", got {on!r}')
    fitted = split.train if on == "validation" else split.train_and_validation
    truth = split.validation if on == "validation" else split.test
    check_k(k, fitted.n_items)
    require_taken(fitted)
    require_taken(truth)
    if not len(truth):
        raise ValueError(
            f"split: expected rows in {on}, got none ({split.protocol}); ask for some"
        )
    if fit:
        model.fit(fitted)
    else:
        _refuse_other_rows(model, fitted)
    users = np.unique(truth.users)
    relevant = truth.of_users(users).seen()
    mask = None if repeats else fitted.seen()
    ranked = _rank(model, users, fitted.n_items, k, mask, ties)
    hits = hits_of(ranked, relevant)
    n_relevant = np.diff(relevant.indptr)
    protocol = (
        f"{split.protocol}; full ranking of {fitted.n_items:,} items; "
        f"fitted on {'train' if on == 'validation' else 'train and validation'}; read on {on}; "
        f"seen items {'allowed' if repeats else 'masked'}{_masked(relevant, mask, users)}; "
        f"score ties by {ties}; nDCG ideal capped at k; {len(users):,} users"
    )
    return Evaluation(users, ranked, list_metrics(hits, n_relevant, k), protocol)


def list_metrics(
    hits: np.ndarray, n_relevant: np.ndarray, k: int
) -> dict[str, np.ndarray]:
    """The list metrics of one set of hits, by the names that tables print."""
    return {
        f"nDCG@{k}": metrics.ndcg(hits, n_relevant),
        f"recall@{k}": metrics.recall(hits, n_relevant),
        f"precision@{k}": metrics.precision(hits),
        f"hit@{k}": metrics.hit_rate(hits),
        f"MRR@{k}": metrics.reciprocal_rank(hits),
        f"MAP@{k}": metrics.average_precision(hits, n_relevant),
    }


def compare_table(results: Mapping[str, Evaluation], names: list[str]) -> pd.DataFrame:
    """One row a model, one column a metric: the mean and its 95% interval over users."""
    columns = {}
    for metric in names:
        intervals = {
            model: bootstrap_interval(found[metric]) for model, found in results.items()
        }
        columns[metric] = {
            model: str(interval) for model, interval in intervals.items()
        }
    return pd.DataFrame(columns)


def _refuse_other_rows(model: Recommender, fitted: Interactions) -> None:
    """Require that a model which keeps its log was fitted on as many rows as the part has."""
    own = getattr(model, "interactions", fitted)
    if len(own) != len(fitted):
        raise ValueError(
            f"model: expected one fitted on the {len(fitted):,} rows of the part, got one fitted "
            f"on {len(own):,}; fit it on that part, or let evaluate fit it"
        )


def _masked(
    relevant: sparse.csr_matrix, mask: sparse.csr_matrix | None, users: np.ndarray
) -> str:
    """Say how many of the items asked for can never be shown, if any."""
    if mask is None:
        return ""
    unreachable = relevant.multiply(mask[users]).nnz
    if not unreachable:
        return ""
    return f", {unreachable:,} of the {relevant.nnz:,} items asked for among them"


def _rank(
    model: Recommender,
    users: np.ndarray,
    n_items: int,
    k: int,
    mask: sparse.csr_matrix | None,
    ties: str,
) -> np.ndarray:
    """The lists of all users, made for some at a time: (n_users, k) int."""
    ranked = np.empty((len(users), k), dtype=np.int64)
    for rows in chunks(len(users), n_items):
        chunk = users[rows]
        scores = checked_scores(model, chunk, n_items)
        ranked[rows] = top_k(scores, k, None if mask is None else mask[chunk], ties)
    return ranked
