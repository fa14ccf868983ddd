r"""Pooling that looks at no content: the control that attention has to beat.

It returns what attention returns, an output and the weights that made it, and differs
only in where the weights come from. Padding may stand left, right or in between.
`padding_mask` is boolean, True = real item; a history without a real item has weights
and output zero.
"""

import torch
from torch import Tensor, nn

from recsys.checks import check_axes, check_padding_mask
from recsys.torch.functional import attend_


def _real(items: Tensor, padding_mask: Tensor | None) -> Tensor:
    """Check the inputs and give a mask (batch, length) in every case."""
    check_axes("items", items, ("batch", "length", "dim"))
    if padding_mask is None:
        return torch.ones(items.shape[:2], dtype=torch.bool, device=items.device)
    check_padding_mask(padding_mask, items.shape)
    return padding_mask


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
            ValueError: not three axes, or a mask of the wrong shape or dtype.
        """
        real = _real(items, padding_mask)[:, None]  # (batch, 1, length)
        even = torch.zeros_like(real, dtype=items.dtype)  # (batch, 1, length)
        output, weights = attend_(even, items, real)
        return output[:, 0], weights[:, 0]
