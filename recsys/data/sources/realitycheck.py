"""Ta-Feng as the next-basket Reality Check published it: baskets, the last one apart.

Two JSON objects map a customer to a list of baskets between two marks `[-1]`:
the history, and the one basket to be predicted. No rule is known that makes these
from the raw file of the shop, so the numbers of items are their own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys.data.errors import DataError
from recsys.data.interactions import Interactions
from recsys.data.sources.lines import is_index, json_object
from recsys.data.sources.tables import MEND

HISTORY, FUTURE = "tafeng_history.json", "tafeng_future.json"


def read_jsondata(files: Mapping[str, bytes]):
    """Read `tafeng_history.json` and `tafeng_future.json`.

    Values are 1 and times are a customer's baskets counted from 0 (step); a
    customer's greatest time is the basket to be predicted. `rows["file"]` says
    "history" or "future".

    Raises:
        DataError: a customer or a basket is not as it should be; the message names the first.

    Source: Li and others (2023), the directory `jsondata/` of their repository.
    """
    history, future = (
        json_object(files[file], file=file) for file in (HISTORY, FUTURE)
    )
    users, items, steps = _rows(history, future)
    interactions = Interactions.from_ids(
        np.array(users),
        np.array(items),
        np.ones(len(items)),
        np.array(steps),
        time_unit="step",
        source=HISTORY,
    )
    newest = interactions.newest_times(missing=0)
    origin = (interactions.times == newest[interactions.users]).astype(np.int8)
    rows = pd.DataFrame(
        {"file": pd.Categorical.from_codes(origin, ["history", "future"])}
    )
    return (
        interactions,
        pd.DataFrame(index=pd.Index(interactions.user_ids, name="user")),
        pd.DataFrame(index=pd.Index(interactions.item_ids, name="item")),
        rows,
    )


def _rows(history: Mapping, future: Mapping) -> tuple[list[int], list[int], list[int]]:
    """One row an item of a basket: its customer, the item, the basket's place."""
    users: list[int] = []
    items: list[int] = []
    steps: list[int] = []
    for user, marked in history.items():
        if user not in future:
            raise DataError(
                f"{FUTURE}: expected a basket for user {user}, who is in {HISTORY}; {MEND}"
            )
        if not user.isdecimal():
            raise DataError(
                f"{HISTORY}: expected an integer user id, got {user!r}; {MEND}"
            )
        last = _baskets(future[user], user, FUTURE)
        if len(last) != 1:
            raise DataError(
                f"{FUTURE}, user {user}: expected one basket, got {len(last)}; {MEND}"
            )
        for step, basket in enumerate(_baskets(marked, user, HISTORY) + last):
            users += [int(user)] * len(basket)
            items += basket
            steps += [step] * len(basket)
    extra = next((user for user in future if user not in history), None)
    if extra is not None:
        raise DataError(f"{FUTURE}: user {extra} has no history in {HISTORY}; {MEND}")
    return users, items, steps


def _baskets(marked: object, user: str, file: str) -> list[list[int]]:
    """The baskets between the two marks, each a list of at least one item number."""
    if (
        not isinstance(marked, list)
        or len(marked) < 3
        or marked[0] != [-1]
        or marked[-1] != [-1]
    ):
        raise DataError(
            f"{file}, user {user}: expected baskets between two marks [-1], "
            f"got {str(marked)[:60]}; {MEND}"
        )
    for place, basket in enumerate(marked[1:-1], start=1):
        if not isinstance(basket, list) or not basket or not all(map(is_index, basket)):
            raise DataError(
                f"{file}, user {user}: expected a list of item numbers as basket {place}, "
                f"got {str(basket)[:60]}; {MEND}"
            )
    return marked[1:-1]
