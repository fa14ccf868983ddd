"""Attention without training: a candidate asks what was clicked and what was skipped.

With unit vectors of articles, the score of a candidate c is

    sum over clicked h of a(h) <c, h>  -  sum over skipped h of b(h) <c, h>

where a and b are softmax(sharpness <c, h>), each over its own side. Sharpness 0 is the plain
mean, a large one the nearest neighbour. It is the one parameter.

Sources: kernel regression as attention, Nadaraya (1964) and Watson (1964); what was skipped
against what was clicked, Rocchio (1971).
"""

import numpy as np

from recsys.attention.weights import softmax
from recsys.checks import check_finite
from recsys.data import Interactions
from recsys.recommender import check_log, histories


def softmax_mean(
    similarities: np.ndarray, sharpness: float, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average similarities by the softmax of themselves.

    Args:
        similarities: (n_candidates, n_past) float.
        sharpness: at least 0.
        mask: (n_candidates, n_past) bool; False leaves an entry out, a row with none left gets 0.

    Returns:
        (n_candidates,) means and (n_candidates, n_past) weights.
    """
    n_candidates, n_past = similarities.shape
    if not n_past:
        return np.zeros(n_candidates), np.zeros(similarities.shape)
    weights = softmax(sharpness * similarities, mask=mask)
    means = (weights * similarities).sum(axis=1)
    return means, weights


class ContentAttention:
    """Score articles by their likeness to the clicked ones minus that to the skipped ones.

    An article is never evidence for itself: where a candidate stands in the history, it is
    left out of its own average. So what has been clicked can be scored without a leak.

    Args:
        vectors: (n_items, dim) float, one for each item; scaled to length 1. A row of zeros is an
            article without text: as a candidate it scores 0, and as a past one it is passed over.
        sharpness: at least 0.

    Raises:
        ValueError: a negative sharpness, no vector, or vectors that are not finite.
    """

    def __init__(self, vectors: np.ndarray, sharpness: float = 4.0) -> None:
        vectors = np.asarray(vectors, dtype=float)
        if vectors.ndim != 2 or not len(vectors):
            raise ValueError(
                f"vectors: expected (n_items, dim) with an item, got shape {vectors.shape}"
            )
        check_finite("vectors", vectors)
        if not sharpness >= 0:
            raise ValueError(f"sharpness: expected at least 0, got {sharpness}")
        length = np.linalg.norm(vectors, axis=1, keepdims=True)  # (n_items, 1)
        self.vectors = vectors / np.where(length > 0, length, 1)
        self.sharpness = sharpness
        self.told = length[:, 0] > 0

    def fit(self, interactions: Interactions) -> "ContentAttention":
        """Keep the histories: values above 0 are clicks, others skips. Nothing is trained.

        Raises:
            ValueError: not `Interactions`, or more or fewer items than vectors.
        """
        check_log("interactions", interactions)
        if interactions.n_items != len(self.vectors):
            raise ValueError(
                f"interactions: expected them over {len(self.vectors)} items, one for each vector, "
                f"got {interactions.n_items}; give every item its vector"
            )
        self.interactions = interactions
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores; all 0 for an empty history."""
        past = histories(self, users, history)
        scores = np.empty((len(users), past.n_items))
        clicked = past.values > 0
        for row in range(len(users)):
            own = past.users == row
            liked = past.items[own & clicked]
            skipped = past.items[own & ~clicked]
            scores[row] = self._score(liked, skipped)
        return scores

    def _score(self, clicked: np.ndarray, skipped: np.ndarray) -> np.ndarray:
        """Every item by one history: (n_items,)."""
        everything = np.arange(len(self.vectors))
        for_it, _ = self.explain(everything, clicked)
        against, _ = self.explain(everything, skipped)
        return for_it - against

    def explain(
        self, candidates: np.ndarray, past: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The average likeness to one side of a history, and the weights behind it.

        Args:
            candidates: (n_candidates,) int, item indices.
            past: (n_past,) int, item indices.

        Returns:
            (n_candidates,) likeness and (n_candidates, n_past) weights.
        """
        candidates = np.asarray(candidates, dtype=int)
        past = np.asarray(past, dtype=int)
        asked = self.vectors[candidates]
        known = self.vectors[past]
        likeness = asked @ known.T  # (n_candidates, n_past)
        other = candidates[:, None] != past
        mask = other & self.told[past]
        return softmax_mean(likeness, self.sharpness, mask)
