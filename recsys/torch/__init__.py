"""Attention layers in PyTorch; `recsys.paddle` is the twin.

File names, class names, argument names and docstrings are the same in both, and neither
imports the other. Importing this package loads the framework through `recsys.runtime`,
which sets its threads. `functional` holds the formulas, `cross_attention`,
`multi_head` and `pooling` the layers, `parameters` the copying of weights between twins.
"""

from recsys.runtime import import_torch

import_torch()

from recsys.torch.cross_attention import AdditiveAttention, DotProductAttention, TargetAttention
from recsys.torch.functional import attend, attention, causal_mask, scaled_dot_scores, softmax
from recsys.torch.multi_head import MultiHeadSelfAttention
from recsys.torch.parameters import load_arrays, projection, to_arrays
from recsys.torch.pooling import DecayPooling, LastPooling, MeanPooling
