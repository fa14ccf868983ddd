"""A shelf of articles that come and go, and a bandit that serves from it.

`play` runs all replicas at once and records what each choice lost against the best
article on the shelf. A change that nobody announces is two calls of `play` with the
same bandit and another shelf. Regret is expected, not drawn: only choices are luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recsys.checks import check_count


@dataclass(frozen=True)
class Shelf:
    """Places for articles; the oldest article leaves every `life / n_places` steps.

    Article j stands in place j % n_places. The first n_places are there from the start.

    Args:
        rates: float (n_replicas, n_articles), chance of a click on each.
        contexts: float (n_replicas, n_articles, n_features), what can be known of each.
        n_places: arms of the bandit.
        life: steps from coming to leaving; None where articles stay.

    Raises:
        ValueError: rates out of range, arrays that don't fit, a life shorter than there
            are places.
    """

    rates: np.ndarray
    contexts: np.ndarray
    n_places: int
    life: int | None = None

    def __post_init__(self) -> None:
        check_count("n_places", self.n_places)
        if self.contexts.shape[:2] != self.rates.shape:
            raise ValueError(
                f"contexts: expected features for {self.rates.shape} replicas and "
                f"articles as in rates, got {self.contexts.shape}"
            )
        if not ((self.rates >= 0) & (self.rates <= 1)).all():
            raise ValueError(
                "rates: expected chances from 0 to 1, got "
                f"{self.rates.min()} to {self.rates.max()}"
            )
        if self.rates.shape[1] < self.n_places:
            raise ValueError(
                f"rates: expected an article for each of {self.n_places} places, got "
                f"{self.rates.shape[1]}"
            )
        if self.life is not None and self.life < self.n_places:
            raise ValueError(
                f"life: expected at least a step for each of {self.n_places} places, "
                f"got {self.life}; None lets articles stay"
            )

    @property
    def every(self) -> int | None:
        """Steps between two arrivals."""
        return None if self.life is None else self.life // self.n_places

    def needed(self, n_steps: int) -> int:
        """Articles that stand on the shelf during n_steps."""
        arrivals = 0 if self.every is None else (n_steps - 1) // self.every
        return self.n_places + arrivals


class Run(NamedTuple):
    """What a bandit did, by step and replica.

    Args:
        articles: int (n_steps, n_replicas), index of the one that was shown.
        regret: float (n_steps, n_replicas), best rate on the shelf minus that shown.
    """

    articles: np.ndarray
    regret: np.ndarray


def news_shelf(n_replicas: int, n_steps: int, life: int | None, seed: int) -> Shelf:
    """Ten places, and articles of which a line is true: rate = 0.5 + 0.4 x . theta.

    Both have eight features and length one; contexts hold x and, last, a constant 1.

    Args:
        n_replicas: worlds, each with a theta of its own.
        n_steps: for which there are articles enough.
        life: as of `Shelf`.
        seed: of everything drawn.
    """
    n_places, n_features = 10, 8
    rng = np.random.default_rng(seed)
    n_articles = n_places
    if life is not None:
        n_articles += n_steps // (life // n_places)
    x = _unit(rng.normal(size=(n_replicas, n_articles, n_features)))
    theta = _unit(rng.normal(size=(n_replicas, n_features)))
    rates = 0.5 + 0.4 * (x @ theta[:, :, None])[:, :, 0]
    ones = np.ones((n_replicas, n_articles, 1))
    return Shelf(rates, np.concatenate([x, ones], axis=2), n_places, life)


def fixed_shelf(rates, n_replicas: int) -> Shelf:
    """Arms with the same rates in every replica, and nothing else to know of them."""
    rates = np.tile(np.asarray(rates, dtype=float), (n_replicas, 1))
    return Shelf(rates, np.ones((*rates.shape, 1)), rates.shape[1])


def play(bandit, shelf: Shelf, n_steps: int, seed) -> Run:
    """Serve n_steps visitors of each replica, one article each.

    Args:
        bandit: with `choose`, `learn` and `forget`; it is changed.
        shelf: what is there to serve.
        n_steps: visitors.
        seed: of clicks and of what the bandit draws.

    Raises:
        ValueError: too few articles for n_steps, or an arm that the shelf has not.
    """
    check_count("n_steps", n_steps)
    if shelf.rates.shape[1] < shelf.needed(n_steps):
        raise ValueError(
            f"shelf: expected {shelf.needed(n_steps)} articles for {n_steps} steps, "
            f"got {shelf.rates.shape[1]}; plan more articles or fewer steps"
        )
    rng, rows = np.random.default_rng(seed), np.arange(len(shelf.rates))
    on_shelf = np.arange(shelf.n_places)
    articles = np.empty((n_steps, len(rows)), dtype=np.int32)
    regret = np.empty((n_steps, len(rows)))
    for step in range(n_steps):
        arrives = shelf.every is not None and step > 0 and step % shelf.every == 0
        if arrives:
            newest = shelf.n_places + step // shelf.every - 1
            on_shelf[newest % shelf.n_places] = newest
            bandit.forget(newest % shelf.n_places)
        if arrives or step == 0:
            rates, contexts = shelf.rates[:, on_shelf], shelf.contexts[:, on_shelf]
            best = rates.max(axis=1)
        arms = bandit.choose(contexts, rng)
        if step == 0:
            _check_arms(bandit, arms, rates.shape)
        chance = rates[rows, arms]
        bandit.learn(contexts, arms, rng.random(len(rows)) < chance)
        articles[step], regret[step] = on_shelf[arms], best - chance
    return Run(articles, regret)


def growth(
    regret: np.ndarray, start: int, seed: int = 0, draws: int = 1000
) -> tuple[float, float, float]:
    """Slope of log total regret on log step: 1 in proportion to time, 0 at rest.

    A line is fitted to the mean over replicas, at 20 steps spread evenly on the log
    axis. The interval is the middle 95% over replicas drawn anew.

    Args:
        regret: float (n_steps, n_replicas), of each step.
        start: first step of the fit, at least 1.
        seed: of the bootstrap.
        draws: of the bootstrap.

    Returns:
        Slope, low, high.

    Raises:
        ValueError: start out of range, or no regret before it.
    """
    n_steps, n_replicas = regret.shape
    if not 1 <= start < n_steps:
        raise ValueError(f"start: expected from 1 to {n_steps - 1}, got {start}")
    steps = np.geomspace(start, n_steps, 20).round().astype(int)
    total = np.cumsum(regret, axis=0)[steps - 1]  # (20, n_replicas)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_replicas, np.full(n_replicas, 1 / n_replicas), draws)
    curves = np.column_stack([total.sum(axis=1), total @ drawn.T]) / n_replicas
    if not (curves > 0).all():
        raise ValueError(
            f"regret: expected some before step {start} in every draw of replicas, got "
            "none; start later or run more replicas"
        )
    log = np.log(steps) - np.log(steps).mean()
    slopes = log @ np.log(curves) / (log @ log)
    low, high = np.quantile(slopes[1:], [0.025, 0.975])
    return float(slopes[0]), float(low), float(high)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def _check_arms(bandit, arms: np.ndarray, shape: tuple[int, int]) -> None:
    n_replicas, n_arms = shape
    made_for = getattr(bandit, "n_arms", n_arms)
    if made_for != n_arms:
        raise ValueError(
            f"bandit: expected one of n_arms {n_arms}, got {made_for}; the shelf has "
            f"{n_arms} places: make it with n_arms={n_arms}"
        )
    if np.shape(arms) != (n_replicas,) or not 0 <= arms.min() <= arms.max() < n_arms:
        raise ValueError(
            f"bandit: expected an arm from 0 to {n_arms - 1} for each of {n_replicas} "
            f"replicas, got shape {np.shape(arms)} up to {np.max(arms)}; make it with "
            f"n_replicas={n_replicas}"
        )
