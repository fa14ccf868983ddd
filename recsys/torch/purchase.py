r"""The target ranker as a recommender of a shop: `fit(interactions)`, `score(users, history=None)`.

Trained on every basket but each customer's first, against negatives drawn by popularity, it
learns log odds that are too high for what is rarely drawn. An item outside the basket is
drawn n * q times on average, q its share of the rows, so

    odds of buying = odds learned * n * q,

and `score` adds log(n q). Without it a full ranking compares numbers that do not belong
together. (The basket's own share of the draws, about one in a hundred, is neglected.)
Source of the correction: Yi and others, 2019 (https://doi.org/10.1145/3298689.3346996),
where a sampled softmax is corrected by the same logarithm.
"""

from pathlib import Path

import numpy as np
import torch

from recsys.batches.questions import Questions, every_basket
from recsys.data import Interactions
from recsys.recommender import histories
from recsys.torch.candidates import Candidates, batches, draw
from recsys.torch.checkpoint import digest
from recsys.torch.fit import fit
from recsys.torch.recommender import NetworkRecommender
from recsys.torch.target_ranker import TargetRanker, TargetRankerConfig, purchase_loss

CHUNK = 2048
"""Products scored at one time for a customer."""

CELLS = 2_000_000
"""Pairs of a candidate and an event that are held at one time."""


class TargetRankerRecommender(NetworkRecommender):
    """The target ranker with the data of a shop around it.

    A history is all that a score depends on: a stranger with three products is served like
    anybody else, and an empty history gets the score of a customer nothing is known of.

    Args:
        groups: int (n_items,), the group of each item, such as its subclass, from 0.
        config: sizes and training.
        checkpoint: file that keeps the state of the training.
    """

    network_class, config_class = TargetRanker, TargetRankerConfig

    def __init__(self, groups: np.ndarray, config: TargetRankerConfig | None = None, checkpoint: Path | None = None):
        super().__init__(config, checkpoint)
        self.groups = np.asarray(groups)

    def fit(self, interactions: Interactions) -> "TargetRankerRecommender":
        """Train on every basket but each customer's first.

        Args:
            interactions: a log with times in days.

        Returns:
            self.

        Raises:
            ValueError: one group an item is not given, nobody came twice, or as `recsys.torch.fit`.
            DataError: times that are not days.
        """
        questions = every_basket(interactions)
        if not len(questions):
            raise ValueError("interactions: expected a customer with baskets on two days, found none")
        network, counts = self._new(interactions), _counts(interactions)
        training, config = self.config.training, self.config

        def epoch_batches(epoch: int) -> list:
            drawn = draw(questions, counts, config.n_negatives, [training.seed, epoch])
            return batches(drawn, config.max_length, config.batch_size, [training.seed, epoch])

        def adopt(trained: TargetRanker) -> None:
            self._take(interactions, trained, questions)

        self.result = fit(network, epoch_batches, purchase_loss, training, checkpoint=self.checkpoint,
                          identity=self._identity(interactions), adopt=adopt)  # fmt: skip
        return self

    def predict(self, candidates: Candidates) -> np.ndarray:
        """Tell the log odds learned, which order drawn candidates.

        Args:
            candidates: n_rows of them, of the catalogue that was fitted.

        Returns:
            Float array (n_rows,).

        Raises:
            ValueError: not fitted, or another catalogue.
        """
        self._check_fitted(candidates.questions.n_items)
        scores, most = np.empty(len(candidates)), int(np.bincount(candidates.question).max(initial=1))
        size = max(1, CELLS // (most * self.config.max_length))
        with torch.no_grad():
            for batch in batches(candidates, self.config.max_length, size):
                logits, _ = self.network(batch.history, batch.gaps, batch.candidates)
                real = batch.rows >= 0
                scores[batch.rows[real].numpy()] = logits[real].numpy()
        return scores

    def log_odds(self, candidates: Candidates) -> np.ndarray:
        """Tell the log odds that a basket holds a candidate, corrected for how negatives were drawn.

        Args:
            candidates: n_rows of them.

        Returns:
            Float array (n_rows,); -inf for a product that the fitted log does not hold.
        """
        return self.predict(candidates) + self.log_draws()[candidates.items]

    def log_draws(self) -> np.ndarray:
        """Log of how often each item is drawn beside a basket, (n_items,); -inf for one never sold."""
        with np.errstate(divide="ignore"):
            return np.log(self.config.n_negatives * self.counts / self.counts.sum())

    def weights(self, candidates: Candidates, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Show what a candidate's score was made from.

        Args:
            candidates: as in `predict`.
            row: which of them.

        Returns:
            Items of the events read (length,), oldest first, and the weight of each (length,).
        """
        self._check_fitted(candidates.questions.n_items)
        one = Candidates(candidates.questions, candidates.question[row:row + 1], candidates.items[row:row + 1])
        (batch,) = batches(one, self.config.max_length, 1)
        with torch.no_grad():
            _, weights = self.network(batch.history, batch.gaps, batch.candidates)
        return batch.history[0].numpy() - 1, weights[0, 0].numpy()

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """Score all items for each user, asked a usual gap after their newest basket.

        The usual gap is the median over the baskets fitted. A history whose times are not days
        is read as one basket.

        Args:
            users: int (n,).
            history: replaces what was fitted, one row a user.

        Returns:
            Log odds (n, n_items), -inf for a product that the fitted log does not hold.

        Raises:
            ValueError: not fitted, or a history of other items.
            DataError: an unknown user.
        """
        past = histories(self, np.asarray(users), history)
        days = past.times if past.time_unit == "day" else np.zeros(len(past), dtype=np.int64)
        order = past.by_time()
        ends = np.cumsum(np.bincount(past.users, minlength=past.n_users))
        newest = np.full(past.n_users, days.min(initial=0), dtype=np.int64)
        np.maximum.at(newest, past.users, days)
        nothing = np.zeros(0, dtype=np.int64)
        questions = Questions(np.arange(past.n_users), newest + self.usual_gap, past.items[order], days[order],
                              np.concatenate([[0], ends[:-1]])[:past.n_users], ends, nothing,
                              np.zeros(past.n_users + 1, dtype=np.int64), past.n_items)  # fmt: skip
        scores = np.empty((past.n_users, past.n_items), dtype=np.float32)
        for start in range(0, past.n_items, CHUNK):
            items = np.arange(start, min(start + CHUNK, past.n_items))
            pairs = Candidates(questions, np.repeat(np.arange(past.n_users), len(items)), np.tile(items, past.n_users))
            scores[:, items] = self.predict(pairs).reshape(past.n_users, len(items))
        return scores + self.log_draws().astype(np.float32)

    def _network(self, interactions: Interactions) -> TargetRanker:
        if self.groups.shape != (interactions.n_items,):
            raise ValueError(f"groups: expected one for each of {interactions.n_items} items, got {self.groups.shape}")
        return TargetRanker(self.groups, self.config)

    def _vocabulary(self, interactions: Interactions) -> tuple[np.ndarray, ...]:
        return interactions.item_ids, self.groups

    def _identity(self, interactions: Interactions) -> dict:
        """With the log itself: its counts are the chances of the draws that the log odds were learned against."""
        data = digest(interactions.users, interactions.items, interactions.times)
        return {**super()._identity(interactions), "data": data}

    def _take(self, interactions: Interactions, network: TargetRanker, questions: Questions | None = None) -> None:
        questions = every_basket(interactions) if questions is None else questions
        gaps = questions.days - questions.event_days[questions.ends - 1]
        self.usual_gap = int(np.median(gaps)) if len(gaps) else 1
        self.counts = _counts(interactions)
        super()._take(interactions, network)

    def _check_fitted(self, n_items: int) -> None:
        if not hasattr(self, "network"):
            raise ValueError("TargetRankerRecommender is not fitted: call fit(interactions) first.")
        if n_items != self.network.n_items:
            raise ValueError(f"candidates: expected the {self.network.n_items} items that were fitted, got {n_items}")


def _counts(interactions: Interactions) -> np.ndarray:
    return np.bincount(interactions.items, minlength=interactions.n_items)
