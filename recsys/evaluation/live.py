"""Questions as they come while a recommender is live: what follows this history?

A split of a log by users asks each user once. Here each event of a part is a question of
its own, to be answered from all that its user did before it, so that users who arrive
after the model was fitted are asked too.
"""

import numpy as np

from recsys.data import Interactions
from recsys.evaluation.splits import TEST, TRAIN, Split
from recsys.recommender import require_taken


def next_events(
    interactions: Interactions, asked: np.ndarray, per_user: int = 20, seed: int = 0
) -> tuple[Split, np.ndarray]:
    """Ask for each of some events, from what its user did before it.

    An event without any earlier one of its user is no question.

    Args:
        interactions: the log, times of any unit; of rows with one time the earlier in
            the file is the earlier event.
        asked: bool (n,), the rows that are asked for.
        per_user: the most questions of a user; of more, so many are drawn.
        seed: of what is drawn.

    Returns:
        A split whose users are the questions: their histories are its train part, what
        followed its test. A model that was fitted before answers by
        `evaluate(model, split, fit=False, history=split.train)`. And whose question each
        is: user indices of the log, int (n_questions,).

    Raises:
        ValueError: no question, a mask of another length, or a value of 0 or less.

    Source: "successive" targets under a global cut in Gusak and others, 2025
    (https://arxiv.org/abs/2507.16289), section 3.
    """
    require_taken(interactions)
    asked = np.asarray(asked)
    if asked.shape != (len(interactions),) or asked.dtype != bool:
        raise ValueError(
            f"asked: expected a mask of {len(interactions)} rows, got {asked.dtype} of shape "
            f"{asked.shape}; compare the times with the cut"
        )
    rng = np.random.default_rng(seed)
    histories, targets, owners = [], [], []
    for user, rows in enumerate(interactions.rows_by_user()):
        places = np.flatnonzero(asked[rows[1:]]) + 1
        if len(places) > per_user:
            places = np.sort(rng.choice(places, per_user, replace=False))
        histories += [rows[:place] for place in places]
        targets += [rows[place] for place in places]
        owners += [user] * len(places)
    if not targets:
        raise ValueError(
            "asked: expected an event that follows another of its user, got none; ask for more rows"
        )
    return _as_split(interactions, histories, np.array(targets)), np.array(owners)


def _as_split(
    interactions: Interactions, histories: list[np.ndarray], targets: np.ndarray
) -> Split:
    """One user a question: what stands before it, and it."""
    n = len(targets)
    lengths = np.array([len(rows) for rows in histories])
    rows = np.concatenate([*histories, targets])
    questions = np.concatenate([np.repeat(np.arange(n), lengths), np.arange(n)])
    part = np.repeat([TRAIN, TEST], [lengths.sum(), n])
    log = Interactions(
        questions,
        interactions.items[rows],
        interactions.values[rows],
        interactions.times[rows],
        np.arange(n),
        interactions.item_ids,
        interactions.time_unit,
    )
    return Split(log, part, f"next event, {n:,} questions", ordered=True)
