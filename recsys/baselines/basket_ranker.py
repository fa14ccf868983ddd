"""The trained next-basket model: boosted trees on hand-made features of customer and product."""

from typing import Self

import numpy as np

from recsys.baselines.proposals import (
    Proposals,
    Proposed,
    check_proposing,
    propose_to_learn,
    score_everything,
)
from recsys.batches.purchase_features import (
    habit_columns,
    late_sales_columns,
    own_columns,
    rhythm_columns,
    table,
    visit_columns,
)
from recsys.batches.questions import coming
from recsys.data import Interactions
from recsys.recommender import histories, require_taken

FEATURES = (
    "times bought",
    "share of visits",
    "decayed times",
    "decayed visits",
    "days since bought",
    "visits since bought",
    "days over usual gap",
    "popularity 1",
    "popularity 3",
    "popularity 10",
    "trend",
    "share that buys again",
    "rows per buyer",
    "usual gap",
    "similarity to history",
    "visits",
    "basket size",
    "days since visit",
    "days between visits",
    "share of new products",
    "popularity at the end",
)
"""What the trees read of a candidate, in order."""


class BasketRanker:
    """Trees learn from each customer's newest baskets, described by what was known before them.

    For each of the newest baskets of everybody, products are proposed and described from the
    baskets before it, with the basket as the answer; boosted trees learn to tell bought from not
    bought. To serve, the same description is made from the whole log. Popularity counts only days
    before the one asked about. How often a product is bought again and what goes with what are
    counted over the whole log that is known: to learn from a basket, one without anybody's basket
    of that age.

    Args:
        usual_gap: None: the day of the basket is told, to `score` as well. A number: it is not, and
            is taken to be so many days after the customer's newest one, in training and in serving.
        targets: how many of everybody's newest baskets are learned from.
        per_source: products proposed from each source, as in `Proposals`.
        trees, leaves, seed: int.
        learning_rate: float.
        negatives: share of the products not bought that the trees see, drawn with `seed`. It makes
            training faster and moves all scores alike: they order, and are not calibrated log odds.

    Ties have the rule of the ranking.

    Source: the two steps are those of Covington and others (2016), section 2; the trees Friedman
    (2001), as scikit-learn grows them.
    """

    def __init__(
        self,
        usual_gap: int | None = None,
        targets: int = 2,
        per_source: int = 60,
        trees: int = 100,
        leaves: int = 15,
        learning_rate: float = 0.1,
        negatives: float = 0.3,
        seed: int = 0,
    ):
        check_proposing(usual_gap, targets=targets, per_source=per_source)
        if not 0 < negatives <= 1:
            raise ValueError(
                f"negatives: expected a share above 0 and at most 1, got {negatives}"
            )
        self.usual_gap, self.targets, self.per_source = usual_gap, targets, per_source
        self.trees, self.leaves, self.learning_rate = trees, leaves, learning_rate
        self.negatives = negatives
        self.seed = seed

    def fit(self, interactions: Interactions) -> Self:
        """Learn from everybody's newest baskets.

        Args:
            interactions: a log with times in days.

        Returns:
            Itself.

        Raises:
            ValueError: a value at 0 or below, times that are not days, nobody has so many baskets,
                or nothing proposed was bought.
        """
        from sklearn.ensemble import (
            HistGradientBoostingClassifier,
        )  # loads for seconds, and only here

        require_taken(interactions)
        candidates, features = propose_to_learn(
            interactions, self.targets, self.per_source, self.usual_gap, self.features
        )
        bought = candidates.labels == 1
        if not bought.any():
            raise ValueError(
                f"interactions: expected that something proposed was bought, got none of the {len(bought)} "
                "products proposed, so there is nothing to learn; propose more of them, or give customers "
                "who buy again"
            )
        shown = bought | (
            np.random.default_rng(self.seed).random(len(bought)) < self.negatives
        )
        model = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.trees,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=100,
            l2_regularization=5.0,
            early_stopping=False,
            random_state=self.seed,
        )
        model.fit(features[shown], bought[shown])
        proposals = Proposals(interactions, self.per_source)
        self.interactions = interactions
        self.model = model
        self.proposals = proposals
        return self

    def score(
        self,
        users: np.ndarray,
        history: Interactions | None = None,
        days: np.ndarray | int | None = None,
    ) -> np.ndarray:
        """Score all items for each user: what the trees say of what is proposed, less for all else.

        Args:
            users: int (n,).
            history: replaces what was fitted, one row a user; times in steps are read as one visit
                a day up to the log's last day. A customer without history is offered what sells.
            days: int or int (n,), the days of the baskets, in days since 1970, where they are told;
                by default the day after the log's last one.

        Returns:
            Float (n, n_items).

        Raises:
            ValueError: not fitted, a history of other items, days that are not after the history,
                or days for a model that supposes them.
        """
        past = histories(self, users, history)
        questions = coming(past, self.proposals.sales.last, self.usual_gap, days)
        return score_everything(self.proposals, questions, self.predict)

    def predict(self, proposals: Proposals, proposed: Proposed) -> np.ndarray:
        """Tell the trees' log odds of what is proposed, which order it, (n_rows,)."""
        features = self.features(proposals, proposed)
        if not len(features):  # nobody is asked for, which scikit-learn refuses
            return np.zeros(0)
        return self.model.decision_function(features)

    def features(self, proposals: Proposals, proposed: Proposed) -> np.ndarray:
        """Describe what is proposed: float32 (n_rows, 21), columns as `FEATURES`, or NaN."""
        candidates = proposed.candidates
        columns = {
            **own_columns(candidates),
            **rhythm_columns(candidates, proposals.repurchases["usual gap"]),
            **late_sales_columns(candidates, proposals.sales),
            **{
                name: values[candidates.items]
                for name, values in proposals.repurchases.items()
            },
            "similarity to history": proposed.similarity,
            **visit_columns(candidates),
            **habit_columns(candidates),
            "popularity at the end": self._popularity_at_the_end(
                proposals, candidates.items
            ),
        }
        return table(columns, FEATURES)

    def _popularity_at_the_end(
        self, proposals: Proposals, items: np.ndarray
    ) -> np.ndarray:
        """Sales of the whole log, where days are supposed and nobody can say which came before.

        Elsewhere 0.
        """
        if self.usual_gap is None:
            return np.zeros(len(items))
        return np.log(proposals.sales.shares[-1, -1, items] + 1e-6)
