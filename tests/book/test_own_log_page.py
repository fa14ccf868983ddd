"""The page on a log of one's own: its code runs as it stands and prints what the page prints."""

import contextlib
import io
import re
import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from recsys.cli import app
from recsys.data import DataError, read_log
from tests.conftest import ROOT

TEXT = (ROOT / "book" / "own-log.md").read_text("utf-8")
*WALK, WRITER = re.findall(r"^```python\n(.*?)^```", TEXT, re.S | re.M)
HEAD, MESSAGE, TABLES, LIST = re.findall(r"^```text\n(.*?)^```", TEXT, re.S | re.M)
COMMANDS, PAYS = re.findall(r"^```console\n(.*?)^```", TEXT, re.S | re.M)
NUMBER = re.compile(r"-?\d+\.\d+")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The page read from top to bottom, in a directory with the log that its last section writes."""
    at = tmp_path_factory.mktemp("page")
    names, printed = {}, []
    with contextlib.chdir(at):
        exec(WRITER, names)
        for code in WALK:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, names)
            printed.append(out.getvalue())
    return at, names, printed


def rows_of(text):
    """From the first word of each line to its words and its numbers."""
    return [(NUMBER.sub("#", line).split(), [float(number) for number in NUMBER.findall(line)]) for line in text.splitlines()]


def test_the_walk_has_fewer_than_twenty_lines_of_code():
    lines = [line for code in WALK for line in code.splitlines() if line.strip()]
    assert len(lines) < 20 and max(map(len, [*lines, *WRITER.splitlines()])) <= 88


def test_the_tables_are_those_of_the_page(run):
    """Counts to the last digit; what is trained may move a little on another processor."""
    _, _, [printed, _] = run
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", TABLES).split()
    for (words, ours), (_, theirs) in zip(rows_of(printed), rows_of(TABLES), strict=False):
        counted = "SASRec" not in words and len(ours) == 6
        assert ours == pytest.approx(theirs, abs=1.01e-4 if counted else 0.03 if len(ours) != 4 else 0.2), words


def test_the_list_begins_as_on_the_page_and_has_its_shape(run):
    _, _, [_, printed] = run
    ours, theirs = printed.splitlines(), LIST.splitlines()
    assert len(ours) == len(theirs) == 6 and ours[0].split() == theirs[0].split()
    assert rows_of(ours[1])[0][0] == rows_of(theirs[1])[0][0]
    assert rows_of(ours[1])[0][1] == pytest.approx(rows_of(theirs[1])[0][1], rel=0.2)


def test_what_the_page_says_of_its_tables_holds(run):
    """The model is above popularity, and not told from the count of what follows the last film."""
    _, names, _ = run
    table = names["leads"](names["results"], "SASRec", "nDCG@10")
    assert table.loc["popularity", "p (Holm)"] < 0.05 < table.loc["last item", "p (Holm)"]
    told = names["reasons"](names["model"], names["log"], names["viewer"], names["films"])
    part = re.compile(r"(\w+), part (\d+)")
    (series, after), (same, before) = (part.fullmatch(told[column][0]).groups() for column in ("item", "because of"))
    assert series == same and int(after) == int(before) + 1, "the planted reason is the part before"


def test_the_file_begins_as_on_the_page(run):
    at, _, _ = run
    assert (at / "log.csv").read_text("utf-8").splitlines()[:3] == HEAD.splitlines()


def test_the_message_is_that_of_a_planted_bad_line(run, tmp_path):
    lines = (run[0] / "log.csv").read_text("utf-8").splitlines()
    lines[2] = lines[2].rpartition(",")[0] + ",31/01/2026"
    (tmp_path / "log.csv").write_text("\n".join(lines), "utf-8")
    with pytest.raises(DataError) as error:
        read_log(tmp_path / "log.csv", user="viewer", item="film", time="seen at")
    assert str(error.value).split() == MESSAGE.split()


def test_the_commands_of_the_page_run_and_say_the_same(run, monkeypatch):
    """The first two in this process, the last one as a person types it."""
    at, names, [printed, _] = run
    train, evaluate, recommend = (shlex.split(line) for line in COMMANDS.splitlines())
    pays = shlex.split(PAYS)
    assert pays[:2] == ["recsys", "pays"] and pays[2:] == train[train.index("--data") : train.index("--to")]
    monkeypatch.chdir(at)
    assert {words[0] for words in (train, evaluate, recommend)} == {"recsys"}
    assert CliRunner().invoke(app, train[1:], catch_exceptions=False).exit_code == 0
    table = CliRunner().invoke(app, evaluate[1:], catch_exceptions=False).stdout
    popularity = next(line for line in printed.splitlines() if line.startswith("popularity"))
    assert table.splitlines()[1].startswith(popularity) and printed.splitlines()[-1] in table
    done = subprocess.run([sys.executable, "-m", "recsys.cli", *recommend[1:]], cwd=at, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr
    assert f"  1  {names['log'].item_ids[names['films'][0]]}\n" in done.stdout, "fitted without the last event, the same first"
