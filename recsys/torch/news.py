"""The newsroom's recommender: articles and clicks in, scores of every article out.

The network and its readers stand in `recsys.torch.nrms`.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from recsys.batches.slates import Slates, last_histories, refuse_leaks, slates
from recsys.data import ImpressionLog, Interactions
from recsys.evaluation.metrics import auc_per_user
from recsys.recommender import histories
from recsys.torch.fit import fit
from recsys.torch.nrms import NRMS, NRMSConfig, VectorEncoder, WordEncoder, click_loss
from recsys.torch.sequences import pad, user_sequences

CELLS = 2_000_000
"""Pairs of a candidate and an event that are held at one time."""


class NewsRecommender:
    """Articles and clicks to scores: `fit(log)`, `score(users, history=None)`.

    Args:
        articles: what the items are made of, in the order of the item ids: word ids int64
            (n_items, words), as from `Vocabulary.encode`, or static vectors (n_items, in_dim).
        config: sizes, the kind of reader, training.

    Raises ValueError: not two axes, or vectors that are not finite.
    """

    def __init__(self, articles: np.ndarray, config: NRMSConfig = NRMSConfig()):
        articles = np.asarray(articles)
        if articles.ndim != 2 or not np.isfinite(articles).all():
            raise ValueError(f"articles: expected finite numbers with two axes, got shape {articles.shape}; "
                             "encode texts first")  # fmt: skip
        self.config, self.by_words = config, np.issubdtype(articles.dtype, np.integer)
        self.articles = torch.as_tensor(articles.astype(np.int64 if self.by_words else np.float32))

    def fit(self, log: ImpressionLog, validation: Slates | None = None) -> "NewsRecommender":
        """Learn from impressions that have a click, a skip and a past.

        Args:
            log: what was shown and clicked, and the histories before it.
            validation: slates by whose mean AUC the best epoch is kept.

        Returns:
            Itself.

        Raises:
            ValueError: another number of items, no slate to validate with, or as `recsys.torch.fit`.
            DataError: as `slates`, and where a candidate stands in its own history.
        """
        if len(log.impressions.item_ids) != len(self.articles):
            raise ValueError(f"log: expected {len(self.articles)} items, one for each article, got "
                             f"{len(log.impressions.item_ids)}")  # fmt: skip
        data = slates(log, self.config.max_history)
        for part in (data, validation):
            if part is not None:
                refuse_leaks(part)
        if validation is not None and not len(validation):
            raise ValueError("validation: expected at least one slate, got none")

        def loss(network: NRMS, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
            history, shown, clicked = batch
            return click_loss(network(self.articles, history, shown)[0], shown, clicked)

        def validate(network: NRMS) -> float:
            return np.nanmean(slate_auc(self._scores(network, validation.history, validation.shown), validation))

        def adopt(trained: NRMS) -> None:
            self.interactions, self.network, self.result = last_histories(log), trained, None

        self.result = fit(self._new(), self._batches(data), loss, self.config.training,
                          None if validation is None else validate, adopt=adopt)  # fmt: skip
        return self

    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """Score every article for each user, by the newest clicks: float32 (len(users), n_items).

        An empty history gives zeros: nothing is known of the reader.
        """
        past = [ids[-self.config.max_history:] for ids in user_sequences(histories(self, np.asarray(users), history))]
        everything = torch.arange(1, len(self.articles) + 1).expand(len(past), -1)
        return self._scores(self.network, pad(past), everything)

    def score_slates(self, data: Slates) -> tuple[np.ndarray, np.ndarray]:
        """Score what was shown.

        Args:
            data: slates, n of them.

        Returns:
            Scores (n, width), and the weights (n, width, length) behind them.

        Raises:
            ValueError: not fitted.
            DataError: a candidate stands in its own history.
        """
        if not hasattr(self, "network"):
            raise ValueError("NewsRecommender is not fitted: call fit(log) first.")
        refuse_leaks(data)
        parts = [self._part(self.network, *chunk) for chunk in _chunks(data.history, data.shown)]
        return tuple(torch.cat(column).numpy() for column in zip(*parts, strict=True))

    def _scores(self, network: NRMS, history: np.ndarray | Tensor, candidates: np.ndarray | Tensor) -> np.ndarray:
        return torch.cat([self._part(network, *chunk)[0] for chunk in _chunks(history, candidates)]).numpy()

    @torch.no_grad()
    def _part(self, network: NRMS, history: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        return network.eval()(self.articles, history, candidates)

    def _batches(self, data: Slates):
        columns = [torch.as_tensor(column) for column in (data.history, data.shown, data.clicked)]

        def batches(epoch: int) -> list[tuple[Tensor, ...]]:
            order = torch.from_numpy(np.random.default_rng([self.config.training.seed, epoch]).permutation(len(data)))
            return [tuple(column[part] for column in columns) for part in order.split(self.config.batch_size)]

        return batches

    def _new(self) -> NRMS:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.training.seed)
            words, width = int(self.articles.max()), self.articles.shape[1]
            encoder = WordEncoder(words, self.config) if self.by_words else VectorEncoder(width, self.config)
            return NRMS(encoder, self.config)


def _chunks(history: np.ndarray | Tensor, candidates: np.ndarray | Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of both, so many at a time that `CELLS` pairs of a candidate and an event are held."""
    size = max(1, CELLS // max(1, candidates.shape[1] * history.shape[1]))
    return zip(*(torch.as_tensor(ids).split(size) for ids in (history, candidates)), strict=True)


def slate_auc(scores: np.ndarray, data: Slates) -> np.ndarray:
    """AUC within each slate by scores (n, width): (n,), ties counting half, NaN without a click or a skip."""
    real = data.shown > 0
    return auc_per_user(np.nonzero(real)[0], data.clicked[real], scores[real])
