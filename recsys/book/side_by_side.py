"""Jobs on as many cores as there are, the longest first; a person sees how it goes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Result = TypeVar("Result")


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # fewer than the machine has, in a container
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(
    jobs: Mapping[str, Callable[[], Result]],
    expected: Mapping[str, float],
    say: Callable[[str], None],
    workers: int,
) -> Iterator[tuple[str, Result, float]]:
    """Do jobs at the same time, the longest first, and say when each begins.

    Each job waits for a process of its own, so that threads are enough. When one
    raises, or the reader of the results goes, those that have not begun are dropped.

    Args:
        jobs: by name.
        expected: seconds that a job took another time; one without goes first.
        say: is told what runs.
        workers: how many run at a time.

    Yields:
        As each ends: its name, what it returned, and the seconds it took.
    """
    longest_first = sorted(jobs, key=lambda name: -expected.get(name, float("inf")))

    def do(name: str) -> tuple[str, Result, float]:
        about = f"  about {expected[name]:.0f} s" if name in expected else ""
        say(f"  [run]  {name}{about}")
        start = time.perf_counter()
        result = jobs[name]()
        return name, result, round(time.perf_counter() - start, 1)

    pool = ThreadPoolExecutor(workers)
    try:
        for future in as_completed([pool.submit(do, name) for name in longest_first]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def left(names: list[str], expected: Mapping[str, float], workers: int) -> str:
    """How many jobs are left and about how long they take; the count alone if unknown.

    Args:
        names: of the jobs that have not ended; what they have done so far is not
            counted.
        expected: seconds, by name.
        workers: how many run at a time.
    """
    if not names:
        return "none left"
    if not all(name in expected for name in names):
        return f"{len(names)} left"
    seconds = [expected[name] for name in names]
    wall = max(max(seconds), sum(seconds) / workers)
    return f"{len(names)} left, about {wall:.0f} s"
