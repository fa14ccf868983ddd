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

import paddle
from paddle import Tensor
from paddle.autograd.py_layer import PyLayer, once_differentiable
from paddle.nn import functional as F

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
    # Paddle: a negative index counts from the end, and nothing refuses it
    if bool((targets < 0).any()):
        raise IndexError("targets: expected from 0 to n_items - 1, got one below 0")
    return _ChunkedCrossEntropy.apply(states, items, targets, chunk)


class _ChunkedCrossEntropy(PyLayer):
    """Softmax minus one-hot, the gradient by the scores, is at hand on the way."""

    @staticmethod
    def forward(
        ctx, states: Tensor, items: Tensor, targets: Tensor, chunk: int
    ) -> Tensor:
        by_state = []
        by_item = paddle.zeros_like(items)  # (n_items, dim)
        total = states.new_zeros(())
        for start in range(0, len(states), chunk):
            part = states[start : start + chunk]  # (chunk, dim)
            target = targets[start : start + chunk]  # (chunk,)
            # Paddle: `.T` would be a copy
            scores = paddle.matmul(part, items, transpose_y=True)  # (chunk, n_items)
            gradient = F.softmax(scores, axis=1)  # (chunk, n_items)
            # The largest weight is exp(largest score - log of the normaliser).
            # Paddle: `amax` is slow, so the largest is looked for once
            best = scores.argmax(1, keepdim=True)  # (chunk, 1)
            log_normaliser = scores.gather(1, best) - gradient.gather(1, best).log()
            wanted = scores.gather(1, target[:, None])  # (chunk, 1)
            total += (log_normaliser - wanted).sum()
            gradient[paddle.arange(len(part)), target] -= 1
            by_state.append(gradient @ items)
            # Paddle: `matmul` can transpose without a copy
            by_item += paddle.matmul(gradient, part, transpose_x=True)
        ctx.save_for_backward(paddle.cat(by_state), by_item)
        return total / len(states)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor):
        by_state, by_item = ctx.saved_tensor()  # Paddle: saved tensors come from a method
        share = upstream / len(by_state)
        return by_state * share, by_item * share, None  # Paddle: no None for a number


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
    normaliser = paddle.cat(together, axis=1).logsumexp(1)  # (positions,)
    return (normaliser - target_scores).mean()
