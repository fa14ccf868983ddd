"""`recsys pays`: the numbers are those of the pieces, a stopped run goes on, errors are one line."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from recsys.book.pays import logs, registered
from recsys.book.pays.report import told
from recsys.cli import app
from recsys.data import read_log


@pytest.fixture
def checkout(root, tmp_path, monkeypatch):
    """A directory that counts as one, with nothing kept."""
    for name in ("book", "studies", "recsys"):
        (tmp_path / name).symlink_to(root / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def log(walks, checkout):
    """A file of 120 short walks."""
    frame = pd.DataFrame({"user": walks.users, "item": walks.items, "time": walks.times})
    frame.to_csv(checkout / "log.csv", index=False)
    return checkout / "log.csv"


def typed(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_it_says_what_the_pieces_found_and_keeps_them(log, checkout):
    words = ["pays", "--data", log, "--settings", 1, "--seeds", 2]
    done = typed(*words)
    assert done.exit_code == 0, done.output
    config = registered(checkout / "studies", "pays_movielens") | {
        "arms": ["attention", "decay", "counter"], "worlds": [["log.csv, last out"]], "settings": 1, "seeds": [0, 1],
    }  # fmt: skip
    read = read_log(log)
    made = {name: piece() for name, piece in logs.pieces(config, lambda data: read).items()}
    found = told(config, made, "log.csv, last out", "log.csv, last out")
    row = found["attention minus"]["decay"]
    assert "{difference:.4f} [{low:.4f}, {high:.4f}]".format(**row) in done.stdout
    assert str(found["arms"]["counter"]["level"][0]) in done.stdout and "Verdict: " in done.stdout
    again = typed(*words)
    assert len(again.stdout.splitlines()) == len(done.stdout.splitlines()) - 3  # no piece is made anew


def test_errors_are_one_line(log):
    for words, told in (
        (["--data", "nothing.csv"], "nothing.csv"),
        (["--data", "unknown"], "unknown"),
        (["--data", "movielens-100k", "--user", "who"], "--user: expected"),
        (["--data", log, "--settings", 0], "--settings: expected at least 1, got 0"),
        (["--data", log, "--seeds", 1], "--seeds: expected at least 2, got 1"),
    ):
        done = typed("pays", *words)
        [line] = done.stderr.splitlines()
        assert done.exit_code == 1 and line.startswith("recsys: ") and told in line
