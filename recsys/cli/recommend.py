"""`recsys recommend`: what a trained model would show one user next, and why.

A reason given is a difference that was computed, not a weight that was read: each event of the
history is left out in turn, the user is scored again, and an event is a reason for an item if the
item's score falls without it. A score counts by its lead over the mean score of all items, so
that what moves every item alike is no reason for any.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from recsys.cli.models import WEIGHTS, read_run, recommender_class, usable
from recsys.data import DataError, Dataset, Interactions, load
from recsys.evaluation import recommend as best_items
from recsys.neural.recommender import settings_of

NAMES = ("title", "headline", "name")
"""Columns of an item table that say what an item is."""

N_REASONS = 2


def recommend(
    directory: Path, user: str, k: int = 10, seen: bool = False, framework: str = ""
) -> int:
    """Print the k best items for a user, each with the events that speak for it.

    Args:
        directory: of a run of `recsys train` that has ended.
        user: an id of the data set it was trained on.
        k: length of the list.
        seen: whether items of the user's history may be recommended again.
        framework: what serves; the one that trained, if empty.

    Returns:
        The exit status: 0, or 1 after an error, which was said in one line.
    """
    try:
        _recommend(Path(directory), user, k, seen, framework)
    except (DataError, ValueError, OSError, ModuleNotFoundError) as error:
        print(f"recsys: {error}", file=sys.stderr)
        return 1
    return 0


def _recommend(
    directory: Path, user: str, k: int, seen: bool, framework: str
) -> None:
    run = read_run(directory)
    framework = framework or run["framework"]
    kind = recommender_class(run["model"], framework)
    data = load(run["data"])
    log = usable(data.interactions, run["model"], run["data"])
    config = settings_of(directory / WEIGHTS, kind.config_class)
    recommender = kind(config).load(directory / WEIGHTS, log)
    users = log.user_index([_id_like(log.user_ids, user)])
    history = log.of_users(users)
    exclude = None if seen else "seen"
    [best] = best_items(recommender, users, k, exclude, history)
    losses = losses_without(recommender, users[0], history)
    rule = "may come again" if seen else "are left out"
    print(
        f"{k} items for user {user} of {run['data']}, by {kind.__name__} in {framework}; "
        f"the {len(np.unique(history.items)):,} items of the history {rule}"
    )
    for place, item in enumerate(best, start=1):
        print(f"{place:>3}  {_name(data, log, item)}")
        for text in _reasons(data, history, losses[:, item]):
            print(f"       {text}")
    print(
        "Behind an event: by how much the item's lead over the mean score of all items falls "
        "when this event is left out."
    )


def losses_without(recommender, user: int, history: Interactions) -> np.ndarray:
    """How much of its lead each item loses when one event of a history is left out.

    Args:
        recommender: fitted, over the items of `history`.
        user: index in the fitted log.
        history: of this user alone, n events.

    Returns:
        (n, n_items); the lead of an item is its score minus the mean score of all items.
    """
    n = len(history)
    copies = history.of_users(np.zeros(n + 1, dtype=np.int64))
    place = np.arange(len(copies)) - n * copies.users  # of an event in its copy
    kept = copies.select(place != copies.users)  # the last copy is whole
    scores = recommender.score(np.full(n + 1, user), kept)  # (n + 1, n_items)
    leads = scores - scores.mean(axis=1, keepdims=True)
    return leads[n] - leads[:n]


def _reasons(data: Dataset, history: Interactions, losses: np.ndarray) -> list[str]:
    """The events whose absence costs an item most, as far as it costs anything."""
    order = np.argsort(-losses, kind="stable")[:N_REASONS]
    return [
        f"{losses[event]:+.2f}  {_name(data, history, history.items[event])}"
        for event in order
        if losses[event] > 0
    ]


def _name(data: Dataset, log: Interactions, item: int) -> str:
    """What the item is called in its table, or its id."""
    item_id = log.item_ids[item]
    for column in NAMES:
        if column in data.items:
            return f"{data.items[column].loc[item_id]} ({item_id})"
    return str(item_id)


def _id_like(known: np.ndarray, typed: str):
    """What was typed, as an id of the type that the data set has."""
    if known.dtype.kind not in "iu":
        return typed
    try:
        return int(typed)
    except ValueError as error:
        raise ValueError(
            f"user: expected a whole number as in {known[0]}, got {typed!r}"
        ) from error
