"""The README: its numbers are the book's, its lines run, its picture and its links are there."""

import contextlib
import io
import re

import pytest

from recsys.book.claimed import agrees, read_claims
from recsys.book.readme import NUMBER, rewrite_numbers
from tests.conftest import ROOT

TEXT = (ROOT / "README.md").read_text("utf-8")
[LINES] = re.findall(r"^```python\n(.*?)^```", TEXT, re.S | re.M)
[PRINTED] = re.findall(r"^```text\n(.*?)^```", TEXT, re.S | re.M)


def test_six_numbers_are_those_of_their_claims():
    table = TEXT.partition("## Six numbers")[2].partition("\n## ")[0]
    rows = [line.rpartition(" | ")[2] for line in table.splitlines() if "<!--" in line]
    assert len(rows) == 6
    claims = read_claims(ROOT)
    for shown, id in NUMBER.findall(table):
        assert agrees(shown, claims[id]), f"{shown} is not {id}"
    for row in rows:
        assert not re.search(r"\d", NUMBER.sub("", row)), f"a number without its claim: {row}"
    assert rewrite_numbers(TEXT, claims) == TEXT


def test_an_update_fills_a_number_in_its_own_style():
    claims = read_claims(ROOT)
    value = claims["baselines.protocol.random"].value
    assert rewrite_numbers("0.1<!--baselines.protocol.random--> of 3", claims) == f"{value:.1f}<!--baselines.protocol.random--> of 3"


def test_eight_lines_print_what_stands_below_them(movielens):
    assert len([line for line in LINES.splitlines() if line]) == 8
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(LINES, {})
    number = r"\d\.\d+"
    ours, theirs = ([float(found) for found in re.findall(number, text)] for text in (out.getvalue(), PRINTED))
    assert re.sub(number, "#", out.getvalue()) == re.sub(number, "#", PRINTED)
    assert ours == pytest.approx(theirs, abs=0.002)


def test_what_it_shows_and_links_to_is_there():
    [picture] = re.findall(r"!\[.{20,}\]\(([\w/.]+)\)", TEXT)
    assert picture.endswith(".svg") and "<svg" in (ROOT / picture).read_text("utf-8")
    for target in re.findall(r"\]\(([\w/.-]+)\)", TEXT):
        assert (ROOT / target).is_file(), target


def test_every_command_that_it_names_is_one():
    from recsys.cli import app

    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    assert set(re.findall(r"\brecsys ([a-z]+)\b", TEXT.replace("package `recsys`", ""))) <= commands
    targets = set(re.findall(r"^([\w-]+):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"`?make ([a-z]+)\b", TEXT)) <= targets
