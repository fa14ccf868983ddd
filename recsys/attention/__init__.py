"""The NumPy reference: attention, losses, their derivatives, and checks of gradients.

The formulas of the book in arrays, and what both framework twins are tested against.
NumPy and SciPy only. Order of reading: `weights` (softmax and its kin), `scores`,
`dot_product`, `pooling` (the controls), `losses`, `sampled` (negatives), `differences`
(gradient and Taylor checks); `recsys.checks` words the errors for bad input.
"""

from recsys.attention.dot_product import (
    Projections,
    attend,
    attend_vjp,
    attention,
    attention_vjp,
    causal_mask,
    merge_heads,
    multi_head_attention,
    multi_head_attention_vjp,
    projected_attention,
    projected_attention_vjp,
    split_heads,
)
from recsys.attention.differences import (
    GradientCheck,
    TaylorCheck,
    central_differences,
    gradient_check,
    taylor_check,
)
from recsys.attention.losses import (
    binary_cross_entropy,
    binary_cross_entropy_gradient,
    cross_entropy,
    cross_entropy_gradient,
    mean_over_batches,
    squared_error,
    squared_error_gradient,
)
from recsys.attention.pooling import (
    mean_weights,
    pool,
)
from recsys.attention.sampled import (
    bpr,
    bpr_gradient,
    sample_negatives,
    sampled_softmax,
    sampled_softmax_gradient,
)
from recsys.attention.scores import (
    additive_scores,
    additive_scores_vjp,
    bilinear_scores,
    bilinear_scores_vjp,
    cosine_scores,
    cosine_scores_vjp,
    dot_scores,
    dot_scores_vjp,
    scaled_dot_scores,
    scaled_dot_scores_vjp,
    target_scores,
    target_scores_vjp,
)
from recsys.attention.weights import (
    effective_number,
    entropy,
    log_softmax,
    softmax,
    softmax_vjp,
    sparsemax,
    sparsemax_vjp,
)
