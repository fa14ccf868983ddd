"""The next basket by a network, whichever framework it is written in.

Network, loss and the class to use: `next_basket` of `recsys.torch` or `recsys.paddle`.
Here are settings, proposed products as batches, scores for users. Products are
proposed, and baskets learned from, as by `recsys.baselines.BasketRanker`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np

from recsys.baselines.proposals import (
    Proposals,
    Proposed,
    check_proposing,
    propose_to_learn,
    score_everything,
)
from recsys.batches.candidates import Candidates, at_places, batch_of
from recsys.batches.purchase_features import POPULARITIES, late_sales_columns, table
from recsys.batches.questions import coming
from recsys.checks import check_counts
from recsys.data import Interactions
from recsys.neural.recommender import NetworkRecommender
from recsys.recommender import histories, require_taken
from recsys.training.loop import FitConfig

POOLINGS = ("mean", "newest", "decay", "content", "softmax", "sum")
"""How what a history answers is put together; see `recsys.torch.next_basket`."""


@dataclass(frozen=True)
class NextBasketConfig:
    """What the network is, what is proposed to it, and how it is trained.

    Args:
        pooling: one of `POOLINGS`.
        match: whether a purchase of the candidate itself is told apart.
        dim: width of the embeddings.
        max_length: purchases read, the newest.
        usual_gap, targets, per_source: as in `recsys.baselines.BasketRanker`.
        batch_size: customers of a step.
        training: one epoch by default, since a second one learns by heart.

    Raises:
        ValueError: an unknown pooling, or a number below 1.
    """

    pooling: str = "sum"
    match: bool = True
    dim: int = 16
    max_length: int = 80
    usual_gap: int | None = None
    targets: int = 2
    per_source: int = 60
    batch_size: int = 64
    training: FitConfig = field(
        default_factory=lambda: FitConfig(epochs=1, learning_rate=0.01)
    )

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise ValueError(
                f"pooling: expected one of {', '.join(POOLINGS)}, got {self.pooling!r}"
            )
        check_counts(self, "dim", "max_length", "batch_size")
        check_proposing(
            self.usual_gap, targets=self.targets, per_source=self.per_source
        )


class Prepared(NamedTuple):
    """All that a log is to the network, made once for several trainings.

    Args:
        candidates: proposed for everybody's newest baskets.
        popularity: float32 (n_rows, 3), logarithms of their shares of late sales.
        proposals: from the whole log, to serve.
        settings: of the configuration, those that decide what is proposed.
    """

    candidates: Candidates
    popularity: np.ndarray
    proposals: Proposals
    settings: tuple[int | None, int, int]


def prepare(interactions: Interactions, config: NextBasketConfig) -> Prepared:
    """Propose products to learn from everybody's newest baskets, and to serve the next.

    Args:
        interactions: a log with times in days.
        config: of which the gap, targets and number of proposals are read.

    Returns:
        What `NextBasket.fit` takes.

    Raises:
        ValueError: times that are not days, or nobody has so many baskets.
    """
    candidates, popularity = propose_to_learn(
        interactions, config.targets, config.per_source, config.usual_gap, popularities
    )
    proposals = Proposals(interactions, config.per_source)
    return Prepared(candidates, popularity, proposals, _proposing(config))


def _proposing(config: NextBasketConfig) -> tuple[int | None, int, int]:
    """What decides which products are proposed."""
    return config.usual_gap, config.targets, config.per_source


def popularities(proposals: Proposals, proposed: Proposed) -> np.ndarray:
    """What a candidate's popularity is to the network: float32 (n_rows, 3).

    Columns as `POPULARITIES`.
    """
    return table(late_sales_columns(proposed.candidates, proposals.sales), POPULARITIES)


class NextBasket(NetworkRecommender):
    """The next basket: `fit(interactions)`, `score(users, history=None, days=None)`.

    A history is all that a score depends on, beside the day and what was sold before
    it.

    Args:
        config, checkpoint, log: as `NetworkRecommender`.
    """

    config_class = NextBasketConfig
    _prepared: Proposals | None = None

    def fit(self, interactions: Interactions, prepared: Prepared | None = None) -> Self:
        """Train on everybody's newest baskets of which something was proposed.

        Args:
            interactions: a log with times in days.
            prepared: what `prepare` made of it, if that was done already.

        Returns:
            Itself, with `result`, the course of the training.

        Raises:
            ValueError: a value at 0 or below, what was prepared for another log or other
                settings, and as `prepare` and `recsys.training.loop.fit`.
        """
        require_taken(interactions)
        config = self.config
        prepared = prepared or prepare(interactions, config)
        if prepared.proposals.interactions is not interactions:
            raise ValueError(
                "prepared: expected what was made of the log that is fitted, got another log's; "
                "call prepare(interactions, config)"
            )
        if prepared.settings != _proposing(config):
            raise ValueError(
                f"prepared: expected gap, targets and proposals {_proposing(config)}, got "
                f"{prepared.settings}; call prepare(interactions, config)"
            )
        candidates = prepared.candidates
        labels = candidates.labels
        answered = np.unique(candidates.question[labels == 1])

        def batches(epoch: int) -> list[tuple[np.ndarray, ...]]:
            rng = np.random.default_rng([config.training.seed, epoch])
            order = answered[rng.permutation(len(answered))]
            made = []
            for group in _groups(order, config.batch_size):
                inputs, _ = _batch(
                    candidates, labels, prepared.popularity, group, config.max_length
                )
                made.append(inputs)
            return made

        self._prepared = prepared.proposals
        try:
            return self.train_on(interactions, batches)
        finally:
            self._prepared = None

    def score(
        self,
        users: np.ndarray,
        history: Interactions | None = None,
        days: np.ndarray | int | None = None,
    ) -> np.ndarray:
        """Score all items: what the network says of what is proposed; below it, sales.

        Args:
            users, history, days: as in `recsys.baselines.BasketRanker`.

        Returns:
            Float (n, n_items).

        Raises:
            ValueError: as there.
        """
        past = histories(self, np.asarray(users), history)
        questions = coming(past, self.proposals.sales.last, self.config.usual_gap, days)
        return score_everything(self.proposals, questions, self.predict)

    def predict(self, proposals: Proposals, proposed: Proposed) -> np.ndarray:
        """Tell the network's scores of what is proposed, which order it, (n_rows,)."""
        candidates = proposed.candidates
        popularity = popularities(proposals, proposed)
        nothing_known = np.zeros(len(candidates))
        scores = np.empty(len(candidates))
        for group in _groups(
            np.arange(len(candidates.questions)), self.config.batch_size
        ):
            inputs, rows = _batch(
                candidates, nothing_known, popularity, group, self.config.max_length
            )
            found, _ = self.run(self.network, *inputs[:-1])
            real = rows >= 0
            scores[rows[real]] = found[real]
        return scores

    def _take(self, interactions: Interactions, network) -> None:
        proposals = self._prepared
        if proposals is None or proposals.interactions is not interactions:
            proposals = Proposals(interactions, self.config.per_source)
        super()._take(interactions, network)
        self.proposals = proposals


def _groups(questions: np.ndarray, size: int) -> list[np.ndarray]:
    return [questions[start : start + size] for start in range(0, len(questions), size)]


def _batch(
    candidates: Candidates,
    labels: np.ndarray,
    popularity: np.ndarray,
    group: np.ndarray,
    max_length: int,
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """History, gaps, candidates, popularity, labels; and the rows, -1 where padded."""
    batch = batch_of(candidates, labels, group, max_length)
    popular = at_places(popularity, batch.rows, 0)  # (batch, candidates, 3)
    return (
        batch.history,
        batch.gaps,
        batch.candidates,
        popular,
        batch.labels,
    ), batch.rows
