"""What is asked of the framework: a gradient, an update, arrays in and arrays out.

Batches, weights and what a network says go from arrays to tensors and back here (dropout's
masks and copies between twins: `parameters`). The loop that uses it is
`recsys.training.loop`.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from recsys.checks import check_weights
from recsys.paddle.optimisation import (
    adamw,
    clip_gradients,
    pack_state,
    set_learning_rate,
    unpack_state,
)
from recsys.paddle.parameters import draw_from, load_arrays, to_arrays
from recsys.training.loop import FitConfig


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start the framework's generator at a seed; that of the caller stays."""
    # Paddle: no `fork_rng`
    before = paddle.get_rng_state()
    paddle.seed(seed)
    try:
        yield
    finally:  # Paddle: the generator's state has to be put back
        paddle.set_rng_state(before)


def tensors(arrays: tuple[np.ndarray, ...]) -> tuple[Tensor, ...]:
    """Carry arrays over, without a copy where they are contiguous and writable."""
    return tuple(paddle.to_tensor(array) for array in arrays)  # Paddle: `to_tensor` copies


@paddle.no_grad()
def run(function: Callable, *arrays: np.ndarray) -> Any:
    """Call a network, or a method of one, on arrays.

    Args:
        function: from tensors to a tensor or a tuple of them.
        arrays: its arguments.

    Returns:
        What it returns, as arrays, without gradients.
    """
    result = function(*tensors(arrays))
    if isinstance(result, tuple):
        return tuple(part.numpy() for part in result)
    return result.numpy()


def in_float64(network: nn.Layer) -> nn.Layer:
    """Make a copy of a network that computes in double precision."""
    # Paddle: `double` would cast whole numbers and booleans too
    return copy.deepcopy(network)._to_impl(dtype="float64", floating_only=True)


class Engine:
    """One network with its loss and its optimizer.

    Args:
        network: trained in place.
        loss: from network and batch of tensors to a scalar, a mean over the targets.
        config: learning rate, weight decay, longest gradient.
        optimizer: from network and config to an optimizer, `adamw` by default. The
            rates of its groups are peaks of the cycle; gradients may be sparse; all
            that changes in it is its state of each parameter, dense tensors and
            numbers.
    """

    def __init__(
        self,
        network: nn.Layer,
        loss: Callable,
        config: FitConfig,
        optimizer: Callable = adamw,
    ):
        self.network, self.loss, self.config = network, loss, config
        self.optimizer = optimizer(network, config)
        shapes = {name: list(array.shape) for name, array in self.weights().items()}
        self.identity = {
            "framework": "paddle",
            "class": type(network).__name__,
            "optimizer": type(self.optimizer).__name__,
            "shapes": shapes,
        }

    def gradient(
        self, batch: tuple[np.ndarray, ...], rng: np.random.Generator
    ) -> tuple[float, float]:
        """Loss of a batch, and the norm of its gradient, which is clipped and kept.

        Args:
            batch: arrays.
            rng: what dropout draws from.

        Returns:
            Loss, and norm before clipping.
        """
        draw_from(self.network, rng)
        self.network.zero_grad()  # of all parameters: an optimizer may have a few
        loss = self.loss(self.network, tensors(batch))
        loss.backward()
        norm = clip_gradients(self.network, self.config.clip_norm)
        return loss.item(), norm.item()

    def update(self, share: float) -> float:
        """Take the step at a share of the peak rate; returns the first group's rate."""
        rate = set_learning_rate(self.optimizer, share)
        self.optimizer.step()
        return rate

    def training(self, on: bool) -> None:
        """Dropout on or off."""
        self.network.train(on)

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of parameters and buffers, by name, in the layout of both twins."""
        return to_arrays(self.network)

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Put parameters and buffers back.

        Args:
            weights: what `weights` of a network like this gave, of either twin.

        Raises:
            ValueError: another name, shape or dtype, or a number that is not finite.
        """
        check_weights(self.weights(), weights)
        load_arrays(self.network, weights)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What changes in the optimizer: arrays, and numbers, by "parameter:key"."""
        packed, numbers = pack_state(self.network, self.optimizer)
        return {name: tensor.numpy() for name, tensor in packed.items()}, numbers

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        packed = {}
        for name, value in state.items():
            is_array = isinstance(value, np.ndarray)
            packed[name] = paddle.to_tensor(value) if is_array else value
        unpack_state(self.network, self.optimizer, packed)
