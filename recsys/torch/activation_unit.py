r"""DIN's activation unit: a candidate weighs a history, without softmax.

score(c, h) = <v, PReLU(W_c c + W_h h + W_p (c * h) + b)> + v_0

and the output is the sum of score times value over the real items. Since the scores are
not normalised, a history with more of what the candidate resembles gives a longer
vector: the strength of an interest stays. A softmax over the same kind of score is
`cross_attention.TargetAttention`.

The paper sums over padded items too where an implementation forgets the mask; here an
item that is not real weighs exactly zero.

Source: Zhou and others, 2018 (https://arxiv.org/abs/1706.06978, section 4.3 and
figure 2).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.checks import check_axes, check_batches, check_padding_mask
from recsys.torch.parameters import projection


class ActivationUnit(nn.Module):
    """Weigh each item of a history by a network of candidate, item and their product.

    Args:
        dim: size of a candidate, an item and the output.
        hidden_dim: size of the hidden layer, 36 in the paper.

    Source: Zhou and others, 2018 (https://arxiv.org/abs/1706.06978, equation 3).
    """

    def __init__(self, dim: int, hidden_dim: int = 36):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.candidate = projection(dim, hidden_dim, bias=True)
        self.item = projection(dim, hidden_dim)
        self.product = projection(dim, hidden_dim)
        self.slope = nn.Parameter(torch.full((1,), 0.25))
        self.score = projection(hidden_dim, 1, bias=True)

    def forward(
        self, query: Tensor, items: Tensor, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let each candidate sum its own row of history.

        Args:
            query: the candidates (batch, candidates, dim).
            items: the history (batch, length, dim).
            padding_mask: boolean (batch, length), True = real item.

        Returns:
            Output (batch, candidates, dim) and weights (batch, candidates, length): any
            real numbers, zero where padded.

        Raises:
            ValueError: another number of axes or batches, or a mask of the wrong shape
                or dtype.
            RuntimeError: vectors of another size than `dim`.
        """
        check_axes("query", query, ("batch", "candidates", "dim"))
        check_axes("items", items, ("batch", "length", "dim"))
        check_batches(query, items)
        gated = (
            query[:, :, None, :] * self.product.weight
        )  # (batch, candidates, hidden, dim)
        product = (
            gated.flatten(1, 2) @ items.mT
        )  # (batch, candidates * hidden, length), no tensor of all c * h
        product = product.unflatten(
            1, (-1, self.hidden_dim)
        )  # (batch, candidates, hidden, length)
        asked = self.candidate(query)[..., None]  # (batch, candidates, hidden, 1)
        told = self.item(items).mT[:, None]  # (batch, 1, hidden, length)
        singles = asked + told  # (batch, candidates, hidden, length)
        hidden = singles + product  # (batch, candidates, hidden, length)
        hidden = F.prelu(hidden, self.slope)  # as before
        scores = self.score.weight @ hidden  # (batch, candidates, 1, length)
        weights = scores[:, :, 0] + self.score.bias  # (batch, candidates, length)
        if padding_mask is not None:
            check_padding_mask(padding_mask, items.shape)
            weights = weights * padding_mask[:, None, :].to(weights.dtype)
        return weights @ items, weights
