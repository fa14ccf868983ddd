"""The command line: what a person types, what they read, what a script sees."""

import subprocess
import sys
from importlib import import_module

import pytest
from typer.testing import CliRunner

from recsys.cli import app
from recsys.data import DataError, catalogue, entry


def recsys(*arguments, cwd, **variables):
    import os

    return subprocess.run([sys.executable, "-m", "recsys.cli", *arguments], cwd=cwd, capture_output=True, text=True,
                          env={**os.environ, **variables})


def test_list_where_card_and_fetch(root, movielens):
    assert "movielens-100k" in recsys("data", "list", cwd=root).stdout
    assert "there, content hash agrees" in recsys("data", "where", "movielens-100k", cwd=root).stdout
    assert "# MovieLens 100K" in recsys("data", "card", "movielens-100k", cwd=root).stdout
    listed = recsys("data", "list", cwd=root)
    assert listed.returncode == 0 and [line.split()[0] for line in listed.stdout.splitlines()] == list(catalogue())
    assert recsys("data", "fetch", "movielens-100k", cwd=root).returncode == 0


@pytest.mark.parametrize("command", ["fetch", "where", "card"])
def test_an_unknown_name_is_one_line_and_status_1(root, command):
    done = recsys("data", command, "nosuch", cwd=root)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.strip() == f"recsys: Unknown data set 'nosuch'. Known: {', '.join(catalogue())}."


def test_doctor_prints_a_line_a_requirement(root, movielens, tafeng):
    done = recsys("doctor", cwd=root)
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 6 + len(catalogue()) and all(line.startswith(("[ok] ", "[fail] ")) for line in lines)
    assert done.returncode == 0, done.stdout
    assert all("optional: what needs it is skipped" in line or "content hash agrees" in line or "no hash is known" in line or " answers" in line
               for line in lines if any(f" {name}: " in line for name in catalogue() if entry(name).optional))


@pytest.fixture
def doctor(monkeypatch):
    """`recsys doctor` in this process; whether the frameworks load, the test above asks in earnest."""
    monkeypatch.setattr(import_module("recsys.cli.doctor"), "_framework", lambda name: (True, f"{name} computes", ""))

    def asked(cwd, **variables):
        with monkeypatch.context() as context:
            context.chdir(cwd)
            for name, value in variables.items():
                context.setenv(name, value)
            return CliRunner().invoke(app, ["doctor"])

    return asked


def damaged_cache(tmp_path):
    """An empty file, a byte that is no text, and an archive with a flipped byte, as power loss and disks leave them."""
    files = {"movielens-100k": {"ml-100k.inter": b"", "ml-100k.item": b"\xff", "ml-100k.user": b'"'},
             "ta-feng": {"ta_feng.csv.zip": b"PK\x03\x04" + bytes(60)},
             "lee-news": {"lee_background.cor": b"", "lee.cor": b""},
             "mind-small-dev": {"behaviors.tsv": b"", "news.tsv": b""}}
    for name, contents in files.items():
        (tmp_path / "cache" / name).mkdir(parents=True)
        for file, content in contents.items():
            (tmp_path / "cache" / name / file).write_bytes(content)
    return files


def test_damaged_copies_are_lines_of_doctor_where_and_fetch_and_no_traceback(root, tmp_path, doctor):
    files = damaged_cache(tmp_path)
    where_to = {"RECSYS_CACHE": str(tmp_path / "cache"), "RECSYS_DATA_MIRROR": str(tmp_path / "none")}
    done = doctor(root, **where_to)
    assert done.exit_code == 1 and done.stderr == ""
    for name, contents in files.items():
        [line] = [line for line in done.stdout.splitlines() if f" {name}: " in line]
        assert line.startswith(f"[fail] {name}: damaged in the cache")
        assert any(file in line for file in contents) and "mend:" in line
        assert line.endswith(f"recsys data fetch {name}")
        told = recsys("data", "where", name, cwd=root, **where_to)
        assert told.returncode == 0 and told.stderr == "" and "mend:" in told.stdout.splitlines()[0]
    done = recsys("data", "fetch", "mind-small-dev", cwd=root, **where_to)
    assert done.returncode == 1 and done.stderr.startswith("recsys: mind-small-dev could not be had.")


def test_no_hash_is_said_to_agree_where_none_is_known(root, tmp_path, doctor):
    from tests.data.test_sets import MIND, put

    put(tmp_path / "mind-small-dev", MIND)
    where_to = {"RECSYS_CACHE": str(tmp_path)}
    for done in (recsys("data", "where", "mind-small-dev", cwd=root, **where_to), doctor(root, **where_to)):
        [line] = [line for line in done.stdout.splitlines() if "2,740,998" in line]
        assert "6 of 2,740,998 rows; no hash is known to hold them against" in line and "agrees" not in line


def test_help_shows_every_word_of_what_doctor_does(root):
    said = " ".join(recsys("--help", cwd=root, COLUMNS="200").stdout.split())
    assert "One line a requirement, marked as ok, or as fail with the mend." in said
    docs = [command.callback.__doc__ or "" for command in app.registered_commands]
    assert all("[" not in doc for doc in docs), "the help reads brackets as markup and leaves them out"
    assert any(doc.startswith("One line a requirement") for doc in docs)


def test_doctor_refuses_a_cache_that_is_a_file(tmp_path, monkeypatch):
    from recsys.cli.doctor import _cache

    (tmp_path / "file").write_text("")
    for inside in ("file", "file/cache"):
        monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / inside))
        ok, said, mend = _cache()
        assert not ok and f"{tmp_path}/file is a file" in said and "RECSYS_CACHE" in mend
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "new"))
    assert _cache()[0]


def test_doctor_names_what_is_wrong_and_the_mend(tmp_path, movielens, doctor):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "claims.yml").write_text("")
    (tmp_path / "requirements.lock").write_text("numpy==0.1\n")
    done = doctor(tmp_path)
    assert done.exit_code == 1
    assert "[fail] 0 of 1 packages as locked; numpy" in done.stdout and "Mend: make setup" in done.stdout


def test_reproduce_outside_a_checkout_says_so_in_one_line(tmp_path):
    done = recsys("reproduce", cwd=tmp_path)
    assert done.returncode == 1 and "Change into a clone of the project first" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def command(monkeypatch):
    """The command line in this process, with a `fetch` that has only what needs a wheel."""
    import recsys.data

    def fetch(name):
        if entry(name).optional:
            raise DataError(f"{name} could not be had.")
        return f"cache/{name}"

    monkeypatch.setattr(recsys.data, "fetch", fetch)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_an_optional_set_that_fails_stops_neither_fetch_nor_the_others(command):
    done = command("data", "fetch")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == list(catalogue())
    for line, wanted in zip(lines, catalogue().values(), strict=True):
        by_name = wanted.content is None
        assert ("not to be had here; it is optional" in line) == (wanted.optional and not by_name)
        assert ("it is fetched by name: recsys data fetch" in line) == by_name


def test_what_no_number_comes_from_is_fetched_by_name_only(command, monkeypatch):
    import recsys.data

    asked = []
    monkeypatch.setattr(recsys.data, "fetch", lambda name: asked.append(name) or f"cache/{name}")
    assert command("data", "fetch").exit_code == 0
    assert asked == [name for name, wanted in catalogue().items() if wanted.content]
    assert "movielens-20m" not in asked
    assert "movielens-20m: cache/movielens-20m" in command("data", "fetch", "movielens-20m").stdout


def test_a_set_asked_for_by_name_fails_and_the_others_are_still_fetched(command):
    done = command("data", "fetch", "dkn-news", "lee-news")
    assert done.exit_code == 1
    assert "recsys: dkn-news could not be had." in done.stderr and "lee-news: cache/lee-news" in done.stdout


@pytest.fixture
def passed(monkeypatch, tmp_path):
    """An empty book whose every pass comes out well; and with what it was asked for."""
    from recsys.book import build, reproduce, root

    asked = []
    record = {"ok": True, "notebooks": {}, "claims": {}, "missing": [], "wall seconds": 1.0, "at once": True,
              "made on": {"setting": "native", "versions": {}}}  # fmt: skip
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "claims.yml").write_text("")
    (tmp_path / "_toc.yml").write_text("parts:\n- chapters:\n  - file: notebooks/coin\n")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "coin.ipynb").write_text("{}")
    monkeypatch.setattr(root, "root", lambda: tmp_path)
    monkeypatch.setattr(reproduce, "reproduce", lambda at, say, names, changed: asked.append((list(names), changed)) or record)
    monkeypatch.setattr(build, "build", lambda at, say: tmp_path)
    return asked


@pytest.mark.parametrize("lost, code", [(None, 0), ("lee-news", 1)])
def test_reproduce_goes_on_without_optional_data_and_stops_without_needed_data(command, passed, monkeypatch, lost, code):
    import recsys.data

    have = recsys.data.fetch

    def fetch(name):
        if name == lost:
            raise DataError(f"{name} could not be had.")
        return have(name)

    monkeypatch.setattr(recsys.data, "fetch", fetch)
    done = command("reproduce")
    assert done.exit_code == code, done.output
    assert ("Executing notebooks" in done.stdout) == (lost is None)
    assert passed == ([([], False)] if lost is None else [])


def test_reproduce_hands_on_what_is_asked_for_and_keeps_and_reports_when_asked(command, passed, tmp_path):
    assert "Getting the data" in command("reproduce").stdout and passed.pop() == ([], False)
    done = command("reproduce", "--changed")
    assert done.exit_code == 0 and "Getting the data" not in done.stdout, "a notebook gets its own"
    assert not (tmp_path / "book" / "passes").exists()
    report = tmp_path / "moved.md"
    done = command("reproduce", "coin", "--keep", "--moved", str(report))
    assert done.exit_code == 0 and passed == [([], True), (["coin"], False)]
    assert (tmp_path / "book" / "passes" / "native.json").is_file() and "0 of 0 claims" in report.read_text()


def test_reproduce_names_the_notebooks_where_it_knows_none_of_that_name(command, passed):
    done = command("reproduce", "bill")
    assert done.exit_code == 1 and passed == []
    assert done.stderr == "recsys: expected names of notebooks, got 'bill'; _toc.yml has coin\n"
