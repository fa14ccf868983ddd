r"""Learning from pairs: what a user took, against items drawn at random that the user did not take.

What GMF, MLP, NeuMF and the dot product share. Each is a network with a table of users, a
table of items and `logits(user_vectors, item_vectors)`; what differs stands in `ncf`.
All are trained with binary cross-entropy, and an L2 penalty on the vectors that a
pair touches. A stranger has no row in the table of users: the vector is solved for, with
items and layers held fixed, as the minimum of the loss that training would have had.

Source: He and others, 2017 (https://arxiv.org/abs/1708.05031, section 3.1.1); the penalty:
Rendle and others, 2020 (https://arxiv.org/abs/2005.09683, section 3).
"""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.checks import check_counts
from recsys.data import Interactions
from recsys.recommender import histories
from recsys.torch.fit import FitConfig
from recsys.torch.recommender import NetworkRecommender
from recsys.torch.validation import fit_recommender

STEPS = 30
"""Steps in which a stranger's vector is solved for; more change nothing that is printed."""

CHUNK_PAIRS = 2**17
"""Pairs that are scored at one time."""


@dataclass(frozen=True)
class PairConfig:
    """How pairs are drawn, and what is trained on them.

    Args:
        dim: size of an embedding.
        l2: penalty on the squared vectors of a pair, for each pair that touches them.
        negatives: items drawn for each one taken, afresh in each epoch.
        batch_size: pairs of a step.
        training: epochs, learning rate, seed.

    Raises:
        ValueError: a number out of range.
    """

    dim: int = 32
    l2: float = 0.001
    negatives: int = 4
    batch_size: int = 4096
    training: FitConfig = field(default_factory=lambda: FitConfig(epochs=10, learning_rate=0.01, clip_norm=10.0))

    def __post_init__(self) -> None:
        check_counts(self, "dim", "negatives", "batch_size")
        if not self.l2 > 0:
            raise ValueError(f"l2: expected a number above 0, so that a stranger's vector exists, got {self.l2}")


def embedding(count: int, dim: int) -> nn.Embedding:
    """Make a table of small normal vectors.

    Args:
        count: rows.
        dim: size of a row.

    Returns:
        The table (count, dim), standard deviation 0.1.
    """
    layer = nn.Embedding(count, dim)
    nn.init.normal_(layer.weight, std=0.1)
    return layer


class PairBatches:
    """What users took and what they did not, a fresh seeded draw in each epoch.

    Args:
        interactions: what was taken; a pair counts once.
        negatives: items drawn for each pair, uniformly from those the user did not take.
        batch_size: pairs of a batch.
        seed: with the number of the epoch it decides draw and order.

    Raises:
        ValueError: nothing was taken, or a user took every item.
    """

    def __init__(self, interactions: Interactions, negatives: int, batch_size: int, seed: int = 0):
        self.n_items, self.negatives = interactions.n_items, negatives
        self.batch_size, self.seed = batch_size, seed
        self.taken = np.unique(interactions.users * self.n_items + interactions.items)  # sorted codes of pairs
        full = np.flatnonzero(np.bincount(self.taken // max(self.n_items, 1)) == self.n_items)
        if not len(self.taken) or full.size:
            came = f"user {full[0]} with all {self.n_items} items" if len(self.taken) else "none"
            raise ValueError(f"interactions: expected users with some of the items, got {came}; "
                             "negatives are items that a user did not take, so give others to draw from")  # fmt: skip

    def __call__(self, epoch: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Make the batches of one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            Triples of users and items, int64 (batch,), and labels 1 or 0, float32 (batch,).
        """
        random = np.random.default_rng([self.seed, epoch])
        users = np.repeat(self.taken // self.n_items, 1 + self.negatives)
        items = np.repeat(self.taken % self.n_items, 1 + self.negatives)
        labels = np.zeros(len(users), dtype=np.float32)
        labels[:: 1 + self.negatives] = 1
        again = np.flatnonzero(labels == 0)
        while again.size:
            items[again] = random.integers(0, self.n_items, again.size)
            again = again[self.was_taken(users[again], items[again])]
        order = torch.from_numpy(random.permutation(len(users)))
        columns = [torch.from_numpy(column)[order] for column in (users, items, labels)]
        return list(zip(*(column.split(self.batch_size) for column in columns), strict=True))

    def was_taken(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Whether each pair, int arrays (n,), is one that was taken: boolean (n,)."""
        codes = users * self.n_items + items
        place = np.minimum(np.searchsorted(self.taken, codes), len(self.taken) - 1)
        return self.taken[place] == codes


def pair_loss(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor], l2: float) -> Tensor:
    """Binary cross-entropy of the labels plus the penalty, mean over the pairs.

    Args:
        model: with tables `users` and `items`, and `logits`.
        batch: users and items, int64 (batch,), and labels, float (batch,).
        l2: of `PairConfig`.

    Returns:
        A scalar. Source: He and others, 2017, equation 7.
    """
    users, items, labels = batch
    user_vectors, item_vectors = model.users(users), model.items(items)  # (batch, dim)
    entropy = F.binary_cross_entropy_with_logits(model.logits(user_vectors, item_vectors), labels)
    return entropy + l2 * ((user_vectors**2).sum() + (item_vectors**2).sum()) / len(labels)


@torch.no_grad()
def solve_users(model: nn.Module, seen: Tensor, l2: float, negatives: int) -> Tensor:
    """Find the vectors of users from what they took, everything else held fixed.

    For each user the expected loss of `pair_loss` over all draws of negatives: an item taken
    weighs 1, one not taken `negatives` times the number taken over the number not taken. It
    is brought down from the mean of the fitted users by damped Gauss-Newton steps (Levenberg
    and Marquardt): damping falls after a step that helped, and rises after one that did not,
    which is taken back. Where logits are linear in the vector (GMF, dot product) this is
    Newton's method, and the minimum is the only one; through the layers of an MLP it is a
    good point nearby. Nothing is random, and no user has a part in another's vector.

    Args:
        model: with tables `users` and `items`, and `logits`, in float64.
        seen: float64 (n, n_items), 1 where taken.
        l2, negatives: of `PairConfig`.

    Returns:
        Float64 (n, user dim); the mean of the fitted users where nothing was taken.
    """
    taken = seen.sum(1, keepdim=True)  # (n, 1)
    others = negatives * taken / (seen.shape[1] - taken).clamp(min=1)
    weights = torch.where(seen > 0, 1.0, others) / ((1 + negatives) * taken).clamp(min=1)
    weights = weights * (taken > 0)  # (n, n_items), rows sum to one
    vectors = model.users.weight.mean(0).repeat(len(seen), 1)
    identity = torch.eye(vectors.shape[1], dtype=vectors.dtype)
    damping = torch.full_like(taken, 0.01)
    losses, gradient, curvature = _expand(model, vectors, seen, weights, l2)
    for _ in range(STEPS):
        bent = curvature + (2 * l2 + damping[..., None]) * identity  # (n, dim, dim)
        tried = vectors - torch.linalg.solve(bent, gradient) * (taken > 0)
        new = _expand(model, tried, seen, weights, l2)
        better = new[0] < losses
        vectors, losses, gradient, curvature = (
            torch.where(better.view(-1, *[1] * (old.dim() - 1)), fresh, old)
            for fresh, old in zip((tried, *new), (vectors, losses, gradient, curvature), strict=True))  # fmt: skip
        damping = torch.where(better[:, None], damping / 4, damping * 4)
    return vectors


def _expand(model: nn.Module, vectors: Tensor, seen: Tensor, weights: Tensor, l2: float) -> tuple[Tensor, ...]:
    """Loss (n,), gradient (n, dim) and Gauss-Newton curvature (n, dim, dim) at each user's vector."""
    copies = vectors.detach()[:, None].repeat(1, seen.shape[1], 1).requires_grad_()  # (n, n_items, dim)
    with torch.enable_grad():
        logits = model.logits(copies, model.items.weight.detach())  # (n, n_items)
        slopes, = torch.autograd.grad(logits.sum(), copies)  # each copy meets one item only
    logits = logits.detach()
    chance = torch.sigmoid(logits)
    losses = (weights * F.binary_cross_entropy_with_logits(logits, seen, reduction="none")).sum(1)
    gradient = ((weights * (chance - seen))[:, None] @ slopes)[:, 0] + 2 * l2 * vectors
    curvature = slopes.mT @ ((weights * chance * (1 - chance))[..., None] * slopes)
    return losses + l2 * (vectors**2).sum(1), gradient, curvature


class PairRecommender(NetworkRecommender):
    """A network over pairs as a recommender: `fit(interactions)`, `score(users, history=None)`.

    Args:
        config: sizes and training.
        checkpoint: file that keeps the state of the training; a fit that was stopped goes
            on from it.
        log: directory for TensorBoard.
    """

    def fit(self, interactions: Interactions, validation: Interactions | None = None) -> "PairRecommender":
        """Train on what was taken, whatever its value, by the convention of `recsys.torch.validation`.

        Args:
            interactions: what is trained on.
            validation: held-out events of the same users; the best epoch on them is kept.

        Raises:
            ValueError: as `recsys.torch.fit` and `PairBatches`.
        """
        config = self.config
        batches = PairBatches(interactions, config.negatives, config.batch_size, config.training.seed)
        return fit_recommender(self, self._new(interactions), interactions, batches,
                               lambda model, batch: pair_loss(model, batch, config.l2),
                               self._identity(interactions), validation)  # fmt: skip

    @torch.no_grad()
    def score(self, users: np.ndarray, history: Interactions | None = None) -> np.ndarray:
        """Score all items for each user by the logit: float (len(users), n_items).

        With `history`, the vectors of its users are solved for from what they took; see
        `solve_users`.

        Raises:
            ValueError: not fitted, or a history over other items or other numbers of users.
            DataError: an unknown user.
        """
        users = np.asarray(users, dtype=np.int64)
        past = histories(self, users, history)
        network = self.network
        if history is None:
            vectors = network.users(torch.from_numpy(users))
        else:
            network, vectors = self._solved(past)
        chunks = vectors.split(max(1, CHUNK_PAIRS // past.n_items))
        scores = [network.logits(chunk[:, None], network.items.weight) for chunk in chunks]  # (users, n_items)
        return torch.cat(scores).numpy() if scores else np.zeros((0, past.n_items))

    def _solved(self, past: Interactions) -> tuple[nn.Module, Tensor]:
        """The network in float64, and the vectors that it gives to histories."""
        network, seen = copy.deepcopy(self.network).double(), past.seen()
        size = max(1, CHUNK_PAIRS // 8 // past.n_items)
        parts = [solve_users(network, torch.from_numpy(seen[start:start + size].toarray()),
                             self.config.l2, self.config.negatives) for start in range(0, past.n_users, size)]
        return network, torch.cat(parts) if parts else network.users.weight[:0]  # fmt: skip

    def _network(self, interactions: Interactions) -> nn.Module:
        return self.network_class(interactions.n_users, interactions.n_items, self.config)

    def _vocabulary(self, interactions: Interactions) -> tuple[np.ndarray, ...]:
        return interactions.user_ids, interactions.item_ids
