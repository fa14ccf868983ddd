"""One framework climbs: from one start, with the same batches and random numbers.

What a climb finds are arrays by name, "RUNG" or "RUNG/PART". `rungs` compares those of
two frameworks.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any
from zlib import crc32

import numpy as np

from recsys.batches.words import HiddenWordBatches, SkipGramBatches, text_windows
from recsys.book.parity.cases import MARKS, Case
from recsys.book.parity.trainings import cast
from recsys.training.checkpoint import digest
from recsys.training.loop import FitConfig
from recsys.training.steps import one_cycle, step_rng

STOP, RESUMED = 10, 50
"""A training stops after the one, goes on in another network, and ends after the other."""

TRAINING = FitConfig(learning_rate=0.01, weight_decay=0.01)
UNCLIPPED = 1e9


class Ladder:
    """One network in one framework: made afresh, with its optimizer, for each rung.

    Args:
        framework: "torch" or "paddle".
        case: which network.
        dtype: that it computes in.
        shift: added to the start of the parameters of these names, to plant a fault.
    """

    def __init__(
        self,
        framework: str,
        case: Case,
        dtype: str,
        shift: Mapping[str, float] | None = None,
    ):
        self.framework, self.case, self.dtype = framework, case, dtype
        self.shift = shift or {}
        self.parameters = import_module(f"recsys.{framework}.parameters")
        self.module = import_module(f"recsys.{framework}.engine")
        _, batches = self.make()
        self.batches = [cast(batch, dtype) for batch in batches(0)]

    def make(self, clip_norm: float = TRAINING.clip_norm) -> tuple[Any, Callable]:
        """An engine whose network stands at the start, and its batches by epoch."""
        training = FitConfig(
            learning_rate=TRAINING.learning_rate,
            weight_decay=TRAINING.weight_decay,
            clip_norm=clip_norm,
        )
        file = import_module(f"recsys.{self.framework}.{self.case.file}")
        kind = getattr(file, self.case.name)
        if isinstance(kind, partial):
            return self._of_words(kind, file, training)
        log, *inputs = self.case.world()
        config = kind.config_class(**self.case.settings, training=training)

        class Untrained(kind):
            def train(model, interactions, batches, *rest):
                network = self.started(model._new(interactions))
                model.parts = model._engine(network), batches
                return model

        return Untrained(*inputs, config).fit(log).parts

    def _of_words(self, train: partial, file: Any, training: FitConfig) -> tuple:
        """The same for a function that trains on texts."""
        module, network_class, loss = train.args
        (texts,) = self.case.world()
        n_words = int(np.concatenate(texts).max())
        settings = {**self.case.settings, "training": training}
        if self.case.file == "skip_gram":
            config = file.SkipGramConfig(**settings)
            counts = np.bincount(np.concatenate(texts), minlength=n_words + 1)
            batches = SkipGramBatches(
                texts, counts, config.window, config.negatives, config.batch_size
            )
        else:
            config = file.MaskedLanguageConfig(**settings)
            rows = text_windows(texts, config.max_length)
            batches = HiddenWordBatches(
                rows, n_words, config.masked, config.batch_size
            )
        network = self.started(network_class(n_words, config))
        return module.Engine(network, loss, training), batches

    def started(self, network: Any) -> Any:
        """The network with the start that both frameworks have, in the dtype."""
        first = start(self.parameters.to_arrays(network))
        for name, shift in self.shift.items():
            first[name] = first[name] + shift
        if self.dtype == "float64":
            network = self.module.in_float64(network)
        self.parameters.load_arrays(network, first)
        return network

    def forward(self) -> dict[str, np.ndarray]:
        """What the network says of the first batch, and what each layer does."""
        engine, _ = self.make()
        engine.training(False)
        inputs = self.case.inputs(self.batches[0])
        said, found = [], {}
        watch(self.framework, engine.network, said)
        outputs = self.module.run(engine.network, *inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        for place, array in enumerate(outputs):
            found[f"forward/{place}"] = array
        for place, (name, array) in enumerate(said):
            found[f"layer/{place:03d}/{name}"] = array
        return found

    def gradient(self) -> dict[str, np.ndarray]:
        """Loss of the first batch and every gradient, without dropout."""
        engine, _ = self.make(UNCLIPPED)
        engine.training(False)
        loss, _ = engine.gradient(self.batches[0], step_rng(0, 0))
        found = {"loss": np.array(loss)}
        for name, array in gradients(self.framework, engine.network).items():
            found[f"gradient/{name}"] = array
        return found

    def drawn(self) -> dict[str, np.ndarray]:
        """What dropout draws in the first step, and a hash of each batch."""
        engine, _ = self.make()
        engine.training(True)
        noted = Noted(step_rng(0, 0))
        engine.gradient(self.batches[0], noted)
        found = {f"mask/{place:03d}": array for place, array in enumerate(noted.drawn)}
        names = [digest(*batch) for batch in self.batches]
        return {**found, "batches": np.array(names)}

    def steps(self) -> dict[str, np.ndarray]:
        """Losses of all steps, weights after some, and whether a stop changes a bit."""
        engine, _ = self.make()
        losses, found, stopped = [], {}, None
        for step in range(max(MARKS)):
            losses.append(self.take(engine, step))
            if step + 1 in MARKS:
                for name, array in self.parameters.to_arrays(engine.network).items():
                    found[f"step {step + 1}/{name}"] = array
            if step + 1 == STOP:
                moments, numbers = engine.state()
                moments = {name: array.copy() for name, array in moments.items()}
                stopped = engine.weights(), {**moments, **numbers}
            if step + 1 == RESUMED:
                found["resumed"] = np.array(self.resume(stopped, engine.weights()))
        return {**found, "losses": np.array(losses)}

    def take(self, engine: Any, step: int) -> float:
        """Take a step with dropout; returns the loss before it."""
        engine.training(True)
        batch = self.batches[step % len(self.batches)]
        loss, _ = engine.gradient(batch, step_rng(0, step))
        engine.update(one_cycle(step / max(MARKS), TRAINING.warm_up))
        return loss

    def resume(self, stopped: tuple, expected: Mapping[str, np.ndarray]) -> bool:
        """Whether another network, given weights and state, ends with the same bits."""
        weights, state = stopped
        engine, _ = self.make()
        engine.load_weights(weights)
        engine.load_state(state)
        for step in range(STOP, RESUMED):
            self.take(engine, step)
        got = engine.weights()
        return all(np.array_equal(got[name], expected[name]) for name in expected)

    def climb(self) -> dict[str, np.ndarray]:
        """All rungs."""
        return {**self.forward(), **self.gradient(), **self.drawn(), **self.steps()}


class Noted:
    """A generator that keeps what it draws.

    Args:
        rng: what draws.
    """

    def __init__(self, rng: np.random.Generator):
        self.rng, self.drawn = rng, []

    def random(self, *args: Any, **options: Any) -> np.ndarray:
        """Draw as the generator does."""
        self.drawn.append(self.rng.random(*args, **options))
        return self.drawn[-1]


def start(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Draw first weights, the same in both frameworks.

    Args:
        arrays: of a network, by name; shapes are read, and whether padding is zero.

    Returns:
        Float64 of the same shapes: matrices of normal numbers that keep a vector's
        length, and vectors around a half. A row of padding stays zero.
    """
    drawn = {}
    for name, array in arrays.items():
        numbers = np.random.default_rng(crc32(name.encode())).normal(size=array.shape)
        if array.ndim < 2:
            drawn[name] = 0.5 + 0.1 * numbers
            continue
        drawn[name] = numbers / np.sqrt(array.shape[-1])
        if array.any() and not array[0].any():
            drawn[name][0] = 0
    return drawn


def watch(framework: str, network: Any, said: list) -> None:
    """Let every layer note its name and output whenever it is called.

    Args:
        framework: of the network.
        network: whose layers are watched; layers inside come before those around them.
        said: to which (name, array) is added, one for each part of a tuple.
    """

    def note(name, layer, inputs, output):
        parts = output if isinstance(output, tuple) else (output,)
        for part in parts:
            said.append((name, part.detach().numpy().copy()))

    if framework == "torch":
        for name, layer in network.named_modules():
            layer.register_forward_hook(partial(note, name or "network"))
    else:
        for name, layer in network.named_sublayers(include_self=True):
            layer.register_forward_post_hook(partial(note, name or "network"))


def gradients(framework: str, network: Any) -> dict[str, np.ndarray]:
    """Every gradient by the name of its parameter, matrices as (in, out)."""
    given = {
        name: parameter
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }
    if framework == "paddle":
        return {name: _dense(parameter) for name, parameter in given.items()}
    import torch

    turned = {
        id(layer.weight)
        for layer in network.modules()
        if isinstance(layer, torch.nn.Linear)
    }
    found = {}
    for name, parameter in given.items():
        array = parameter.grad.to_dense().numpy()
        found[name] = (array.T if id(parameter) in turned else array).copy()
    return found


def _dense(parameter: Any) -> np.ndarray:
    """A gradient of Paddle, whose selected rows are put where they belong."""
    gradient = parameter.grad
    if not gradient.is_selected_rows():
        return np.array(gradient.numpy())
    dense = np.zeros(parameter.shape, dtype=gradient.numpy().dtype)
    np.add.at(dense, gradient.rows(), gradient.numpy())
    return dense
