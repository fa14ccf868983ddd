r"""The target ranker as a recommender of a shop, whichever the framework.

Network, loss and the class to use: `target_ranker` of `recsys.torch` or
`recsys.paddle`. Here are settings, questions and drawn candidates as batches, scores
for customers.

Trained on every basket but each customer's first, against negatives drawn by
popularity, it learns log odds that are too high for what is rarely drawn. An item
outside the basket is drawn n * q times on average, q its share of the rows, so

    odds of buying = odds learned * n * q,

and `score` adds log(n q). Without it a full ranking compares numbers that do not belong
together. (The basket's own share of the draws, about one in a hundred, is neglected.)

Source: Yi and others, 2019 (https://doi.org/10.1145/3298689.3346996), where a sampled
softmax is corrected by the same logarithm.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from recsys.batches.candidates import Batch, Candidates, batch_of, batches, draw
from recsys.batches.questions import coming, every_basket
from recsys.batches.sequences import PADDING
from recsys.checks import check_counts, check_dropout
from recsys.data import Interactions
from recsys.neural.recommender import NetworkRecommender, log_digest
from recsys.recommender import histories, require_taken
from recsys.training.loop import FitConfig

POOLINGS = (
    "none",
    "mean",
    "max",
    "last",
    "decay",
    "sum",
    "sum over root n",
    "dot",
    "dot and log n",
    "sigmoid sum",
    "din",
    "din over root n",
)
"""How a history becomes a vector; see `recsys.torch.target_ranker`."""

ROWS, CHUNK = 64, 8192
"""Customers and products that are scored at one time in a full ranking."""

CELLS = 2_000_000
"""Pairs of a candidate and an event that are held at one time."""


@dataclass(frozen=True)
class TargetRankerConfig:
    """The shape of the network, and how it is fed and trained.

    The defaults come from a first look at Ta-Feng; the study, studies/pays_shop.py,
    chooses settings on the basket before last, among lower learning rates.

    Args:
        pooling: one of `POOLINGS`.
        repeats: whether the head is told how often and how lately the candidate was
            bought.
        dim: size of embeddings.
        hidden_dim: size of the layer inside DIN's activation unit, 36 in its paper;
            the head's is 2 * dim.
        dropout: share of the head's hidden layer dropped in training.
        max_length: events read; of a longer history the newest are kept.
        n_negatives: draws by popularity beside each basket.
        batch_size: questions of a step.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: a pooling that does not exist, or a number out of range.
    """

    pooling: str = "dot"
    repeats: bool = False
    dim: int = 32
    hidden_dim: int = 36
    dropout: float = 0.2
    max_length: int = 64
    n_negatives: int = 10
    batch_size: int = 256
    training: FitConfig = field(
        default_factory=lambda: FitConfig(
            epochs=4, learning_rate=2e-2, weight_decay=1e-2
        )
    )

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise ValueError(
                f"pooling: expected one of {', '.join(POOLINGS)}, got {self.pooling!r}"
            )
        check_counts(
            self, "dim", "hidden_dim", "max_length", "n_negatives", "batch_size"
        )
        check_dropout(self.dropout)


def group_ids(groups: np.ndarray) -> np.ndarray:
    """Tell the id of the group of each padded id of an item.

    Args:
        groups: int (n_items,), from 0.

    Returns:
        int64 (n_items + 1,), a group's number + 1, and 0 for padding.
    """
    return np.concatenate([[0], np.asarray(groups, dtype=np.int64) + 1])


class TargetRankerRecommender(NetworkRecommender):
    """The target ranker with the data of a shop around it.

    A history is all that a score depends on: a stranger with three products is served
    like anybody else, and an empty history gets the score of a customer nothing is
    known of.

    Args:
        groups: int (n_items,), the group of each item, such as its subclass, from 0.
        config: sizes and training.
        checkpoint: file that keeps the state of the training; a fit that was stopped
            goes on from it.
        log: directory for TensorBoard.
    """

    config_class = TargetRankerConfig

    def __init__(
        self,
        groups: np.ndarray,
        config: TargetRankerConfig | None = None,
        checkpoint: Path | None = None,
        log: Path | None = None,
    ):
        super().__init__(config, checkpoint, log)
        self.groups = np.asarray(groups)

    def fit(self, interactions: Interactions) -> Self:
        """Train on every basket but each customer's first.

        Args:
            interactions: a log with times in days.

        Returns:
            Itself, with `result`, the course of the training.

        Raises:
            ValueError: one group an item is not given, a value at 0 or below, nobody
                came twice, or as `recsys.training.loop`.
            DataError: times that are not days.
        """
        require_taken(interactions)
        questions = every_basket(interactions)
        if not len(questions):
            raise ValueError(
                "interactions: expected a customer with baskets on two days, got none"
            )
        config = self.config
        counts = interactions.item_counts()

        def epoch_batches(epoch: int) -> list[Batch]:
            seed = [config.training.seed, epoch]
            drawn = draw(questions, counts, config.n_negatives, seed)
            return batches(drawn, config.max_length, config.batch_size, seed)

        return self.train(interactions, epoch_batches)

    def predict(self, candidates: Candidates) -> np.ndarray:
        """Tell the log odds learned, which order drawn candidates.

        Args:
            candidates: n_rows of them, of the catalogue that was fitted.

        Returns:
            Float array (n_rows,).

        Raises:
            ValueError: not fitted, or another catalogue.
        """
        self._check_catalogue(candidates)
        scores = np.empty(len(candidates))
        longest = self.config.max_length
        most = int(np.bincount(candidates.question).max(initial=1))
        size = max(1, CELLS // (most * longest))
        for batch in batches(candidates, longest, size):
            logits, _ = self.run(
                self.network, batch.history, batch.gaps, batch.candidates
            )
            real = batch.rows >= 0
            scores[batch.rows[real]] = logits[real]
        return scores

    def log_odds(self, candidates: Candidates) -> np.ndarray:
        """Tell the log odds that a basket holds a candidate, corrected for the draws.

        Args:
            candidates: n_rows of them.

        Returns:
            Float array (n_rows,); -inf for a product that the fitted log does not hold.
        """
        return self.predict(candidates) + self.log_draws()[candidates.items]

    def log_draws(self) -> np.ndarray:
        """Log of each item's draws beside a basket, (n_items,); -inf if never sold."""
        draws = self.config.n_negatives * self.counts / self.counts.sum()
        with np.errstate(divide="ignore"):
            return np.log(draws)

    def weights(
        self, candidates: Candidates, row: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Show what a candidate's score was made from.

        Args:
            candidates: as in `predict`.
            row: which of them.

        Returns:
            Items of the events read (length,), oldest first, and the weight of each
            (length,).
        """
        self._check_catalogue(candidates)
        only = slice(row, row + 1)
        one = Candidates(
            candidates.questions, candidates.question[only], candidates.items[only]
        )
        (batch,) = batches(one, self.config.max_length, 1)
        _, weights = self.run(self.network, batch.history, batch.gaps, batch.candidates)
        real = batch.history[0] != PADDING
        return batch.history[0, real] - 1, weights[0, 0, real]

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """Score all items for each user, asked a usual gap after their newest basket.

        The usual gap is the median over the baskets fitted. A history in steps, such as
        a list written by hand, is read as one visit a day.

        Args:
            users: int (n,).
            history: replaces what was fitted, one row a user.

        Returns:
            Log odds (n, n_items), -inf for a product that the fitted log does not hold.

        Raises:
            ValueError: not fitted, a history of other items, or one whose times are
                seconds.
            DataError: an unknown user.
        """
        past = histories(self, np.asarray(users), history)
        end = int(self.interactions.times.max())
        questions = coming(past, end, self.usual_gap)
        scores = np.empty((past.n_users, past.n_items), dtype=np.float32)
        rows, none = np.arange(past.n_users), np.zeros(past.n_users, dtype=np.int64)
        asked = Candidates(questions, rows, none)  # for the batches alone
        by_length = np.argsort(questions.lengths(), kind="stable")  # little padding
        for start in range(0, past.n_users, ROWS):
            group = by_length[start : start + ROWS]
            batch = batch_of(asked, none, group, self.config.max_length)
            for first in range(0, past.n_items, CHUNK):
                items = np.arange(first, min(first + CHUNK, past.n_items))
                scores[group[:, None], items] = self.run(
                    self.network.score_list, batch.history, batch.gaps, items + 1
                )
        correction = self.log_draws().astype(np.float32)  # (n_items,)
        return scores + correction

    @staticmethod
    def targets(batch: tuple[np.ndarray, ...]) -> int:
        """Count the real candidates."""
        return int((batch[2] != PADDING).sum())

    def _network(self, interactions: Interactions):
        if self.groups.shape != (interactions.n_items,):
            raise ValueError(
                f"groups: expected one for each of {interactions.n_items} items, got {self.groups.shape}"
            )
        return self.network_class(self.groups, self.config)

    def _vocabulary(self, interactions: Interactions) -> tuple[np.ndarray, ...]:
        return interactions.item_ids, self.groups

    def _identity(self, interactions: Interactions) -> dict:
        """Add the log: it gives the chances of the draws that were learned against."""
        return {**super()._identity(interactions), "data": log_digest(interactions)}

    def _take(self, interactions: Interactions, network) -> None:
        questions = every_basket(interactions)
        gaps = questions.days - questions.newest_days(0)
        self.usual_gap = int(np.median(gaps)) if len(gaps) else 1
        self.counts = interactions.item_counts()
        super()._take(interactions, network)

    def _check_catalogue(self, candidates: Candidates) -> None:
        self.check_fitted()
        expected, got = self.interactions.n_items, candidates.questions.n_items
        if got != expected:
            raise ValueError(
                f"candidates: expected the {expected} items that were fitted, got {got}"
            )
