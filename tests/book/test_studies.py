"""Studies: an artefact is fresh as long as nothing that could move its result has changed, and no longer."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from recsys.book import studies
from recsys.book.pays import planted, registered
from recsys.book.pays.search import settings_of
from recsys.book.pieces import After
from recsys.book.reach import Place, reach
from recsys.book.source import Unreachable
from recsys.cli.reproduce import run_studies
from recsys.data import DataError, entry

STUDY = '''
"""A study."""
from shelf import counting
from shelf.models import Model

CONFIG = {"a": 1}
DATA = ["ta-feng"]


def run(config):
    return {"sum": config["a"] + counting.count(), "told": Model().told()}
'''
COUNTING = '''
"""Doc."""
import numpy as np

LIMIT = 1


def count():
    """Doc."""
    return int(np.minimum(LIMIT, 2))


def never_called():
    return 3
'''
PIECES = '''
def pieces(config):
    return {str(place): piece for place in range(12)}


def piece():
    time.sleep(0.3)
    return {"process": os.getpid()}


'''
MODELS = '''
class Model:
    def told(self):
        return "told"

    def silent(self):
        return "silent"
'''


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A tree with one study of a small package, its artefact fresh."""
    files = {"book/claims.yml": "{}", "studies/toy.py": STUDY, "shelf/__init__.py": "", "shelf/counting.py": COUNTING,
             "shelf/models.py": MODELS}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content.lstrip())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    studies.run_study(tmp_path, "toy")
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "shelf"]:
        del sys.modules[name]


def change(at: Path, file: str, old: str, new: str) -> None:
    text = (at / file).read_text()
    assert text.count(old) == 1, f"{file}: {old!r} stands there {text.count(old)} times"
    (at / file).write_text(text.replace(old, new))
    later = (at / file).stat().st_mtime + 2  # compiled code is kept by size and whole seconds
    os.utime((at / file), (later, later))


def test_a_fresh_study_is_shown(shelf):
    assert studies.study("toy") == {"sum": 2, "told": "told"}


@pytest.mark.parametrize("file, old, new, part", [
    ("studies/toy.py", '"a": 1', '"a": 2', "settings"), ("studies/toy.py", 'config["a"] +', 'config["a"] -', "code"),
    ("shelf/counting.py", "LIMIT = 1", "LIMIT = 0", "code"), ("shelf/counting.py", "np.minimum", "np.maximum", "code"),
    ("shelf/models.py", 'return "told"', 'return "else"', "code"),
    ("studies/toy.py", 'DATA = ["ta-feng"]', 'DATA = ["lee-news"]', "data"),
])
def test_a_stale_study_raises_and_says_how_long_it_took(shelf, file, old, new, part):
    change(shelf, file, old, new)
    with pytest.raises(studies.StaleStudy, match=rf"made from another {part}: .* took \d+ s last time"):
        studies.study("toy")


@pytest.mark.parametrize("file, old, new", [
    ("shelf/counting.py", '"""Doc."""\nimport', '"""Other words."""\n# a comment\nimport'),
    ("shelf/counting.py", '    """Doc."""\n', ""), ("shelf/counting.py", "return 3", "return 4"),
    ("shelf/models.py", '"silent"', '"quiet"'),
])
def test_what_moves_no_result_makes_no_study_stale(shelf, file, old, new):
    change(shelf, file, old, new)
    assert studies.study("toy") == {"sum": 2, "told": "told"}


def test_moved_files_and_renamed_imports_make_no_study_stale(shelf):
    (shelf / "shelf" / "inner").mkdir()
    (shelf / "shelf" / "inner" / "__init__.py").write_text("from shelf.inner.people import Model\n")
    (shelf / "shelf" / "models.py").rename(shelf / "shelf" / "inner" / "people.py")
    change(shelf, "studies/toy.py", "from shelf.models import Model", "from shelf.inner import Model as Person")
    change(shelf, "studies/toy.py", "Model()", "Person()")
    change(shelf, "studies/toy.py", "from shelf import counting", "import shelf.counting as numbers")
    change(shelf, "studies/toy.py", "counting.count()", "numbers.count()")
    change(shelf, "shelf/counting.py", "import numpy as np", "import numpy")
    change(shelf, "shelf/counting.py", "np.minimum", "numpy.minimum")
    assert studies.study("toy") == {"sum": 2, "told": "told"}


def test_two_definitions_of_one_name_are_told_apart(shelf):
    before = reach(shelf, "studies.toy", "run").digest()
    (shelf / "shelf" / "other.py").write_text("LIMIT = 2\n")
    change(shelf, "shelf/counting.py", "LIMIT = 1\n", "from shelf.other import LIMIT\n")
    assert reach(shelf, "studies.toy", "run").digest() != before
    (shelf / "shelf" / "other.py").write_text("LIMIT = 1\n")
    assert reach(shelf, "studies.toy", "run").digest() == before


def test_a_local_name_leads_nowhere(shelf):
    change(shelf, "shelf/counting.py", "return int(np.minimum(LIMIT, 2))",
           "return sum(never_called for never_called in [np.minimum(LIMIT, 1)])")  # fmt: skip
    assert Place("shelf.counting", "never_called") not in reach(shelf, "studies.toy", "run").code


@pytest.mark.parametrize("code, problem", [
    ("getattr(counting, 'count')()", "write a dict"), ("getattr(Model(), 'to' + 'ld')()", "write a dict"),
    ("eval('1')", "eval hides"), ("importlib.import_module('shelf.' + 'models')", "importlib.import_module hides"),
    ("counting.nothing()", "shelf.counting.nothing: expected a definition"),
    ("vars(counting)['count']()", "vars hides"), ("len(Model.__subclasses__())", "__subclasses__ hides"),
    ("operator.methodcaller('told')(Model())", "operator.methodcaller hides"),
])
def test_what_cannot_be_followed_by_name_is_refused(shelf, code, problem):
    change(shelf, "studies/toy.py", "counting.count()", code)
    change(shelf, "studies/toy.py", "from shelf import counting", "import importlib\nimport operator\nfrom shelf import counting")
    with pytest.raises(Unreachable, match=problem):
        studies.fingerprint(shelf, "toy")


def test_code_that_runs_while_a_module_is_imported_is_refused(shelf):
    change(shelf, "shelf/counting.py", "LIMIT = 1\n", "LIMIT = 1\nnp.seterr(all='ignore')\n")
    with pytest.raises(Unreachable, match=r"counting.py, line 5: .* put it into a function"):
        studies.fingerprint(shelf, "toy")


def test_the_seconds_of_a_study_count_the_processes_it_starts(shelf):
    busy = "subprocess.run([sys.executable, '-c', 'sum(range(20_000_000))']).returncode"
    change(shelf, "studies/toy.py", "counting.count()", f"counting.count() + {busy}")
    change(shelf, "studies/toy.py", "from shelf import counting", "import subprocess\nimport sys\nfrom shelf import counting")
    assert studies.run_study(shelf, "toy") > 0.15


def test_pieces_are_made_by_as_many_processes_as_there_are_cores(shelf, monkeypatch):
    change(shelf, "studies/toy.py", "def run(config):", PIECES + "def run(config, done):")
    change(shelf, "studies/toy.py", "from shelf import counting", "import os\nimport time\nfrom shelf import counting")
    monkeypatch.setattr(studies, "cores", lambda: 3)
    told = []
    studies.run_study(shelf, "toy", told.append)
    kept = [json.loads(path.read_text()) for path in (shelf / ".reproduce/pieces/toy").glob("*.json")]
    assert len(kept) == 12 and len({piece["result"]["process"] for piece in kept}) > 1
    assert len(told) < 12, "this process was told of what others made"


def test_only_stale_studies_run_where_that_is_asked(shelf, monkeypatch):
    (shelf / "studies/other.py").write_text((shelf / "studies/toy.py").read_text())
    ran = []
    monkeypatch.setattr(studies, "run_alone", lambda at, name: ran.append(name) or name != "other")
    monkeypatch.setattr(studies, "missing_data", lambda at, name: [])
    run_studies(shelf, True)
    assert ran == ["other"], "it has no result yet, the other one is fresh"
    change(shelf, "studies/toy.py", '"a": 1', '"a": 2')
    assert run_studies(shelf, True) == ["other"], "it failed, and the next one ran"
    assert run_studies(shelf, False) == ["other"]
    assert ran == ["other", *2 * ["other", "toy"]]


def test_a_study_runs_in_a_process_of_its_own_on_one_thread(shelf, monkeypatch, capfd):
    change(shelf, "studies/toy.py", '"told": Model().told()', '"told": os.environ["OPENBLAS_NUM_THREADS"]')
    change(shelf, "studies/toy.py", "from shelf import counting", "import os\nfrom shelf import counting")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    assert studies.run_alone(shelf, "toy")
    assert studies.study("toy")["told"] == "1" and re.search(r"\d s\n$", capfd.readouterr().out)
    change(shelf, "studies/toy.py", '"a": 1', '"other": 1')  # of another size, so that no cached code is taken
    assert not studies.run_alone(shelf, "toy")
    assert "KeyError: 'a'" in capfd.readouterr().err


def test_a_method_named_by_a_setting_counts(shelf):
    change(shelf, "studies/toy.py", "Model().told()", 'getattr(Model(), config["method"])()')
    change(shelf, "studies/toy.py", '"a": 1', '"a": 1, "method": "silent"')
    before = studies.fingerprint(shelf, "toy")["code"]
    change(shelf, "shelf/models.py", 'return "silent"', 'return "quiet"')
    assert studies.fingerprint(shelf, "toy")["code"] != before


def test_a_data_set_that_a_study_names_has_to_stand_in_its_data(shelf):
    change(shelf, "studies/toy.py", 'config["a"]', 'len("movielens-100k")')
    with pytest.raises(studies.StaleStudy, match="in DATA, got none for movielens-100k"):
        studies.study("toy")


def test_another_version_is_stale_where_versions_are_locked_and_a_report_elsewhere(shelf, monkeypatch):
    here = studies.fingerprint(shelf, "toy")["versions"]
    assert set(here) == {"numpy"}, "only what the study uses"
    monkeypatch.setattr(studies, "installed", {**{package: "1.0" for package in studies.COMPUTING.values()}, "numpy": "99.1"}.get)
    assert studies.study("toy") == {"sum": 2, "told": "told"}
    stale, reported = studies.differences(shelf, "toy")
    assert stale == [] and reported == [f"version of numpy (then {here['numpy']}, here 99.1)"]
    lock = "".join(f"{package}=={studies.installed(package)}\n" for package in studies.COMPUTING.values())
    (shelf / "requirements.lock").write_text(lock)
    with pytest.raises(studies.StaleStudy, match=rf"another version of numpy .*, here 99\.1\): .* took \d+ s"):
        studies.study("toy")


def test_a_study_on_an_optional_set_that_cannot_be_had_is_named_and_a_needed_one_raises(shelf, monkeypatch):
    def nowhere(name):
        raise DataError(f"{name} could not be had")

    monkeypatch.setattr("recsys.data.fetch", nowhere)
    change(shelf, "studies/toy.py", '"ta-feng"', '"amazon-beauty"')
    assert studies.missing_data(shelf, "toy") == ["amazon-beauty"]
    change(shelf, "studies/toy.py", '"amazon-beauty"', '"ta-feng"')
    with pytest.raises(DataError, match="ta-feng could not be had"):
        studies.missing_data(shelf, "toy")


BESIDE_OTHER_WORK = {  # why one took longer, and the most that it may take
    "baselines": ("its last run shared two cores with four processes, which inflates processor time too", 1200),
    "pays_axes": ("nine trainings on letters, three of them of width 128, beside twenty other processes", 1000),
    "pays_text": ("a recurrence over articles of letters, beside other work", 1200),
    "pays_movielens": ("a recurrence over 100 films, twelve settings and ten seeds, beside other work", 1500),
}


WAITING = set()
"""Registered in studies/attention_pays.yml and not run to the end; nothing may be read from them."""


def test_no_study_of_the_book_is_stale_or_slow(root):
    assert set(studies.waiting(root)) == WAITING, "one has a result now, or has lost it"
    for name in sorted(set(studies.names(root)) - WAITING):
        artefact = json.loads((root / "studies" / f"{name}.json").read_text("utf-8"))
        assert studies.differences(root, name)[0] == [], name
        longest = artefact.get("longest piece", artefact["seconds"])
        assert longest < (BESIDE_OTHER_WORK.get(name, ("", 900))[1]), name
        assert longest >= 900 or name not in BESIDE_OTHER_WORK, f"{name}: needs no exception any more"
    assert entry("ta-feng").content


NEWS = {"pays_bing", "pays_readers"}
@pytest.mark.parametrize("name", ["pays_movielens", "pays_amazon", "pays_retail", "pays_planted", "pays_text"])
def test_every_registered_arm_has_a_space_to_draw_from(root, name):
    """A study that runs for hours must not end with an arm that it cannot draw settings for."""
    config = registered(root / "studies", name)
    of_worlds = config.get("of a world", {"": config["spaces"].get("network")})
    for network in of_worlds.values():
        own = {**config, "spaces": {**config["spaces"], "network": network}}
        for arm in config["arms"]:
            assert len(settings_of(own, arm)) == config["settings"], arm


PAYS = {"pays_amazon", "pays_axes", "pays_movielens", "pays_planted", "pays_retail", "pays_shop", "pays_tafeng", "pays_text"}
TRAINED = NEWS | PAYS | {"basket_attention", "history_attention", "history_ends", "ncf", "parity"}
IN_ORDER = PAYS | {"history_attention", "history_ends", "parity", "pays_moderators"}
MUTATIONS = {  # file, old, new, the studies that run the line
    "another optimizer": ("recsys/torch/optimisation.py", "torch.optim.AdamW(", "torch.optim.SGD(", TRAINED),
    "zeros for Glorot": ("recsys/torch/parameters.py", "nn.init.xavier_uniform_(", "nn.init.zeros_(",
                         TRAINED - {"basket_attention", "pays_tafeng"} | {"sequence_cost"}),
    "histories out of order": ("recsys/data/interactions.py", "np.split(self.by_time(), ends",
                               'np.split(np.argsort(self.users, kind="stable"), ends', IN_ORDER | NEWS),
    "another user's history": ("recsys/recommender.py", "interactions.of_users(users)", "interactions.of_users(users[::-1])",
                               TRAINED - NEWS | {"baselines", "baskets", "feedback_loop", "retail_cards"}),
    "a lost last item": ("recsys/data/impressions.py", "self.starts[row + 1])", "self.starts[row + 1] - 1)", NEWS | {"parity"}),
    "a new metric": ("recsys/evaluation/metrics.py", "def recall(", "def another(hits):\n    return hits\n\n\ndef recall(", set()),
    "a new method": ("recsys/data/interactions.py", "    def seen(", "    def another(self):\n        return 1\n\n    def seen(", set()),
    "a changed docstring": ("recsys/evaluation/metrics.py", '"""Share of each list', '"""Part of each list', set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def copied(root, tmp_path_factory):
    """A copy of the package and the studies, and what each study reaches in it."""
    at = tmp_path_factory.mktemp("copy")
    for directory in ("recsys", "studies"):
        shutil.copytree(root / directory, at / directory, ignore=shutil.ignore_patterns("__pycache__"))
    return at, codes(at)


def codes(at):
    return {name: studies.fingerprint(at, name)["code"] for name in studies.names(at)}


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_change_makes_just_those_studies_stale_that_reach_it(copied, what):
    at, before = copied
    file, old, new, expected = MUTATIONS[what]
    original = (at / file).read_text()
    change(at, file, old, new)
    after = codes(at)
    (at / file).write_text(original)
    assert {name for name in after if after[name] != before[name]} == expected


def test_whatever_a_study_runs_is_reached(root, tmp_path, monkeypatch):
    """A small run of a real study under the profiler: no function of the package that it enters is missing."""
    module = studies._module(root, "pays_planted")
    monkeypatch.setitem(planted.CHOSEN_IN, "viewers", 60)
    monkeypatch.setitem(planted.FEWER_PASSES, 60, 1)
    spaces = {"network": {**module.CONFIG["spaces"]["network"], "epochs": [1], "dim": [32]}}
    config = {**module.CONFIG, "arms": ["attention", "decay", "mean"], "viewers": [60], "interests": [2], "stay": [0.7],
              "noise": [0.5], "seeds": [0, 1], "settings": 1, "spaces": spaces}  # fmt: skip
    entered, package = set(), str(root / "recsys")

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(package):
            entered.add((frame.f_code.co_filename, frame.f_code.co_qualname))

    parts = [(name, piece if isinstance(piece, After) else After([], piece)) for name, piece in module.pieces(config).items()]
    done = {}
    sys.setprofile(note)
    try:
        for name, (needs, function) in parts:
            done[name] = function(*(done[need] for need in needs))
        module.run(config, done)
    finally:
        sys.setprofile(None)
    reached = [reach(root, "studies.pays_planted", of, studies._words(config)).code for of in studies.ROOTS]
    code = {**reached[0], **reached[1]}
    missing = []
    for file, name in entered:
        outer, _, method = name.partition(".<locals>")[0].partition(".")
        module_name = ".".join(Path(file).relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        text = code.get(Place(module_name, f"{outer}.{method}")) or code.get(Place(module_name, outer))
        if not text or (method and f"name='{method}'" not in text and method != "<lambda>"):
            missing.append((module_name, name))
    assert len(entered) > 100 and [row for row in missing if not row[1].startswith("<")] == []
