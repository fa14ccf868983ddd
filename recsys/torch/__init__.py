"""Attention and recommenders in PyTorch: what needs the framework, and nothing else.

Three shelves. *Layers*: `functional` has the formulas, `cross_attention`, `multi_head`,
`pooling`, `mixers` and `activation_unit` the layers, `parameters` where the frameworks
differ. *Networks with their losses*, a file each: `sasrec`, `history_attention`, `ncf`,
`factorisation`, `nrms`, `target_ranker`, `next_basket`, `skip_gram`, `masked_language`;
what they are fed, and how they are fitted and asked, stands in `recsys.neural`. *A
step*: `output_losses`, `optimisation`, `engine`. And `lightning`, the road to many
machines.

`recsys.paddle` is the twin. File names, class names, argument names and docstrings are
the same in both, and neither imports the other. Importing this package loads the
framework through `recsys.runtime`, which sets its threads.
"""

from recsys.runtime import import_torch

import_torch()

from recsys.torch.cross_attention import (
    AdditiveAttention,
    DotProductAttention,
    TargetAttention,
)
from recsys.torch.functional import (
    attend,
    attention,
    causal_mask,
    scaled_dot_scores,
    softmax,
)
from recsys.torch.multi_head import MultiHeadSelfAttention
from recsys.torch.parameters import load_arrays, projection, to_arrays
from recsys.torch.pooling import MeanPooling
