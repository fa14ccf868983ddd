"""The cache: where the files of a data set are kept, and how they get there.

New files are written beside their final place and renamed, so a good copy is never
lost, whatever fails or is interrupted on the way.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from recsys.data.entries import Entry
from recsys.data.errors import DataError

IN_THE_WAY = {errno.ENOTEMPTY, errno.EEXIST} | (
    {errno.EACCES} if os.name == "nt" else set()
)
"""What a system answers where a directory is to take the name of one that holds files."""


TRIES = 100


def cache_directory() -> Path:
    """Where data is kept: `RECSYS_CACHE` if set, else the system's cache directory."""
    return Path(
        os.environ.get("RECSYS_CACHE") or platformdirs.user_cache_dir("recsys")
    ).expanduser()


def keep(wanted: Entry, files: Mapping[str, bytes]) -> Path:
    """Put the files into the cache, in place of a damaged copy; an error leaves what was there."""
    target = cache_directory() / wanted.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = _own_directory(target)
        try:
            for name, content in files.items():
                _write(fresh / name, content)
            _sync(fresh)
            _move(fresh, target)
            _sync(target.parent)
            _sweep(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"{wanted.name}: not written to {target} ({error.strerror or error}); what was there is "
            "untouched. Mend: free some space there, see that you may write, or set RECSYS_CACHE to a "
            "directory elsewhere."
        ) from error
    return target


def _own_directory(target: Path) -> Path:
    """A new directory beside `target` for this process to write; others may read as umask says."""
    directory = target.with_name(f".{target.name}-{secrets.token_hex(8)}")
    directory.mkdir()
    return directory


def _sweep(target: Path) -> None:
    """Remove what a process that was killed had begun beside `target`, an hour ago or more."""
    for path in target.parent.glob(f".{target.name}-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > 3600:
                shutil.rmtree(path, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    """Write a file, and wait until it is on the disk: a power cut must not leave an empty one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync(path.parent)


def _sync(directory: Path) -> None:
    """Wait until the names in a directory are on the disk, where the system can be asked to."""
    with contextlib.suppress(OSError):
        number = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _move(fresh: Path, target: Path) -> None:
    """Give `fresh` the name of `target`; of several processes the last one's copy stays."""
    aside = fresh.with_name(f"{fresh.name}-old")
    placed = False
    try:
        for _ in range(TRIES):
            if _renamed(fresh, target):
                placed = True
                return
            shutil.rmtree(aside, ignore_errors=True)
            with contextlib.suppress(
                FileNotFoundError
            ):  # another process has moved it already
                os.replace(target, aside)
        raise OSError(errno.EBUSY, f"an older copy was in the way {TRIES} times")
    finally:
        if not placed and not target.exists() and aside.exists():
            _renamed(
                aside, target
            )  # another process's newer copy may stand there by now
        shutil.rmtree(aside, ignore_errors=True)


def _renamed(directory: Path, target: Path) -> bool:
    """Give a directory the name `target`, unless one that holds files has it."""
    try:
        os.replace(directory, target)
    except OSError as error:
        if error.errno in IN_THE_WAY:
            return False
        raise
    return True
