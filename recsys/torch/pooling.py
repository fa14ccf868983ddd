r"""Pooling that looks at no content: the controls that attention has to beat.

Each layer returns what attention returns, an output and the weights that made it, and
differs only in where the weights come from. Padding may stand left, right or in between:
age counts real positions, not columns. `padding_mask` is boolean, True = real item; a
history without a real item has weights and output zero.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsys.checks import check_axes, check_padding_mask
from recsys.torch.functional import attend


def _real(items: Tensor, padding_mask: Tensor | None) -> Tensor:
    """Check the inputs and give a mask (batch, length) in every case."""
    check_axes("items", items, ("batch", "length", "dim"))
    if padding_mask is None:
        return torch.ones(items.shape[:2], dtype=torch.bool, device=items.device)
    check_padding_mask(padding_mask, items.shape)
    return padding_mask


def _ages(real: Tensor, dtype: torch.dtype) -> Tensor:
    """Number of real positions after each one, (batch, length)."""
    return real.flip(1).cumsum(1).flip(1).to(dtype) - 1


def _pool(scores: Tensor, items: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Attend with one query whose scores (batch, length) are given."""
    output, weights = attend(scores[:, None, :], items, mask[:, None, :])
    return output[:, 0], weights[:, 0]


class MeanPooling(nn.Module):
    """The plain mean of the real items."""

    def forward(
        self, items: Tensor, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Average the real items of each row.

        Args:
            items: (batch, length, dim).
            padding_mask: boolean (batch, length), True = real item.

        Returns:
            Output (batch, dim) and weights (batch, length).

        Raises:
            ValueError: items that are not finite, a mask of the wrong shape or dtype.
        """
        real = _real(items, padding_mask)
        return _pool(torch.zeros_like(real, dtype=items.dtype), items, real)


class LastPooling(nn.Module):
    """The last real item."""

    def forward(
        self, items: Tensor, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Take the last real item of each row.

        Args:
            items: (batch, length, dim).
            padding_mask: boolean (batch, length), True = real item.

        Returns:
            Output (batch, dim) and weights (batch, length).

        Raises:
            ValueError: items that are not finite, a mask of the wrong shape or dtype.
        """
        real = _real(items, padding_mask)
        last = real & (_ages(real, items.dtype) == 0)
        return _pool(torch.zeros_like(real, dtype=items.dtype), items, last)


class DecayPooling(nn.Module):
    """A mean whose weights fall with age, in proportion to exp(-rate * age).

    The rate is learned and kept positive by softplus; it starts at log 2, so that each step
    back halves the weight. Rate 0 would be the mean, a large rate is the last item.
    """

    def __init__(self):
        super().__init__()
        self.raw_rate = nn.Parameter(torch.zeros(1))

    def forward(
        self, items: Tensor, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Average the real items of each row, the recent ones more.

        Args:
            items: (batch, length, dim).
            padding_mask: boolean (batch, length), True = real item.

        Returns:
            Output (batch, dim) and weights (batch, length).

        Raises:
            ValueError: items that are not finite, a mask of the wrong shape or dtype.
        """
        real = _real(items, padding_mask)
        rate = F.softplus(self.raw_rate)
        return _pool(-rate * _ages(real, items.dtype), items, real)
