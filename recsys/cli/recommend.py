"""`recsys recommend`: what a trained model would show one user next, and why.

The reasons are those of `recsys.trust.leave_out`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.cli.models import read_run, recommender_class, trained, usable
from recsys.data import DataError, Interactions
from recsys.evaluation import recommend as best_items
from recsys.trust import losses_without

NAMES = ("title", "headline", "name")
"""Columns of an item table that say what an item is."""

N_REASONS = 2


def recommend(
    directory: Path,
    user: str,
    k: int = 10,
    seen: bool = False,
    framework: str = "",
    options: Mapping[str, str | None] = {},
) -> int:
    """Print the k best items for a user, each with the events that speak for it.

    Args:
        directory: of a run of `recsys train` that has ended.
        user: an id of the log it was trained on.
        k: length of the list.
        seen: whether items of the user's history may be recommended again.
        framework: what serves; the one that trained, if empty.
        options: what of the run's log is said anew, such as where the file is now.

    Returns:
        The exit status: 0, or 1 after an error, which was said in one line.
    """
    try:
        _recommend(Path(directory), user, k, seen, framework, options)
    except (DataError, ValueError, OSError, ModuleNotFoundError) as error:
        print(f"recsys: {error}", file=sys.stderr)
        return 1
    return 0


def _recommend(
    directory: Path, user: str, k: int, seen: bool, framework: str, options: Mapping
) -> None:
    run = read_run(directory)
    recommender_class(run.model, framework or run.framework)
    source = run.log.with_options(**options)
    data = source.read()
    log = usable(data.interactions, run.model, source.name)
    recommender = trained(directory, run, framework, log)
    users = log.user_index([_id_like(log.user_ids, user)])
    history = log.of_users(users)
    exclude = None if seen else "seen"
    [best] = best_items(recommender, users, k, exclude, history)
    losses = losses_without(recommender, users[0], history)
    rule = "may come again" if seen else "are left out"
    print(
        f"{k} items for user {user} of {source.name}, by {type(recommender).__name__} "
        f"in {framework or run.framework}; "
        f"the {len(np.unique(history.items)):,} items of the history {rule}"
    )
    for place, item in enumerate(best, start=1):
        print(f"{place:>3}  {_name(data.items, log, item)}")
        for text in _reasons(data.items, history, losses[:, item]):
            print(f"       {text}")
    print(
        "Behind an event: by how much the item's lead over the mean score of all items falls "
        "when this event is left out."
    )


def _reasons(
    items: pd.DataFrame, history: Interactions, losses: np.ndarray
) -> list[str]:
    """The events whose absence costs an item most, as far as it costs anything."""
    order = np.argsort(-losses, kind="stable")[:N_REASONS]
    return [
        f"{losses[event]:+.2f}  {_name(items, history, history.items[event])}"
        for event in order
        if losses[event] > 0
    ]


def _name(items: pd.DataFrame, log: Interactions, item: int) -> str:
    """What the item is called in its table, or its id."""
    item_id = log.item_ids[item]
    for column in NAMES:
        if column in items:
            return f"{items[column].loc[item_id]} ({item_id})"
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
