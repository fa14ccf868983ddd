"""A ranker that is served round after round, and the books of every round.

`serve` is the whole life of a policy: it ranks, users divide their minutes, tire,
remember and leave, and it ranks again for those who are left. What a policy is worth is
read from its ledgers, and only from all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recsys.checks import check_count
from recsys.economy.market import World
from recsys.economy.rankers import best_slates
from recsys.economy.rounds import Ledger, play_round, start


def serve(
    world: World,
    item_scores: np.ndarray,
    n_rounds: int,
    *,
    tastes: np.ndarray | None = None,
) -> Iterator[Ledger]:
    """Rank by taste for the topic, less fatigue, plus a score of the item.

    Args:
        world: the market, begun anew.
        item_scores: float (n_items,); `quality` is the honest ranker, `quality + lure`
            the one that ranks by what is clicked.
        n_rounds: at least 1.
        tastes: float (n_users, n_topics), what the ranker takes the users' tastes for;
            by default the truth.

    Yields:
        The ledger of each round.

    Raises:
        ValueError: no round, or scores or tastes that `best_slates` refuses.
    """
    check_count("n_rounds", n_rounds)
    known = world.tastes if tastes is None else np.asarray(tastes, dtype=float)
    if known.shape != world.tastes.shape:
        raise ValueError(
            f"tastes: expected shape {world.tastes.shape}, as those of the world, got "
            f"{known.shape}"
        )
    n_slots = min(len(world.examination), world.n_items)
    state = start(world)
    for _ in range(n_rounds):
        slates = best_slates(
            known - state.fatigue, item_scores, world.topics, n_slots
        )
        _, ledger, state = play_round(world, state, slates)
        yield ledger
