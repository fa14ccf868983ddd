"""`recsys pays` of impressions: the cut in time, AUC within a reader, three arms tried alike, pieces that are kept.

Lines in MIND's documented format, about readers who like two topics each; MIND itself is not at hand.
"""

import datetime
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from recsys.batches.slates import refuse_leaks
from recsys.book.pays import registered, slates
from recsys.cli.pays import _impressions
from recsys.data import read_mind
from recsys.data.parse import content_hash
from studies import pays_bing
from tests.cli.test_pays_command import checkout, typed  # noqa: F401
from tests.conftest import ROOT
from tests.data.test_sets import put

N_READERS, N_IMPRESSIONS, N_TOPICS, N_OF_TOPIC = 40, 240, 6, 15
BEGIN = datetime.datetime(2019, 11, 9)
CONFIG = registered(ROOT / "studies", "pays_bing")
CONFIG |= {"spaces": {"network": CONFIG["space"]}, "settings": 2, "seeds": [0, 1], "width": 4}


def topic_of(title):
    return int(title.split()[1])


def vectors(titles):
    """A direction for each topic, and a little of the article's own."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=(len(titles), 12)) / 10
    return (np.eye(12)[[topic_of(title) for title in titles]] + own).astype(np.float32)


def articles():
    """Of each topic some, and one that each impression alone shows."""
    plain = {f"N{topic}x{k}": topic for topic in range(N_TOPICS) for k in range(N_OF_TOPIC)}
    return plain | {f"N{row}own": row % N_TOPICS for row in range(N_IMPRESSIONS)}


def behaviours(topics):
    """A line an impression: the reader's clicks before are of two topics, and so are those in it.

    Reader 0 clicks all and reader 1 nothing; reader 2 has no click before. Every fifth impression repeats one.
    """
    rng = np.random.default_rng(1)
    likes = [rng.choice(N_TOPICS, 2, replace=False) for _ in range(N_READERS)]
    for row in rng.permutation(N_IMPRESSIONS):
        reader = row % N_READERS
        of = rng.choice(likes[reader], size=8), rng.integers(N_OF_TOPIC, size=8)
        before = [] if reader == 2 else [f"N{topic}x{k}" for topic, k in zip(*of)]
        asked = rng.permutation(N_TOPICS)[:5], rng.integers(N_OF_TOPIC, size=5)
        shown = [f"N{topic}x{k}" for topic, k in zip(*asked)] + [f"N{row}own"] + (before[:1] if row % 5 == 0 else [])
        clicked = [reader == 0 or (reader > 1 and topics[name] in likes[reader]) for name in shown]
        time = (BEGIN + datetime.timedelta(minutes=30 * int(row // 2))).strftime("%m/%d/%Y %I:%M:%S %p")
        labelled = " ".join(f"{name}-{int(label)}" for name, label in zip(shown, clicked))
        yield f"{row}\tU{reader}\t{time}\t{' '.join(before)}\t{labelled}\n"


@pytest.fixture(scope="module")
def files():
    topics = articles()
    news = (f"{name}\tnews\tt\ttopic {topic} {name}\t\thttp://a\t[]\t[]\n" for name, topic in topics.items())
    return {"news.tsv": "".join(news).encode(), "behaviors.tsv": "".join(behaviours(topics)).encode()}


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    monkeypatch.setattr(slates, "load_static_embeddings", lambda name: SimpleNamespace(vectors=vectors))


@pytest.fixture
def world(files, tmp_path):
    put(tmp_path / "log", files)
    log = read_mind(tmp_path / "log")
    return slates.Newsroom(log, slates.title_vectors(log), CONFIG)


class Scorer:
    """Knows a function of what is shown and clicked."""

    def __init__(self, score):
        self.score_slates = lambda data: (score(data), None)


def test_what_is_fitted_is_earlier_than_all_that_is_asked(world):
    times = world.log.impressions.times
    for on in slates.PARTS:
        assert times[world.before[on]].max() < times[world.asked[on]].min()
    assert times[world.asked["validation"]].max() < times[world.asked["test"]].min()
    shares = [(world.part == part).mean() for part in slates.PARTS.values()]
    assert shares == pytest.approx([0.15, 0.25], abs=0.01)


def test_no_impression_that_is_asked_comes_into_a_batch(world, monkeypatch):
    """By the article that one impression alone shows."""
    given = []
    monkeypatch.setattr(slates.NewsRecommender, "train", lambda model, log, batches: given.append(batches(0).data))
    for on in slates.PARTS:
        slates.trained(world, "mean", {"epochs": 1, "learning_rate": 0.01, "dropout": 0.0, "dim": 16}, 0, on)
        ids = world.log.impressions.item_ids[given.pop().shown - 1]
        of_row = {f"N{row}own" for row in range(N_IMPRESSIONS)}
        asked = np.concatenate([world.shown[row] for row in np.flatnonzero(world.part >= slates.PARTS[on])])
        assert not set(ids.ravel()) & of_row & set(world.log.impressions.item_ids[asked - 1])


def test_an_epoch_has_every_slate_once_in_an_order_of_its_own(world, monkeypatch):
    monkeypatch.setattr(slates, "BATCH", 7)
    data = world.slates(world.before["test"], 4)
    orders = [np.random.default_rng(seed).permutation(len(data)) for seed in (0, 1)]
    clicks = [sum(batch[4].sum() for batch in map(made.__getitem__, range(len(made))))
              for made in (slates.Batches(data, world.vectors, order) for order in orders)]  # fmt: skip
    assert clicks == [data.clicked.sum()] * 2
    first = slates.Batches(data, world.vectors, orders[0])[0]
    assert len(first[1]) == 7 and sorted(first[4].sum(1)) == sorted(data.clicked[orders[0][:7]].sum(1))


def test_slates_that_are_fitted_are_narrow_and_hold_a_click_and_a_skip(world):
    data = world.slates(world.before["test"], CONFIG["width"])
    real = data.shown > 0
    assert data.shown.shape[1] == CONFIG["width"] and (data.history > 0).any(1).all()
    assert data.clicked.any(1).all() and (real & ~data.clicked).any(1).all()


@pytest.mark.parametrize("on", slates.PARTS)
def test_auc_of_who_knows_the_labels_is_one_and_of_a_constant_a_half(world, on):
    for score, expected in ((lambda data: data.clicked.astype(float), 1.0), (lambda data: -data.clicked.astype(float), 0.0),
                            (lambda data: np.zeros(data.shown.shape), 0.5)):  # fmt: skip
        assert (world.read(Scorer(score), on) == expected).all()


def test_a_reader_has_the_mean_of_the_impressions_and_those_without_both_labels_are_left_out(world):
    rng = np.random.default_rng(3)
    score = rng.normal(size=len(world.vectors) + 1)
    found = world.read(Scorer(lambda data: score[data.shown]), "test")
    shown, by_hand = world.log.impressions, {}
    for row in np.flatnonzero(world.part == slates.PARTS["test"]):
        before = set(world.log.histories.items[world.log.histories.users == row])
        kept = [(score[item + 1], label) for item, label in zip(*shown.shown(row)) if item not in before]
        pairs = [(one > other) for one, label in kept if label for other, skip in kept if not skip]
        if pairs:
            by_hand.setdefault(shown.user_ids[shown.users[row]], []).append(np.mean(pairs))
    assert found == pytest.approx([np.mean(by_hand[reader]) for reader in sorted(by_hand)])
    assert {"U0", "U1"} & set(shown.user_ids) == {"U0", "U1"} and not {"U0", "U1"} & set(by_hand)
    assert max(map(len, by_hand.values())) > 1


def test_what_was_clicked_before_is_not_asked_and_no_history_is_a_half(world):
    whole = world.slates(np.arange(N_IMPRESSIONS))
    refuse_leaks(whole)
    shown, before = world.log.impressions, world.log.histories
    again = sum(np.isin(shown.shown(row)[0], before.items[before.users == row]).sum() for row in range(N_IMPRESSIONS))
    assert again > N_IMPRESSIONS // 6 and (whole.shown > 0).sum() == len(world.log) - again
    model = slates.trained(world, "softmax", {"epochs": 1, "learning_rate": 0.01, "dropout": 0.0, "dim": 16}, 0, "test")
    strangers = [row for row in world.asked["test"] if not len(world.past[row])]
    scores, _ = model.score_slates(world.slates(np.array(strangers)))
    assert strangers and not scores.any()


def test_a_title_that_is_blank_has_no_vector(world, monkeypatch):
    monkeypatch.setattr(slates, "load_static_embeddings",
                        lambda name: SimpleNamespace(vectors=lambda titles: np.array([[3.0, 4.0], [0.0, 0.0]])))  # fmt: skip
    assert slates.title_vectors(world.log).tolist() == [[0.6, 0.8], [0.0, 0.0]]


def test_settings_are_chosen_on_validation_and_the_test_is_read_once_a_seed(world, monkeypatch):
    asked, read = [], []
    rates = [settings["learning_rate"] for settings in slates.settings_of(CONFIG, "mean")]

    def trained(world, arm, settings, seed, on):
        asked.append((settings["learning_rate"], seed, on))
        is_best = settings["learning_rate"] == rates[-1]
        return Scorer(lambda data: np.where(data.clicked, 1 if is_best else -1, 0))

    whole = slates.Newsroom.read
    monkeypatch.setattr(slates, "trained", trained)
    monkeypatch.setattr(slates.Newsroom, "read", lambda self, model, on: read.append(on) or whole(self, model, on))
    piece = slates.of_arm(CONFIG, world, "w", "mean")
    assert read == [on for _, _, on in asked] == ["validation"] * 2 + ["test"] * 2
    assert [seed for _, seed, _ in asked] == [0, 0, 0, 1]
    assert [tried["settings"]["learning_rate"] for tried in piece["search"]] == rates
    assert [rate for rate, _, on in asked] == [*rates, rates[-1], rates[-1]] and rates[0] != rates[-1]
    assert np.array(piece["tests"]["w"]["units"]).min() == 1


def test_every_arm_learns_the_readers_and_they_are_those_of_the_bing_sample_and_a_decay(world):
    """The planted topics are there to be had; which arm is ahead is not asserted."""
    assert slates.READERS == pays_bing.READERS | {"decay": "decay"}
    settings = {"epochs": 4, "learning_rate": 0.05, "dropout": 0.0, "dim": 16}
    for arm, reader in slates.READERS.items():
        model = slates.trained(world, arm, settings, 0, "test")
        assert model.config.reader == reader and not model.config.skips
        assert model.config.max_history == CONFIG["most events"]
        assert world.read(model, "test").mean() > 0.8


def test_a_gain_of_softmax_pays_and_the_margin_is_of_the_mean():
    rng = np.random.default_rng(4)
    mean = 0.6 + rng.normal(size=(3, 50)) / 100
    gains = {"mean": 0, "decay": 0.05, "softmax": 0.1 + rng.normal(size=(3, 50)) / 100}
    done = {f"w: {arm}": {"search": [{"validation": 0.6}], "settings": {}, "at an end": [],
                          "tests": {"w": {"units": (mean + gain).tolist(), "seconds": 1}}} for arm, gain in gains.items()}  # fmt: skip
    found = slates.told(CONFIG, done, "w")
    assert found["units"] == 50 and [row["level"][0] for row in found["arms"].values()] == pytest.approx([0.6, 0.65, 0.7], abs=0.005)
    row = found["softmax minus"]["mean"]
    assert found["softmax minus"]["decay"]["difference"] == pytest.approx(0.05, abs=0.005)
    assert row["low"] > 0.09 and row["p_value"] < 0.05 and not row["within_margin"]
    for share, within in ((0.0299, True), (0.0301, False)):
        decay = np.array(done["w: decay"]["tests"]["w"]["units"])
        done["w: softmax"]["tests"]["w"]["units"] = (decay + share * decay.mean()).tolist()
        assert slates.told(CONFIG, done, "w")["softmax minus"]["decay"]["within_margin"] is within


@pytest.fixture
def mirrored(files, checkout, monkeypatch):  # noqa: F811
    """MIND's development part put into a mirror by hand, and no cache."""
    put(checkout / "mirror" / "mind-small-dev", files)
    monkeypatch.setenv("RECSYS_DATA_MIRROR", str(checkout / "mirror"))
    monkeypatch.setenv("RECSYS_CACHE", str(checkout / "cache"))
    return checkout


SMALL = ["--settings", 1, "--seeds", 2]


def test_it_says_verdict_and_protocol_and_a_second_run_trains_nothing(mirrored, monkeypatch):
    done = typed("pays", "--data", "mind-small-dev", *SMALL)
    assert done.exit_code == 0, done.output
    first, second, third, *told = done.stdout.splitlines()
    assert first.startswith("mind-small-dev, after a cut: mean: ") and second.startswith("mind-small-dev, after a cut: decay: ")
    assert third.startswith("mind-small-dev, after a cut: softmax: ")
    assert told[0].startswith("mind-small-dev, after a cut: ") and told[0].endswith(" readers, 1 settings, 2 seeds")
    assert told[1].split()[:2] == ["validation", "AUC"] and [line.split()[0] for line in told[2:5]] == ["mean", "decay", "softmax"]
    assert "Softmax minus decay: " in told[5] and "could have been seen" in told[5] and told[6].startswith("Verdict: ")
    assert "Softmax minus mean: " in told[7] and told[8].startswith("Verdict: ")
    assert told[9].startswith("one cut in time, validation 15%, test 25% of the impressions") and "MIND shuffles" in told[9]
    monkeypatch.setattr(slates, "trained", None)  # a call is an error
    again = typed("pays", "--data", mirrored / "mirror" / "mind-small-dev", *SMALL)  # of one name, so of the same pieces
    assert again.exit_code == 0 and again.stdout.splitlines() == told


def test_an_archive_is_read_as_a_directory_and_as_the_catalogue_s_data(mirrored, files):
    with zipfile.ZipFile(mirrored / "part.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(f"MINDsmall_dev/{name}", content)
    known = content_hash(_impressions("mind-small-dev"))
    for data in (mirrored / "part.zip", mirrored / "mirror"):
        assert content_hash(_impressions(str(data))) == known
    assert _impressions("movielens-100k") is _impressions("log.csv") is None


def test_errors_are_one_line(mirrored, files, tmp_path):
    (mirrored / "empty").mkdir()
    few = files["behaviors.tsv"].splitlines(keepends=True)[:3]
    put(mirrored / "few", files | {"behaviors.tsv": b"".join(few)})
    for words, told in (
        (["--data", "mind-small-train"], "mind-small-train could not be had."),
        (["--data", "mind-small-train"], "open https://msnews.github.io/ in a browser"),
        (["--data", mirrored / "empty"], "expected one behaviors.tsv, got 0"),
        (["--data", mirrored / "few"], "use a larger log"),
        (["--data", "mind-small-dev", "--seen"], "--seen: expected with a log of events, got impressions"),
        (["--data", "mind-small-dev", "--user", "who"], "--user: expected"),
        (["--data", "mind-small-dev", "--settings", 0], "--settings: expected at least 1, got 0"),
        (["--data", "mind-small-dev", "--seeds", 1], "--seeds: expected at least 2, got 1"),
    ):
        done = typed("pays", *words)
        [line] = done.stderr.splitlines()
        assert done.exit_code == 1 and line.startswith("recsys: ") and told in line, words
