"""The command line: what a person types, what they read, what a script sees."""

import subprocess
import sys

import pytest


def recsys(*arguments, cwd, **variables):
    import os

    return subprocess.run([sys.executable, "-m", "recsys.cli", *arguments], cwd=cwd, capture_output=True, text=True,
                          env={**os.environ, **variables})


def test_list_where_card_and_fetch(root, movielens):
    assert "movielens-100k" in recsys("data", "list", cwd=root).stdout
    assert "there, content hash agrees" in recsys("data", "where", "movielens-100k", cwd=root).stdout
    assert "# MovieLens 100K" in recsys("data", "card", "movielens-100k", cwd=root).stdout
    assert recsys("data", "fetch", "movielens-100k", cwd=root).returncode == 0


@pytest.mark.parametrize("command", ["fetch", "where", "card"])
def test_an_unknown_name_is_one_line_and_status_1(root, command):
    done = recsys("data", command, "nosuch", cwd=root)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.strip() == "recsys: Unknown data set 'nosuch'. Known: movielens-100k, ta-feng."


def test_doctor_prints_a_line_a_requirement(root, movielens, tafeng):
    done = recsys("doctor", cwd=root)
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 6 and all(line.startswith(("[ok] ", "[fail] ")) for line in lines)
    assert done.returncode == 0, done.stdout


def test_doctor_names_what_is_wrong_and_the_mend(root, tmp_path, movielens):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "claims.yml").write_text("")
    (tmp_path / "requirements.lock").write_text("numpy==0.1\n")
    done = recsys("doctor", cwd=tmp_path)
    assert done.returncode == 1
    assert "[fail] 0 of 1 packages as locked; numpy" in done.stdout and "Mend: make setup" in done.stdout


def test_reproduce_outside_a_checkout_says_so_in_one_line(tmp_path):
    done = recsys("reproduce", cwd=tmp_path)
    assert done.returncode == 1 and "Change into a clone of the project first" in done.stderr
    assert "Traceback" not in done.stderr
