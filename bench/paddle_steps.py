"""A step of every network in PaddlePaddle beside PyTorch, as ratios measured in one run.

    .venv/bin/python bench/paddle_steps.py                  # all networks; writes the table
    .venv/bin/python bench/paddle_steps.py SASRec NRMS      # names that begin so: printed

Each framework waits in a process of its own, and both are asked in turn for the same
steps: the same batches, starts and dropout masks, at the sizes of the chapters
(paddle_cases.py). A step is a gradient of the loss, clipping and an update, arrays in.
Seconds are those of the processor, on one thread. The exit status is 0 when the table
was made, whatever it says.
"""

import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, redirect_stdout
from typing import Any

from run import RESULTS, duration, machine
from speed_measure import Clock, spread, take_turns

DISTRIBUTIONS = {"paddle": "paddlepaddle", "torch": "torch"}
STEPS, ROUNDS, SECONDS = 8, 11, 4
BAR = 1.5
SHARE = 0.001
"""Of the peak of the learning rate: small, so that rounding does not part the two."""

TOLERANCE = 0.01
"""Relative, between the losses after the last round: that both did the same."""


class Steps:
    """Some steps of one network in one framework.

    Args:
        framework: "torch" or "paddle".
        name: of the network.
    """

    def __init__(self, framework: str, name: str):
        from paddle_cases import CHAPTERS

        from recsys.book.parity import Ladder

        ladder = Ladder(framework, CHAPTERS[name], "float32")
        self.engine, _ = ladder.make()
        self.engine.training(True)
        self.batches = ladder.batches[:STEPS]

    def take(self) -> tuple[float, float]:
        """Take a step with each batch: processor seconds of a step, and the last loss."""
        from recsys.training.steps import step_rng

        start = time.process_time()
        for step, batch in enumerate(self.batches):
            loss, _ = self.engine.gradient(batch, step_rng(0, step))
            self.engine.update(SHARE)
        seconds = time.process_time() - start
        return seconds / len(self.batches), loss

    def shapes(self) -> list[list[int]]:
        """Of the arrays of the first batch."""
        return [list(array.shape) for array in self.batches[0]]


def serve(framework: str) -> None:
    """Answer each line: the name of a network makes it, an empty line takes its steps."""
    steps = None
    for line in sys.stdin:
        name = line.strip()
        with redirect_stdout(sys.stderr):
            if name:
                steps = Steps(framework, name)
            answer = steps.shapes() if name else steps.take()
        print(json.dumps(answer), flush=True)


class Worker:
    """A process that serves one framework."""

    def __init__(self, framework: str):
        command = [sys.executable, __file__, "--serve", framework]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, **pipes)
        self.versions = {framework: importlib.metadata.version(DISTRIBUTIONS[framework])}

    def ask(self, line: str = "") -> Any:
        """One line there, one back.

        Raises:
            RuntimeError: the process stopped; what it said stands above.
        """
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args[-1]} stopped at {line!r}; see above")
        return json.loads(answer)

    def clock(self) -> Clock:
        """Of the network that was asked for last."""
        return Clock(self.ask, self.versions)


@contextmanager
def workers():
    """Both processes, ended at the end."""
    both = {framework: Worker(framework) for framework in ("paddle", "torch")}
    try:
        yield both
    finally:
        for worker in both.values():
            worker.process.stdin.close()
            worker.process.wait()


def measured(name: str, both: dict[str, Worker]) -> dict:
    """One row."""
    shapes = [worker.ask(name) for worker in both.values()]
    clocks = [worker.clock() for worker in both.values()]
    pairs, losses = take_turns(*clocks, fewest=ROUNDS, seconds=SECONDS)
    of_paddle, of_torch = zip(*pairs, strict=True)
    apart = abs(losses[0] - losses[1]) > TOLERANCE * abs(losses[1])
    return {
        "name": name,
        "shapes": shapes[0],
        "same batches": shapes[0] == shapes[1],
        "rounds": len(pairs),
        "paddle_seconds": spread(of_paddle),
        "torch_seconds": spread(of_torch),
        "ratio": spread([paddle / torch for paddle, torch in pairs]),
        "losses": losses,
        "problem": f"the losses differ: {losses[0]:.6g} and {losses[1]:.6g}" if apart else "",
    }


def cells(row: dict) -> list[str]:
    """One row of the table as text."""
    shapes = [" x ".join(map(str, shape)) for shape in row["shapes"]]
    ratio = "{median:.2f} ({min:.2f} to {max:.2f})".format(**row["ratio"])
    seconds = [duration(row[f"{framework}_seconds"]["median"]) for framework in ("torch", "paddle")]
    return [row["name"], ", ".join(shapes), *seconds, ratio + (row["problem"] and f"; {row['problem']}")]


def markdown(rows: list[dict], about: dict) -> str:
    """The table for a page: no heading, a legend below."""
    titles = ["network", "first batch", "PyTorch", "PaddlePaddle", "PaddlePaddle / PyTorch: median (least to most)"]
    table = ["| " + " | ".join(titles) + " |", "|---|---|--:|--:|--:|"]
    table += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    ratios = [row["ratio"]["median"] for row in rows]
    above = [row["name"] for row in rows if row["ratio"]["median"] > BAR]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    legend = (
        f"A step is loss, gradient, clipping and update, from arrays; medians of at least {ROUNDS} turns of "
        f"{STEPS} steps, in milliseconds of the processor, one thread each, the same batches, first weights and "
        f"dropout on both sides. Python {about['python']}, {about['system']}, {about['processors']} processors, "
        f"{about['processor']}, load {about['load_before']} before and {about['load_after']} after; {versions}. "
        f"The median of all ratios is {statistics.median(ratios):.2f}. "
        f"Above {BAR}: {'; '.join(above) or 'none'}."
    )
    return "\n".join([*table, "", legend, ""])


def main(beginnings: list[str]) -> int:
    """Measure, print, and write when all networks were measured."""
    from paddle_cases import CHAPTERS

    chosen = [name for name in CHAPTERS if name.startswith(tuple(beginnings or [""]))]
    if not chosen:
        print(f"unknown network {beginnings[0]!r}; expected the beginning of one of: {'; '.join(CHAPTERS)}")
        return 2
    load_before, rows = os.getloadavg(), []
    with workers() as both:
        for name in chosen:
            rows.append(measured(name, both))
            print(" | ".join(cells(rows[-1])), flush=True)
        versions = {**both["paddle"].versions, **both["torch"].versions}
    if beginnings:
        return 0
    about = machine(load_before) | {"versions": versions}
    written = json.dumps({"machine": about, "rows": rows}, indent=1) + "\n"
    (RESULTS / "paddle_steps.json").write_text(written, encoding="utf-8")
    (RESULTS / "paddle_steps.md").write_text(markdown(rows, about), encoding="utf-8")
    print(f"wrote {(RESULTS / 'paddle_steps.md').relative_to(RESULTS.parents[1])} and paddle_steps.json beside it")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1:]))
