"""The trained next-basket model: boosted trees on hand-made features of customer and product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recsys.baselines.basket_features import Pairs
from recsys.baselines.two_steps import Lesson, TwoSteps
from recsys.data import Interactions


class BasketRanker(TwoSteps):
    """Trees learn from each customer's last baskets, described by what was known before them.

    For each of the last ``targets`` baskets of everybody, products are proposed and
    described from the baskets before it (``ShopLog``), with the basket as the answer;
    boosted trees learn to tell bought from not bought. To serve, the same description
    is made from the whole log.

    Parameters
    ----------
    lead, targets, candidates
        As in ``TwoSteps``; ``lead=None`` means that ``score`` is told the day.
    trees, leaves, seed : int
    learning_rate : float
    negatives : float
        Share of the products not bought that the trees see, drawn with ``seed``. It
        makes training faster and moves all scores alike: they order, and are not
        calibrated log-odds.

    Ties have the rule of the ranking. Source: the two steps are those of Covington and
    others (2016), section 2; the trees Friedman (2001), as scikit-learn grows them.
    """

    def __init__(self, lead: int | None = None, targets: int = 2, candidates: int = 60, trees: int = 100,
                 leaves: int = 15, learning_rate: float = 0.1, negatives: float = 0.3, seed: int = 0) -> None:
        super().__init__(lead, targets, candidates)
        if not 0 < negatives <= 1:
            raise ValueError(f"negatives must be a share above 0 and at most 1; {negatives} came.")
        self.trees, self.leaves, self.learning_rate = trees, leaves, learning_rate
        self.negatives, self.seed = negatives, seed

    def learn(self, lessons: Sequence[Lesson], n_items: int) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier  # loads for seconds, and only here

        features = np.concatenate([lesson.pairs.features for lesson in lessons])
        bought = np.concatenate([lesson.bought for lesson in lessons])
        if not bought.any():
            raise ValueError(f"interactions: none of the {len(bought)} products proposed was bought, so there is nothing "
                             "to learn; propose more candidates, or give customers who buy again")
        shown = bought | (np.random.default_rng(self.seed).random(len(bought)) < self.negatives)
        self.model = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate, max_iter=self.trees, max_leaf_nodes=self.leaves, min_samples_leaf=100,
            l2_regularization=5.0, early_stopping=False, random_state=self.seed)
        self.model.fit(features[shown], bought[shown])

    def order(self, past: Interactions, days: np.ndarray, pairs: Pairs) -> np.ndarray:
        return self.model.decision_function(pairs.features)
