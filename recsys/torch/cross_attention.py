r"""Three layers in which queries look at items: dot-product, additive, target.

In all of them a query may be a user, a candidate or a position, and the items a
history. Each returns the output and the attention weights that made it. `padding_mask`
is boolean, True = real item; a history without a real item has weights and output zero.

There is no bias on the keys. It could not matter: it adds the same number to every
score of a row, and softmax ignores such a shift.
"""

import torch
from torch import Tensor, nn

from recsys.checks import check_axes, check_batches, check_padding_mask
from recsys.torch.functional import attend_, attention_
from recsys.torch.parameters import projection


def _score_mask(
    query: Tensor, items: Tensor, padding_mask: Tensor | None
) -> Tensor | None:
    """Check the inputs; padding mask (batch, length) to (batch, 1, length)."""
    check_axes("query", query, ("batch", "queries", "dim"))
    check_axes("items", items, ("batch", "length", "dim"))
    check_batches(query, items)
    if padding_mask is None:
        return None
    check_padding_mask(padding_mask, items.shape)
    return padding_mask[:, None, :]


class DotProductAttention(nn.Module):
    """Scaled dot-product attention with learned query, key and value projections.

    Args:
        query_dim: size of a query.
        item_dim: size of an item.
        dim: size of the projections and of the output.

    Source: Vaswani and others, 2017 (https://arxiv.org/abs/1706.03762, section 3.2.1).
    """

    def __init__(self, query_dim: int, item_dim: int, dim: int):
        super().__init__()
        self.query = projection(query_dim, dim)
        self.key = projection(item_dim, dim)
        self.value = projection(item_dim, dim)

    def forward(
        self, query: Tensor, items: Tensor, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let each query average the values of its own row of items.

        Args:
            query: (batch, queries, query_dim).
            items: (batch, length, item_dim).
            padding_mask: boolean (batch, length), True = real item.

        Returns:
            Output (batch, queries, dim) and weights (batch, queries, length).

        Raises:
            ValueError: shapes that do not fit, or a mask of the wrong shape or dtype.
        """
        mask = _score_mask(query, items, padding_mask)  # (batch, 1, length) or None
        return attention_(self.query(query), self.key(items), self.value(items), mask)


class AdditiveAttention(nn.Module):
    """Additive attention: score <v, tanh(W_q q + W_k h)>, output a mean of the items.

    Args:
        query_dim: size of a query.
        item_dim: size of an item and of the output.
        hidden_dim: size of the space in which they meet.

    Source: Bahdanau and others, 2015 (https://arxiv.org/abs/1409.0473, appendix A.1.2).
    """

    def __init__(self, query_dim: int, item_dim: int, hidden_dim: int):
        super().__init__()
        self.query = projection(query_dim, hidden_dim)
        self.key = projection(item_dim, hidden_dim)
        self.direction = projection(hidden_dim, 1)

    def forward(
        self, query: Tensor, items: Tensor, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let each query average its own row of items.

        Args:
            query: (batch, queries, query_dim).
            items: (batch, length, item_dim).
            padding_mask: boolean (batch, length), True = real item.

        Returns:
            Output (batch, queries, item_dim) and weights (batch, queries, length).

        Raises:
            ValueError: shapes that do not fit, or a mask of the wrong shape or dtype.
        """
        mask = _score_mask(query, items, padding_mask)  # (batch, 1, length) or None
        asked = self.query(query)[:, :, None, :]  # (batch, queries, 1, hidden_dim)
        pairs = (
            asked + self.key(items)[:, None, :, :]
        )  # (batch, queries, length, hidden_dim)
        scores = self.direction(torch.tanh(pairs))[..., 0]  # (batch, queries, length)
        return attend_(scores, items, mask)


class TargetAttention(nn.Module):
    """Target attention: a candidate asks a history what speaks for it.

    The activation unit of DIN sees the candidate c, the past item h and their product:
    score <v, tanh(W_c c + b + W_h h + W_p (c * h))>. Their difference needs no matrix
    of its own, since W_c and W_h hold it. Unlike DIN's, the weights are normalised by
    softmax, so that they can be compared with those of the other layers.

    Args:
        dim: size of a candidate, an item and the output.
        hidden_dim: size of the hidden layer.

    Source: Zhou and others, 2018 (https://arxiv.org/abs/1706.06978, section 4.3).
    """

    def __init__(self, dim: int, hidden_dim: int):
        super().__init__()
        self.candidate = projection(dim, hidden_dim, bias=True)
        self.item = projection(dim, hidden_dim)
        self.product = projection(dim, hidden_dim)
        self.direction = projection(hidden_dim, 1)

    def forward(
        self, query: Tensor, items: Tensor, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let each candidate average its own row of history.

        Args:
            query: the candidates (batch, candidates, dim).
            items: the history (batch, length, dim).
            padding_mask: boolean (batch, length), True = real item.

        Returns:
            Output (batch, candidates, dim) and weights (batch, candidates, length).

        Raises:
            ValueError: shapes that do not fit, or a mask of the wrong shape or dtype.
        """
        mask = _score_mask(query, items, padding_mask)  # (batch, 1, length) or None
        product = (
            query[:, :, None, :] * items[:, None, :, :]
        )  # (batch, candidates, length, dim)
        asked = self.candidate(query)[
            :, :, None, :
        ]  # (batch, candidates, 1, hidden_dim)
        singles = (
            asked + self.item(items)[:, None, :, :]
        )  # (batch, candidates, length, hidden_dim)
        hidden = torch.tanh(singles + self.product(product))  # as singles
        scores = self.direction(hidden)[..., 0]  # (batch, candidates, length)
        return attend_(scores, items, mask)
