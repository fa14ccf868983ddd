"""Held-out events as the metric of a training: full ranking, read after each epoch."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from recsys.data import Interactions
from recsys.evaluation import hits_of, ndcg
from recsys.evaluation.lists import ranked_lists
from recsys.recommender import check_log


def held_out_ndcg(
    recommender: Any, interactions: Interactions, validation: Interactions, k: int = 10
) -> Callable[[Any], float]:
    """Make a metric of held-out events: nDCG of the k best, higher is better.

    Full ranking, the items of `interactions` masked, ties by item index, the ideal list
    capped at k, mean over the users who have a held-out event.

    Args:
        recommender: asked for `score` through a copy; it does not change.
        interactions: what is trained on.
        validation: held-out events over the same users and items.
        k: length of the lists.

    Returns:
        From the network to the metric.

    Raises:
        ValueError: no held-out event, other users or items, or fewer than k items.
    """
    check_held_out(interactions, validation)
    if interactions.n_items < k:
        raise ValueError(
            f"validation: expected at least {k} items for nDCG@{k}, got {interactions.n_items}; "
            "pass None to train without"
        )
    trial = copy.copy(recommender)
    users = np.unique(validation.users)
    relevant = validation.of_users(users).seen()
    seen = interactions.of_users(users).seen()

    def metric(network: Any) -> float:
        trial.interactions, trial.network = interactions, network
        ranked = ranked_lists(trial, users, interactions.n_items, k, seen)
        hits = hits_of(ranked, relevant)
        return float(ndcg(hits, np.diff(relevant.indptr)).mean())

    return metric


def check_held_out(interactions: Interactions, validation: Interactions) -> None:
    """Require held-out events over the users and items that are trained on.

    Raises:
        ValueError: none, or other users or items.
    """
    check_log("validation", validation)
    if not len(validation):
        raise ValueError(
            "validation: expected at least one held-out event, got none; pass None to train without"
        )
    for name in ("user_ids", "item_ids"):
        if not np.array_equal(getattr(interactions, name), getattr(validation, name)):
            raise ValueError(
                f"validation: expected the {name} of the interactions to fit, got others; "
                "take both from one log, with Interactions.select or a split"
            )
