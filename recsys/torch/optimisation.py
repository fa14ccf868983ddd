"""What an update is made of: optimizer, learning rate, clipped gradient, state.

And an optimizer for models with a very large table of embeddings. A step touches a few
thousand rows of a table of millions. Adam keeps two numbers for every number of the
table, and moves all rows in every step. `RowwiseAdagrad` keeps one number a row for a
parameter whose gradient is sparse, and only the rows that were touched are read and
written; all other parameters are AdamW's.

Source: Adagrad (Duchi, Hazan and Singer, 2011,
https://jmlr.org/papers/v12/duchi11a.html), with one accumulated mean of squares for
each row, as in MXNet's GroupAdaGrad.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def adamw(model: nn.Module, config: Any) -> torch.optim.Optimizer:
    """AdamW over all parameters.

    Args:
        model: whose parameters are updated.
        config: a `FitConfig`, for `learning_rate` and `weight_decay`.

    Returns:
        The optimizer.

    Source: Loshchilov and Hutter, 2019 (https://arxiv.org/abs/1711.05101).
    """
    return torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )


def rowwise_adagrad(model: nn.Module, config: Any) -> torch.optim.Optimizer:
    """`RowwiseAdagrad` over all parameters.

    Args:
        model: whose parameters are updated.
        config: a `FitConfig`, for `learning_rate` and `weight_decay`.

    Returns:
        The optimizer.
    """
    return RowwiseAdagrad(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )


class RowwiseAdagrad(torch.optim.AdamW):
    """Row-wise Adagrad where a gradient is sparse, AdamW elsewhere.

    For a row with gradient g: s += mean(g^2);
    row -= row_scale * lr * g / (sqrt(s) + eps).

    Args:
        parameters: of the model.
        lr: learning rate.
        weight_decay: of AdamW; rows are not decayed.
        row_scale: what the learning rate of rows is multiplied by. Adagrad's steps
            shrink with time and Adam's do not, so that rows need a larger rate; chosen
            on the validation part of MovieLens 100K.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float = 0.0,
        row_scale: float = 30.0,
    ):
        super().__init__(parameters, lr=lr, weight_decay=weight_decay)
        self.row_scale = row_scale

    @torch.no_grad()
    def step(self, closure=None):
        """Update every parameter that has a gradient."""
        sparse = [
            (parameter, parameter.grad, group)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None and parameter.grad.is_sparse
        ]
        for parameter, gradient, group in sparse:
            self._update_rows(parameter, gradient.coalesce(), group)
            parameter.grad = None  # AdamW passes over it
        loss = super().step(closure)
        for parameter, gradient, _ in sparse:
            parameter.grad = gradient
        return loss

    def _update_rows(
        self, parameter: nn.Parameter, gradient: Tensor, group: dict
    ) -> None:
        state = self.state[parameter]
        if not state:
            state["row_square"] = torch.zeros(len(parameter), dtype=parameter.dtype)
        rows = gradient.indices()[0]  # (touched,)
        values = gradient.values()  # (touched, dim)
        square = state["row_square"][rows] + values.square().mean(1)  # (touched,)
        state["row_square"][rows] = square
        step = values / (square.sqrt() + group["eps"])[:, None]  # (touched, dim)
        parameter.index_add_(0, rows, step, alpha=-self.row_scale * group["lr"])


def set_learning_rate(optimizer: torch.optim.Optimizer, share: float) -> float:
    """Give each group its share of the rate that it was made with.

    Args:
        optimizer: the first call notes the rates of its groups as their peaks.
        share: of the peak, from 0 to 1.

    Returns:
        The learning rate of the first group.
    """
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("peak_lr", group["lr"]) * share
    return optimizer.param_groups[0]["lr"]


def clip_gradients(model: nn.Module, longest: float) -> Tensor:
    """Shorten the gradient of all parameters together, in place.

    As `torch.nn.utils.clip_grad_norm_`, and for sparse gradients too: those are
    coalesced first, so that a row that was met twice counts as one row, as it does in a
    dense gradient.

    Args:
        model: whose gradients are clipped.
        longest: the longest norm that is left as it is.

    Returns:
        The norm before, a scalar.
    """
    values = []
    for parameter in model.parameters():
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            values.append(parameter.grad.values())
        elif parameter.grad is not None:
            values.append(parameter.grad)
    norm = nn.utils.get_total_norm(values)
    shrink = (longest / (norm + 1e-6)).clamp(max=1.0)
    for value in values:
        value.mul_(shrink)
    return norm


def pack_state(
    model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Take the state of an optimizer apart: tensors, and the numbers that are none.

    Args:
        model: names the parameters.
        optimizer: all that changes in it is its state of each parameter, dense tensors
            and plain numbers.

    Returns:
        Tensors and numbers, each by "parameter:key".

    Raises:
        ValueError: a sparse tensor, which a checkpoint cannot hold.
    """
    tensors, numbers = {}, {}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor) and value.layout != torch.strided:
                raise ValueError(
                    f"optimizer: expected dense tensors in its state, got {key!r} of {name!r} as "
                    f"{value.layout}; keep it dense, or train without a checkpoint"
                )
            (tensors if isinstance(value, Tensor) else numbers)[f"{name}:{key}"] = value
    return tensors, numbers


def unpack_state(
    model: nn.Module, optimizer: torch.optim.Optimizer, packed: Mapping[str, Any]
) -> None:
    """Put back what `pack_state` took apart.

    Args:
        model: names the parameters.
        optimizer: of this model.
        packed: tensors and numbers in one mapping.

    Raises:
        ValueError: no such parameter, or a tensor that is neither one number, nor one a
            row, nor one an element of its parameter.
    """
    parameters = dict(model.named_parameters())
    for place, value in packed.items():
        name, _, key = place.rpartition(":")
        shape = tuple(getattr(value, "shape", ()))
        whole = tuple(parameters[name].shape) if name in parameters else None
        if whole is None or shape not in ((), whole[:1], whole):
            raise ValueError(
                f"optimizer: expected the state of a parameter of this model, got {place!r} of shape {shape}; "
                "give what was packed from a model like this"
            )
        optimizer.state[parameters[name]][key] = value
