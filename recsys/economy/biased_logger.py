"""A log whose policy was fair or biased, and the truth to judge by.

Each row is a person and one item, drawn by a logger that knows tastes roughly and likes
some items more than they deserve, the same ones for everybody. How much is its *bias*;
with 0 it goes by tastes alone. Its chances are logged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from recsys.attention.weights import softmax
from recsys.checks import check_count
from recsys.economy.policy_gradient import ActionLog

CLICK_SLOPE, CLICK_OFFSET = 2.4, -2.6
"""Log-odds of a click: an item of average fit gets one in 14, the best nearly all."""


@dataclass(frozen=True)
class LoggedWorld:
    """Persons, items, and a logger.

    Args:
        items: float (n_interests, n_features, n_items); an item fits a person as well
            as the best of its directions does. With one interest the fit is linear.
        believed: float (n_features, n_items), what its score makes of a person.
        favour: float (n_items,), what the logger adds to every item's score.
    """

    items: np.ndarray
    believed: np.ndarray
    favour: np.ndarray

    def click_chances(self, contexts: np.ndarray) -> np.ndarray:
        """Chance of a click on each item, (n, n_items), for persons (n, n_features)."""
        fit = np.einsum("nf,sfi->sni", contexts, self.items).max(axis=0)
        return expit(CLICK_SLOPE * fit + CLICK_OFFSET)

    def logger_scores(self, contexts: np.ndarray) -> np.ndarray:
        """What the logger's softmax is of, (n, n_items)."""
        return contexts @ self.believed + self.favour

    def draw(self, n_rows: int, seed: int) -> ActionLog:
        """One row a person.

        Raises:
            ValueError: no row.
        """
        check_count("n_rows", n_rows)
        rng = np.random.default_rng(seed)
        contexts = rng.normal(size=(n_rows, len(self.believed)))
        scores = self.logger_scores(contexts)
        actions = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
        rows = np.arange(n_rows)
        clicked = rng.random(n_rows) < self.click_chances(contexts)[rows, actions]
        propensities = softmax(scores)[rows, actions]
        return ActionLog(contexts, actions, clicked.astype(float), propensities)

    def slate_clicks(self, scores: np.ndarray, contexts: np.ndarray, k: int) -> float:
        """Expected clicks on the k items with the largest scores, mean over persons."""
        slates = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        chances = np.take_along_axis(self.click_chances(contexts), slates, axis=1)
        return chances.sum(axis=1).mean()


def planted_logger(
    bias: float,
    *,
    n_items: int = 100,
    n_features: int = 16,
    n_interests: int = 1,
    signal: float = 1.0,
    noise: float = 0.3,
    seed: int = 0,
) -> LoggedWorld:
    """A world whose items and favourites are the same at every bias.

    Args:
        bias: standard deviation of what the logger adds to items' scores, at least 0;
            the fits of a person have a standard deviation of about 1.
        n_items, n_features: sizes.
        n_interests: directions of an item.
        signal: what the logger's scores make of a fit.
        noise: of the logger's knowledge of the first direction, in its own length.
        seed: of everything planted.

    Raises:
        ValueError: a negative bias, or a size below 1.
    """
    if not bias >= 0:
        raise ValueError(f"bias: expected at least 0, got {bias}")
    check_count("n_items", n_items)
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(2, n_features, n_items)) / np.sqrt(n_features)
    favour = rng.normal(size=n_items)
    more = rng.normal(size=(n_interests - 1, n_features, n_items)) / np.sqrt(n_features)
    items = np.concatenate([directions[:1], more])
    believed = signal * (directions[0] + noise * directions[1])
    return LoggedWorld(items, believed, bias * favour)
