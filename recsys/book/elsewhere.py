"""A framework in a process of its own, asked with its own code.

PyTorch and PaddlePaddle do not load into one process in this book. A chapter whose kernel has
one of them asks the other through `Elsewhere`: source goes there, NumPy arrays come back.
"""

import ast
import os
import pickle
import subprocess
import sys
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np


class Elsewhere:
    """One framework in another process, which keeps its names from call to call.

    The source may use `torch` or `paddle`, `nn`, `F` (`nn.functional`), `np`, and `twin`, the
    framework's room of this package.

    Args:
        framework: "torch" or "paddle".
    """

    def __init__(self, framework: str):
        self.framework = framework
        self._process = subprocess.Popen(
            [sys.executable, "-m", "recsys.book.elsewhere", framework],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __call__(self, source: str, **arrays: np.ndarray) -> Any:
        """Run source there.

        Args:
            source: statements; the last may be an expression.
            arrays: names that the source may use.

        Returns:
            The value of the last expression, tensors as arrays, also inside tuples, lists and
            dicts; None if there is none.

        Raises:
            RuntimeError: what went wrong there, as "kind: first line".
            EOFError, BrokenPipeError: the process has ended.
        """
        pickle.dump((source, arrays), self._process.stdin)
        self._process.stdin.flush()
        done, answer = pickle.load(self._process.stdout)
        if not done:
            raise RuntimeError(answer)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _serve(framework: str, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the other side closes."""
    room = import_module(f"recsys.{framework}")
    loaded = sys.modules[framework]
    names = {
        framework: loaded,
        "np": np,
        "nn": loaded.nn,
        "F": loaded.nn.functional,
        "twin": room,
    }
    while True:
        try:
            source, arrays = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = True, _arrays(_run(source, {**arrays}, names))
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0]
            answer = False, f"{type(error).__name__}: {first}"
        pickle.dump(answer, answers)
        answers.flush()


def _run(source: str, arrays: dict[str, np.ndarray], names: dict[str, Any]) -> Any:
    """Execute the statements, and evaluate the last one if it is an expression."""
    names.update(arrays)
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "elsewhere", "exec"), names)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), "elsewhere", "eval"), names)


def _arrays(value: Any) -> Any:
    """Tensors as arrays, and nothing of a framework's own type.

    Such a type would load the framework in the process that asks.
    """
    if hasattr(value, "detach"):
        return np.array(value.detach().numpy())
    if isinstance(value, dict):
        return {name: _arrays(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        whole = list if isinstance(value, list) else tuple
        return whole(_arrays(part) for part in value)
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, np.ndarray, np.generic)):
        return value
    raise TypeError(f"expected tensors, numbers or text, got {type(value).__name__}")


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "wb") as pipe:
        os.dup2(2, 1)  # what a framework prints is no answer
        _serve(sys.argv[1], sys.stdin.buffer, pipe)
