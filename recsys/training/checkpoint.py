"""Checkpoints: arrays in one safetensors file, everything else as JSON in its header.

One file, because two cannot be replaced in one move. It is written beside its final
name, under a name of its own, and renamed, so that a full disk, a kill or a second
writer leaves a whole file. What a writer that was killed has left beside it is removed
by a later one. Nothing is pickled: to read a checkpoint never runs code. `identity`
says what a checkpoint belongs to and is compared before a single number is used; a hash
of numbers and state says that they are those that were written. A run that trains
with a checkpoint has it to itself: `recsys.training.lock`.
"""

import glob
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from reprlib import Repr
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

FORMAT = 4
"""Raised when the layout of a checkpoint changes; others are refused.

Since 4 the matrices of linear layers are (in, out), whichever framework wrote them, and
digests tell the widths of floats apart.
"""

ABANDONED = 3600
"""Seconds after which a file that was never renamed counts as abandoned."""


def digest(*arrays: np.ndarray) -> str:
    """Hash arrays, for example a vocabulary, to a short name.

    Whole numbers count by value and text by its letters, whatever the width they are
    kept in.

    Args:
        arrays: numbers, booleans or text.

    Returns:
        16 hexadecimal digits of SHA-256 over kinds, shapes and values.

    Raises:
        ValueError: an array of anything else, such as objects, whose bytes are
            addresses.
    """
    total = hashlib.sha256()
    for array in map(np.asarray, arrays):
        kind, content = _content_of(array)
        total.update(f"{kind}{array.shape}".encode())
        total.update(content)
    return total.hexdigest()[:16]


def _content_of(array: np.ndarray) -> tuple[str, bytes]:
    """The kind that an array counts as, which with its shape tells the length of its bytes."""
    kind = array.dtype.kind
    if kind not in "biufcU":
        raise ValueError(
            f"arrays: expected numbers or text, got {array.dtype}; convert them, for example with astype(str)"
        )
    if kind == "U":
        return kind, json.dumps(array.tolist()).encode()
    if kind == "i" or kind == "u" and array.max(initial=0) <= np.iinfo(np.int64).max:
        array = array.astype("<i8")
    else:
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.dtype.str, array.tobytes()


def write_checkpoint(
    path: Path, arrays: Mapping[str, np.ndarray], state: Mapping, identity: Mapping
) -> None:
    """Replace the checkpoint at `path` in one move, or leave it as it was.

    Args:
        path: where it belongs; its directory is made where it is missing.
        arrays: by name.
        state: what JSON can hold, finite numbers only.
        identity: what the checkpoint belongs to.

    Raises:
        OSError: it could not be written; an earlier checkpoint is as it was.
    """
    whole = {
        name: np.require(array, requirements="C") for name, array in arrays.items()
    }  # a scalar stays one
    header = {
        "format": FORMAT,
        "identity": identity,
        "state": state,
        "content": _content(whole, state),
    }
    content = save(whole, metadata={"recsys": json.dumps(header, allow_nan=False)})
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        with open(partial, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        kept = (
            "the one before is untouched" if path.exists() else "there was none before"
        )
        message = (
            f"checkpoint of {len(content):,} bytes not written ({error.strerror}); {kept}; "
            "free some space or give another place"
        )
        raise OSError(error.errno, message, str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _remove_abandoned(path: Path) -> None:
    oldest = time.time() - ABANDONED
    for partial in path.parent.glob(f"{glob.escape(path.name)}.*.partial"):
        with suppress(OSError):
            if partial.stat().st_mtime < oldest:
                partial.unlink()


def read_checkpoint(
    path: Path, identity: Mapping
) -> tuple[dict[str, np.ndarray], dict]:
    """Read a checkpoint that belongs to `identity`.

    Args:
        path: what `write_checkpoint` wrote.
        identity: what it has to belong to.

    Returns:
        Arrays by name, and the state.

    Raises:
        FileNotFoundError: there is no such file, or it is a directory.
        ValueError: not a whole checkpoint, numbers that are not those that were
            written, another format, or another model, version or vocabulary; the
            message names each difference.
    """
    with _opened(path) as (
        file,
        header,
    ):  # once: another writer may replace the file in between
        expected = {"format": FORMAT, **identity}
        got = {"format": header["format"], **header["identity"]}
        _check_identity(path, expected, got)
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if _content(arrays, header["state"]) != header["content"]:
        raise ValueError(
            f"{path}: expected the numbers that were written, got others; the file was damaged: "
            "delete it or give another path"
        )
    return arrays, header["state"]


def read_header(path: Path) -> dict[str, Any]:
    """Read what a checkpoint says of itself.

    Args:
        path: what `write_checkpoint` wrote.

    Returns:
        Its "format", "identity", "state" and "content".

    Raises:
        FileNotFoundError: there is no such file, or it is a directory.
        ValueError: not a whole checkpoint of this package.
    """
    with _opened(path) as (_, header):
        return header


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The file and its header; what cannot be read in it is one error."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no checkpoint here; train and save one first")
    try:
        with safe_open(path, framework="np") as file:
            yield file, _header(file)
    except (
        SafetensorError,
        KeyError,
        TypeError,
        AttributeError,
        json.JSONDecodeError,
    ) as error:
        raise ValueError(
            f"{path}: expected a whole checkpoint of recsys, got {type(error).__name__} ({error}); "
            "delete it or give another path"
        ) from error


def _header(file: Any) -> dict[str, Any]:
    written = json.loads((file.metadata() or {})["recsys"])
    header = {
        name: written[name] for name in ("format", "identity", "state", "content")
    }
    for name in ("identity", "state"):
        header[name].keys()
    return header


def _content(arrays: Mapping[str, np.ndarray], state: Mapping) -> str:
    names = sorted(arrays)
    text = np.array(json.dumps(state))
    return digest(np.array(names, dtype=str), text, *(arrays[name] for name in names))


def _check_identity(path: Path, expected: Mapping, got: Mapping) -> None:
    expected = json.loads(json.dumps(expected))  # tuples become lists, as in the file
    expected, got = _differences(expected, got)
    if not expected and not got:
        return
    differences = []
    for name in sorted({*expected, *got}):
        wanted, found = _SHORT.repr(expected.get(name)), _SHORT.repr(got.get(name))
        differences.append(f"{name} expected {wanted}, got {found}")
    raise ValueError(
        f"{path}: this checkpoint belongs to something else: {'; '.join(differences)}; "
        "use what it was made with, delete it, or give another path"
    )


_SHORT = Repr()
_SHORT.maxdict, _SHORT.maxstring = 3, 60


def _differences(expected: Mapping, got: Mapping) -> tuple[dict, dict]:
    """What is left of both without the entries, at any depth, that agree."""
    left, right = {}, {}
    for name in {*expected, *got}:
        one, other = expected.get(name), got.get(name)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            one, other = _differences(one, other)
        left[name], right[name] = one, other
    return left, right
