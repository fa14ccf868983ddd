"""What a recommender's `fit` ends in: held-out events become a metric, a network a recommender.

The convention of the recommenders that learn from `Interactions` alone (the target ranker, the
news recommender and the next basket have an input of their own, and end in `fit` themselves):

- the constructor takes `(config, checkpoint=None, log=None)` and keeps them; `config.training`
  is the `FitConfig`;
- `fit(interactions, validation=None)`: `validation` are held-out events of the same users and
  items. After each epoch the metric is read on them, the best weights are kept, and
  `config.training.patience` may end the training;
- `fit` builds the network beside the recommender, not as `self.network`, and ends in

      return fit_recommender(self, network, interactions, batches, loss, identity, validation)

- what goes wrong before the first step, such as a checkpoint of something else, leaves the
  recommender as it was: unfitted, or with its earlier fit. What goes wrong later (a loss that
  is not finite, an interrupt, a full disk) leaves it with the weights of the last good step.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import nn

from recsys.data import Interactions
from recsys.evaluation import hits_of, ndcg, top_k
from recsys.torch.checkpoint import digest
from recsys.torch.fit import fit

CHUNK_BYTES = 64 * 2**20
"""Scores held at one time; the number of users in a chunk follows from it."""


def fit_recommender(
    recommender: Any, network: nn.Module, interactions: Interactions, batches: Callable, loss: Callable,
    identity: Mapping[str, Any], validation: Interactions | None = None, optimizer: Callable | None = None,
    metric: Callable | None = None,
) -> Any:  # fmt: skip
    """Train `network` and hand it to `recommender`, by the convention at the top of this file.

    Args:
        recommender: has `config.training`, `checkpoint` and `log`; gets `interactions`, `network`
            and `result`, the last None where training did not come to its end.
        network: new, and not yet part of the recommender.
        interactions: what is trained on.
        batches, loss, optimizer: as `fit`.
        identity: as `fit`; the events of `interactions` and `validation` are added.
        validation: held-out events over the same users and items, or None.
        metric: from recommender, interactions and validation to what `fit` takes as
            `validate`; `held_out_ndcg` by default.

    Returns:
        The recommender.

    Raises:
        ValueError, KeyboardInterrupt, OSError: as `fit`, and as the metric.
    """
    identity, validate = {**identity, "data": _digest(interactions)}, None
    if validation is not None:
        identity["validation"] = _digest(validation)
        validate = (metric or held_out_ndcg)(recommender, interactions, validation)

    def adopt(trained: nn.Module) -> None:
        recommender.interactions, recommender.network, recommender.result = interactions, trained, None

    recommender.result = fit(network, batches, loss, recommender.config.training, validate, recommender.checkpoint,
                             identity, optimizer=optimizer, log=recommender.log, adopt=adopt)  # fmt: skip
    return recommender


def held_out_ndcg(
    recommender: Any, interactions: Interactions, validation: Interactions, k: int = 10
) -> Callable[[nn.Module], float]:  # fmt: skip
    """Make a metric of held-out events: nDCG of the k best, higher is better.

    Full ranking, the items of `interactions` masked, ties by item index, the ideal list capped
    at k, mean over the users who have a held-out event.

    Args:
        recommender: asked for `score` through a copy; it does not change.
        interactions: what is trained on.
        validation: held-out events over the same users and items.
        k: length of the lists.

    Returns:
        From the network to the metric.

    Raises:
        ValueError: no held-out event, or other users or items.
    """
    _check_held_out(interactions, validation)
    trial = copy.copy(recommender)
    users = np.unique(validation.users)
    relevant, seen = validation.of_users(users).seen(), interactions.of_users(users).seen()
    size = max(1, CHUNK_BYTES // (8 * interactions.n_items))

    def metric(network: nn.Module) -> float:
        trial.interactions, trial.network = interactions, network
        ranked = [top_k(trial.score(users[start:start + size]), k, seen[start:start + size])
                  for start in range(0, len(users), size)]  # fmt: skip
        return float(ndcg(hits_of(np.concatenate(ranked), relevant), np.diff(relevant.indptr)).mean())

    return metric


def _check_held_out(interactions: Interactions, validation: Interactions) -> None:
    if not len(validation):
        raise ValueError("validation: expected at least one held-out event, got none; pass None to train without")
    for name in ("user_ids", "item_ids"):
        if not np.array_equal(getattr(interactions, name), getattr(validation, name)):
            raise ValueError(f"validation: its {name} are not those of the interactions to fit; "
                             "take both from one log, with Interactions.select or a split")  # fmt: skip


def _digest(interactions: Interactions) -> str:
    return digest(interactions.users, interactions.items, interactions.values, interactions.times)
