"""What makes PaddlePaddle slow on a processor: small programs, each beside a quick form.

    .venv/bin/python bench/paddle_pieces.py       # writes the table, about a minute

Both forms of a row give the same numbers and take turns in one run, forward and backward
where there is a gradient; seconds are those of the processor, on one thread. The form
of a matrix product is chosen once in a process, by a variable of the environment, so
that each of the two has a process of its own. The exit status is 0 when the table was
made, whatever it says.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import numpy as np
from run import RESULTS, as_ratio, duration, machine
from speed_measure import Clock, spread, take_turns

from recsys.runtime import _is_amd, import_paddle

CALLS, ROUNDS, SECONDS = 10, 11, 3
TOLERANCE = 1e-4


class Piece(NamedTuple):
    """One row: two forms of one computation, from tensors to a tensor.

    Args:
        what: is computed, with its shapes.
        slow, quick: the forms as written.
        shapes: of the random float32 inputs.
        forms: slow and quick.
        strides: for each form, whether strided kernels are on.
    """

    what: str
    slow: str
    quick: str
    shapes: list[tuple[int, ...]]
    forms: tuple[Callable, Callable]
    strides: tuple[bool, bool] = (False, False)


def pieces(paddle) -> list[Piece]:
    """The rows that one process can measure."""

    def heads(x):
        return x.reshape([20, 50, 4, 16]).transpose([0, 2, 1, 3]).reshape([80, 50, 16])

    shape = [20, 4, 50, 50]
    return [
        Piece(
            "heads apart: (20, 50, 64) to (80, 50, 16)",
            "FLAGS_use_stride_kernel=True",
            "FLAGS_use_stride_kernel=False",
            [(20, 50, 64)],
            (heads, heads),
            (True, False),
        ),
        Piece(
            "a bias for all heads: (20, 4, 50, 50) + (20, 1, 50, 50)",
            "scores + bias",
            "scores + bias.expand(scores.shape)",
            [(20, 4, 50, 50), (20, 1, 50, 50)],
            (lambda scores, bias: scores + bias, lambda scores, bias: scores + bias.expand(shape)),
        ),
        Piece(
            "the square of (1000, 64)",
            "x ** 2",
            "x.square()",
            [(1000, 64)],
            (lambda x: x**2, lambda x: x.square()),
        ),
        Piece(
            "the largest over the middle of (256, 36, 32)",
            "x.max(1)",
            "paddle.compat.max(x, 1)",
            [(256, 36, 32)],
            (lambda x: x.max(1), lambda x: paddle.compat.max(x, 1)[0]),
        ),
        Piece(
            "the length of a gradient of (12000, 32)",
            "g.norm()",
            "(g * g).sum().sqrt()",
            [(12_000, 32)],
            (lambda g: g.norm(), lambda g: (g * g).sum().sqrt()),
        ),
    ]


def drawn(paddle, shapes: list[tuple[int, ...]]) -> list:
    """Random inputs of which the gradient is asked."""
    rng = np.random.default_rng(0)
    inputs = [paddle.to_tensor(rng.normal(size=shape).astype(np.float32)) for shape in shapes]
    for tensor in inputs:
        tensor.stop_gradient = False
    return inputs


def timed(paddle, form: Callable, inputs: list) -> tuple[float, float]:
    """Forward and backward: processor seconds of a call, and a sum over the gradients."""
    start = time.process_time()
    for _ in range(CALLS):
        output = form(*inputs)
        gradients = paddle.grad(output, inputs, paddle.ones_like(output))
    seconds = time.process_time() - start
    total = sum(float(gradient.abs().sum()) for gradient in gradients)
    return seconds / CALLS, float(output.abs().sum()) + total


def compared(paddle, piece: Piece) -> dict:
    """One row, both forms in this process."""
    inputs = drawn(paddle, piece.shapes)

    def clock(form, strides):
        def measure():
            paddle.set_flags({"FLAGS_use_stride_kernel": strides})
            return timed(paddle, form, inputs)

        return Clock(measure, {})

    clocks = [clock(*side) for side in zip(piece.forms, piece.strides, strict=True)]
    return row(piece.what, piece.slow, piece.quick, clocks)


def product() -> None:
    """Serve matrix products, in a process whose environment chose the form."""
    import paddle

    inputs = drawn(paddle, [(1000, 64), (64, 256)])
    for _ in sys.stdin:
        print(json.dumps(timed(paddle, paddle.matmul, inputs)), flush=True)


@contextmanager
def served(variables: dict[str, str]):
    """A process of `product` with these variables in its environment."""
    environment = {name: value for name, value in os.environ.items() if name != "MKL_DEBUG_CPU_TYPE"}
    command = [sys.executable, "-W", "ignore", __file__, "--product"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    worker = subprocess.Popen(command, env={**environment, **variables}, **pipes)

    def measure():
        worker.stdin.write("\n")
        worker.stdin.flush()
        return json.loads(worker.stdout.readline())

    try:
        yield Clock(measure, {})
    finally:
        worker.stdin.close()
        worker.wait()


def products() -> dict:
    """The row of the matrix product; quick is what `import recsys.paddle` chooses on this processor."""
    forms = {"MKL_DEBUG_CPU_TYPE=5": {"MKL_DEBUG_CPU_TYPE": "5"}, "as it comes": {}}
    slow, quick = reversed(forms) if _is_amd() else forms
    with ExitStack() as stack:
        clocks = [stack.enter_context(served(forms[form])) for form in (slow, quick)]
        return row("a product: (1000, 64) @ (64, 256)", slow, quick, clocks)


def row(what: str, slow: str, quick: str, clocks: list[Clock]) -> dict:
    """Both forms in turn."""
    pairs, values = take_turns(*clocks, fewest=ROUNDS, seconds=SECONDS)
    of_slow, of_quick = zip(*pairs, strict=True)
    apart = abs(values[0] - values[1]) > TOLERANCE * abs(values[1])
    return {
        "what": what,
        "slow": slow,
        "quick": quick,
        "rounds": len(pairs),
        "slow_seconds": spread(of_slow),
        "quick_seconds": spread(of_quick),
        "ratio": spread([one / other for one, other in pairs]),
        "values": values,
        "problem": f"the forms differ: {values[0]:.8g} and {values[1]:.8g}" if apart else "",
    }


def cells(row: dict) -> list[str]:
    """One row of the table as text."""
    sides = [f"`{row[side]}`: {duration(row[f'{side}_seconds']['median'])}" for side in ("slow", "quick")]
    ratio = as_ratio(row["ratio"])
    return [row["what"], *sides, ratio + (row["problem"] and f"; {row['problem']}")]


def markdown(rows: list[dict], about: dict) -> str:
    """The table for a page: no heading, a legend below."""
    table = ["| what | slow | quick | slow / quick: median (least to most) |", "|---|---|---|--:|"]
    table += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    legend = (
        f"Forward and backward, float32; medians of at least {ROUNDS} turns, in milliseconds of the processor, "
        f"one thread. PaddlePaddle {about['paddlepaddle']}, Python {about['python']}, {about['system']}, "
        f"{about['processors']} processors, {about['processor']}, load {about['load_before']} before and "
        f"{about['load_after']} after. The first two rows are settings that `import recsys.paddle` makes: "
        "the variable on processors of AMD only, where it is the quick form of a product, and nowhere else, where "
        "it is the slow one. The others are ways to write the code; strided kernels are off in them."
    )
    return "\n".join([*table, "", legend, ""])


def main() -> int:
    """Measure, print and write."""
    load_before, rows = os.getloadavg(), [products()]
    print(" | ".join(cells(rows[-1])), flush=True)
    paddle = import_paddle()
    for piece in pieces(paddle):
        rows.append(compared(paddle, piece))
        print(" | ".join(cells(rows[-1])), flush=True)
    about = machine(load_before) | {"paddlepaddle": paddle.__version__}
    written = json.dumps({"machine": about, "rows": rows}, indent=1) + "\n"
    (RESULTS / "paddle_pieces.json").write_text(written, encoding="utf-8")
    (RESULTS / "paddle_pieces.md").write_text(markdown(rows, about), encoding="utf-8")
    print(f"wrote {(RESULTS / 'paddle_pieces.md').relative_to(RESULTS.parents[1])} and paddle_pieces.json beside it")
    return 0


if __name__ == "__main__":
    product() if sys.argv[1:] == ["--product"] else sys.exit(main())
