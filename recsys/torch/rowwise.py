r"""An optimiser for models with a very large table of embeddings.

A step touches a few thousand rows of a table of millions. Adam keeps two numbers for every
number of the table, and moves all rows in every step. Here a parameter whose gradient is
sparse keeps one number a row, and only the rows that were touched are read and written; all
other parameters are AdamW's.

Source: Adagrad (Duchi, Hazan and Singer, 2011, https://jmlr.org/papers/v12/duchi11a.html), with
one accumulated mean of squares for each row, as in MXNet's GroupAdaGrad.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class RowwiseAdagrad(torch.optim.AdamW):
    """Row-wise Adagrad where a gradient is sparse, AdamW elsewhere.

    For a row with gradient g: s += mean(g^2); row -= row_scale * lr * g / (sqrt(s) + eps).

    Args:
        parameters: of the model.
        lr: learning rate.
        weight_decay: of AdamW; rows are not decayed.
        row_scale: what the learning rate of rows is multiplied by. Adagrad's steps shrink
            with time and Adam's do not, so that rows need a larger rate; chosen on the
            validation part of MovieLens 100K.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float = 0.0,
                 row_scale: float = 30.0):  # fmt: skip
        super().__init__(parameters, lr=lr, weight_decay=weight_decay)
        self.row_scale = row_scale

    @torch.no_grad()
    def step(self, closure=None):
        """Update every parameter that has a gradient."""
        sparse = [(parameter, parameter.grad, group) for group in self.param_groups
                  for parameter in group["params"] if parameter.grad is not None and parameter.grad.is_sparse]  # fmt: skip
        for parameter, gradient, group in sparse:
            self._update_rows(parameter, gradient.coalesce(), group)
            parameter.grad = None  # AdamW passes over it
        loss = super().step(closure)
        for parameter, gradient, _ in sparse:
            parameter.grad = gradient
        return loss

    def _update_rows(self, parameter: nn.Parameter, gradient: Tensor, group: dict) -> None:
        state = self.state[parameter]
        if not state:
            state["row_square"] = torch.zeros(len(parameter), dtype=parameter.dtype)
        rows, values = gradient.indices()[0], gradient.values()  # (touched,) and (touched, dim)
        square = state["row_square"][rows] + values.square().mean(1)
        state["row_square"][rows] = square
        step = values / (square.sqrt() + group["eps"])[:, None]
        parameter.index_add_(0, rows, step, alpha=-self.row_scale * group["lr"])
