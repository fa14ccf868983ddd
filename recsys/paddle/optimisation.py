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

import paddle
from paddle import Tensor, nn


def adamw(model: nn.Layer, config: Any) -> paddle.optimizer.Optimizer:
    """AdamW over all parameters.

    Args:
        model: whose parameters are updated.
        config: a `FitConfig`, for `learning_rate` and `weight_decay`.

    Returns:
        The optimizer.

    Source: Loshchilov and Hutter, 2019 (https://arxiv.org/abs/1711.05101).
    """
    # Paddle: an optimizer has other names of arguments
    return paddle.optimizer.AdamW(
        config.learning_rate,
        parameters=model.parameters(),
        weight_decay=config.weight_decay,
    )


def rowwise_adagrad(model: nn.Layer, config: Any) -> paddle.optimizer.Optimizer:
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


class RowwiseAdagrad(paddle.optimizer.AdamW):
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
        # Paddle: an optimizer has other names of arguments and wants a list
        super().__init__(lr, parameters=list(parameters), weight_decay=weight_decay)
        self.row_scale = row_scale

    @paddle.no_grad()
    def step(self, closure=None):
        """Update every parameter that has a gradient."""
        # Paddle: no closure, one rate; a sparse gradient is kept as "selected rows"
        sparse = [
            (parameter, parameter.grad)
            for parameter in self._parameter_list
            if parameter.grad is not None and parameter.grad.is_selected_rows()
        ]
        # Paddle: selected rows are merged by a call; a gradient is taken away by a method
        for parameter, gradient in sparse:
            self._update_rows(parameter, _merged(gradient))
            parameter.clear_gradient(False)  # AdamW passes over it
        super().step()  # Paddle: `step` returns nothing
        for parameter, gradient in sparse:
            parameter.grad = gradient

    # Paddle: an optimizer's state is made, or found, by a call; a gradient knows its rows as a list
    def _update_rows(self, parameter: nn.Parameter, gradient: Tensor) -> None:
        of_rows = self._add_accumulator(
            "row_square", parameter, shape=parameter.shape[:1]
        )
        rows = paddle.to_tensor(gradient.rows())  # (touched,)
        values = gradient._get_tensor_from_selected_rows()  # (touched, dim)
        square = of_rows[rows] + values.square().mean(1)  # (touched,)
        of_rows.scatter_(rows, square)
        step = values / (square.sqrt() + self._epsilon)[:, None]  # (touched, dim)
        parameter.index_add_(rows, 0, step * (-self.row_scale * self.get_lr()))


# Paddle: `coalesce` is a function, which no documented list names
def _merged(gradient: Tensor) -> Tensor:
    """Merge selected rows: a row that was met twice is one, as torch's `coalesce`."""
    return paddle.nn.clip.merge_selected_rows(gradient)


def set_learning_rate(optimizer: paddle.optimizer.Optimizer, share: float) -> float:
    """Give each group its share of the rate that it was made with.

    Args:
        optimizer: the first call notes the rates of its groups as their peaks.
        share: of the peak, from 0 to 1.

    Returns:
        The learning rate of the first group.
    """
    # Paddle: the rates of groups are multiples of one
    if not hasattr(optimizer, "peak_lr"):
        optimizer.peak_lr = optimizer.get_lr()
    optimizer.set_lr(optimizer.peak_lr * share)
    return optimizer.get_lr()


@paddle.no_grad()  # Paddle: a gradient is a leaf, which else refuses to change in place
def clip_gradients(model: nn.Layer, longest: float) -> Tensor:
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
        # Paddle: a sparse gradient is "selected rows"
        if parameter.grad is not None and parameter.grad.is_selected_rows():
            parameter.grad = _merged(parameter.grad)
            values.append(parameter.grad._get_tensor_from_selected_rows())
        elif parameter.grad is not None:
            values.append(parameter.grad)
    # Paddle: no `get_total_norm`
    squares = [value.square().sum() for value in values]
    norm = paddle.stack(squares).sum().sqrt()
    shrink = (longest / (norm + 1e-6)).clamp(max=1.0)
    for value in values:
        value.mul_(shrink)
    return norm


def pack_state(
    model: nn.Layer, optimizer: paddle.optimizer.Optimizer
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
        # Paddle: an optimizer keeps its state by key, then by a name with a counter of the whole process
        owned = {
            key: of[parameter.name]
            for key, of in optimizer._accumulators.items()
            if parameter.name in of
        }
        for key, value in owned.items():
            if isinstance(value, Tensor) and not value.is_dense():
                raise ValueError(
                    f"optimizer: expected dense tensors in its state, got {key!r} of {name!r} as "
                    # Paddle: a tensor is dense or selected rows
                    "selected rows; keep it dense, or train without a checkpoint"
                )
            (tensors if isinstance(value, Tensor) else numbers)[f"{name}:{key}"] = value
    return tensors, numbers


def unpack_state(
    model: nn.Layer, optimizer: paddle.optimizer.Optimizer, packed: Mapping[str, Any]
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
        # Paddle: state that is one number has the shape (1,)
        if whole is None or shape not in ((1,), whole[:1], whole):
            raise ValueError(
                f"optimizer: expected the state of a parameter of this model, got {place!r} of shape {shape}; "
                "give what was packed from a model like this"
            )
        # Paddle: an optimizer's state is made, or found, by a call
        kept = optimizer._add_accumulator(
            key, parameters[name], dtype=value.dtype, shape=list(shape)
        )
        kept.set_value(value)
