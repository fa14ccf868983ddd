"""`evaluate(model, split, k)`: fit on what may be seen, rank everything, keep each number."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from recsys.data import Interactions
from recsys.evaluation import metrics
from recsys.evaluation.compare import bootstrap_interval
from recsys.evaluation.lists import ranked_lists
from recsys.evaluation.ranking import TIE_RULE, check_k, hits_of
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
    history: Interactions | None = None,
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
        fit: False takes the model as it stands, fitted before: on the part named
            under `on`, or on any over the same items where `history` is given.
        history: a log over the users and items of the split, whose histories the
            model reads in place of the fitted ones; its users go by index, unchecked.

    Returns:
        nDCG (ideal capped at k), recall, precision, hit rate, MRR and MAP of every user. Memory
        is bounded: scores are made for `CHUNK_BYTES` at a time.

    Raises:
        ValueError: before anything is fitted, an unknown part or one without rows, a k that the
            catalogue cannot fill, or values of 0 and less, which were not taken; a model
            that was fitted on other rows and is given no history, or that returns
            another shape.
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
    elif history is None:
        _refuse_other_rows(model, fitted)
    users = np.unique(truth.users)
    relevant = truth.of_users(users).seen()
    hidden = None if repeats else fitted.of_users(users).seen()
    past = None if history is None else history.of_users(users)
    ranked = ranked_lists(model, users, fitted.n_items, k, hidden, past, ties)
    hits = hits_of(ranked, relevant)
    n_relevant = np.diff(relevant.indptr)
    protocol = (
        f"{split.protocol}; full ranking of {fitted.n_items:,} items; "
        f"{_told(on, fit, history)}; read on {on}; "
        f"seen items {'allowed' if repeats else 'masked'}{_masked(relevant, hidden)}; "
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
    """Require that a model which keeps its log was fitted on the rows of the part."""
    own = getattr(model, "interactions", fitted)
    mend = "fit it on that part, or let evaluate fit it"
    if len(own) != len(fitted):
        raise ValueError(
            f"model: expected one fitted on the {len(fitted):,} rows of the part, got one fitted "
            f"on {len(own):,}; {mend}"
        )
    for name in ("user_ids", "item_ids", "users", "items", "times"):
        if not np.array_equal(getattr(own, name), getattr(fitted, name)):
            raise ValueError(
                f"model: expected one fitted on the {len(fitted):,} rows of the part, got one "
                f"fitted on as many rows with other {name}; {mend}"
            )


def _told(on: str, fit: bool, history: Interactions | None) -> str:
    """Say what the model was fitted on, and which histories it reads instead."""
    part = "train" if on == "validation" else "train and validation"
    if history is None:
        return f"fitted on {part}"
    fitted = f"fitted on {part}" if fit else "fitted before"
    return f"{fitted}, with histories of {len(history):,} rows"


def _masked(relevant: sparse.csr_matrix, hidden: sparse.csr_matrix | None) -> str:
    """Say how many of the items asked for can never be shown, if any."""
    if hidden is None:
        return ""
    unreachable = relevant.multiply(hidden).nnz
    if not unreachable:
        return ""
    return f", {unreachable:,} of the {relevant.nnz:,} items asked for among them"

