"""Checkpoints: tensors in one safetensors file, everything else as JSON in its header.

One file, because two cannot be replaced in one move. It is written beside its final name
and renamed, so that a full disk or a kill leaves the one before. Nothing is pickled: to
read a checkpoint never runs code. `identity` says what a checkpoint belongs to, and is
compared before a single number is used.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from reprlib import Repr

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

FORMAT = 2
"""Raised when the layout of a checkpoint changes; others are refused."""


def digest(*arrays: np.ndarray) -> str:
    """Hash arrays, for example a vocabulary, to a short name.

    Args:
        arrays: of any dtype but object.

    Returns:
        16 hexadecimal digits of SHA-256 over dtypes, shapes and bytes.
    """
    total = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        total.update(f"{array.dtype}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()[:16]


def write_checkpoint(
    path: Path, tensors: Mapping[str, Tensor], state: Mapping, identity: Mapping
) -> None:
    """Replace the checkpoint at `path` in one move, or leave it as it was.

    Args:
        path: where it belongs; its directory is made where it is missing.
        tensors: by name, no two sharing memory.
        state: what JSON can hold, finite numbers only.
        identity: what the checkpoint belongs to.

    Raises:
        OSError: it could not be written; an earlier checkpoint is as it was.
    """
    header = {"format": FORMAT, "identity": identity, "state": state}
    content = save(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        metadata={"recsys": json.dumps(header, allow_nan=False)},
    )
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        kept = "the one before is untouched" if path.exists() else "there was none before"
        raise OSError(
            error.errno, f"checkpoint of {len(content):,} bytes not written ({error.strerror}); {kept}; "
            "free some space or give another place", str(path),
        ) from error  # fmt: skip


def read_checkpoint(path: Path, identity: Mapping) -> tuple[dict[str, Tensor], dict]:
    """Read a checkpoint that belongs to `identity`.

    Args:
        path: what `write_checkpoint` wrote.
        identity: what it has to belong to.

    Returns:
        Tensors by name and the state.

    Raises:
        FileNotFoundError: there is no such file, or it is a directory.
        ValueError: not a whole checkpoint, of another format, or of another model, version
            or vocabulary; the message names each difference.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no checkpoint here; train and save one first")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["recsys"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found, state = {"format": header["format"], **header["identity"]}, header["state"]
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: expected a whole checkpoint of recsys, got {error}; "
                         "delete it or give another path") from error  # fmt: skip
    _check_identity(path, {"format": FORMAT, **identity}, found)
    return tensors, state


def _check_identity(path: Path, expected: Mapping, got: Mapping) -> None:
    expected, got = _differences(json.loads(json.dumps(expected)), got)  # tuples become lists, as in the file
    if expected or got:
        differences = [f"{name} expected {_SHORT.repr(expected.get(name))}, got {_SHORT.repr(got.get(name))}"
                       for name in sorted({*expected, *got})]  # fmt: skip
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
        if one != other:
            both = isinstance(one, dict) and isinstance(other, dict)
            left[name], right[name] = _differences(one, other) if both else (one, other)
    return left, right


def save_model(model: nn.Module, path: Path, identity: Mapping) -> None:
    """Write the parameters and buffers of a model.

    Args:
        model: any module.
        path: where to.
        identity: what the weights belong to.

    Raises:
        OSError: it could not be written; an earlier file is as it was.
    """
    write_checkpoint(path, model.state_dict(), {}, identity)


def load_model(model: nn.Module, path: Path, identity: Mapping) -> None:
    """Read into a model what `save_model` wrote.

    Args:
        model: made with the same settings.
        path: where from.
        identity: what the weights have to belong to.

    Raises:
        FileNotFoundError, ValueError: as `read_checkpoint`.
    """
    model.load_state_dict(read_checkpoint(path, identity)[0])
