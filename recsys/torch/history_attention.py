r"""History attention: a candidate asks what somebody took before, and is scored by the answer.

score(H, i) = c + b_i + <e_i, z>, z = sum over the history of w_l V e_l. The weights are a
softmax of <Q e_i, K e_l> / sqrt(dim): each candidate reads the history in its own way. The
control, `pooling="mean"`, is the same network with equal weights. A candidate never looks at
itself, wherever it stands, nor at anything that came after it. A user is a history and
nothing else, so a stranger is served like anybody, and no user needs a bias: it would move
no item past another.

Source: Zhou and others, 2018 (https://arxiv.org/abs/1706.06978, section 4.3), with scaled
dot products and softmax (Vaswani and others, 2017, equation 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.checks import check_counts
from recsys.data import Interactions
from recsys.recommender import histories
from recsys.torch.fit import FitConfig
from recsys.torch.functional import attend, attention
from recsys.torch.pairs import PairBatches, embedding
from recsys.torch.parameters import projection
from recsys.torch.recommender import NetworkRecommender
from recsys.torch.sequences import PADDING, buckets, pad, user_sequences, windows
from recsys.torch.validation import fit_recommender

POOLINGS = ("attention", "mean")


@dataclass(frozen=True)
class HistoryAttentionConfig:
    """The shape of the network, and how it is fed and trained.

    The defaults come from a first look at the validation part of MovieLens 100K; the search is
    in studies/history_attention.py.

    Args:
        dim: size of an embedding.
        pooling: "attention", or "mean" for its control.
        max_length: the newest events that are read.
        negatives: items drawn for each one taken, afresh in each epoch.
        tokens: about how many events a batch holds.
        training: epochs, learning rate, weight decay, seed.

    Raises:
        ValueError: a number out of range, or another pooling.
    """

    dim: int = 32
    pooling: str = "attention"
    max_length: int = 20
    negatives: int = 4
    tokens: int = 1000
    training: FitConfig = field(default_factory=lambda: FitConfig(epochs=8, learning_rate=0.01))

    def __post_init__(self) -> None:
        check_counts(self, "dim", "max_length", "negatives", "tokens")
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling: expected one of {POOLINGS}, got {self.pooling!r}")


class HistoryAttention(nn.Module):
    """The network, from padded histories and candidates to scores and attention weights.

    Args:
        n_items: size of the catalogue; ids run from 1 to n_items, 0 is padding.
        config: sizes.
    """

    def __init__(self, n_items: int, config: HistoryAttentionConfig):
        super().__init__()
        self.n_items, self.config = n_items, config
        self.items, self.bias = embedding(n_items + 1, config.dim), nn.Embedding(n_items + 1, 1)
        self.constant = nn.Parameter(torch.zeros(()))
        self.value = projection(config.dim, config.dim)
        if config.pooling == "attention":
            self.query, self.key = projection(config.dim, config.dim), projection(config.dim, config.dim)
        nn.init.zeros_(self.bias.weight)

    def forward(self, history: Tensor, candidates: Tensor, visible: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Score candidates against histories.

        Args:
            history: int64 ids (batch, length), oldest first; padding may stand anywhere.
            candidates: int64 ids (batch, candidates).
            visible: int64 (batch, candidates), how many of the history's columns, from the
                left, a candidate may look at; all by default.

        Returns:
            Scores (batch, candidates) and weights (batch, candidates, length), which sum to
            one, or are zero where a candidate has nothing to look at.

        Raises:
            ValueError: ids of the wrong shape or dtype, or outside the catalogue.
        """
        for name, ids in (("history", history), ("candidates", candidates)):
            _check_ids(name, ids, self.n_items)
        past, asked = self.items(history), self.items(candidates)
        pooled, weights = self._pool(asked, past, _mask(history, candidates, visible))
        return self.constant + self.bias(candidates)[..., 0] + (asked * pooled).sum(-1), weights

    def contributions(self, history: Tensor, candidates: Tensor) -> Tensor:
        """What each event adds to a score: (batch, candidates, length).

        They sum to the score less the constant and the candidate's bias, exactly.
        """
        _, weights = self(history, candidates)
        return weights * (self.items(candidates) @ self.value(self.items(history)).mT)

    def _pool(self, asked: Tensor, past: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates (batch, candidates, dim) read histories (batch, length, dim)."""
        values = self.value(past)
        if self.config.pooling == "mean":
            return attend(torch.zeros(mask.shape, dtype=values.dtype), values, mask)
        return attention(self.query(asked), self.key(past), values, mask)


def _mask(history: Tensor, candidates: Tensor, visible: Tensor | None) -> Tensor:
    """True where a candidate may look: at a real item, early enough, that is not itself."""
    mask = (history != PADDING)[:, None, :] & (history[:, None, :] != candidates[:, :, None])
    if visible is None:
        return mask
    return mask & (torch.arange(history.shape[1]) < visible[:, :, None])  # (batch, candidates, length)


def _check_ids(name: str, ids: Tensor, n_items: int) -> None:
    if ids.dim() != 2 or ids.dtype != torch.int64:
        raise ValueError(f"{name}: expected int64 with two axes, (batch, {name}), got "
                         f"{str(ids.dtype).split('.')[-1]} {tuple(ids.shape)}")  # fmt: skip
    if ids.numel() and (ids.min() < 0 or ids.max() > n_items):
        row, column = torch.nonzero((ids < 0) | (ids > n_items))[0].tolist()
        raise ValueError(f"{name}: expected ids from 0 (padding) to {n_items}, got {ids[row, column].item()} at row "
                         f"{row}, column {column}; an id is an item index plus one")  # fmt: skip


class HistoryBatches:
    """Histories, the items that followed, and items that did not.

    Every event but a user's first is a target once, and looks at what stands before it in
    its window. Negatives are drawn from what the user took at no time of the fitted log.

    Args:
        interactions: any log.
        config: lengths, numbers, and the seed.

    Raises:
        ValueError: no user with two events, or one with every item.
    """

    def __init__(self, interactions: Interactions, config: HistoryAttentionConfig):
        self.config, self.n_items = config, interactions.n_items
        self.taken = PairBatches(interactions, 1, 1)
        self.rows, self.users = [], []
        for user, sequence in enumerate(user_sequences(interactions)):
            own = windows([sequence], config.max_length)
            self.rows += own
            self.users += [user] * len(own)
        if not self.rows:
            raise ValueError("interactions: expected a user with two events or more, got none; "
                             "the first is a history, the second something to learn from")  # fmt: skip

    def __call__(self, epoch: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Make the batches of one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            Triples, int64: histories (batch, length), candidates (batch, length, 1 + negatives)
            of which the first was taken, 0 where padded, and how many columns of the
            history each of them may look at, of the same shape.
        """
        random = np.random.default_rng([self.config.training.seed, epoch])
        lengths = np.array([len(row) - 1 for row in self.rows])
        groups = buckets(lengths, self.config.tokens, random.permutation(len(self.rows)))
        return [self._batch(groups[group], random) for group in random.permutation(len(groups))]

    def _batch(self, group: np.ndarray, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        ids = pad([self.rows[row] for row in group])  # (batch, length + 1)
        targets = ids[:, 1:]
        users = np.array(self.users)[group][:, None, None]
        drawn = random.integers(0, self.n_items, (*targets.shape, self.config.negatives))
        users = np.broadcast_to(users, drawn.shape)
        while (wrong := self.taken.was_taken(users, drawn)).any():
            drawn[wrong] = random.integers(0, self.n_items, int(wrong.sum()))
        candidates = torch.cat([targets[..., None], torch.from_numpy(drawn) + 1], dim=2)
        candidates = candidates.where(targets[..., None] != PADDING, PADDING)
        visible = torch.arange(1, targets.shape[1] + 1)[:, None].expand(candidates.shape)
        return ids[:, :-1], candidates, visible


def history_loss(model: HistoryAttention, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Binary cross-entropy of taken against drawn, mean over the real candidates.

    Args:
        model: the network.
        batch: as `HistoryBatches` makes it.

    Returns:
        A scalar.
    """
    history, candidates, visible = batch
    scores, _ = model(history, candidates.flatten(1), visible.flatten(1))
    scores = scores.view(candidates.shape)  # (batch, length, 1 + negatives)
    labels = torch.zeros_like(scores)
    labels[..., 0] = 1
    real = candidates != PADDING
    return F.binary_cross_entropy_with_logits(scores[real], labels[real])


class HistoryAttentionRecommender(NetworkRecommender):
    """History attention as a recommender: `fit(interactions)`, `score(users, history=None)`.

    Args:
        config: sizes and training.
        checkpoint: file that keeps the state of the training; a fit that was stopped goes
            on from it.
        log: directory for TensorBoard.
    """

    network_class, config_class = HistoryAttention, HistoryAttentionConfig

    def fit(self, interactions: Interactions, validation: Interactions | None = None) -> "HistoryAttentionRecommender":
        """Train on every event but the first of each user, by the convention of `recsys.torch.validation`.

        Args:
            interactions: what is trained on.
            validation: held-out events of the same users; the best epoch on them is kept.

        Raises:
            ValueError: as `recsys.torch.fit` and `HistoryBatches`.
        """
        return fit_recommender(self, self._new(interactions), interactions, HistoryBatches(interactions, self.config),
                               history_loss, self._identity(interactions), validation)  # fmt: skip

    @torch.no_grad()
    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """Score all items for each user: float32 (len(users), n_items)."""
        past = user_sequences(histories(self, np.asarray(users), history))
        n_items, size = self.network.n_items, 16
        scores = np.empty((len(past), n_items), dtype=np.float32)
        for start in range(0, len(past), size):
            rows = self.ids(past[start:start + size])
            candidates = torch.arange(1, n_items + 1).expand(len(rows), -1)
            scores[start:start + size] = self.network(rows, candidates)[0].numpy()
        return scores

    def ids(self, sequences: Sequence[np.ndarray]) -> Tensor:
        """The newest events of each sequence of ids, padded: int64 (batch, length), length at least 1."""
        length = min(self.config.max_length, max((len(ids) for ids in sequences), default=0))
        return pad(sequences, max(1, length))
