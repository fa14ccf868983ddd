"""The cases of `tests/attention/derivatives.py` in framework operations, for autograd.

One body for both frameworks: only operations that they spell alike, or the twin's own
functions. `b` is the Backend; its `F` is the framework's `nn.functional`, whose losses
are a second implementation.
"""

import math
import sys

D = sys.modules["recsys_test_derivatives"]


def score(compute):
    """<cotangent, compute(...)> for functions that return an array."""
    return lambda b, cotangent, **arguments: (compute(b, **arguments) * cotangent).sum()


def softmax(b, scores):
    return b.twin.softmax(scores, b.tensor(D.MASK), temperature=D.TEMPERATURE)


def sparsemax(b, scores):
    """max(scores - threshold, 0) on the support that the reference found."""
    from recsys.attention import sparsemax as reference

    support = b.tensor((reference(b.array(scores)) > 0).astype(float))
    threshold = ((scores * support).sum(-1) - 1) / support.sum(-1)
    return (scores - threshold[..., None]) * support


def unit(x):
    return x / (x * x).sum(-1)[..., None].sqrt()


def pairs(query, key):
    return query[:, :, None, :], key[:, None, :, :]


def additive(b, query, key, query_matrix, key_matrix, direction):
    q, k = pairs(query @ query_matrix, key @ key_matrix)
    return (b.fw.tanh(q + k) * direction).sum(-1)


def target(b, candidate, item, candidate_matrix, bias, item_matrix, product_matrix, direction):
    c, h = pairs(candidate, item)
    hidden = b.fw.tanh(c @ candidate_matrix + bias + h @ item_matrix + (c * h) @ product_matrix)
    return (hidden * direction).sum(-1)


def projected(b, query, items, w_query, w_key, w_value):
    return b.twin.attention(query @ w_query, items @ w_key, items @ w_value, b.tensor(D.MASK))[0]


def multi_head(b, items, w_query, w_key, w_value, w_output):
    width = items.shape[-1] // D.N_HEADS
    heads = []
    for h in range(D.N_HEADS):
        own = slice(h * width, (h + 1) * width)
        q, k, v = (items @ w[:, own] for w in (w_query, w_key, w_value))
        heads.append(b.twin.attention(q, k, v, b.tensor(D.CAUSAL))[0] @ w_output[own])
    return sum(heads)


def squared(divisor):
    import numpy as np

    targets = np.random.default_rng(6).normal(size=(3, 4))
    observed = D.OBSERVED.astype(float)

    def value(b, scores):
        return (((scores - b.tensor(targets)) ** 2) * b.tensor(observed)).sum() / divisor

    return value


def sampled(b, target_scores, negative_scores):
    corrected = negative_scores - b.tensor(D.LOG_Q) - math.log(3)
    total = target_scores.exp() + corrected.exp().sum(-1)
    return (total.log() - target_scores).mean()


EXPRESSIONS = {
    "softmax": score(softmax),
    "softmax over queries": score(lambda b, scores: b.F.softmax(scores, 1)),
    "sparsemax": score(sparsemax),
    "dot": score(lambda b, query, key: query @ key.mT),
    "scaled dot": score(lambda b, query, key: b.twin.scaled_dot_scores(query, key)),
    "cosine": score(lambda b, query, key: unit(query) @ unit(key).mT),
    "bilinear": score(lambda b, query, key, matrix: query @ matrix @ key.mT),
    "additive": score(additive),
    "target": score(target),
    "attention": score(lambda b, **qkv: b.twin.attention(*qkv.values(), b.tensor(D.MASK))[0]),
    "projected": score(projected),
    "multi-head": score(multi_head),
    "squared error per user": squared(3),
    "squared error per pair": squared(12),
    "squared error per observation": squared(int(D.OBSERVED.sum())),
    "cross-entropy of classes": lambda b, scores: b.F.cross_entropy(scores, b.tensor(D.CLASSES)),
    "cross-entropy of shares": lambda b, scores: -(
        b.tensor(D.SHARES) * b.F.log_softmax(scores, 1)
    ).sum(1).mean(),
    "binary cross-entropy": lambda b, scores: b.F.binary_cross_entropy_with_logits(
        scores, b.tensor(D.SHARES)
    ),
    "bpr": lambda b, positive_scores, negative_scores: -b.F.log_sigmoid(
        positive_scores - negative_scores
    ).mean() if b.name == "paddle" else -b.F.logsigmoid(positive_scores - negative_scores).mean(),
    "sampled softmax": sampled,
}  # fmt: skip
