"""Invoices of Online Retail II as sessions, and a control that reads the codes of products."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recsys.data import Interactions, load
from recsys.data.retail import customer_orders
from recsys.recommender import histories


def sessions(data: str, config: Mapping[str, Any]) -> Interactions:
    """Invoices from a day on, with products that are frequent there, neither short nor long.

    Products are counted first, then sessions; both rules are applied once.

    Args:
        data: name of the data set.
        config: "from", a day; "events an item", the least; "items a session", the least
            and the most.

    Returns:
        The log, one user an invoice.
    """
    orders = customer_orders(load(data)).interactions
    begin = np.datetime64(config["from"], "s").astype(np.int64)
    late = orders.select(orders.times >= begin)
    often = late.item_counts() >= config["events an item"]
    kept = late.select(often[late.items])
    low, high = config["items a session"]
    lengths = kept.user_counts()
    whole = (lengths >= low) & (lengths <= high)
    log = kept.select(whole[kept.users])
    return Interactions.from_ids(
        log.user_ids[log.users],
        log.item_ids[log.items],
        log.values,
        log.times,
        time_unit=log.time_unit,
    )


class NextCode:
    """Score of a product = minus the distance of its stock code from the newest one's.

    The lines of an invoice are partly in the order of the codes; this knows nothing else.
    """

    def fit(self, interactions: Interactions) -> "NextCode":
        """Take the codes: the number that each begins with."""
        self.codes = np.array([int(code[:5]) for code in interactions.item_ids])
        self.interactions = interactions
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores; a code above the newest goes before one below."""
        past = histories(self, users, history)
        newest = past.select(past.ages() == 0)
        last = np.zeros(past.n_users, dtype=np.int64)
        last[newest.users] = self.codes[newest.items]
        ahead = self.codes[None] - last[:, None]  # (len(users), n_items)
        return -np.abs(ahead) + 0.5 * (ahead >= 0)
