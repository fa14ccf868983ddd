"""Reasons by leaving out: which events of a history an item's place hangs on.

A reason given is a difference that was computed, not a weight that was read: each event
of the history is left out in turn, the user is scored again, and an event is a reason
for an item if the item's score falls without it. A score counts by its lead over the
mean score of all items, so that what moves every item alike is no reason for any.
"""

import numpy as np
import pandas as pd

from recsys.data import Interactions
from recsys.recommender import Recommender


def losses_without(
    recommender: Recommender, user: int, history: Interactions
) -> np.ndarray:
    """How much of its lead each item loses when one event of a history is left out.

    Args:
        recommender: fitted, over the items of `history`.
        user: index in the fitted log.
        history: of this user alone, n events.

    Returns:
        (n, n_items); an item's lead is its score minus the mean score of all items.
    """
    n = len(history)
    copies = history.of_users(np.zeros(n + 1, dtype=np.int64))
    place = np.arange(len(copies)) - n * copies.users  # of an event in its copy
    kept = copies.select(place != copies.users)  # the last copy is whole
    scores = recommender.score(np.full(n + 1, user), kept)  # (n + 1, n_items)
    leads = scores - scores.mean(axis=1, keepdims=True)
    return leads[n] - leads[:n]


def reasons(
    recommender: Recommender, history: Interactions, user: int, items: np.ndarray
) -> pd.DataFrame:
    """The event of a history that speaks most for each item of a list.

    Args:
        recommender: fitted, over the items of `history`.
        history: a log that holds the user's events.
        user: index in `history` and in the fitted log.
        items: (k,) int, item indices, such as a row of `recommend`.

    Returns:
        A row an item in the order of the list, by their ids: `item`; `because of`, the
        item of the event without which it loses most of its lead; and `loses`, how
        much, in units of the score. None and 0 where no event speaks for it.
    """
    own = history.of_users([user])
    if not len(own):
        losses = np.zeros((1, history.n_items))
    else:
        losses = losses_without(recommender, user, own)  # (n_events, n_items)
    most = losses[:, items].argmax(axis=0)  # (k,)
    lost = losses[most, items].clip(min=0)  # (k,)
    because = [
        history.item_ids[own.items[event]].item() if loss > 0 else None
        for event, loss in zip(most, lost, strict=True)
    ]
    return pd.DataFrame(
        {"item": history.item_ids[items], "because of": because, "loses": lost}
    )
