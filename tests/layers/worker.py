"""One framework behind a small interface of NumPy arrays, in a process of its own.

`Backend` holds a framework and its twin of the layers. The tests talk to two of them, one
for each framework, through `serve` below: requests come in on stdin as pickles of (method,
arguments) and answers leave on stdout, so both frameworks are never in one process, and the
price of loading one is paid once. Arrays in, arrays out.
"""

import contextlib
import importlib
import importlib.util
import os
import pickle
import sys
from pathlib import Path

import numpy as np


class Backend:
    """A framework, its twin of the layers, and what the tests ask of them."""

    def __init__(self, name: str):
        self.name = name
        self.twin = importlib.import_module(f"recsys.{name}")
        self.fw = importlib.import_module(name)
        self.F = importlib.import_module(f"{name}.nn.functional")

    def tensor(self, array, grad=False):
        if array is None:
            return None
        array = np.ascontiguousarray(array)
        if self.name == "torch":
            return self.fw.tensor(array, requires_grad=grad)
        return self.fw.to_tensor(array, stop_gradient=not grad)

    @staticmethod
    def array(tensor):
        return None if tensor is None else np.array(tensor.detach().numpy())

    def seed(self, seed):
        (self.fw.manual_seed if self.name == "torch" else self.fw.seed)(seed)

    def make(self, name, arguments, dtype="float64", parameters=None, seed=0):
        """A layer of the twin in the wanted dtype, with the wanted parameters."""
        self.seed(seed)
        layer = getattr(self.twin, name)(**arguments)
        layer = layer.to(getattr(self.fw, dtype)) if self.name == "torch" else layer.to(dtype=dtype)
        if parameters is not None:
            self.twin.load_arrays(layer, parameters)
        return layer

    def parameters(self, name, arguments, seed=0, dtype="float32"):
        """What a new layer starts from."""
        return self.twin.to_arrays(self.make(name, arguments, dtype, seed=seed))

    def run(self, name, arguments, inputs, padding_mask=None, parameters=None, training=False,
            calls=1, seed=0):  # fmt: skip
        """Output and weights of each of `calls` calls of one layer."""
        layer = self.make(name, arguments, str(inputs[0].dtype), parameters, seed)
        layer.train() if training else layer.eval()
        tensors, mask = [self.tensor(x) for x in inputs], self.tensor(padding_mask)
        results = [layer(*tensors, mask) for _ in range(calls)]
        arrays = [tuple(self.array(x) for x in result) for result in results]
        return arrays[0] if calls == 1 else arrays

    def gradients(self, name, arguments, inputs, grad_output, padding_mask=None, parameters=None):
        """Gradients of <grad_output, output>: of each input, and of each parameter by name."""
        layer = self.make(name, arguments, str(inputs[0].dtype), parameters)
        tensors = [self.tensor(x, grad=True) for x in inputs]
        output, _ = layer(*tensors, self.tensor(padding_mask))
        (output * self.tensor(grad_output)).sum().backward()
        linear = {id(m.weight) for m in self.layers_of(layer) if isinstance(m, self.fw.nn.Linear)}
        transposed = linear if self.name == "torch" else set()
        grads = {}
        for parameter_name, parameter in layer.named_parameters():
            grad = self.array(parameter.grad)
            turn = grad is not None and id(parameter) in transposed
            grads[parameter_name] = grad.T if turn else grad
        return [self.array(x.grad) for x in tensors], grads

    def layers_of(self, layer):
        return layer.modules() if self.name == "torch" else layer.sublayers(include_self=True)

    def descend(self, name, arguments, inputs, target, padding_mask=None, steps=20, rate=0.05):
        """Squared errors of a layer before each of some steps of plain gradient descent."""
        layer = self.make(name, arguments)
        tensors, mask = [self.tensor(x) for x in inputs], self.tensor(padding_mask)
        sgd = self.fw.optim.SGD if self.name == "torch" else self.fw.optimizer.SGD
        own = {"parameters": list(layer.parameters()), "learning_rate": rate}
        if self.name == "torch":
            own = {"params": list(layer.parameters()), "lr": rate}
        optimiser = sgd(**own)
        clear = optimiser.zero_grad if self.name == "torch" else optimiser.clear_grad
        losses = []
        for _ in range(steps):
            loss = ((layer(*tensors, mask)[0] - self.tensor(target)) ** 2).mean()
            losses.append(loss.item())
            clear()
            loss.backward()
            optimiser.step()
        return losses

    def call(self, function, *arrays, **arguments):
        """A function of the twin on arrays; what is not an array passes as it is."""
        arrays = [self.tensor(x) if isinstance(x, np.ndarray) else x for x in arrays]
        arguments = {
            name: self.tensor(x) if isinstance(x, np.ndarray) else x
            for name, x in arguments.items()
        }
        result = getattr(self.twin, function)(*arrays, **arguments)
        return tuple(map(self.array, result)) if isinstance(result, tuple) else self.array(result)

    def after(self, function, *arrays):
        """The arguments as a call of a function of the twin leaves them."""
        tensors = [self.tensor(x) for x in arrays]
        getattr(self.twin, function)(*tensors)
        return [self.array(x) for x in tensors]

    def autograd(self, expression, arguments, wanted):
        """Value of an expression of `expressions` and its gradients by autograd."""
        tensors = {name: self.tensor(x, grad=name in wanted) for name, x in arguments.items()}
        value = sys.modules["recsys_test_expressions"].EXPRESSIONS[expression](self, **tensors)
        value.sum().backward()
        return value.item(), {name: self.array(tensors[name].grad) for name in wanted}

    def fused_attention(self, query, key, value, mask):
        """The framework's own kernel, (batch, heads, length, dim)."""
        q, k, v = (self.tensor(x) for x in (query, key, value))
        kernel = self.F.scaled_dot_product_attention
        if self.name == "torch":
            return self.array(kernel(q, k, v, attn_mask=self.tensor(mask)))
        by_head = [x.transpose([0, 2, 1, 3]) for x in (q, k, v)]
        bias = self.tensor(np.where(mask, 0, -np.inf).astype(query.dtype))
        return self.array(kernel(*by_head, attn_mask=bias).transpose([0, 2, 1, 3]))

    def framework_multi_head(self, parameters, n_heads, items, mask):
        """The framework's own layer with our matrices; mask (batch, 1, length, length)."""
        dim, names = items.shape[-1], ("query", "key", "value", "output")
        *matrices, mixing = (parameters[f"{name}.weight"] for name in names)
        if self.name == "torch":
            layer = self.fw.nn.MultiheadAttention(dim, n_heads, bias=False, batch_first=True)
            layer.double()
            with self.fw.no_grad():
                layer.in_proj_weight.copy_(self.tensor(np.concatenate([m.T for m in matrices])))
                layer.out_proj.weight.copy_(self.tensor(mixing.T))
            hidden = self.tensor(np.repeat(~mask[:, 0], n_heads, axis=0))
            x = self.tensor(items)
            output, weights = layer(x, x, x, attn_mask=hidden, average_attn_weights=False)
            return self.array(output), self.array(weights)
        layer = self.fw.nn.MultiHeadAttention(dim, n_heads, need_weights=True, bias_attr=False)
        layer.to(dtype="float64")
        for own, matrix in zip(("q_proj", "k_proj", "v_proj", "out_proj"), [*matrices, mixing]):
            getattr(layer, own).weight.set_value(self.tensor(matrix))
        bias = self.tensor(np.where(mask, 0, -np.inf))
        output, weights = layer(self.tensor(items), attn_mask=bias)
        return self.array(output), self.array(weights)

    def many(self, requests):
        """Answer several requests in one go."""
        return [getattr(self, method)(*args, **kwargs) for method, args, kwargs in requests]

    def round_trip(self, name, arguments):
        """Parameters of a layer copied into another that started elsewhere."""
        first, second = (self.make(name, arguments, "float32", seed=seed) for seed in (1, 2))
        self.twin.load_arrays(second, self.twin.to_arrays(first))
        return self.twin.to_arrays(first), self.twin.to_arrays(second)

    def surroundings(self):
        """Which framework is loaded here, with how many threads, and root log handlers."""
        import logging

        threads = self.fw.get_num_threads() if self.name == "torch" else None
        loaded = sorted({"torch", "paddle"} & set(sys.modules))
        return loaded, threads, len(logging.getLogger().handlers), os.environ["OMP_NUM_THREADS"]

    def draws(self, seed):
        """Numbers from each generator after `seed_everything`."""
        import random

        from recsys.runtime import seed_everything

        seed_everything(seed)
        own = self.fw.rand(3) if self.name == "torch" else self.fw.rand([3])
        return random.random(), np.random.random(3), self.array(own)


def load_by_path(name: str, path: Path):
    """A helper module of the tests, found by path so that any import mode of pytest will do."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def load_helpers() -> None:
    """The cases of derived gradients and their expressions in framework operations."""
    here = Path(__file__).resolve().parent
    load_by_path("recsys_test_derivatives", here.parent / "attention" / "derivatives.py")
    load_by_path("recsys_test_expressions", here / "expressions.py")


def serve(name: str) -> None:
    """Answer requests until stdin closes; errors travel back as themselves or as text."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a framework prints must not end among the answers
    load_helpers()
    backend = Backend(name)
    with contextlib.suppress(EOFError):
        while True:
            method, args, kwargs = pickle.load(sys.stdin.buffer)
            try:
                answer = (True, getattr(backend, method)(*args, **kwargs))
            except Exception as error:
                known = isinstance(error, (ValueError, TypeError))
                answer = (False, error if known else RuntimeError(repr(error)))
            pickle.dump(answer, answers)
            answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
