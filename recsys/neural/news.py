"""The newsroom's recommender, whichever the framework: articles and clicks to scores.

Network, readers, loss and the class to use: `nrms` of `recsys.torch` or
`recsys.paddle`. Here are settings, slates as batches, scores of every article.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from recsys.batches.sequences import PADDING, pad
from recsys.batches.slates import (
    SlateBatches,
    Slates,
    last_histories,
    newest_events,
    read_once,
    refuse_leaks,
    slates,
)
from recsys.checks import check_counts, check_dropout, check_heads, check_ids
from recsys.data import ImpressionLog, Interactions
from recsys.evaluation.metrics import auc_per_user
from recsys.neural.recommender import NetworkRecommender
from recsys.recommender import histories
from recsys.training.checkpoint import digest
from recsys.training.loop import FitConfig

CELLS = 2_000_000
"""Pairs of a candidate and an event that are held at one time."""

READER_NAMES = ("self", "target", "mean", "decay")


@dataclass(frozen=True)
class NRMSConfig:
    """Sizes, the kind of reader, and how they are trained.

    Args:
        reader: "self" (NRMS), "target" (candidate-aware), "mean" or "decay" (the
            controls, without and with the age of a click).
        skips: whether the reader of what was skipped is taken off that of what was
            clicked; without it skips are passed over.
        dim: size of an article and of a reader; n_heads divides it.
        n_heads: heads of each self-attention.
        hidden_dim: hidden size of additive attention.
        dropout: share of words and articles dropped in training.
        max_history: the newest events that are read.
        batch_size: slates of a step.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: an unknown reader, a number out of range, or dim does not divide by
            n_heads.
    """

    reader: str = "self"
    skips: bool = False
    dim: int = 64
    n_heads: int = 4
    hidden_dim: int = 32
    dropout: float = 0.1
    max_history: int = 50
    batch_size: int = 128
    training: FitConfig = field(
        default_factory=lambda: FitConfig(epochs=5, learning_rate=3e-3)
    )

    def __post_init__(self) -> None:
        check_counts(self, "dim", "n_heads", "hidden_dim", "max_history", "batch_size")
        check_heads(self.dim, self.n_heads)
        check_dropout(self.dropout)
        if self.reader not in READER_NAMES:
            raise ValueError(
                f"reader: expected one of {', '.join(READER_NAMES)}, got {self.reader!r}"
            )


class NewsRecommender(NetworkRecommender):
    """Articles and clicks to scores: `fit(log)`, `score(users, history=None)`.

    A framework's class names also `word_encoder` and `vector_encoder`, which make an
    article of its words or of its vector.

    Args:
        articles: what the items are made of, in the order of the item ids: word ids
            int64 (n_items, words), as from `Vocabulary.encode`, or static vectors
            (n_items, in_dim).
        config: sizes, the kind of reader, training.
        checkpoint: file that keeps the state of the training; a fit that was stopped
            goes on from it.
        log: directory for TensorBoard.

    Raises:
        ValueError: not two axes, vectors that are not finite, or a negative word id.
    """

    config_class = NRMSConfig
    word_encoder: type
    vector_encoder: type

    def __init__(
        self,
        articles: np.ndarray,
        config: NRMSConfig | None = None,
        checkpoint: Path | None = None,
        log: Path | None = None,
    ):
        super().__init__(config, checkpoint, log)
        articles = np.asarray(articles)
        if articles.ndim != 2 or not np.isfinite(articles).all():
            raise ValueError(
                f"articles: expected finite numbers with two axes, got shape {articles.shape}; "
                "encode texts first"
            )
        self.by_words = np.issubdtype(articles.dtype, np.integer)
        self.articles = articles.astype(np.int64 if self.by_words else np.float32)
        if self.by_words:
            check_ids("articles", self.articles, self.articles.max(initial=0))

    def fit(self, log: ImpressionLog, validation: Slates | None = None) -> Self:
        """Learn from impressions that have a click, a skip and a past.

        Args:
            log: what was shown and clicked, and the histories before it; an event of
                theirs whose value is not above 0 is a skip.
            validation: slates by whose mean AUC the best epoch is kept.

        Returns:
            Itself, with `result`, the course of the training.

        Raises:
            ValueError: no `ImpressionLog`, another number of items, no slate to
                validate with, or as `recsys.training.loop`.
            DataError: as `slates`, and where a candidate stands in its own history.
        """
        _check_impressions(log)
        config = self.config
        n_items = len(log.impressions.item_ids)
        if n_items != len(self.articles):
            raise ValueError(
                f"log: expected {len(self.articles)} items, one for each article, got {n_items}"
            )
        data = slates(log, config.max_history)
        refuse_leaks(data)
        batches = SlateBatches(
            data, self.articles, config.batch_size, config.training.seed
        )
        identity = {"data": _slates_digest(data)}
        known = last_histories(log, config.skips)
        if validation is None:
            return self.train(known, batches, None, identity)
        metric = self._slate_metric(validation)
        identity["validation"] = _slates_digest(validation)
        return self.train(known, batches, metric, identity)

    def load(self, path: Path, log: ImpressionLog) -> Self:
        """Read the weights instead of training.

        Args:
            path: what `save` wrote.
            log: whose readers are recommended to, by all they have clicked at its end;
                over the items that were trained on.

        Returns:
            Itself.

        Raises:
            FileNotFoundError, ValueError: no whole file, or one of other settings,
                articles or items; the recommender stays as it was.
        """
        _check_impressions(log)
        return super().load(path, last_histories(log, self.config.skips))

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        """Score every article for each user, by the newest events.

        An empty history gives zeros: nothing is known of the reader.

        Args:
            users: int (n,), user indices.
            history: replaces what was fitted, one user a row of `users`; an event
                whose value is not above 0 is a skip.

        Returns:
            Float32 (n, n_items).

        Raises:
            ValueError: not fitted, or a history over other items or of other users.
            DataError: an unknown user.
        """
        past = histories(self, np.asarray(users), history)
        newest, clicked = newest_events(past, self.config.max_history)
        liked = pad(clicked).astype(bool)  # (users, length)
        every_id = np.arange(1, len(self.articles) + 1)
        shown = np.broadcast_to(
            every_id, (len(newest), len(every_id))
        )  # (users, n_items)
        scores, _ = self._ask(self.network, pad(newest), shown, liked)
        return scores

    def score_slates(self, data: Slates) -> tuple[np.ndarray, np.ndarray]:
        """Score what was shown.

        Args:
            data: slates, n of them.

        Returns:
            Scores (n, width), and the weights (n, width, length) behind them.

        Raises:
            ValueError: not fitted, or an id of no article.
            DataError: a candidate stands in its own history.
        """
        self.check_fitted()
        self._check_slates(data)
        asked = data.history, data.shown, data.liked
        return self._ask(self.network, *asked, with_weights=True)

    @staticmethod
    def targets(batch: tuple[np.ndarray, ...]) -> int:
        """Count the clicks."""
        clicked = batch[4]
        return int(clicked.sum())

    def _ask(
        self,
        network: Any,
        history: np.ndarray,
        shown: np.ndarray,
        liked: np.ndarray,
        with_weights: bool = False,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Scores (n, width), and weights (n, width, length) where they are wanted."""
        scores, weights = [], []
        for rows in _chunks(history, shown):
            batch = read_once(self.articles, history[rows], shown[rows])
            found, weighed = self.run(network, *batch, liked[rows])
            scores.append(found)
            if with_weights:
                weights.append(weighed)
        return np.concatenate(scores), np.concatenate(weights) if with_weights else None

    def _slate_metric(self, validation: Slates) -> Callable[[Any], float]:
        """Make the mean AUC of slates held out."""
        self._check_slates(validation)
        if not len(validation):
            raise ValueError("validation: expected at least one slate, got none")

        def metric(network: Any) -> float:
            asked = validation.history, validation.shown, validation.liked
            scores, _ = self._ask(network, *asked)
            return float(np.nanmean(slate_auc(scores, validation)))

        return metric

    def _check_slates(self, data: Slates) -> None:
        for name in ("history", "shown"):
            check_ids(name, getattr(data, name), len(self.articles))
        refuse_leaks(data)

    def _network(self, interactions: Interactions) -> Any:
        if self.by_words:
            n_words = int(self.articles.max())
            encoder = type(self).word_encoder(n_words, self.config)
        else:
            in_dim = self.articles.shape[1]
            encoder = type(self).vector_encoder(in_dim, self.config)
        return self.network_class(encoder, self.config)

    def _vocabulary(self, interactions: Interactions) -> tuple[np.ndarray, ...]:
        return interactions.item_ids, self.articles


def _chunks(history: np.ndarray, shown: np.ndarray) -> Iterator[slice]:
    """Rows of both, so that `CELLS` pairs of a candidate and an event are held."""
    pairs = max(1, shown.shape[1] * history.shape[1])  # of a row
    size = max(1, CELLS // pairs)
    for start in range(0, max(1, len(history)), size):
        yield slice(start, start + size)


def _slates_digest(data: Slates) -> str:
    """Name slates by a hash."""
    return digest(data.history, data.shown, data.clicked, data.liked)


def _check_impressions(log: ImpressionLog) -> None:
    """Require impressions, where a log of clicks is what others learn from."""
    if not isinstance(log, ImpressionLog):
        raise ValueError(
            f"log: expected an ImpressionLog, got {type(log).__name__}; "
            "what was shown and skipped is learned from, beside what was clicked"
        )


def slate_auc(scores: np.ndarray, data: Slates) -> np.ndarray:
    """Read the AUC within each slate, ties counting half.

    Args:
        scores: (n, width).
        data: n slates.

    Returns:
        (n,), NaN without a click or without a skip.
    """
    real = data.shown != PADDING  # (n, width)
    slate, _ = np.nonzero(real)
    return auc_per_user(slate, data.clicked[real], scores[real])
