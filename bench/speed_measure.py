"""Two sides taking turns under one clock, and what is kept of it.

A side is a context manager that yields a `Clock`. The sides of a row take turns, ours
first, after a warm-up of both, so that a busy machine disturbs both alike; the ratio of
each pair of neighbours is kept, and a bar is held against the median of these.
"""

import importlib.metadata
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from environments import BENCH, ensure
from speed_peers import PEERS

ROUNDS, FEWEST_ROUNDS, WARM_UP = 31, 5, 2
SECONDS_A_ROW = 15
TOLERANCE = 1e-6  # relative, between the values of the two sides


class Clock(NamedTuple):
    """One side, ready to be timed."""

    measure: Callable[[], tuple[float, float]]  # one call: its seconds and its value
    versions: dict[str, str]


class Bar(NamedTuple):
    """What a row must hold: ``limit`` on the median ``of``, in words for the table."""

    limit: float
    words: str
    of: str = "ratio"  # or "beyond": the seconds of ours less those of the peer


@dataclass(frozen=True)
class Comparison:
    """One row: two sides that compute the same thing, and what is and is not timed."""

    name: str
    ours: str
    peer: str
    timed: str
    ours_side: AbstractContextManager[Clock]
    peer_side: AbstractContextManager[Clock]
    bar: Bar | None = None
    tolerance: float = TOLERANCE


@contextmanager
def local(
    call: Callable, value_of: Callable, distributions: tuple[str, ...], fresh: Callable | None = None
) -> Iterator[Clock]:
    """A call in this process. ``fresh`` makes its argument anew each time, outside the clock."""

    def measure():
        arguments = () if fresh is None else (fresh(),)
        start = time.perf_counter()
        result = call(*arguments)
        seconds = time.perf_counter() - start
        return seconds, float(value_of(result))

    yield Clock(measure, {name: importlib.metadata.version(name) for name in distributions})


@contextmanager
def process(code: str, distributions: tuple[str, ...]) -> Iterator[Clock]:
    """A whole process of this Python, from its start to its end; it prints its value."""

    def measure():
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return time.perf_counter() - start, float(done.stdout)

    yield Clock(measure, {name: importlib.metadata.version(name) for name in distributions})


@cache
def environment(name: str) -> tuple[Path | None, str]:
    """The Python of an environment, or why it cannot be had; asked once a run."""
    try:
        return ensure(name), ""
    except (subprocess.CalledProcessError, OSError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return None, f"environment {name} does not install: {(said or ['no message'])[-1]}"


@contextmanager
def remote(peer: str, source: Path) -> Iterator[Clock]:
    """A peer of speed_peers.py in an environment of its own; it keeps the time itself.

    Raises:
        RuntimeError: its environment cannot be made, or it stopped; with the last line written.
    """
    python, problem = environment(PEERS[peer][1])
    if python is None:
        raise RuntimeError(problem)
    command = [python, BENCH / "speed_peers.py", peer, source]
    with tempfile.TemporaryFile("w+") as errors:
        worker = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )

        def answer():
            line = worker.stdout.readline()
            if not line:
                errors.seek(0)
                last = (errors.read().strip().splitlines() or ["no message"])[-1]
                raise RuntimeError(f"{peer} stopped: {last}")
            return json.loads(line)

        def measure():
            worker.stdin.write("again\n")
            worker.stdin.flush()
            return tuple(answer())

        try:
            yield Clock(measure, answer())
        finally:
            worker.stdin.close()
            worker.wait()


def take_turns(
    ours: Clock, peer: Clock, fewest: int = FEWEST_ROUNDS, seconds: float = SECONDS_A_ROW
) -> tuple[list[tuple[float, float]], tuple[float, float]]:
    """Time both in turn: (ours, peer) seconds of each round, and the values of the last."""
    for _ in range(WARM_UP):
        ours.measure()
        peer.measure()
    pairs, end = [], time.perf_counter() + seconds
    while len(pairs) < fewest or (len(pairs) < ROUNDS and time.perf_counter() < end):
        (ours_seconds, ours_value), (peer_seconds, peer_value) = ours.measure(), peer.measure()
        pairs.append((ours_seconds, peer_seconds))
    return pairs, (ours_value, peer_value)


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def compare(row: Comparison) -> dict:
    """Measure one row; a peer that cannot be had gives a row with its ``problem``."""
    kept = {"name": row.name, "ours": row.ours, "peer": row.peer, "timed": row.timed}
    kept["bar"] = row.bar and row.bar._asdict()
    try:
        with row.ours_side as ours, row.peer_side as peer:
            pairs, values = take_turns(ours, peer)
            kept["versions"] = {"ours": ours.versions, "peer": peer.versions}
    except RuntimeError as error:
        return kept | {"met": None, "problem": str(error)[:200]}
    ours_seconds, peer_seconds = zip(*pairs)
    kept |= {
        "rounds": len(pairs),
        "ours_seconds": spread(ours_seconds),
        "peer_seconds": spread(peer_seconds),
        "ratio": spread([ours / peer for ours, peer in pairs]),
        "beyond": spread([ours - peer for ours, peer in pairs]),
        "values": values,
        "problem": "",
    }
    if abs(values[0] - values[1]) > row.tolerance * abs(values[1]):
        kept["problem"] = f"the sides disagree: {values[0]:.8g} against {values[1]:.8g}"
    kept["met"] = None
    if row.bar:
        kept["met"] = not kept["problem"] and kept[row.bar.of]["median"] <= row.bar.limit
    return kept
