"""Where the frameworks differ: first weights, what dropout draws, stored weights.

The frameworks start a Linear layer differently and store its weight transposed to each
other, so the start is written out here, and arrays have one layout: (in, out), that of
`inputs @ weight`. Arrays from one twin load into the other, and into the NumPy
reference; so does what `engine.weights` gives and a checkpoint holds. Their random
numbers never agree, so dropout draws its masks from a NumPy generator.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from recsys.checks import check_arrays


def projection(in_dim: int, out_dim: int, bias: bool = False) -> nn.Linear:
    """Make a Linear layer with Glorot uniform weights and, if asked for, a zero bias.

    Args:
        in_dim: size of the last axis of the input.
        out_dim: size of the last axis of the output.
        bias: whether there is one.

    Returns:
        The layer.

    Source: Glorot and Bengio, 2010, equation 16.
    """
    layer = nn.Linear(in_dim, out_dim, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


class Dropout(nn.Module):
    """Dropout whose masks come from a NumPy generator: both frameworks draw the same.

    Each number is set to zero with the probability given, and the others are divided by
    the probability of staying; in evaluation nothing happens.

    Args:
        share: probability of being dropped, from 0 to below 1.

    Raises:
        ValueError: a share out of range.

    Source: Srivastava and others, 2014, section 10 (scaled in training).
    """

    def __init__(self, share: float):
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"dropout: expected from 0 to below 1, got {share}")
        self.share = share
        self.rng = np.random.default_rng(0)  # until `draw_from` gives another

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of any shape to the same shape."""
        if not self.training or self.share == 0:
            return inputs
        kept = self.rng.random(tuple(inputs.shape), dtype=np.float32) >= self.share
        mask = torch.from_numpy(kept).to(inputs.dtype)
        return inputs * (mask / (1 - self.share))


def draw_from(network: nn.Module, rng: np.random.Generator) -> None:
    """Let every dropout of a network draw from one generator, in the order of modules.

    Args:
        network: any layer or model.
        rng: the generator.
    """
    for layer in network.modules():
        if isinstance(layer, Dropout):
            layer.rng = rng


def to_arrays(layer: nn.Module) -> dict[str, np.ndarray]:
    """Copy what a layer keeps to NumPy, the matrices of Linear layers as (in, out).

    Args:
        layer: any layer or model.

    Returns:
        Parameters and buffers by name, the same names and shapes in both twins.
    """
    turned = _stored_out_in(layer)
    arrays = {}
    for name, tensor in layer.state_dict().items():
        array = tensor.numpy(force=True)
        arrays[name] = (array.T if name in turned else array).copy()
    return arrays


def load_arrays(layer: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Copy NumPy arrays, as `to_arrays` of either twin gives them, into a layer.

    Args:
        layer: any layer or model; what it keeps stays of the same dtype.
        arrays: one for each parameter and buffer, by name.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    check_arrays(to_arrays(layer), arrays)
    turned = _stored_out_in(layer)
    with torch.no_grad():
        for name, tensor in layer.state_dict().items():
            array = np.asarray(arrays[name])
            tensor.copy_(torch.tensor(array.T if name in turned else array))


def _stored_out_in(layer: nn.Module) -> set[str]:
    """Names of the weights that the framework stores as (out, in)."""
    named = layer.named_modules(remove_duplicate=False)
    linear = [name for name, module in named if isinstance(module, nn.Linear)]
    return {f"{name}.weight".lstrip(".") for name in linear}
