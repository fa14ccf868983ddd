"""A recommender that learns from the log of its own slates, round after round.

`run_loop` shows slates, draws what is clicked, lets the recommender learn from all that
was logged so far, and shows its next slates. The recommender comes in by argument, as a
function from a log to scores: a count of clicks, `recsys.economy.pair_factors`, or
anything that keeps the contract of `recsys.recommender`, a network too, through
`from_clicks`.

Source: Chaney, Stewart and Engelhardt (2018, https://arxiv.org/abs/1710.11214), for a
loop of recommendation and consumption whose truth is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.checks import check_count
from recsys.data import Interactions
from recsys.economy.events import FeedLog, draw_log
from recsys.economy.market import World
from recsys.economy.rounds import play_round, start
from recsys.evaluation import gini
from recsys.recommender import Recommender

Learner = Callable[[FeedLog], np.ndarray]
"""From all that was logged so far to scores, (n_users, n_items) or (n_items,)."""


@dataclass(frozen=True, eq=False)
class Run:
    """What a loop showed, what came of it, and what it could learn from.

    Args:
        slates: int (n_rounds, n_users, n_slots).
        clicks: float (n_rounds, n_users), from 0 to 1, what the slate of a user who
            comes gets in expectation.
        log: every impression, all rounds.
    """

    slates: np.ndarray
    clicks: np.ndarray
    log: FeedLog


def run_loop(
    worlds: Sequence[World],
    learn: Learner,
    *,
    explore: np.ndarray | None = None,
    born: np.ndarray | None = None,
    coming: np.ndarray | None = None,
    seed: int = 0,
) -> Run:
    """Show, log, learn, and show again; the first slates are drawn evenly.

    Rounds leave nothing behind in users: what moves is the log alone, or the world.

    Args:
        worlds: one a round, all with as many users and items; a taste that changes is
            another world from some round on.
        learn: the recommender.
        explore: float (n_slots,), the chance that a slot shows, instead of its item,
            one drawn evenly from those outside the list. 0 by default.
        born: int (n_items,), the first round in which an item can be shown, 0 by
            default.
        coming: float (n_users,), the chance that a user comes in a round. 1 by default.
        seed: of everything drawn.

    Returns:
        The run.

    Raises:
        ValueError: no world, chances outside 0 to 1 or of another shape, fewer items in
            a round than the lists need, or scores with NaN or of another shape.
    """
    check_count("worlds", len(worlds))
    shape = n_users, n_items = worlds[0].n_users, worlds[0].n_items
    n_slots = min(len(worlds[0].examination), n_items)
    explore = _chances("explore", explore, n_slots, 0.0)
    coming = _chances("coming", coming, n_users, 1.0)
    born = np.zeros(n_items) if born is None else np.asarray(born)
    needed = n_slots * (2 if explore.any() else 1)
    if born.shape != (n_items,) or (born <= 0).sum() < needed:
        raise ValueError(
            f"born: expected a round for each of {n_items} items, 0 for at least "
            f"{needed} that fill the first lists and what they explore, got {born.tolist()}"
        )
    rng = np.random.default_rng(seed)
    slates, clicks, logs = [], [], []
    for number, world in enumerate(worlds):
        scores = learn(joined(logs)) if logs else rng.random(shape)
        scores = np.where(born <= number, _scores(scores, shape), -np.inf)
        slates.append(_slates(scores, explore, rng))
        state = replace(start(world), weight=coming)
        clicks.append(play_round(world, state, slates[-1])[0].items.sum(axis=1))
        draw = {"seed": int(rng.integers(2**32)), "round": number}
        logs.append(draw_log(world, state, slates[-1], **draw))
    return Run(np.array(slates), np.array(clicks), joined(logs))


def from_clicks(model: Recommender, world: World) -> Learner:
    """A recommender of the contract as a learner: it is fitted to the clicks alone.

    Args:
        model: with `fit` and `score`, such as a network or EASE.
        world: whose users and items are numbered.

    Returns:
        The learner. It learns nothing from what was shown and passed over.
    """

    def learn(log: FeedLog) -> np.ndarray:
        clicked = log.rows(log.click)
        clicks = Interactions(
            clicked.user,
            clicked.item,
            np.ones(len(clicked)),
            clicked.round,
            np.arange(world.n_users),
            np.arange(world.n_items),
            "step",
        )
        return model.fit(clicks).score(np.arange(world.n_users))

    return learn


def spread(slates: np.ndarray, n_items: int) -> dict[str, float]:
    """How slates spread exposure, and how alike they are.

    Args:
        slates: int (n_users, n_slots), at least two users.
        n_items: of the catalogue.

    Returns:
        The Gini coefficient of exposures; the share of the catalogue that is shown; and
        the Jaccard overlap of the slates of two users, the mean over all pairs.
    """
    n_users, n_slots = slates.shape
    shown = np.zeros((n_users, n_items))
    np.put_along_axis(shown, slates, 1.0, axis=1)
    common = (shown @ shown.T)[np.triu_indices(n_users, 1)]
    counts = shown.sum(axis=0)
    return {
        "gini": gini(counts),
        "coverage": float((counts > 0).mean()),
        "overlap": float((common / (2 * n_slots - common)).mean()),
    }


def joined(logs: Sequence[FeedLog]) -> FeedLog:
    """Logs one below the other."""
    columns = [log.columns() for log in logs]
    return FeedLog(
        **{name: np.concatenate([c[name] for c in columns]) for name in columns[0]}
    )


def _slates(
    scores: np.ndarray, explore: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The best items, ties by item index, some replaced by items outside that list."""
    rows, n_slots = np.arange(len(scores))[:, None], len(explore)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :n_slots]
    if not explore.any():
        return best
    noise = np.where(np.isfinite(scores), rng.random(scores.shape), -1.0)
    noise[rows, best] = -1.0
    other = np.argsort(-noise, axis=1)[:, :n_slots]  # drawn evenly, in an even order
    return np.where(rng.random(best.shape) < explore, other, best)


def _chances(name: str, given, count: int, default: float) -> np.ndarray:
    chances = np.full(count, default) if given is None else np.asarray(given, float)
    if chances.shape != (count,) or not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError(
            f"{name}: expected {count} chances from 0 to 1, got {chances.tolist()}"
        )
    return chances


def _scores(scores: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    scores = np.asarray(scores, dtype=float)
    if scores.shape not in (shape, shape[1:]) or np.isnan(scores).any():
        raise ValueError(
            f"learn: expected scores of shape {shape} or {shape[1:]} without NaN, got "
            f"shape {scores.shape}"
        )
    return np.broadcast_to(scores, shape)
