"""A pass over the book: what counts as an input, what is run again, in which order, what is told."""

import json
import re
import threading
import time

import nbformat
import pytest

from recsys.book import inputs as inputs_module
from recsys.book import passes, reproduce, side_by_side, status, updating
from recsys.book.inputs import changed, inputs
from recsys.book.moved import report

TOC = "parts:\n- chapters:\n" + "".join(f"  - file: notebooks/{name}\n" for name in "abc")
CELLS = {
    "a": "from recsys.counting import count\nfrom recsys.book import claims, study\nclaims({'a.sum': count(2)})\nstudy('toy')",
    "b": "import subprocess\nsubprocess.run(['true'])",
    "c": "from pathlib import Path\nprint(Path('bench/results/speed.json'))\nlog = 'movielens-100k'",
}  # fmt: skip
FILES = {
    "_toc.yml": TOC,
    "recsys/__init__.py": "",
    "recsys/book/__init__.py": "def claims(found): ...\n\n\ndef study(name): ...\n",
    "recsys/counting.py": "def count(n):\n    return n + 1\n\n\ndef never_called():\n    return 2\n",
    "studies/toy.py": "CONFIG = {}\nDATA = []\n\n\ndef run(config):\n    return {}\n",
    "studies/toy.json": "{}",
    "bench/results/speed.json": "{}",
    "README.md": "It is 0.20<!--b.sum-->, or [-3.1<!--z.other-->].",
    "book/claims.yml": "".join(
        f"{id}:\n  says: a toy\n  value: {value}\n  tolerance: 0.005\n  chapter: {id[0]}\n  kind: seeded\n"
        for id, value in {"a.sum": 0.51, "a.other": 3, "b.sum": 0.2}.items()
    ),
}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A book of three notebooks, whose runs are made up: what each claims, and how long it takes."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "notebooks").mkdir()
    for name, source in CELLS.items():
        cells = [nbformat.v4.new_markdown_cell(f"About {name}."), nbformat.v4.new_code_cell(source)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / f"{name}.ipynb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def runs(monkeypatch):
    """What the made-up runs do, and which were begun."""
    class Runs:
        begun, seconds, failing = [], {}, set()
        claims = {"a": {"a.sum": 0.5104, "a.other": 3}, "b": {"b.sum": 0.2}, "c": {}}

    def validate(at, notebook, log):
        name = notebook.stem
        Runs.begun.append(name)
        time.sleep(Runs.seconds.get(name, 0))
        if name in Runs.failing and Runs.failing == {"stopped"} | {name}:
            raise KeyboardInterrupt
        log.write_text("".join(json.dumps({"id": id, "value": value}) + "\n" for id, value in Runs.claims[name].items()))
        return name not in Runs.failing, f"output of {name}\nprocessor seconds: 1.5\n"

    Runs.begun, Runs.seconds, Runs.failing = [], {}, set()
    monkeypatch.setattr(reproduce, "validate", validate)
    monkeypatch.setattr(reproduce, "cores", lambda: 1)
    return Runs


def change(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


WHAT = {
    "a code cell": ("notebooks/a.ipynb", "count(2)", "count(3)", {"a": "cells"}),
    "prose": ("notebooks/a.ipynb", "About a.", "On a.", {}),
    "a function that is reached": ("recsys/counting.py", "n + 1", "n + 2", {"a": "code", "b": "code"}),
    "one that is not, but for a process of its own": ("recsys/counting.py", "return 2", "return 3", {"b": "code"}),
    "a study's record": ("studies/toy.json", "{}", "[]", {"a": "records"}),
    "a study's settings": ("studies/toy.py", "CONFIG = {}", "CONFIG = {'n': 1}", {"a": "records"}),
    "a timing": ("bench/results/speed.json", "{}", "[]", {"c": "records"}),
    "a claim": ("book/claims.yml", "value: 0.2", "value: 0.3", {"b": "claims"}),
}


@pytest.mark.parametrize("what", WHAT)
def test_what_an_output_comes_from_is_an_input_and_nothing_else(tiny, what):
    def now():
        return {path.stem: inputs(tiny, path) for path in sorted(tiny.glob("notebooks/*.ipynb"))}

    before = now()
    assert now() == before
    file, old, new, expected = WHAT[what]
    change(tiny / file, old, new)
    after = now()
    found = {name: changed(after[name], before[name]) for name in after}
    assert {name: words for name, words in found.items() if words} == {name: [word] for name, word in expected.items()}


def test_versions_the_setting_of_the_processor_and_a_data_sets_content_are_inputs(tiny, monkeypatch):
    notebook = tiny / "notebooks" / "c.ipynb"
    before = inputs(tiny, notebook)
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert changed(inputs(tiny, notebook), before) == ["environment"]
    monkeypatch.delenv("ATEN_CPU_CAPABILITY")
    monkeypatch.setattr(inputs_module, "versions", lambda: ())
    assert changed(inputs(tiny, notebook), before) == ["environment"]
    monkeypatch.undo()
    monkeypatch.setattr("recsys.data.catalogue", lambda: {"movielens-100k": "another content"})
    assert changed(inputs(tiny, notebook), before) == ["records"]


def test_a_pass_records_each_notebook_and_its_claims(tiny, runs):
    said = []
    record = reproduce.reproduce(tiny, said.append)
    assert record["ok"] and record["missing"] == [] and list(record["notebooks"]) == ["a", "b", "c"]
    assert record["claims"] == {"a.sum": 0.5104, "a.other": 3, "b.sum": 0.2}
    assert record["notebooks"]["a"]["processor seconds"] == 1.5
    assert passes.recorded(tiny) == record == passes.last_pass(tiny)
    assert "3 of 3 claims within tolerance" in passes.table(tiny, record)
    assert "together are 0.1 processor minutes" in passes.times(record)
    assert said[0] == "  on 1 cores: 3 left" and re.fullmatch(r"  \[ok\]   notebooks/c.ipynb  [\d.]+ s  \(none left\)", said[-1])


def test_only_what_changed_or_failed_is_run_again_when_asked(tiny, runs):
    runs.failing = {"c"}
    said = []
    first = reproduce.reproduce(tiny, said.append)
    assert not first["ok"] and "output of c\nprocessor seconds: 1.5\n" in said
    runs.begun, runs.failing = [], set()
    change(tiny / "notebooks" / "a.ipynb", "count(2)", "count(3)")
    again = reproduce.reproduce(tiny, said.append, changed=True)
    assert sorted(runs.begun) == ["a", "c"] and again["ok"] and again["claims"] == first["claims"]
    assert {"  a: changed: cells", "  c: failed last time"} <= set(said)
    runs.begun = []
    assert reproduce.reproduce(tiny, said.append, changed=True)["ok"] and runs.begun == []
    reproduce.reproduce(tiny, said.append)
    assert sorted(runs.begun) == ["a", "b", "c"]


def test_a_record_that_an_older_version_wrote_is_no_pass(tiny, runs):
    (tiny / ".reproduce").mkdir()
    old = {"tree": "x", "ok": True, "notebooks": {"a": {"ok": True, "seconds": 1.0}}, "claims": {}}
    (tiny / passes.RECORD).write_text(json.dumps(old))
    assert passes.recorded(tiny) is None
    said = []
    assert reproduce.reproduce(tiny, said.append, changed=True)["missing"] == [] and len(runs.begun) == 3
    assert "  a: no pass recorded" in said


def test_the_longest_goes_first_and_one_that_never_ran_before_all(tiny, runs):
    reproduce.reproduce(tiny, lambda line: None)
    record, said = passes.last_pass(tiny), []
    for name, seconds in {"a": 1, "b": 30, "c": 4}.items():
        record["notebooks"][name]["seconds"] = seconds
    (tiny / passes.RECORD).write_text(json.dumps(record))
    runs.begun = []
    reproduce.reproduce(tiny, said.append)
    assert runs.begun == ["b", "c", "a"]
    assert said[:2] == ["  on 1 cores: 3 left, about 35 s", "  [run]  b  about 30 s"]
    del record["notebooks"]["a"]
    (tiny / passes.RECORD).write_text(json.dumps(record))
    runs.begun = []
    reproduce.reproduce(tiny, said.append)
    assert runs.begun == ["a", "b", "c"]
    assert side_by_side.left(["a", "b"], {"a": 10, "b": 2}, 4) == "2 left, about 10 s"


def test_a_first_pass_takes_its_times_from_the_pass_of_the_status_page(tiny, runs):
    runs.seconds = {"b": 0.9, "c": 0.4}
    status.keep_pass(tiny, reproduce.reproduce(tiny, lambda line: None))
    (tiny / passes.RECORD).unlink()
    runs.begun = []
    reproduce.reproduce(tiny, lambda line: None)
    assert runs.begun == ["b", "c", "a"]


def test_as_many_run_at_a_time_as_there_are_cores():
    together = threading.Barrier(2, timeout=20)
    jobs = {name: together.wait for name in "abcd"}  # each waits for another: one at a time would never end
    done = [name for name, _, _ in side_by_side.side_by_side(jobs, {}, lambda line: None, 2)]
    assert sorted(done) == list("abcd") and side_by_side.cores() >= 1


def test_a_pass_that_is_stopped_goes_on_where_it_was(tiny, runs):
    runs.failing = {"b", "stopped"}
    with pytest.raises(KeyboardInterrupt):
        reproduce.reproduce(tiny, lambda line: None)
    stopped = passes.last_pass(tiny)
    assert stopped["missing"] == ["b", "c"] and passes.recorded(tiny) is None
    runs.begun, runs.failing = [], set()
    assert reproduce.reproduce(tiny, lambda line: None, changed=True)["missing"] == []
    assert sorted(runs.begun) == ["b", "c"]


def test_notebooks_by_name_and_only_their_claims_are_held_against_the_book(tiny, runs):
    record = reproduce.reproduce(tiny, lambda line: None, ["a"])
    assert record["ok"] and record["missing"] == ["b", "c"] and passes.recorded(tiny) is None
    assert "2 of 2 claims within tolerance" in passes.table(tiny, record)
    with pytest.raises(ValueError, match="expected names of notebooks, got 'z'; _toc.yml has a, b, c"):
        reproduce.reproduce(tiny, lambda line: None, ["z"])
    runs.claims["a"] = {"a.sum": 0.5104}
    assert not reproduce.reproduce(tiny, lambda line: None, ["a"])["ok"], "a claim that is not made does not hold"


def test_update_stores_the_named_notebooks_and_rewrites_their_claims(tiny, monkeypatch):
    stored = []

    def store(notebook, variables):
        stored.append(notebook.stem)
        with open(variables["RECSYS_CLAIMS_LOG"], "a") as log:
            log.write(json.dumps({"id": f"{notebook.stem}.sum", "value": 0.7}) + "\n")

    monkeypatch.setattr(updating, "store_outputs", store)
    assert updating.update(tiny, lambda line: None, ["b"]) == ["b.sum: 0.2 -> 0.7", "prose of README.md"] and stored == ["b"]
    assert (tiny / "README.md").read_text() == "It is 0.70<!--b.sum-->, or [-3.1<!--z.other-->]."
    assert updating.update(tiny, lambda line: None, []) == ["a.sum: 0.51 -> 0.70"] and sorted(stored) == ["a", "b", "b", "c"]


def test_the_report_of_moved_claims_names_those_beyond_tolerance_first(tiny, runs):
    runs.claims = {"a": {"a.sum": 0.513, "a.other": 3}, "b": {"b.sum": 0.2104}, "c": {}}
    runs.failing = {"b"}
    text = report(tiny, reproduce.reproduce(tiny, lambda line: None))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[1:] == ["| b.sum | 0.2 | 0.2104 | 0.005 | **out** |"]
    assert "1 of 3 claims are out of tolerance, 0 more are another number within it." in text
    assert "Notebooks that print something else: b." in text and "torch 2" in text
    runs.claims["a"]["a.sum"] = 0.516
    rows = report(tiny, reproduce.reproduce(tiny, lambda line: None)).splitlines()[-2:]
    assert rows[0].startswith("| a.sum |") and rows[1].startswith("| b.sum |") and "**out**" in rows[0]


def test_without_a_pass_the_status_page_says_how_one_is_kept(tiny):
    made = status.tables(tiny)
    assert "recsys reproduce --keep" in made["machines"] and "| [a](../notebooks/a.ipynb) |" in made["notebooks"]
    assert "| `a.sum` | seeded | 0.51 |  | 0.005 |  |" in made["claims"]
    status.write_tables(tiny)
    assert (tiny / status.TABLES / "claims.inc").read_text() == made["claims"]


def test_the_status_page_shows_times_machines_and_how_far_a_claim_moves(tiny, runs, monkeypatch):
    status.keep_pass(tiny, reproduce.reproduce(tiny, lambda line: None))
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    runs.claims["a"] = {"a.sum": 0.5124, "a.other": 3}
    path = status.keep_pass(tiny, reproduce.reproduce(tiny, lambda line: None, ["a"]))
    assert path.name == "default.json" and list(status.read_passes(tiny)) == ["native", "default"]
    made = status.tables(tiny)
    assert "| [a](../notebooks/a.ipynb) | 0 s | 2 s | 0 s | 2 s |" in made["notebooks"]
    assert "| [b](../notebooks/b.ipynb) | 0 s | 2 s | not run | not run |" in made["notebooks"]
    assert "| setting | native | default |" in made["machines"] and "| torch | 2" in made["machines"]
    assert made["machines"].count("All notebooks") == 1, "the second pass was not of all"
    assert "| `a.sum` | seeded | 0.51 |  | 0.005 | 0.5104 | 0.5124 | 0.002 |" in made["claims"]
    assert "| `b.sum` | seeded | 0.2 |  | 0.005 | 0.2 |  |  |" in made["claims"]


def test_a_kept_pass_of_some_notebooks_leaves_the_others(tiny, runs):
    status.keep_pass(tiny, reproduce.reproduce(tiny, lambda line: None))
    record = reproduce.reproduce(tiny, lambda line: None)
    record |= {"notebooks": {"a": record["notebooks"]["a"] | {"seconds": 99}}, "missing": ["b", "c"]}
    status.keep_pass(tiny, record)
    kept = status.read_passes(tiny)["native"]
    assert kept["notebooks"]["a"]["seconds"] == 99 and set(kept["notebooks"]) == {"a", "b", "c"} and kept["whole"]


def test_the_time_on_the_clock_is_that_of_a_pass_that_ran_all_notebooks(tiny, runs):
    status.keep_pass(tiny, reproduce.reproduce(tiny, lambda line: None) | {"wall seconds": 50})
    status.keep_pass(tiny, reproduce.reproduce(tiny, lambda line: None, ["a"]) | {"wall seconds": 1})
    again = reproduce.reproduce(tiny, lambda line: None, changed=True)
    status.keep_pass(tiny, again | {"wall seconds": 2})
    kept = status.read_passes(tiny)["native"]
    assert kept["wall seconds"] == 50 and kept["whole"] and not again["missing"]


def test_the_status_page_includes_its_tables_and_stands_in_the_side_bar(root, tmp_path):
    import yaml

    page = (root / "book" / "status.md").read_text("utf-8")
    for name in status.tables(root):
        assert f"```{{include}} passes/tables/{name}.inc\n" in page
    last = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))["parts"][-1]["chapters"]
    assert {"file": "book/status"} in last
