"""The catalogue, its places, and what happens when they fail."""

import errno
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.data import DataError, card, catalogue, downloads, entry, fetch, fetching, load, where
from recsys.data.cache import keep
from recsys.data.parse import Parsed, content_hash, parse


@pytest.fixture(scope="session")
def good(movielens):
    """The files of MovieLens in the form RecBole ships."""
    return as_recbole(movielens)


@pytest.fixture(scope="session")
def shop_file(tafeng):
    """The text of Ta-Feng's file, wherever it lies."""
    for directory in fetching._local_directories(entry("ta-feng")):
        if (directory / "ta_feng.csv.zip").is_file():
            archive = zipfile.ZipFile(directory / "ta_feng.csv.zip")
            return archive.read(archive.namelist()[0])


def as_recbole(dataset):
    data = dataset.interactions
    rows = "\n".join(f"{u}\t{i}\t{int(v)}\t{t}" for u, i, v, t in zip(
        data.user_ids[data.users], data.item_ids[data.items], data.values, data.times))
    items = "\n".join(f"{i}\t{row.title}\t{row.year}\t{' '.join(row.genres)}" for i, row in dataset.items.iterrows())
    users = "\n".join("\t".join(map(str, [i, *row])) for i, row in zip(dataset.users.index, dataset.users.to_numpy()))
    return {"ml-100k.inter": f"user_id:token\titem_id:token\trating:float\ttimestamp:float\n{rows}\n".encode(),
            "ml-100k.item": f"item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n{items}\n".encode(),
            "ml-100k.user": f"user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n{users}\n".encode()}


def as_grouplens(dataset):
    from recsys.data.sources.movielens import GENRES

    data = dataset.interactions
    rows = "\r\n".join(f"{u}\t{i}\t{int(v)}\t{t}" for u, i, v, t in zip(
        data.user_ids[data.users], data.item_ids[data.items], data.values, data.times))
    items = "\n".join(f"{i}|{row.title} ({row.year})|01-Jan-1995||http://x|" + "|".join(
        str(int(g in row.genres)) for g in GENRES) for i, row in dataset.items.iterrows())
    users = "\n".join("|".join(map(str, [i, *row])) for i, row in zip(dataset.users.index, dataset.users.to_numpy()))
    return {"u.data": (rows + "\r\n").encode(), "u.item": items.encode("latin-1"), "u.user": users.encode()}


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """An empty cache, no mirror, and no place that answers."""
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECSYS_DATA_MIRROR", raising=False)

    def refuse(wanted, place):
        raise DataError("refused for this test")

    monkeypatch.setattr(fetching, "download", refuse)
    return tmp_path / "cache"


def put(directory: Path, files):
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)


@pytest.mark.parametrize("name", ["movielens-100k", "ta-feng"])
def test_counts_and_hash_of_the_catalogue_are_those_of_the_data(name, request):
    dataset = request.getfixturevalue({"movielens-100k": "movielens", "ta-feng": "tafeng"}[name])
    data, counts = dataset.interactions, entry(name).counts
    assert (len(data), data.n_users, data.n_items) == (counts["rows"], counts["users"], counts["items"])
    assert content_hash(Parsed(data, dataset.users, dataset.items)) == entry(name).content
    assert (dataset.users.index == data.user_ids).all() and (dataset.items.index == data.item_ids).all()


def test_what_the_cards_say_of_limits_is_counted(movielens, tafeng):
    data = movielens.interactions
    last = np.zeros(data.n_users, int)
    np.maximum.at(last, data.users, data.times)
    tied = (np.bincount(data.users[data.times == last[data.users]]) > 1).sum()
    assert tied == 415 and "415 of 943" in card("movielens-100k")
    assert np.bincount(data.users).min() == 20
    shop = tafeng.interactions
    assert shop.time_unit == "day" and shop.times.max() - shop.times.min() == 119
    assert movielens.items["genres"].map(len).min() >= 1 and tafeng.items["price"].gt(0).all()


def test_a_products_subclass_is_its_most_frequent_and_its_price_the_median(tafeng, shop_file):
    raw = pd.read_csv(io.BytesIO(shop_file))
    unit = (raw["SALES_PRICE"] / raw["AMOUNT"]).groupby(raw["PRODUCT_ID"]).median()
    assert np.allclose(unit.loc[tafeng.items.index], tafeng.items["price"])
    mode = raw.groupby("PRODUCT_ID")["PRODUCT_SUBCLASS"].agg(lambda values: values.mode().min())
    assert (mode.loc[tafeng.items.index] == tafeng.items["subclass"]).all()


def test_the_same_data_in_two_forms_and_line_ends_has_one_hash(movielens, good):
    from_grouplens = parse(entry("movielens-100k"), as_grouplens(movielens))
    from_recbole = parse(entry("movielens-100k"), good)
    assert content_hash(from_grouplens) == content_hash(from_recbole)
    assert (from_grouplens.items["genres"].map(set) == from_recbole.items["genres"].map(set)).all()


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match="Unknown data set 'movielens'. Known: movielens-100k, ta-feng"):
        load("movielens")


def cut_in_a_row(text):
    return text[: text.index("\n", len(text) // 2) + 8]


def cut_between_rows(text):
    return text[: text.index("\n", len(text) // 2) + 1]


FAULTS = {
    "half-written": (cut_in_a_row, r"ml-100k.inter, row \d+: expected"),
    "truncated": (cut_between_rows, r"ml-100k.inter: expected 100,000 rows, got \d\d,\d{3}.*cut short"),
    "altered value": (lambda text: text.replace("\t3\t", "\t4\t", 1), r"ml-100k.inter: .*content is not that of movielens-100k.*altered"),
    "wrong column": (lambda text: text.replace("rating:float", "stars:float", 1), r"ml-100k.inter, row 1: expected the columns .*stars"),
    "non-integer id": (lambda text: text.replace("\n186\t302", "\n18x6\t302", 1), r"ml-100k.inter, row 3: expected an integer in user_id:token, got '18x6'"),
    "negative rating": (lambda text: text.replace("\t302\t3\t", "\t302\t-3\t", 1), r"ml-100k.inter, row 3: expected a rating from 1 to 5 in rating, got .*-3"),
    "one field too many": (lambda text: text.replace("\t302\t3\t", "\t302\t3\t3\t", 1), r"ml-100k.inter, row 3: expected 4 fields, got 5"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_files_name_the_file_the_row_and_the_mend(alone, good, fault):
    damage, message = FAULTS[fault]
    broken = good | {"ml-100k.inter": damage(good["ml-100k.inter"].decode()).encode()}
    put(alone / "movielens-100k", broken)
    with pytest.raises(DataError, match=message) as caught:
        load("movielens-100k")
    assert "recsys data fetch movielens-100k" in str(caught.value)
    assert (alone / "movielens-100k" / "ml-100k.inter").read_bytes() == broken["ml-100k.inter"]


def packed(text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("ta_feng_all_months_merged.csv", text)
    return {"ta_feng.csv.zip": buffer.getvalue()}


def test_a_negative_quantity_in_the_shop_is_named(shop_file):
    lines = shop_file.decode("utf-8-sig").split("\n")[:5]
    lines[3] = lines[3].replace('"2","142"', '"-2","142"')
    files = packed("\n".join(lines))
    with pytest.raises(DataError, match="row 4: expected a quantity of at least 1 in AMOUNT, got .*-2"):
        parse(entry("ta-feng"), files)
    with pytest.raises(DataError, match="expected an archive that holds"):
        parse(entry("ta-feng"), {"ta_feng.csv.zip": files["ta_feng.csv.zip"][:200]})


def test_a_bad_date_in_the_shop_is_named():
    head = '"TRANSACTION_DT","CUSTOMER_ID","AGE_GROUP","PIN_CODE","PRODUCT_SUBCLASS","PRODUCT_ID","AMOUNT","ASSET","SALES_PRICE"'
    rows = ['"11/1/2000","1","45-49","115","110411","47","2","24","30"', '"31/31/2000","1","45-49","115","110411","47","2","24","30"']
    with pytest.raises(DataError, match="row 3: expected a date as month/day/year in TRANSACTION_DT, got '31/31/2000'"):
        parse(entry("ta-feng"), packed("\n".join([head, *rows])))


def test_where_no_place_answers_each_is_named_with_its_reason(alone):
    with pytest.raises(DataError) as caught:
        load("movielens-100k")
    text = str(caught.value)
    for part in ("cache", "not there", "official address https://files.grouplens.org", "refused for this test",
                 "wheel recbole 1.2.1", "RECSYS_DATA_MIRROR"):
        assert part in text


def test_places_are_tried_in_order_and_the_first_good_one_wins(alone, good, monkeypatch):
    asked = []

    def download(wanted, place):
        asked.append(place.kind)
        if place.kind == "official":
            raise OSError("certificate has expired")
        return good

    monkeypatch.setattr(fetching, "download", download)
    assert len(load("movielens-100k").interactions) == 100_000
    assert asked == ["official", "wheel"]
    load("movielens-100k")
    assert asked == ["official", "wheel"], "the second load comes from the cache"


def test_a_place_with_altered_content_is_passed_over(alone, good, monkeypatch):
    altered = good | {"ml-100k.inter": good["ml-100k.inter"].replace(b"\t3\t", b"\t4\t", 1)}
    monkeypatch.setattr(fetching, "download", lambda wanted, place: altered if place.kind == "official" else good)
    assert len(load("movielens-100k").interactions) == 100_000


def test_a_mirror_comes_before_the_network(alone, good, monkeypatch, tmp_path):
    put(tmp_path / "mirror" / "movielens-100k", good)
    monkeypatch.setenv("RECSYS_DATA_MIRROR", str(tmp_path / "mirror"))
    assert len(load("movielens-100k").interactions) == 100_000
    assert any(attempt.place.startswith("mirror") and not attempt.problem for attempt in where("movielens-100k"))


def test_a_damaged_cache_is_replaced_by_fetch_only_when_a_good_copy_is_at_hand(alone, good, monkeypatch):
    broken = good | {"ml-100k.inter": good["ml-100k.inter"][:5000]}
    put(alone / "movielens-100k", broken)
    with pytest.raises(DataError, match="could not be had"):
        fetch("movielens-100k")
    assert (alone / "movielens-100k" / "ml-100k.inter").read_bytes() == broken["ml-100k.inter"]
    monkeypatch.setattr(fetching, "download", lambda wanted, place: good)
    fetch("movielens-100k")
    assert len(load("movielens-100k").interactions) == 100_000


def test_an_interrupted_write_leaves_the_good_copy_and_no_litter(alone, good, monkeypatch):
    put(alone / "movielens-100k", good)
    syncs = []
    real = os.fsync

    def dies(number):
        syncs.append(number)
        if len(syncs) == 3:  # the first file, its directory, the second file
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(number)

    monkeypatch.setattr(os, "fsync", dies)
    with pytest.raises(DataError, match="movielens-100k: not written to .*No space left.*Mend: free some space"):
        keep(entry("movielens-100k"), good)
    monkeypatch.undo()
    assert {path.name for path in (alone / "movielens-100k").iterdir()} == set(good)
    assert [path.name for path in alone.iterdir()] == ["movielens-100k"]


def test_a_half_written_download_is_not_taken_for_the_data(alone, good):
    put(alone / ".movielens-100k-abc", good)
    with pytest.raises(DataError, match="could not be had"):
        load("movielens-100k")


def test_the_wheel_really_gives_the_data(monkeypatch, tmp_path):
    """The road everybody without a mirror takes: pip, the pinned wheel, the hash."""
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))
    monkeypatch.delenv("RECSYS_DATA_MIRROR", raising=False)
    wanted = entry("movielens-100k")
    [wheel] = [place for place in wanted.places if place.kind == "wheel"]
    assert content_hash(parse(wanted, downloads.download(wanted, wheel))) == wanted.content


@pytest.fixture
def official(monkeypatch, tmp_path, movielens):
    """A site of our own on the loopback address, and MovieLens' official place moved there."""
    import functools
    import http.server
    import threading
    from dataclasses import replace

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    site = tmp_path / "site"
    site.mkdir()
    with zipfile.ZipFile(site / "ml-100k.zip", "w") as archive:
        for name, content in as_grouplens(movielens).items():
            archive.writestr(f"ml-100k/{name}", content)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECSYS_DATA_MIRROR", raising=False)
    wanted = entry("movielens-100k")
    moved = replace(wanted.places[0], url=f"http://127.0.0.1:{server.server_port}/ml-100k.zip")
    monkeypatch.setattr(fetching, "entry", lambda name: replace(wanted, places=(moved,)))
    yield site / "ml-100k.zip"
    server.shutdown()


def test_the_official_archive_gives_the_data(official):
    assert len(load("movielens-100k").interactions) == 100_000
    assert downloads.answers(fetching.entry("movielens-100k").places[0])


@pytest.mark.parametrize("fault, said", [("gone", "404"), ("truncated", "zip"), ("another archive", "does not hold")])
def test_a_broken_official_archive_is_named_and_leaves_nothing_behind(official, fault, said, tmp_path):
    if fault == "gone":
        official.unlink()
    elif fault == "truncated":
        official.write_bytes(official.read_bytes()[:50_000])
    else:
        with zipfile.ZipFile(official, "w") as archive:
            archive.writestr("README", "moved")
    with pytest.raises(DataError, match=f"official address .*{said}"):
        load("movielens-100k")
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").iterdir())


def test_the_first_load_inside_a_notebook_prints_nothing(tmp_path):
    """A reader's first cell fetches; what the road there warns of must not land in the notebook."""
    import os

    import nbformat
    from nbclient import NotebookClient

    cell = nbformat.v4.new_code_cell("from recsys.data import load\nlen(load('movielens-100k').interactions)")
    client = NotebookClient(nbformat.v4.new_notebook(cells=[cell]), kernel_name="python3")
    variables = {**os.environ, "RECSYS_QUIET": "1", "RECSYS_CACHE": str(tmp_path)}
    variables.pop("RECSYS_DATA_MIRROR", None)
    with client.setup_kernel(env=variables):
        client.execute_cell(cell, 0)
    assert [output.output_type for output in cell.outputs] == ["execute_result"], cell.outputs


def test_a_wheel_with_other_bytes_is_refused(monkeypatch):
    from dataclasses import replace

    wanted = entry("movielens-100k")
    [wheel] = [place for place in wanted.places if place.kind == "wheel"]
    with pytest.raises(DataError, match="expected SHA-256 0000"):
        downloads.download(wanted, replace(wheel, sha256="0000"))


def test_the_mirror_beside_the_project_is_what_its_list_says():
    import hashlib
    import os
    import re

    mirror = os.environ.get("RECSYS_DATA_MIRROR")
    if not mirror:
        pytest.skip("RECSYS_DATA_MIRROR is not set: no mirror to test")
    listed = re.findall(r"^\s*([0-9a-f]{64})\s+(\S+)$", (Path(mirror) / "README.md").read_text("utf-8"), re.M)
    assert listed
    for digest, file in listed:
        assert hashlib.sha256((Path(mirror) / file).read_bytes()).hexdigest() == digest, file
    assert all(attempt.problem == "not there" for name in catalogue() for attempt in where(name)
               if attempt.place.startswith("mirror") and not (Path(mirror) / name).exists())


def test_importing_the_package_loads_no_framework():
    code = ("import sys, recsys, recsys.data, recsys.evaluation, recsys.baselines, recsys.book, recsys.cli;"
            "print([m for m in ('torch', 'paddle', 'keras', 'matplotlib', 'sklearn') if m in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
