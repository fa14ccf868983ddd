r"""Cross-entropy over a catalogue whose scores never stand in memory all at once.

The score of item i after state h is <h, e_i>. Over all positions and items these scores
are the largest array of a sequence model. `chunked_cross_entropy` makes them for a few
positions at a time, together with both gradients, and forgets them. `sampled_softmax`
scores a few drawn items instead of the catalogue, with the notation of
`recsys.attention.sampled`: exp(s_t) + (1/n) sum_j exp(s_j) / q_j estimates the
normaliser, a draw that hits the target left out, and its expectation is the normaliser
itself.

Sources: the gradient of cross-entropy beside its value, in chunks: Hsu and others, 2024
(https://arxiv.org/abs/2410.10989, section 3.2); the correction: Khrylchenko and others,
2025 (https://arxiv.org/abs/2507.09331).
"""

import math

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

CHUNK = 128
"""Positions whose scores are held at a time; with 1,682 items they fit a cache."""


def chunked_cross_entropy(
    states: Tensor, items: Tensor, targets: Tensor, chunk: int = CHUNK
) -> Tensor:
    """Mean cross-entropy of the softmax of states @ items.T, in the memory of a chunk.

    Value and gradients are those of `F.cross_entropy(states @ items.T, targets)`; only
    the first derivative exists.

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
    """Softmax minus one-hot, the gradient by the scores, is at hand on the way."""

    @staticmethod
    def forward(
        ctx, states: Tensor, items: Tensor, targets: Tensor, chunk: int
    ) -> Tensor:
        by_state = []
        by_item = torch.zeros_like(items)  # (n_items, dim)
        total = states.new_zeros(())
        for start in range(0, len(states), chunk):
            part = states[start : start + chunk]  # (chunk, dim)
            target = targets[start : start + chunk]  # (chunk,)
            scores = part @ items.T  # (chunk, n_items)
            gradient = F.softmax(scores, dim=1)  # (chunk, n_items)
            # The largest weight is exp(largest score - log of the normaliser).
            log_normaliser = scores.amax(1) - gradient.amax(1).log()  # (chunk,)
            wanted = scores.gather(1, target[:, None])[:, 0]  # (chunk,)
            total += (log_normaliser - wanted).sum()
            gradient[torch.arange(len(part)), target] -= 1
            by_state.append(gradient @ items)
            by_item.addmm_(gradient.T, part)
        ctx.save_for_backward(torch.cat(by_state), by_item)
        return total / len(states)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor):
        by_state, by_item = ctx.saved_tensors
        share = upstream / len(by_state)
        return by_state * share, by_item * share, None, None


def sampled_softmax(
    target_scores: Tensor, negative_scores: Tensor, log_q: Tensor, hits: Tensor
) -> Tensor:
    """Estimate cross-entropy over the catalogue from the target and n drawn items.

    Args:
        target_scores: float (positions,).
        negative_scores: float (positions, n), scores of items drawn with replacement.
        log_q: float (n,), the logarithm of the probability with which each was drawn.
        hits: bool (positions, n), True where the drawn item is the target itself; it is
            left out.

    Returns:
        A scalar, the mean over positions.
    """
    n = negative_scores.shape[1]
    corrected = negative_scores - log_q - math.log(n)  # (positions, n)
    corrected = corrected.masked_fill(hits, -math.inf)  # (positions, n)
    together = [target_scores[:, None], corrected]
    normaliser = torch.cat(together, dim=1).logsumexp(1)  # (positions,)
    return (normaliser - target_scores).mean()
