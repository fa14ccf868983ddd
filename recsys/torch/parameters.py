"""Where the frameworks differ: first weights, what dropout draws, stored weights.

The frameworks start a Linear layer differently and store its weight transposed to each
other, so the start is written out here, and arrays have one layout: (in, out), that of
`inputs @ weight`. Arrays from one twin load into the other, and into the NumPy
reference. Their random numbers never agree, so dropout draws its masks from a NumPy
generator.
"""

import numpy as np
import torch
from torch import Tensor, nn


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


def _named_parameters(layer: nn.Module):
    """Yield (name, parameter, whether it is stored as (out, in))."""
    for prefix, module in layer.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            stored_out_in = isinstance(module, nn.Linear) and name == "weight"
            yield f"{prefix}.{name}".lstrip("."), parameter, stored_out_in


def to_arrays(layer: nn.Module) -> dict[str, np.ndarray]:
    """Copy a layer's parameters to NumPy, the matrices of Linear layers as (in, out).

    Args:
        layer: any layer or model.

    Returns:
        Arrays by parameter name, the same names and shapes in both twins.
    """
    arrays = {}
    for name, parameter, stored_out_in in _named_parameters(layer):
        array = parameter.detach().cpu().numpy()
        arrays[name] = (array.T if stored_out_in else array).copy()
    return arrays


def load_arrays(layer: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Copy NumPy arrays, as `to_arrays` of either twin gives them, into a layer.

    Args:
        layer: any layer or model; its parameters keep their dtype.
        arrays: one for each parameter, by name.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    expected = {name: array.shape for name, array in to_arrays(layer).items()}
    got = {name: np.shape(array) for name, array in arrays.items()}
    if got != expected:
        raise ValueError(
            f"arrays: expected the names and shapes {expected}, got {got}; make both layers "
            "with the same arguments"
        )
    with torch.no_grad():
        for name, parameter, stored_out_in in _named_parameters(layer):
            array = np.asarray(arrays[name])
            parameter.copy_(torch.tensor(array.T if stored_out_in else array))
