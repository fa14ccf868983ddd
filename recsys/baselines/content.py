"""Attention without training: a candidate asks what was clicked and what was skipped.

With unit vectors of articles, the score of a candidate c is

    sum over clicked h of a(h) <c, h>  -  sum over skipped h of b(h) <c, h>

where a and b are softmax(sharpness <c, h>), each over its own side. Sharpness 0 is the plain
mean, a large one the nearest neighbour. It is the one parameter.

Sources: kernel regression as attention, Nadaraya (1964) and Watson (1964); what was skipped
against what was clicked, Rocchio (1971).
"""

from __future__ import annotations

import numpy as np

from recsys.attention.weights import softmax
from recsys.data import Interactions
from recsys.recommender import histories


def softmax_mean(similarities: np.ndarray, sharpness: float, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average similarities by the softmax of themselves.

    Parameters
    ----------
    similarities : (n_candidates, n_past) float array
    sharpness : float
        At least 0.
    mask : (n_candidates, n_past) boolean array
        False leaves an entry out; a row with none left gets 0.

    Returns
    -------
    (n_candidates,) means and (n_candidates, n_past) weights.
    """
    if not similarities.shape[1]:
        return np.zeros(len(similarities)), np.zeros(similarities.shape)
    weights = softmax(sharpness * similarities, mask=mask)
    return (weights * similarities).sum(axis=1), weights


class ContentAttention:
    """Score articles by their likeness to the clicked ones minus that to the skipped ones.

    An article is never evidence for itself: where a candidate stands in the history, it is
    left out of its own average. So what has been clicked can be scored without a leak.

    Parameters
    ----------
    vectors : (n_items, dim) float array
        One for each item; scaled to length 1. A row of zeros is an article without text: as a
        candidate it scores 0, and as a past one it is passed over.
    sharpness : float
        At least 0.

    Raises ``ValueError`` for a negative sharpness and vectors that are not finite.
    """

    def __init__(self, vectors: np.ndarray, sharpness: float = 4.0) -> None:
        vectors = np.asarray(vectors, dtype=float)
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise ValueError(f"vectors must be finite with two axes; shape {vectors.shape} came.")
        if not sharpness >= 0:
            raise ValueError(f"sharpness must be at least 0; {sharpness} came.")
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        self.vectors, self.sharpness = vectors / np.where(length > 0, length, 1), sharpness
        self.told = length[:, 0] > 0

    def fit(self, interactions: Interactions) -> ContentAttention:
        """Keep the histories: values above 0 are clicks, 0 skips. Nothing is trained."""
        if interactions.n_items != len(self.vectors):
            raise ValueError(f"interactions must be over {len(self.vectors)} items, one for each vector; it is over "
                             f"{interactions.n_items}.")
        self.interactions = interactions
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """(len(users), n_items) scores; all 0 for an empty history."""
        past = histories(self, users, history)
        everything = np.arange(len(self.vectors))
        return np.array([self._score(everything, past.items[past.users == row], past.values[past.users == row] > 0)
                         for row in range(len(users))]).reshape(len(users), -1)

    def _score(self, candidates: np.ndarray, past: np.ndarray, clicked: np.ndarray) -> np.ndarray:
        for_it, against = (self.explain(candidates, past[side])[0] for side in (clicked, ~clicked))
        return for_it - against

    def explain(self, candidates: np.ndarray, past: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The average likeness to one side of a history, and the weights behind it.

        Parameters
        ----------
        candidates, past : (n_candidates,), (n_past,) int arrays
            Item indices.

        Returns
        -------
        (n_candidates,) likeness and (n_candidates, n_past) weights.
        """
        candidates, past = np.asarray(candidates, dtype=int), np.asarray(past, dtype=int)
        mask = (candidates[:, None] != past[None]) & self.told[past]
        return softmax_mean(self.vectors[candidates] @ self.vectors[past].T, self.sharpness, mask)
