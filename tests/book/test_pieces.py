"""A study in pieces: what is kept is not made again, and nothing half made is ever read."""

import os
import signal
import subprocess
import sys
import threading
from functools import partial

import pytest

from recsys.book import pieces
from recsys.book.pieces import After

HERE = {"code": "a", "settings": "b"}


def counted(made, name, *given):
    """A piece that notes that it was made, and what it was given."""
    made.append(name)
    return {"name": name, "of": [each["name"] for each in given]}


def make(at, made, names="abc", made_from=HERE, say=lambda line: None, **after):
    """Pieces of these names; `after` gives what some need."""
    work = {name: partial(counted, made, name) for name in names}
    return pieces.make(at, made_from, {name: After(after[name], work[name]) if name in after else work[name] for name in names}, say)


def test_pieces_are_made_once_in_their_order_and_read_afterwards(tmp_path):
    made, said = [], []
    first, seconds = make(tmp_path, made, say=said.append)
    again, same_seconds = make(tmp_path, made, say=said.append)
    assert made == ["a", "b", "c"] and [line[:2] for line in said] == ["a:", "b:", "c:"]
    assert list(first) == ["a", "b", "c"] and first["b"] == {"name": "b", "of": []}
    assert again == first and same_seconds == seconds


def test_a_run_that_was_stopped_goes_on(tmp_path):
    made = []
    make(tmp_path, made, "ab")
    make(tmp_path, made, "abcd")
    assert made == ["a", "b", "c", "d"]


@pytest.mark.parametrize("part", ["code", "settings"])
def test_pieces_of_other_code_or_settings_are_made_anew(tmp_path, part):
    made = []
    make(tmp_path, made)
    make(tmp_path, made, made_from=HERE | {part: "other"})
    assert made == ["a", "b", "c"] * 2
    make(tmp_path, made)
    assert made == ["a", "b", "c"] * 3, "one is kept of each, the newest"


def test_seconds_are_those_of_the_making_whoever_made_it(tmp_path):
    def busy():
        start = pieces.processor_seconds()
        while pieces.processor_seconds() < start + 0.3:
            sum(range(10_000))
        return {}

    _, seconds = pieces.make(tmp_path, HERE, {"a": busy}, str)
    _, read = pieces.make(tmp_path, HERE, {"a": busy}, str)
    assert seconds == read and 0.3 <= seconds["a"] < 3


def test_a_piece_is_given_what_it_needs_also_where_that_was_kept(tmp_path):
    made = []
    first, _ = make(tmp_path, made, c=["b", "a"], b=["a"])
    assert first["c"]["of"] == ["b", "a"] and first["b"]["of"] == ["a"]
    again, _ = make(tmp_path, made, "abcd", c=["b", "a"], b=["a"], d=["c"])
    assert made == ["a", "b", "c", "d"] and again["d"]["of"] == ["c"]


@pytest.mark.parametrize("needs", [{"a": ["c"]}, {"a": ["a"]}, {"b": ["search: a"]}, {"a": ["b"], "b": ["a"]}])
def test_a_need_that_does_not_stand_before_is_refused_before_anything_is_made(tmp_path, needs):
    made = []
    with pytest.raises(ValueError, match=r"pieces: expected what '[ab]' needs before it, got no .*; name one"):
        make(tmp_path, made, **needs)
    assert made == []


def test_two_runs_share_the_pieces_of_a_study(tmp_path, monkeypatch):
    """`a` and `b` only end when both are being made; `c` needs both; each is made by one of the runs."""
    monkeypatch.setattr(pieces, "WAIT", 0.01)
    made, together = [], threading.Barrier(2, timeout=20)

    def meeting(name):
        together.wait()
        return counted(made, name)

    work = {"a": partial(meeting, "a"), "b": partial(meeting, "b"), "c": After(["a", "b"], partial(counted, made, "c"))}
    results = []
    runs = [threading.Thread(target=lambda: results.append(pieces.make(tmp_path, HERE, work, str))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(30)
    assert sorted(made) == ["a", "b", "c"]
    assert len(results) == 2 and results[0] == results[1] and results[0][0]["c"]["of"] == ["a", "b"]


KILLED = """
import sys, time
from pathlib import Path
from recsys.book import pieces

def never():
    print("begun", flush=True)
    time.sleep(60)

pieces.make(Path(sys.argv[1]), {"code": "a", "settings": "b"}, {"a": dict, "b": never}, str)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal here")
def test_a_run_that_was_killed_leaves_its_whole_pieces_and_nothing_of_the_other(tmp_path):
    run = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True,
                           env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert run.stdout.readline() == "begun\n"
    assert len(list(tmp_path.glob("*.json"))) == 1
    run.kill()
    run.communicate(timeout=20)
    made = []
    make(tmp_path, made, "ab")
    assert made == ["b"]


def test_what_was_half_written_is_never_read(tmp_path, monkeypatch):
    """The disk fills up as a piece is put in place: the one before is untouched, and it is made again."""
    made = []
    make(tmp_path, made, "a")
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("*.json")}

    def full(*paths):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr(os, "replace", full)
        make(tmp_path, made, "a", HERE | {"code": "other"})
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.json")} == kept
    make(tmp_path, made, "a")
    assert made == ["a", "a"]


def test_a_piece_that_fails_is_told_and_keeps_those_before_it(tmp_path):
    made = []

    def wrong():
        raise ZeroDivisionError("of this piece")

    with pytest.raises(ZeroDivisionError, match="of this piece"):
        pieces.make(tmp_path, HERE, {"a": partial(counted, made, "a"), "b": wrong}, str)
    make(tmp_path, made, "ab")
    assert made == ["a", "b"]
