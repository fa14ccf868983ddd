"""Next baskets under two protocols: who is asked, what is known before, how an arm is tuned and read."""

import json

import numpy as np
import pytest

from recsys.baselines import PersonalFrequency
from recsys.book.pays import basket_worlds, baskets, registered
from recsys.data import Interactions
from recsys.evaluation import draws
from recsys.neural.next_basket import POOLINGS
from tests.conftest import ROOT

CONFIG = registered(ROOT / "studies", "pays_tafeng")
SMALL = {**CONFIG, "settings": 2, "seeds": [0, 1], "worlds": [["planted"]], "arms": ["softmax", "decay"],
         "controls": {"personal frequency": CONFIG["controls"]["personal frequency"],
                      "trees": {"targets": [1], "trees": [5, 10]}},
         "space": {"dim": [4], "max_length": [20], "targets": [1, 2], "learning_rate": {"from": 0.01, "to": 0.05},
                   "epochs": [1], "batch_size": [16]}}  # fmt: skip


def log_of(visits):
    """A log of (user, day, items)."""
    users, days, items = zip(*[(user, day, item) for user, day, bought in visits for item in bought], strict=True)
    return Interactions(np.array(users), np.array(items), np.ones(len(users)), np.array(days), np.arange(max(users) + 1),
                        np.arange(max(items) + 1), "day")  # fmt: skip


def rows(interactions):
    """What a log holds, as a set of (user, day, item)."""
    columns = (interactions.users, interactions.times, interactions.items)
    return set(zip(*(column.tolist() for column in columns), strict=True))


VISITS = [
    (0, 100, [0]), (0, 104, [1]), (0, 112, [2]), (0, 113, [0]), (0, 121, [3, 4]), (0, 125, [1]),
    (1, 101, [0]), (1, 115, [1, 2]), (1, 129, [5]),  # one basket before the earlier cut, two before the later
    (2, 102, [1]), (2, 103, [2]), (2, 119, [0]),  # nothing after the later cut
    (3, 120, [0]), (3, 122, [1]),  # nothing before it
    (4, 101, [0]), (4, 105, [1]), (4, 124, [2]),  # nothing between the cuts
]  # fmt: skip


def test_after_a_cut_first_baskets_are_asked_for_and_only_what_was_before_is_known():
    log = log_of(VISITS)
    world = basket_worlds.after_a_cut(log, cut=120)
    assert log.times.max() == 129  # ten days from 120 on, so that the earlier cut is 110
    for on, cut, wanted in (("validation", 110, {(0, 112, 2), (2, 119, 0)}), ("test", 120, {(0, 121, 3), (0, 121, 4), (1, 129, 5), (4, 124, 2)})):
        assert rows(world.fitted(on)) == {row for row in rows(log) if row[1] < cut}
        assert rows(world.splits[on].test) == wanted
        assert f"from {np.datetime64(cut, 'D')} on" in world.splits[on].protocol


def test_of_last_baskets_validation_knows_one_less_than_the_test():
    log = log_of(VISITS)
    world = basket_worlds.last_baskets(log)
    assert rows(world.splits["test"].test) == {(0, 125, 1), (1, 129, 5), (2, 119, 0), (4, 124, 2)}
    assert rows(world.splits["validation"].test) == {(0, 121, 3), (0, 121, 4), (1, 115, 1), (1, 115, 2), (2, 103, 2), (4, 105, 1)}
    assert rows(world.fitted("test")) == rows(log) - rows(world.splits["test"].test)
    assert rows(world.fitted("validation")) == rows(world.fitted("test")) - rows(world.splits["validation"].test)


def planted(n_users=60):
    rng = np.random.default_rng(0)
    return log_of([(user, 10 * visit + user % 3, {user % 20, int(rng.integers(20, 40))}) for user in range(n_users) for visit in range(6)])


@pytest.fixture(scope="module")
def world():
    return basket_worlds.last_baskets(planted())


@pytest.mark.parametrize("arm", ["softmax", "trees"])
def test_what_reads_a_day_is_told_that_of_each_customers_basket(world, arm, monkeypatch):
    settings = draws(baskets.space_of(SMALL, arm), 1)[0]
    model, _ = baskets.fitted(world, "test", arm, settings, seed=0)
    told, score = {}, type(model).score

    def spy(self, users, history=None, days=None):
        told.update(zip(users.tolist(), days.tolist(), strict=True))
        return score(self, users, history, days)

    monkeypatch.setattr(type(model), "score", spy)
    found = world.read(model, "test")
    assert told == {user: 50 + user % 3 for user in range(60)} and found.users.tolist() == list(told)


def test_bought_items_come_again_and_the_ideal_is_capped(world):
    model = PersonalFrequency(1.0, 1e-3).fit(world.fitted("test"))
    found = world.read(model, "test")
    assert (found.ranked[:, 0] == np.arange(60) % 20).mean() > 0.9  # what each buys every time
    assert "seen items allowed" in found.protocol and "nDCG ideal capped at k" in found.protocol


def test_poolings_try_the_same_settings_choose_the_best_and_read_no_test_to_choose(world, monkeypatch):
    blind = basket_worlds.Baskets({"validation": world.splits["validation"]})  # a look at the test is a KeyError
    tried = {}
    for arm in ("softmax", "decay", "personal frequency"):
        found, settings = baskets.searched(SMALL, arm, blind)
        tried[arm] = [row["settings"] for row in found]
        assert len(found) == 2 and settings == max(found, key=lambda row: row["validation"])["settings"]
    assert tried["softmax"] == tried["decay"] != tried["personal frequency"]


def test_what_is_prepared_is_made_once_for_equal_targets(world, monkeypatch):
    made, prepare = [], basket_worlds.prepare
    monkeypatch.setattr(basket_worlds, "prepare", lambda log, config: made.append(config.targets) or prepare(log, config))
    fresh = basket_worlds.Baskets(world.splits)
    for targets, dim in ((1, 4), (2, 4), (1, 8)):
        settings = {"dim": dim, "targets": targets, "epochs": 1}
        baskets.fitted(fresh, "validation", "mean", settings, seed=0)
    baskets.fitted(fresh, "test", "mean", settings, seed=0)
    assert made == [1, 2, 1]  # the last one of the other log


@pytest.fixture(scope="module")
def done(world):
    patch = pytest.MonkeyPatch()
    patch.setattr(baskets, "world", lambda config, name: world)
    made = {name: json.loads(json.dumps(piece())) for name, piece in baskets.pieces(SMALL).items()}
    patch.undo()
    return made


def test_a_piece_holds_a_number_for_each_seed_and_customer(done, world):
    seeds = {"softmax": 2, "decay": 2, "personal frequency": 1, "trees": 2}
    assert list(done) == [f"planted: {arm}" for arm in seeds]
    for arm, n_seeds in seeds.items():
        piece = done[f"planted: {arm}"]
        assert np.shape(piece["tests"]["planted"]["units"]) == np.shape(piece["tests"]["planted"][baskets.BESIDE]) == (n_seeds, 60)
        assert set(piece["at an end"]) <= set(piece["settings"])
    one, other = done["planted: softmax"]["tests"]["planted"]["units"]
    assert one != other
    piece = done["planted: personal frequency"]
    model = PersonalFrequency(**piece["settings"]).fit(world.fitted("test"))
    found = world.read(model, "test")
    for kept, metric in (("units", "nDCG@10"), ("recall@10", "recall@10")):
        assert np.allclose(piece["tests"]["planted"][kept][0], found[metric], atol=1e-5)


def test_results_tell_levels_and_attention_minus_each_arm(done, world, monkeypatch):
    monkeypatch.setattr(baskets, "world", lambda config, name: world)
    told = json.loads(json.dumps(baskets.results(SMALL, done)))["planted"]
    tables = {arm: np.array(done[f"planted: {arm}"]["tests"]["planted"]["units"]) for arm in baskets.arms(SMALL)}
    assert told["units"] == 60 and told["margin"] == pytest.approx(0.03 * tables["decay"].mean(), abs=1e-5)
    assert list(told["arms"]) == list(tables) and set(told["attention minus"]) == set(tables) - {"softmax"}
    for arm, table in tables.items():
        assert told["arms"][arm]["level"][0] == pytest.approx(table.mean(), abs=1e-4)
        beside = np.mean(done[f"planted: {arm}"]["tests"]["planted"]["recall@10"])
        assert told["arms"][arm]["recall@10"][0] == pytest.approx(beside, abs=1e-4)
        if arm != "softmax":
            difference = tables["softmax"].mean() - table.mean()
            assert told["attention minus"][arm]["difference"] == pytest.approx(difference, abs=1e-5)
    assert "TAIW filter" in told["protocol"] and "bought items allowed" in told["protocol"]


def test_every_registered_setting_fits_its_arm():
    assert json.loads(json.dumps(CONFIG)) == CONFIG
    assert set(CONFIG["arms"]) == set(POOLINGS)
    for arm in baskets.arms(CONFIG):
        for settings in draws(baskets.space_of(CONFIG, arm), 30, seed=1):
            model = baskets.build(arm, settings, seed=3)
            told = vars(model)
            if arm in POOLINGS:
                told = {**vars(model.config), **vars(model.config.training)}
                assert told["pooling"] == arm
            assert settings.items() <= told.items()
            if arm not in baskets.COUNTERS:
                assert told["seed"] == 3
    assert np.datetime64(CONFIG["cut day"], "D") == np.datetime64("2001-01-29")
