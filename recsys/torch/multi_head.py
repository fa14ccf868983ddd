r"""Multi-head self-attention: a sequence looks at itself in several subspaces at once.

No projection has a bias. That of the keys could not matter, since softmax ignores a
shift of a whole row; those of the values and the output would add a constant, also to
the output of a row without any key, which is zero here.

Source: Vaswani and others, 2017 (https://arxiv.org/abs/1706.03762, section 3.2.2).
"""

from torch import Tensor, nn

from recsys.checks import check_axes, check_heads, check_padding_mask
from recsys.torch.functional import causal_mask, scaled_dot_scores, softmax_
from recsys.torch.parameters import Dropout, projection


class MultiHeadSelfAttention(nn.Module):
    """Scaled dot-product self-attention with several heads, causal or not.

    Args:
        dim: size of the input and the output.
        n_heads: divides dim; each head works in dim / n_heads dimensions.
        causal: whether a position sees itself and the past only.
        dropout: share of weights dropped in training; off after `eval()`.

    Raises:
        ValueError: dim does not divide by n_heads.
    """

    def __init__(
        self, dim: int, n_heads: int, causal: bool = False, dropout: float = 0.0
    ):
        super().__init__()
        check_heads(dim, n_heads)
        self.n_heads, self.causal = n_heads, causal
        self.query = projection(dim, dim)
        self.key = projection(dim, dim)
        self.value = projection(dim, dim)
        self.output = projection(dim, dim)
        self.drop = Dropout(dropout)

    def forward(
        self, items: Tensor, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let every position average the values of the positions it may see.

        A padded position is never looked at. Its own output is computed like any other
        and means nothing; a position that may see no real item has output zero.

        Args:
            items: (batch, length, dim).
            padding_mask: boolean (batch, length), True = real item.

        Returns:
            Output (batch, length, dim) and weights (batch, heads, length, length), the
            weights before dropout.

        Raises:
            ValueError: shapes that do not fit, or a mask of the wrong shape or dtype.
        """
        check_axes("items", items, ("batch", "length", "dim"))
        query = self._split(self.query(items))  # (batch, heads, length, dim / heads)
        key = self._split(self.key(items))  # (batch, heads, length, dim / heads)
        value = self._split(self.value(items))  # (batch, heads, length, dim / heads)
        weights = softmax_(
            scaled_dot_scores(query, key), self._mask(items, padding_mask)
        )
        mixed = self.drop(weights) @ value  # (batch, heads, length, dim / heads)
        merged = mixed.transpose(1, 2).flatten(2)  # (batch, length, dim)
        return self.output(merged), weights

    def _split(self, projected: Tensor) -> Tensor:
        """(batch, length, dim) to (batch, heads, length, dim / heads)."""
        batch, length, dim = projected.shape
        shape = (batch, length, self.n_heads, dim // self.n_heads)
        return projected.reshape(shape).transpose(1, 2)

    def _mask(self, items: Tensor, padding_mask: Tensor | None) -> Tensor | None:
        """Padding and causality together, (batch or 1, 1, length or 1, length)."""
        mask = None
        if self.causal:
            mask = causal_mask(items.shape[1]).to(items.device)[None, None]
        if padding_mask is not None:
            check_padding_mask(padding_mask, items.shape)
            real = padding_mask[:, None, None, :]  # (batch, 1, 1, length)
            mask = real if mask is None else real & mask
        return mask
