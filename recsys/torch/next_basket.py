"""Next basket by target attention: each candidate reads the purchases of the history.

The candidate asks, every past purchase answers. Three ways to pool the answers stand side by
side, for what they keep: softmax weights sum to one, so that two purchases of a product weigh
no more than one did; sigmoid weights are summed, and counts survive; the mean does not ask.
Sources: Zhou and others (2018), section 4.3, for the sum without softmax; Hu and others
(2020), section 3, for counts that networks lose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recsys.baselines.basket_features import Pairs
from recsys.baselines.two_steps import Lesson, TwoSteps
from recsys.checks import check_counts
from recsys.data import Interactions
from recsys.torch.fit import FitConfig, fit
from recsys.torch.sequences import check_ids

POOLINGS = ("mean", "softmax", "sum")
GAPS = (2, 4, 8, 15, 29, 57)
"""Days at which a purchase counts as older: the edges of seven buckets."""
POPULARITIES = slice(7, 10)
"""Where the logarithms of the three popularities stand among the features of a pair."""


@dataclass(frozen=True)
class NextBasketConfig:
    """What the network is.

    Args:
        pooling: one of `POOLINGS`.
        match: whether a purchase of the candidate itself is told apart.
        dim: width of the embeddings.
        length: purchases read, the newest.

    Raises:
        ValueError: an unknown pooling, or a size below 1.
    """

    pooling: str = "sum"
    match: bool = True
    dim: int = 16
    length: int = 80

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling: expected one of {', '.join(POOLINGS)}, got {self.pooling!r}")
        check_counts(self, "dim", "length")


class NextBasketAttention(nn.Module):
    """Score = what the candidate reads in the history + a weighted sum of its log-popularities.

    Item i has id i + 1 and padding has id 0.

    Args:
        n_items: size of the catalogue.
        config: what the network is.
    """

    def __init__(self, n_items: int, config: NextBasketConfig):
        super().__init__()
        self.config = config
        self.items = nn.Embedding(n_items + 1, config.dim, padding_idx=0)
        nn.init.normal_(self.items.weight, std=0.1)
        self.query, self.key, self.value, self.ask = (nn.Linear(config.dim, config.dim, bias=False) for _ in range(4))
        self.gap = nn.Parameter(torch.zeros(len(GAPS) + 1))  # of the attention, for each age
        self.same = nn.Parameter(torch.tensor([0.0, 3.0]))  # of attention and answer, for the candidate itself
        self.popularity = nn.Parameter(torch.full((3,), 0.5))

    def forward(self, candidates: Tensor, popularity: Tensor, history: Tensor, gaps: Tensor) -> tuple[Tensor, Tensor]:
        """Score candidates.

        Args:
            candidates: int64 ids (batch, n_candidates).
            popularity: logarithms (batch, n_candidates, 3).
            history: int64 ids (batch, length), padding anywhere.
            gaps: int64 buckets of age (batch, length), from 0 to 6.

        Returns:
            Scores (batch, n_candidates) and attention weights (batch, n_candidates, length).

        Raises:
            ValueError: ids or buckets out of range.
        """
        for ids in (candidates, history):
            check_ids(ids, len(self.items.weight) - 1)
        if gaps.shape != history.shape or ((gaps < 0) | (gaps > len(GAPS))).any():
            raise ValueError(f"gaps: expected a bucket from 0 to {len(GAPS)} for each event, shape {tuple(history.shape)}")
        real = (history != 0).unsqueeze(1)  # (batch, 1, length)
        same = ((candidates.unsqueeze(2) == history.unsqueeze(1)) & real).float() * float(self.config.match)
        asked, read = self.items(candidates), self.items(history)  # (batch, n_candidates or length, dim)
        logits = self.query(asked) @ self.key(read).transpose(1, 2) / self.config.dim**0.5
        logits = logits + self.gap[gaps].unsqueeze(1) + self.same[0] * same  # (batch, n_candidates, length)
        weights = self.weigh(logits, real)
        answers = self.ask(asked) @ self.value(read).transpose(1, 2) + self.same[1] * same
        return (weights * answers).sum(2) + popularity @ self.popularity, weights

    def weigh(self, logits: Tensor, real: Tensor) -> Tensor:
        """Turn logits (batch, n_candidates, length) into weights, 0 at padding and in empty histories."""
        if self.config.pooling == "sum":
            return torch.sigmoid(logits) * real
        logits = torch.zeros_like(logits) if self.config.pooling == "mean" else logits
        logits = logits.masked_fill(~real, -1e9)
        return torch.softmax(logits, dim=2) * real


class NextBasket(TwoSteps):
    """`NextBasketAttention` as a recommender, on the candidates and lessons of `BasketRanker`.

    What goes wrong in `fit`, before the first step or after, leaves it as it was.

    Args:
        config: what the network is.
        training: how long and how fast; one epoch at 0.01 by default, since a second one learns by heart.
        lead, targets, candidates: as in `recsys.baselines.two_steps.TwoSteps`.
        batch: customers of a step.
        seed: of the first weights and of the order.
    """

    def __init__(self, config: NextBasketConfig = NextBasketConfig(), training: FitConfig | None = None,
                 lead: int | None = None, targets: int = 2, candidates: int = 60, batch: int = 64, seed: int = 0):  # fmt: skip
        super().__init__(lead, targets, candidates)
        if batch < 1:
            raise ValueError(f"batch: expected at least 1, got {batch}")
        self.config, self.batch, self.seed = config, batch, seed
        self.training = training or FitConfig(epochs=1, learning_rate=0.01, seed=seed)

    def learn(self, lessons: Sequence[Lesson], n_items: int) -> None:
        """Train the network; customers none of whose products were proposed teach nothing."""
        rows = [row for lesson in lessons
                for row in customers(lesson.past, lesson.days, lesson.pairs, self.config.length, lesson.bought)
                if row.bought.any()]  # fmt: skip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = NextBasketAttention(n_items, self.config)

        def batches(epoch: int) -> list:
            order = np.random.default_rng([self.seed, epoch]).permutation(len(rows))
            return [[rows[row] for row in order[start:start + self.batch]]
                    for start in range(0, len(rows), self.batch)]  # fmt: skip

        fit(network, batches, listwise_loss, self.training)
        self.network = network

    def order(self, past: Interactions, days: np.ndarray, pairs: Pairs) -> np.ndarray:
        """Score pairs, (n_pairs,)."""
        rows = customers(past, days, pairs, self.config.length)
        scores = np.empty(len(pairs.rows))
        with torch.no_grad():
            for start in range(0, len(rows), self.batch):
                some = rows[start:start + self.batch]
                found = self.network(*padded(some))[0].numpy()
                ends = np.cumsum([0, *(len(row.candidates) for row in rows[:start + len(some)])])[-len(some) - 1:]
                scores[ends[0]:ends[-1]] = np.concatenate(
                    [scored[:len(row.candidates)] for scored, row in zip(found, some, strict=True)]
                )
        return scores


class Customer(NamedTuple):
    """One customer's candidates and history as ids and numbers, before padding.

    Args:
        candidates: int (n,), item + 1.
        popularity: float32 (n, 3).
        history: int (length,), item + 1, newest last.
        gaps: int (length,), buckets of age.
        bought: bool (n,), or None when serving.
    """

    candidates: np.ndarray
    popularity: np.ndarray
    history: np.ndarray
    gaps: np.ndarray
    bought: np.ndarray | None


def customers(past: Interactions, days: np.ndarray, pairs: Pairs, length: int,
              bought: np.ndarray | None = None) -> list[Customer]:  # fmt: skip
    """Cut pairs and histories into one row a customer, in order.

    Args:
        past: histories, one user a row of `pairs`.
        days: days of the visits, (n_users,).
        pairs: what is to be scored.
        length: purchases kept, the newest.
        bought: answers, bool (n_pairs,).
    """
    order = past.by_time()
    order = order[past.ages()[order] < length]
    users, ends = past.users[order], np.cumsum(np.bincount(past.users[order], minlength=past.n_users))[:-1]
    gaps = np.searchsorted(GAPS, days[users] - past.times[order], side="right")
    cuts = np.searchsorted(pairs.rows, np.arange(1, past.n_users))
    columns = (np.split(pairs.items + 1, cuts), np.split(pairs.features[:, POPULARITIES], cuts),
               np.split(past.items[order] + 1, ends), np.split(gaps, ends),
               np.split(bought, cuts) if bought is not None else [None] * past.n_users)  # fmt: skip
    return [Customer(*row) for row in zip(*columns, strict=True)]


def padded(rows: Sequence[Customer]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Put customers into the four tensors of `NextBasketAttention.forward`, padded with 0 on the right."""
    columns = zip(*[row[:4] for row in rows], strict=True)
    return tuple(
        nn.utils.rnn.pad_sequence([torch.from_numpy(np.ascontiguousarray(part)) for part in column], batch_first=True)
        for column in columns
    )


def listwise_loss(network: nn.Module, rows: Sequence[Customer]) -> Tensor:
    """Mean over customers of the mean over bought products of - log softmax over the candidates."""
    inputs = padded(rows)
    scores = network(*inputs)[0].masked_fill(inputs[0] == 0, -1e9)
    bought = nn.utils.rnn.pad_sequence([torch.from_numpy(row.bought) for row in rows], batch_first=True)
    logs = torch.log_softmax(scores, dim=1)
    return -((logs * bought).sum(1) / bought.sum(1)).mean()
