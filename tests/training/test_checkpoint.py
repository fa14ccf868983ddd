"""Checkpoints: what was written is read or refused, whoever else writes, and whatever was done to the file."""

import json
import resource
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save

from recsys.training.checkpoint import FORMAT, digest, read_checkpoint, read_header, write_checkpoint
from tests.conftest import ROOT
from tests.training.small_run import CONFIG, network, train, validate

ONES = {"a": np.ones(3, dtype=np.float32)}


def test_a_checkpoint_of_another_version_or_cut_short_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_checkpoint(path, ONES, {}, {})
    monkeypatch.setattr("recsys.training.checkpoint.FORMAT", 9)
    with pytest.raises(ValueError, match=f"format expected 9, got {FORMAT}"):
        read_checkpoint(path, {})
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="expected a whole checkpoint of recsys"):
        read_checkpoint(path, {})
    for content in (b"", b"x" * 1000, save(ONES), save({}, metadata={"recsys": "{}"})):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="expected a whole checkpoint of recsys"):
            read_checkpoint(path, {})
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(FileNotFoundError, match="train and save one first"):
            read_checkpoint(path, {})


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    path = tmp_path / "state"
    write_checkpoint(path, ONES, {"step": 1}, {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="not written .*; the one before is untouched; free some space"):
            write_checkpoint(path, {"a": np.ones(5000)}, {"step": 2}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read_checkpoint(path, {})[1] == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


# Whole, or refused


def test_what_is_written_is_read(tmp_path):
    arrays = {"scalar": np.float32(2.5), "empty": np.zeros((0, 3)), "turned": np.arange(6).reshape(2, 3).T,
              "flags": np.array([True, False])}  # fmt: skip
    state = {"steps": 3, "losses": [0.1, 1e-300], "nothing": None, "Zürich": {"a": []}}
    write_checkpoint(tmp_path / "x", arrays, state, {"of": (1, 2)})
    got, read = read_checkpoint(tmp_path / "x", {"of": [1, 2]})
    assert read == state and got.keys() == arrays.keys()
    for name, array in arrays.items():
        assert got[name].shape == np.shape(array) and got[name].dtype == array.dtype and (got[name] == array).all()
    assert read_header(tmp_path / "x")["identity"] == {"of": [1, 2]}


def test_any_bit_that_is_flipped_is_noticed(tmp_path):
    path = tmp_path / "state"
    write_checkpoint(path, {"a": np.array([1.5, -2.0], dtype=np.float32), "n": np.arange(2)}, {"steps": 12}, {"of": "b"})
    good = path.read_bytes()
    for place in range(len(good)):
        for bit in (0, 6):
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            path.write_bytes(bad)
            with pytest.raises(ValueError, match="state: (expected|this checkpoint belongs to something else)"):
                read_checkpoint(path, {"of": "b"})


HEADER = {"format": FORMAT, "identity": {}, "state": {}, "content": "0"}


@pytest.mark.parametrize("header", [
    [], None, 3, "text", {}, {**HEADER, "identity": []}, {**HEADER, "identity": None}, {**HEADER, "state": [1]},
    {name: value for name, value in HEADER.items() if name != "content"}, HEADER,
])  # fmt: skip
def test_a_header_of_another_kind_is_refused_with_the_place(tmp_path, header):
    path = tmp_path / "state"
    path.write_bytes(save(ONES, metadata={"recsys": json.dumps(header)}))
    with pytest.raises(ValueError, match=rf"^{path}: expected .*delete it or give another path"):
        read_checkpoint(path, {})


# What a training goes on from


def spoilt(path, change):
    """Write a checkpoint of two epochs anew, changed, with a hash that agrees."""
    train(network(), None, CONFIG, validate, path)
    identity = read_header(path)["identity"]
    arrays, state = read_checkpoint(path, identity)
    change(arrays, state)
    write_checkpoint(path, arrays, state, identity)


def test_a_state_put_back_as_it_was_is_taken(tmp_path):
    spoilt(tmp_path / "state", lambda arrays, state: None)
    assert train(network(), None, CONFIG, validate, tmp_path / "state").steps == 16


WEIGHT, BIAS = "0.weight", "0.bias"
CHANGES = {
    "weights that are no numbers": lambda arrays, state: arrays[f"model.{WEIGHT}"].fill(np.nan),
    "best weights that are no numbers": lambda arrays, state: arrays[f"best.{BIAS}"].fill(np.inf),
    "whole numbers": lambda arrays, state: arrays.update({f"model.{BIAS}": np.zeros(8, dtype=np.int32)}),
    "another shape": lambda arrays, state: arrays.update({f"model.{BIAS}": np.zeros(7, dtype=np.float32)}),
    "another shape of the best": lambda arrays, state: arrays.update({f"best.{BIAS}": np.zeros(7, dtype=np.float32)}),
    "another name": lambda arrays, state: arrays.update({"model.9.bias": arrays.pop(f"model.{BIAS}")}),
    "another group": lambda arrays, state: arrays.update({f"models.{BIAS}": arrays.pop(f"model.{BIAS}")}),
    "a weight less": lambda arrays, state: arrays.pop(f"model.{BIAS}"),
    "moments of another layer": lambda arrays, state: arrays.update(
        {"optimizer.9.bias:exp_avg": arrays.pop(f"optimizer.{BIAS}:exp_avg")}),
    "moments of another shape": lambda arrays, state: arrays.update(
        {f"optimizer.{BIAS}:exp_avg": np.zeros(7, dtype=np.float32)}),
    "no state": lambda arrays, state: state.clear(),
    "no numbers of the optimizer": lambda arrays, state: state.update(optimizer=None),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_state_that_does_not_fit_is_refused_with_the_place_before_a_step(tmp_path, change):
    path, model = tmp_path / "state", network()
    spoilt(path, CHANGES[change])
    adopted = []
    with pytest.raises(ValueError, match=rf"^{path}: expected the state of a training.*give another path"):
        train(model, None, CONFIG, validate, path, adopt=adopted.append)
    assert adopted == []


# Names of arrays


def test_a_digest_goes_by_value_and_not_by_width():
    assert digest(np.arange(5, dtype=np.int32)) == digest(np.arange(5))
    assert digest(np.array(["ab", "c"], dtype="U2")) == digest(np.array(["ab", "c"], dtype="U3"))
    assert digest(np.asfortranarray(np.eye(2, 3))) == digest(np.eye(2, 3))
    for kind in ("u1", "u2", "u4", "u8", "i1", ">i4", ">u2"):
        assert digest(np.arange(5).astype(kind)) == digest(np.arange(5))
    assert digest(np.arange(5.0).astype(">f4")) == digest(np.arange(5.0).astype("<f4"))
    assert digest(np.array([2**63 + 1], dtype="u8")) == digest(np.array([2**63 + 1], dtype=">u8"))


@pytest.mark.parametrize("one, other", [
    (np.arange(4), np.arange(4).reshape(2, 2)), (np.arange(2), np.arange(2.0)), (np.array(["1"]), np.array([1])),
    (np.array(["a", "b"]), np.array(["b", "a"])), (np.array(["ab", "c"]), np.array(["a", "bc"])),
    (np.array([0, 1]), np.array([False, True])), (np.array([0, 1], np.uint8), np.array([False, True])),
    (np.array([2**64 - 1], dtype="u8"), np.array([-1])), (np.arange(2.0), np.arange(2, dtype="f4")),
    (np.zeros(0), np.zeros(0, dtype=int)), (np.zeros((0, 2)), np.zeros((2, 0))), (np.arange(4.0), np.arange(4) + 0j),
    (np.array([["a", "b"]]), np.array(['["a", "b"]'])), (np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)),
])  # fmt: skip
def test_other_arrays_have_another_digest(one, other):
    assert digest(one) != digest(other)
    assert digest(one, other) != digest(other, one)


def test_one_array_never_runs_on_into_the_next():
    """Eight bytes of a wide number may spell a narrow one and the kind, shape and byte of a second array."""
    wide = np.frombuffer(np.float32(1).tobytes() + b"b()\1", dtype="f8")
    assert digest(wide) != digest(np.ones(1, dtype="f4"), np.array(True))


@pytest.mark.parametrize("array, kind", [
    (np.array(["a", 1], dtype=object), "object"), (np.array(["2026-01-01"], dtype="M8[D]"), r"datetime64\[D\]"),
    (np.array([b"a"]), r"\|S1"), (np.zeros(1, dtype=[("a", "f8"), ("b", "i8")]), r"\["),
])  # fmt: skip
def test_what_is_neither_number_nor_text_has_no_digest(array, kind):
    """Of dates the unit, of records the fields, and of objects all but the address would be left out."""
    with pytest.raises(ValueError, match=rf"arrays: expected numbers or text, got {kind}.*; .*astype\(str\)"):
        digest(np.arange(2), array)


def test_the_next_process_gives_the_same_digest():
    code = "import numpy as np; from recsys.training.checkpoint import digest; print(digest(np.array(['b', 'abc'])))"
    told = [subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True).stdout
            for _ in range(2)]  # fmt: skip
    assert told == [digest(np.array(["b", "abc"])) + "\n"] * 2


# Two writers

WRITER = """
import sys
from pathlib import Path
import numpy as np
from recsys.training.checkpoint import write_checkpoint
path, run = Path(sys.argv[1]), int(sys.argv[2])
for write in range(200):
    write_checkpoint(path, {"a": np.full(3000 * run, run)}, {"write": write}, {"run": run})
"""


def test_of_two_writers_a_reader_never_sees_a_broken_or_mixed_file_and_nothing_is_left(tmp_path):
    path = tmp_path / "state"
    write_checkpoint(path, {"a": np.full(3000, 1)}, {}, {"run": 1})
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(run)], cwd=ROOT,
                                stderr=subprocess.PIPE, text=True) for run in (1, 2)]  # fmt: skip
    seen = set()
    while any(writer.poll() is None for writer in writers):
        for run in (1, 2):
            try:
                arrays, _ = read_checkpoint(path, {"run": run})
            except ValueError as error:
                assert "belongs to something else: run expected" in str(error)
                continue
            assert (arrays["a"] == run).all() and arrays["a"].shape == (3000 * run,)
            seen.add(run)
    assert [(writer.returncode, writer.stderr.read()) for writer in writers] == [(0, "")] * 2
    assert seen == {1, 2} and [file.name for file in tmp_path.iterdir()] == ["state"]
