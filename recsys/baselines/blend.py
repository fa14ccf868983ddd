"""Several recommenders as one: their scores, each put on one scale, added with weights."""

import copy
from collections.abc import Sequence

import numpy as np

from recsys.data import Interactions
from recsys.recommender import check_log


class Blend:
    """Score of an item = weighted sum of the models' scores, standardised for each user.

    A user's scores of one model have mean 0 and standard deviation 1 over the catalogue
    before they are added, so that the weights, and not the scales, decide. A model that
    scores every item alike adds nothing.

    Args:
        models: recommenders; `fit` fits copies of them, which `models` then holds.
        weights: floats, one a model.

    Raises:
        ValueError: more or fewer weights than models, or no model.
    """

    def __init__(self, models: Sequence, weights: Sequence[float]) -> None:
        if len(models) != len(weights) or not len(models):
            raise ValueError(
                f"weights: expected one weight for each of {len(models)} models, at least one, got "
                f"{len(weights)}; give both lists one length"
            )
        self.models = models
        self.weights = weights

    def fit(self, interactions: Interactions) -> "Blend":
        """Fit a copy of every model, so that those at hand stay as they are."""
        check_log("interactions", interactions)
        fitted = [copy.copy(model).fit(interactions) for model in self.models]
        self.interactions = interactions
        self.models = fitted
        return self

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """(len(users), n_items) scores."""
        parts = [standardised(model.score(users, history)) for model in self.models]
        return sum(
            weight * part for weight, part in zip(self.weights, parts, strict=True)
        )


def standardised(scores: np.ndarray) -> np.ndarray:
    """Rows less their mean, divided by their standard deviation; zero where that is zero."""
    centred = scores - scores.mean(axis=1, keepdims=True, dtype=np.float64)
    deviation = centred.std(axis=1, keepdims=True)
    return np.divide(
        centred, deviation, out=np.zeros_like(centred), where=deviation > 0
    )
