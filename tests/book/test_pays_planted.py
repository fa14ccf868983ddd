"""The study of planted viewers: its worlds are those registered, its readings and shares what they say."""

import json
from collections import Counter

import numpy as np
import pytest

from recsys.book import pieces
from recsys.book.pays import planted, registered
from recsys.book.pays.search import settings_of
from recsys.evaluation import evaluate
from recsys.simulate.interests import planted_interests

TINY = {"viewers": 40, "interests": 3, "stay": 0.7, "noise": 0.2}
CONFIG = {
    "arms": ["attention", "decay", "mean"], "seeds": [0, 1], "settings": 2, "draw seed": 12, "margin": 0.03, "length": 6,
    "viewers": [40, 80], "interests": [1, 3], "stay": [0.7], "noise": [0.2],
    "at 80": {"interests": [3], "arms": ["attention", "decay"], "seeds": [0]},
    "spaces": {"network": {"dim": [8], "n_blocks": [1], "n_heads": [2], "dropout": [0.0], "max_length": [6],
                           "learning_rate": {"from": 0.003, "to": 0.02}, "epochs": [1, 2], "tokens": [200]}},
}  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(planted, "CHOSEN_IN", TINY)
    monkeypatch.setattr(planted, "FEWER_PASSES", {40: 1, 80: 2})


@pytest.fixture(scope="module")
def config(root):
    return registered(root / "studies", "pays_planted")


def test_the_worlds_are_those_registered(config):
    worlds = planted.worlds(config)
    assert Counter(world["viewers"] for world in worlds.values()) == {1_000: 16, 10_000: 4, 100_000: 1}
    of_1_000 = {(w["interests"], w["stay"], w["noise"]) for w in worlds.values() if w["viewers"] == 1_000}
    assert of_1_000 == {(m, stay, noise) for m in (1, 2, 4, 6) for stay in (0.0, 0.7) for noise in (0.2, 0.5)}
    of_10_000 = {(w["interests"], w["stay"], w["noise"]) for w in worlds.values() if w["viewers"] == 10_000}
    assert of_10_000 == {(2, 0.0, 0.5), (2, 0.7, 0.5), (6, 0.0, 0.5), (6, 0.7, 0.5)}
    largest = worlds["viewers 100000, interests 2, stay 0.7, noise 0.5"]
    assert largest["arms"] == ["attention", "decay"] and largest["seeds"] == [0]
    assert planted.CHOSEN_IN.items() <= worlds["viewers 1000, interests 4, stay 0.7, noise 0.5"].items()
    assert set(planted.FEWER_PASSES) == set(config["viewers"])


def test_every_arm_draws_the_same_settings_and_is_tested_with_its_own_choice(config):
    assert all(settings_of(config, arm) == settings_of(config, "attention") for arm in config["arms"])
    assert len(settings_of(config, "attention")) == 8
    of = planted.pieces(config)
    for name, world in planted.worlds(config).items():
        assert not isinstance(of[f"{name}: known"], pieces.After)
        for arm in world["arms"]:
            assert of[f"{name}: {arm}"].needs == [f"search: {arm}"]
    assert len(of) == 5 + 21 + 16 * 5 + 4 * 3 + 2


def test_seeds_are_other_viewers_and_the_worlds_of_the_study_before():
    first, other = (planted.Viewers(TINY, 6, seed).planted for seed in (0, 1))
    assert (first.interactions.items != other.interactions.items).any()
    before = planted_interests(40, 3, 6, stay=0.7, noise=0.2, seed=301)
    assert (other.interactions.items == before.interactions.items).all()


class Asked:
    """A recommender that notes what it was built of and fitted on; everybody gets one list."""

    def __init__(self, notes, arm, settings, seed):
        notes.append((arm, settings, seed, self))

    def fit(self, interactions):
        self.interactions = interactions
        return self

    def score(self, users, history=None):
        return np.tile(self.interactions.item_counts(), (len(users), 1))


@pytest.mark.parametrize("viewers, epochs, expected", [(40, 16, 16), (80, 16, 8), (80, 1, 1)])
def test_a_test_is_read_once_a_seed_with_the_settings_chosen_and_fewer_passes(small, monkeypatch, viewers, epochs, expected):
    notes, read = [], []
    monkeypatch.setattr(planted, "build", lambda *of: Asked(notes, *of))
    monkeypatch.setattr(planted, "evaluate", lambda *of, **more: read.append(more["on"]) or evaluate(*of, **more))
    world = TINY | {"viewers": viewers, "seeds": [3, 5]}
    found = planted.tested(CONFIG, world, "mean", {"settings": {"epochs": epochs, "dim": 8}})
    assert [note[:3] for note in notes] == [("mean", {"epochs": expected, "dim": 8}, seed) for seed in (3, 5)]
    assert read == ["test", "test"] and np.shape(found["drawn"]) == np.shape(found["expected"]) == (2, viewers)
    assert all(len(note[3].interactions) == 5 * viewers for note in notes), "all but the event asked for"


def test_a_search_never_reads_a_test(small, monkeypatch):
    notes, read = [], []
    monkeypatch.setattr("recsys.book.pays.search.build", lambda *of, seed: Asked(notes, *of, seed))
    monkeypatch.setattr("recsys.book.pays.logs.evaluate", lambda *of, **more: read.append(more["on"]) or evaluate(*of, **more))
    planted.search(CONFIG, "decay")
    assert read == ["validation"] * 2 and all(len(note[3].interactions) == 4 * 40 for note in notes)


@pytest.mark.parametrize("on, n", [("validation", 4), ("test", 5)])
def test_the_expected_reading_is_the_mean_over_what_could_have_come(on, n):
    viewers = planted.Viewers(TINY, 6, 0)
    model = Asked([], "mean", {}, 0).fit(viewers.fitted(on))
    told = viewers.readings(model, on)
    items = viewers.planted.interactions.items.reshape(40, 6)
    chances = viewers.planted.probabilities(np.arange(40), items[:, n - 1])
    places = np.argsort(-model.score(np.arange(40)), axis=1, kind="stable")[:, :10]
    for user in range(40):
        by_hand = sum(chances[user, item] / np.log2(place + 2) for place, item in enumerate(places[user]))
        assert told["expected"][user] == pytest.approx(by_hand)
        came = np.flatnonzero(places[user] == items[user, n])
        assert told["drawn"][user] == pytest.approx(sum(1 / np.log2(came + 2)))


def test_nobody_who_reads_a_history_is_expected_above_the_oracle_and_only_learning_is_below_the_bound():
    world = {"viewers": 2_000, "interests": 4, "stay": 0.7, "noise": 0.5, "seeds": [0]}
    found = planted.known({"length": 30}, world)
    oracle, bound = (np.array(found[who]["expected"][0]) for who in ("oracle", "bound"))
    viewers = planted.Viewers(world, 30, 0)
    popular = viewers.readings(Asked([], "", {}, 0).fit(viewers.fitted("test")), "test")["expected"]
    assert (oracle >= bound - 1e-9).all() and (oracle >= popular - 1e-5).all()
    assert oracle.mean() > bound.mean() + 0.005 > popular.mean() + 0.1
    for who in ("oracle", "bound"):
        luck = np.array(found[who]["drawn"][0]) - found[who]["expected"][0]
        assert abs(luck.mean()) < 4 * luck.std() / np.sqrt(2_000)


def test_a_share_is_the_part_of_the_gap_that_an_arm_closes():
    random = np.random.default_rng(0)
    mean = random.random((4, 500))
    gap = 0.1 + 0.02 * random.standard_normal((4, 500))
    assert planted.share(mean + 0.3 * gap, mean, mean + gap) == [0.3, 0.3, 0.3]
    assert planted.share(mean, mean, mean + gap) == [0.0, 0.0, 0.0]
    assert planted.share(mean + gap, mean, mean + random.standard_normal((4, 500)) * 0.1) is None


def test_the_interval_of_a_share_holds_the_truth_19_times_in_20():
    random = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        gap = 0.1 + 0.05 * random.standard_normal((5, 100)) + 0.01 * random.standard_normal((5, 1))
        taken = 0.04 + 0.05 * random.standard_normal((5, 100)) + 0.01 * random.standard_normal((5, 1))
        _, low, high = planted.share(taken, np.zeros((5, 100)), gap)
        held += low <= 0.4 <= high
    assert 0.91 <= held / 400 <= 0.99


def test_pieces_and_result_of_a_tiny_study(small, tmp_path):
    """From search to verdict; what it says of attention is what its pieces say."""
    said = []
    done, _ = pieces.make(tmp_path, {}, planted.pieces(CONFIG), said.append)
    assert len(said) == 3 + 3 + 2 * 3 + 2
    result = planted.results(CONFIG, json.loads(json.dumps(done)))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert list(result["worlds"]) == list(planted.worlds(CONFIG)) and len(result["worlds"]) == 3
    name = "viewers 40, interests 3, stay 0.7, noise 0.2"
    for reading in planted.READINGS:
        world = result["worlds"][name][reading]
        ours, theirs = (np.array(done[f"{name}: {arm}"][reading]) for arm in ("attention", "decay"))
        found = world["attention minus"]["decay"]
        assert found["difference"] == pytest.approx((ours - theirs).mean(), abs=1e-6)
        assert found["verdict"] in ("pays", "costs", "equal", "not decided") and found["adjusted p"] >= found["p_value"]
        assert set(world["level"]) == {"oracle", "bound", *CONFIG["arms"]}
        assert set(world["share beyond the mean"]) == {"attention", "decay"}
        assert world["margin"] == pytest.approx(0.03 * theirs.mean(), abs=1e-5)
    largest = result["worlds"]["viewers 80, interests 3, stay 0.7, noise 0.2"]
    assert largest["expected"]["share beyond the mean"] == {} and largest["seeds"] == [0]


def test_verdicts_are_named_with_holm_over_the_worlds():
    def found(p_value, difference=0.01, within=False):
        return {"difference": difference, "low": 0.0, "high": 0.0, "p_value": p_value, "standard_error": 0.0, "smallest": 0.0,
                "needed": None, "within_margin": within, "bootstrap low": 0.0}  # fmt: skip

    worlds = [found(0.03), found(0.01), found(0.02, -0.01), found(0.9, within=True)]
    planted.judge(worlds)
    assert [world["verdict"] for world in worlds] == ["not decided", "pays", "not decided", "equal"]
    assert [world["adjusted p"] for world in worlds] == [0.06, 0.04, 0.06, 0.9]
