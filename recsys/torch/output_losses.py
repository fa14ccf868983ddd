r"""Cross-entropy over a catalogue whose scores never stand in memory all at once.

The score of item i after state h is <h, e_i>. Over all positions and items these scores are
the largest array of a sequence model. `chunked_cross_entropy` makes them for a few positions
at a time, together with both gradients, and forgets them. `sampled_softmax` scores a few
drawn items instead of the catalogue, with the notation of `recsys.attention.sampled`:
exp(s_t) + (1/n) sum_j exp(s_j) / q_j estimates the normaliser, a draw that hits the target
left out, and its expectation is the normaliser itself.

Sources: the gradient of cross-entropy beside its value, in chunks: Hsu and others, 2024
(https://arxiv.org/abs/2410.10989, section 3.2); the correction: Khrylchenko and others, 2025
(https://arxiv.org/abs/2507.09331).
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 128
"""Positions whose scores are held at one time; with 1,682 items they fit a processor's cache."""


def chunked_cross_entropy(states: Tensor, items: Tensor, targets: Tensor, chunk: int = CHUNK) -> Tensor:
    """Mean cross-entropy of the softmax of states @ items.T, in memory for `chunk` positions.

    Value and gradients are those of `F.cross_entropy(states @ items.T, targets)`; only the
    first derivative exists.

    Args:
        states: float (positions, dim), at least one position.
        items: float (n_items, dim).
        targets: int64 (positions,), from 0 to n_items - 1.
        chunk: positions at a time.

    Returns:
        A scalar.
    """
    return _ChunkedCrossEntropy.apply(states, items, targets, chunk)


class _ChunkedCrossEntropy(torch.autograd.Function):
    """The gradient by the scores is softmax minus one-hot, so it is at hand on the way forward."""

    @staticmethod
    def forward(ctx, states: Tensor, items: Tensor, targets: Tensor, chunk: int) -> Tensor:
        by_state, by_item = torch.empty_like(states), torch.zeros_like(items)
        total = states.new_zeros(())
        for part, target, target_part in zip(states.split(chunk), targets.split(chunk), by_state.split(chunk)):
            scores = part @ items.T  # (chunk, n_items)
            gradient = torch.softmax(scores, dim=1)
            log_normaliser = scores.amax(1) - gradient.amax(1).log()  # exp(max - normaliser) is the largest weight
            total += (log_normaliser - scores.gather(1, target[:, None])[:, 0]).sum()
            gradient[torch.arange(len(part)), target] -= 1
            torch.mm(gradient, items, out=target_part)
            by_item.addmm_(gradient.T, part)
        ctx.save_for_backward(by_state, by_item)
        return total / len(states)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor):
        by_state, by_item = ctx.saved_tensors
        share = upstream / len(by_state)
        return by_state * share, by_item * share, None, None


def sampled_softmax(target_scores: Tensor, negative_scores: Tensor, log_q: Tensor, hits: Tensor) -> Tensor:
    """Estimate cross-entropy over the catalogue from the target and n items drawn for all positions.

    Args:
        target_scores: float (positions,).
        negative_scores: float (positions, n), scores of items drawn with replacement.
        log_q: float (n,), the logarithm of the probability with which each was drawn.
        hits: bool (positions, n), True where the drawn item is the target itself; it is left out.

    Returns:
        A scalar, the mean over positions.
    """
    corrected = negative_scores - log_q - math.log(negative_scores.shape[1])
    corrected = corrected.masked_fill(hits, -math.inf)
    normaliser = torch.cat([target_scores[:, None], corrected], dim=1).logsumexp(1)  # (positions,)
    return (normaliser - target_scores).mean()


class NegativeSampler:
    """Draws items with replacement, with the logarithm of the probability of each.

    Args:
        counts: int (n_items,), how often each item occurs.
        n_negatives: draws at a time, at least 1.
        by: "popularity" draws in proportion to 1 + count, "uniform" each item alike.

    Raises:
        ValueError: another `by`, or no draws.
    """

    def __init__(self, counts: np.ndarray, n_negatives: int, by: str = "popularity"):
        if by not in ("popularity", "uniform"):
            raise ValueError(f'by: expected "popularity" or "uniform", got {by!r}')
        if n_negatives < 1:
            raise ValueError(f"n_negatives: expected at least 1, got {n_negatives}")
        weights = np.asarray(counts, dtype=np.float64) + 1 if by == "popularity" else np.ones(len(counts))
        self.n_negatives = n_negatives
        self.cumulative = torch.from_numpy(np.cumsum(weights / weights.sum()))  # (n_items,)
        self.log_q = torch.from_numpy(np.log(weights / weights.sum()).astype(np.float32))

    def draw(self) -> tuple[Tensor, Tensor]:
        """Draw from torch's random numbers: item indices int64 (n,) and their log q float32 (n,)."""
        random = torch.rand(self.n_negatives, dtype=torch.float64)
        items = torch.searchsorted(self.cumulative, random).clamp_(max=len(self.cumulative) - 1)
        return items, self.log_q[items]
