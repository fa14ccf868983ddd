"""A study in pieces, each kept on disk as it ends: a run that was stopped goes on.

A study that takes more than a quarter of an hour has `pieces(config)`, from the name of
a piece to the function that makes it, and `run(config, done)`, from what they returned
to the result. A piece may be made from earlier ones (`After`). Two processes that run
one study share its pieces.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from recsys.training.lock import alone

Say = Callable[[str], None]


WAIT = 5.0
"""Seconds between two looks at what others make."""


class After(NamedTuple):
    """A piece that is made from earlier ones.

    Args:
        needs: the names of those, which stand before it.
        function: from what they returned, one argument each, to what this one returns.
    """

    needs: Sequence[str]
    function: Callable[..., dict]


Pieces = Mapping[str, Callable[[], dict] | After]
"""By name, in the order in which they are made."""


def make(
    directory: Path, made_from: dict, pieces: Pieces, say: Say
) -> tuple[dict[str, dict], dict[str, float]]:
    """Have every piece: read what is kept, make what is not, wait for what others make.

    Args:
        directory: where the pieces of one study are kept.
        made_from: what a kept piece must have been made from.
        pieces: by name, in the order in which they are made.
        say: is told each piece that was made, and its processor seconds.

    Returns:
        What each returned, by name, as JSON gives it back; and the processor seconds
        that each took when it was made.

    Raises:
        ValueError: a piece that needs one which does not stand before it.
    """
    of_others = {
        name: piece if isinstance(piece, After) else After([], piece)
        for name, piece in pieces.items()
    }
    _check_order(of_others)
    directory.mkdir(parents=True, exist_ok=True)
    done: dict[str, dict] = {}
    while len(done) < len(pieces):
        before = len(done)
        for name, (needs, function) in of_others.items():
            if name in done or not all(need in done for need in needs):
                continue
            whole = partial(function, *(done[need]["result"] for need in needs))
            try:
                done[name] = _one(directory, made_from, name, whole, say)
            except BlockingIOError:
                continue  # another process makes it
        if len(done) == before:
            time.sleep(WAIT)
    seconds = {name: done[name]["seconds"] for name in pieces}
    return {name: done[name]["result"] for name in pieces}, seconds


def _check_order(pieces: Mapping[str, After]) -> None:
    """Require that what a piece needs stands before it."""
    before: set[str] = set()
    for name, piece in pieces.items():
        missing = sorted(set(piece.needs) - before)
        if missing:
            raise ValueError(
                f"pieces: expected what {name!r} needs before it, got no "
                f"{missing[0]!r} there; name one that stands before, or move it up"
            )
        before.add(name)


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
