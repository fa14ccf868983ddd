"""`recsys train`, `evaluate` and `recommend` on a file of one's own: the numbers are the library's, errors one line."""

import json
import re
import shlex
import subprocess
import sys

import fastparquet
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from recsys.baselines import usual_baselines
from recsys.cli import app
from recsys.data import read_log
from recsys.evaluation import compare_table, evaluate, leads, leave_last_out, recommend
from recsys.neural.recommender import settings_of
from recsys.torch.sasrec import SASRecConfig, SASRecRecommender

NAMED = ["--user", "who", "--item", "what", "--time", "at"]
NAMES = {"user": "who", "item": "what", "time": "at"}


def one_line(done):
    """The one line that an error is, without the name in front."""
    assert done.exit_code == 1 and not done.stdout, done.output
    [line] = done.stderr.splitlines()
    assert line.startswith("recsys: ")
    return line.removeprefix("recsys: ")


def typed(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def frame(walks):
    """The 120 walks with text for ids and days for times; stars that differ."""
    return pd.DataFrame({
        "what": [f"film {id}" for id in walks.item_ids[walks.items]], "stars": walks.items % 5 + 1,
        "who": [f"ann {user}" for user in walks.users],
        "at": (np.datetime64("2026-01-01") + walks.times).astype("datetime64[us]"),
    })  # fmt: skip


@pytest.fixture(scope="module")
def trained(frame, tmp_path_factory):
    """A directory with log.csv, and with a run on it in `run`."""
    at = tmp_path_factory.mktemp("own")
    frame.to_csv(at / "log.csv", index=False)
    done = typed("train", "sasrec", "--data", at / "log.csv", *NAMED, "--to", at / "run", "--epochs", 2)
    assert done.exit_code == 0 and done.stdout.startswith("Training sasrec on log.csv: 960 of 1,080 events")
    return at


def test_evaluate_prints_the_tables_of_the_library_and_the_protocol(trained):
    log = read_log(trained / "log.csv", **NAMES)
    split = leave_last_out(log)
    results = {name: evaluate(model, split) for name, model in usual_baselines(log).items()}
    weights = trained / "run" / "weights.safetensors"
    model = SASRecRecommender(settings_of(weights, SASRecConfig)).load(weights, split.train_and_validation)
    results["sasrec"] = evaluate(model, split, fit=False)
    told = typed("evaluate", trained / "run")
    assert told.exit_code == 0 and told.stderr == ""
    for line in compare_table(results, ["nDCG@10", "hit@10"]).to_string().splitlines()[1:]:
        assert line in told.stdout
    for lead in leads(results, "sasrec", "nDCG@10")["sasrec minus it"]:
        assert lead in told.stdout
    assert f"log.csv: {results['EASE'].protocol}\n" in told.stdout and "95% intervals over users" in told.stdout


def test_without_a_run_the_baselines_are_asked_alone(trained, frame):
    told = typed("evaluate", "--data", trained / "log.csv", *NAMED, "--k", 3, "--seen").stdout
    assert [line.split("  ")[0] for line in told.splitlines()[1:7]] == [*usual_baselines(read_log(trained / "log.csv", **NAMES)), "own frequency"]
    assert "nDCG@3" in told and "seen items allowed" in told and "minus it" not in told
    fastparquet.write(str(trained / "log.parquet"), frame)
    other = typed("evaluate", "--data", trained / "log.parquet", *NAMED, "--k", 3, "--seen").stdout
    assert other == told.replace("log.csv:", "log.parquet:"), "Parquet equals CSV"
    assert "expected the directory of a run, or a log, got neither" in one_line(typed("evaluate"))


def test_the_list_is_that_of_the_recommender_wherever_it_is_asked_from(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = read_log(trained / "log.csv", **NAMES)
    weights = trained / "run" / "weights.safetensors"
    model = SASRecRecommender(settings_of(weights, SASRecConfig)).load(weights, log)
    [best] = recommend(model, [log.user_index("ann 7")], 4)
    told = typed("recommend", trained / "run", "ann 7", "--k", 4).stdout
    assert re.findall(r"^ +\d+  (film \d+)$", told, re.M) == log.item_ids[best].tolist()
    assert "4 items for user ann 7 of log.csv" in told and re.search(r"^ +[+]\d+\.\d\d  film \d+$", told, re.M)


def test_a_file_that_moved_is_named_and_one_that_grew_is_served_but_not_evaluated(trained, frame, tmp_path):
    grown = pd.concat([frame, frame[frame["who"] == "ann 7"].tail(1).assign(at="2026-03-01")])
    grown.to_csv(tmp_path / "grown.csv", index=False)
    (tmp_path / "moved.csv").write_text((trained / "log.csv").read_text())
    assert typed("evaluate", trained / "run", "--data", tmp_path / "moved.csv").exit_code == 0
    line = one_line(typed("evaluate", trained / "run", "--data", tmp_path / "grown.csv"))
    assert "parts of grown.csv as it is now, got one of other rows, which may hold the test; train it again" in line
    assert typed("recommend", trained / "run", "ann 7", "--data", tmp_path / "grown.csv").exit_code == 0
    line = one_line(typed("recommend", trained / "run", "ann 7", "--data", tmp_path / "none.csv"))
    assert line == f"{tmp_path}/none.csv: expected a file, found none; say where it is with --data"


@pytest.mark.parametrize("command", ["train", "evaluate", "recommend"])
def test_a_planted_bad_line_is_named_by_every_command(trained, tmp_path, command):
    lines = (trained / "log.csv").read_text().splitlines()
    film, stars, _, at = lines[41].split(",")
    lines[41] = ",".join([film, stars, "", at])
    (tmp_path / "log.csv").write_text("\n".join(lines))
    words = {"train": ["sasrec", "--to", tmp_path / "run", *NAMED], "evaluate": NAMED, "recommend": [trained / "run", "ann 7"]}
    line = one_line(typed(command, *words[command], "--data", tmp_path / "log.csv"))
    assert line == "log.csv, line 42: expected a user id in column 'who', got nothing; fill it in, or remove the row"


def test_what_does_not_go_together_is_one_line(trained, tmp_path):
    line = one_line(typed("train", "sasrec", "--data", "movielens-100k", "--user", "who", "--to", tmp_path))
    assert line.startswith("--user: expected with --data a file that ends in .csv, .tsv, .parquet, got 'movielens-100k'")
    assert "(--user at the command line)" in one_line(typed("evaluate", "--data", trained / "log.csv"))
    assert "user: expected" not in one_line(typed("recommend", trained / "run", "nobody"))
    line = one_line(typed("train", "factorisation", "--data", trained / "log.csv", *NAMED, "--to", tmp_path))
    assert line.startswith("log.csv: expected ratings that differ, got 1,080 of 1")


def test_a_run_without_the_hash_of_its_rows_is_served_and_not_evaluated(trained, tmp_path):
    note = json.loads((trained / "run" / "run.json").read_text())
    note.pop("fitted")
    (tmp_path / "run.json").write_text(json.dumps(note))
    (tmp_path / "weights.safetensors").write_bytes((trained / "run" / "weights.safetensors").read_bytes())
    assert typed("recommend", tmp_path, "ann 7").exit_code == 0
    assert "train it again" in one_line(typed("evaluate", tmp_path))


def test_the_command_that_goes_on_names_the_columns(tmp_path, monkeypatch):
    def interrupted(path, **names):
        raise KeyboardInterrupt

    monkeypatch.setattr("recsys.cli.log.read_log", interrupted)
    words = ["sasrec", "--data", "my log.csv", "--user", "seen by", "--value", "stars", "--time-unit", "day"]
    done = typed("train", *words, "--to", tmp_path)
    assert done.exit_code == 130
    assert shlex.split(done.stderr.splitlines()[-1]) == ["recsys", "train", *words, "--to", str(tmp_path)]


def test_in_a_process_of_its_own_ratings_are_learnt_read_and_served(trained, tmp_path):
    def recsys(*words):
        done = subprocess.run([sys.executable, "-m", "recsys.cli", *map(str, words)], cwd=trained, capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return done.stdout

    recsys("train", "factorisation", "--data", "log.csv", *NAMED, "--value", "stars", "--to", tmp_path, "--epochs", 1)
    assert "\nfactorisation  " in recsys("evaluate", tmp_path)
