"""A study in pieces: each kept on disk as it ends, so that a run that was stopped goes on.

A study that takes more than a quarter of an hour has `pieces(config)`, from the name of a
piece to the function that makes it, and `run(config, done)`, from what they returned to
the result. Two processes that run one study share its pieces.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from recsys.training.checkpoint import alone

Say = Callable[[str], None]


def make(
    directory: Path, made_from: dict, pieces: Mapping[str, Callable[[], dict]], say: Say
) -> tuple[dict[str, dict], float]:
    """Have every piece: read what is kept, make what is not, wait for what others make.

    Args:
        directory: where the pieces of one study are kept.
        made_from: what a kept piece must have been made from.
        pieces: by name, in the order in which they are made.
        say: is told each piece that was made, and its processor seconds.

    Returns:
        What each returned, by name, as JSON gives it back; and the processor seconds
        that all of them took when they were made.
    """
    directory.mkdir(parents=True, exist_ok=True)
    done: dict[str, dict] = {}
    while len(done) < len(pieces):
        before = len(done)
        for name, function in pieces.items():
            if name in done:
                continue
            try:
                done[name] = _one(directory, made_from, name, function, say)
            except BlockingIOError:
                continue  # another process makes it
        if len(done) == before:
            time.sleep(5)
    seconds = sum(piece["seconds"] for piece in done.values())
    return {name: done[name]["result"] for name in pieces}, seconds


def _one(
    directory: Path, made_from: dict, name: str, function: Callable[[], dict], say: Say
) -> dict:
    key = hashlib.sha256(name.encode()).hexdigest()[:16]
    path = directory / f"{key}.json"
    with alone(path):
        if path.is_file():
            kept = json.loads(path.read_text("utf-8"))
            if kept["made_from"] == made_from and kept["piece"] == name:
                return kept
        start = processor_seconds()
        result = function()
        seconds = round(processor_seconds() - start, 1)
        piece = {
            "piece": name,
            "made_from": made_from,
            "seconds": seconds,
            "result": result,
        }
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(piece), "utf-8")
        os.replace(partial, path)  # a kill leaves the one before
        say(f"{name}: {seconds:.0f} s")
    return json.loads(path.read_text("utf-8"))


def processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    times = os.times()
    own = times.user + times.system
    return own + times.children_user + times.children_system
