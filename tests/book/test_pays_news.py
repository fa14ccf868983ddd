"""What the studies of the newsroom rest on: whose history is read, what of it, and how it is averaged."""

import numpy as np
import pandas as pd
import pytest

from recsys.baselines.content import ContentAttention
from recsys.batches.slates import Slates, refuse_leaks
from recsys.data import Interactions
from studies import pays_bing, pays_readers

N_HEADLINES = 40


@pytest.fixture(scope="module")
def pairs():
    """Twelve users with 4 to 30 of forty headlines."""
    rng = np.random.default_rng(0)
    made = object.__new__(pays_bing.Pairs)
    own = [np.sort(rng.choice(N_HEADLINES, rng.integers(4, 31), replace=False)) for _ in range(12)]
    made.users, made.titles = np.repeat(np.arange(12), [len(row) for row in own]), np.concatenate(own)
    made.labels = rng.random(len(made.users)) < 0.6
    made.rows = {user: np.flatnonzero(made.users == user) for user in range(12)}
    made.vectors = rng.normal(size=(N_HEADLINES, 6))
    made.vectors /= np.linalg.norm(made.vectors, axis=1, keepdims=True)
    return made


@pytest.fixture(scope="module")
def world(pairs):
    fold_of = pairs.dealt(3, np.random.default_rng(0))
    return pays_bing.Fold(pairs, fold_of == 0, [0, 0], pays_bing.CONFIG)


def test_a_headline_stands_in_one_fold_whoever_saw_it(pairs, world):
    assert not set(pairs.titles[world.test]) & set(pairs.titles[world.train])


def test_every_reader_is_given_the_history_of_another_and_each_history_is_given_once(pairs, world):
    other = world.whose["other"]
    assert set(other) == set(other.values()) == set(pairs.users[world.test])
    assert all(reader != author for reader, author in other.items())


@pytest.mark.parametrize("told", pays_bing.CONFIG["told"])
@pytest.mark.parametrize("history", ["own", "other"])
def test_training_free_scores_are_those_of_the_package_with_the_history_that_is_named(pairs, world, told, history):
    whose = world.whose[history]
    scores = pays_bing.training_free(world, world.test, world.train, whose, [0, 4], told)
    for reader, author in whose.items():
        past = world.train[pairs.users[world.train] == author]
        if told == pays_bing.CLICKS:
            past = past[pairs.labels[past]]
        log = Interactions.from_sequences([pairs.titles[past]], np.arange(N_HEADLINES))
        log = Interactions(log.users, log.items, pairs.labels[past].astype(float), log.times, log.user_ids,
                           log.item_ids, time_unit="step")  # fmt: skip
        mine = world.test[pairs.users[world.test] == reader]
        for row, sharpness in zip(scores, (0, 4)):
            model = ContentAttention(pairs.vectors, sharpness).fit(log)
            assert np.allclose(row[mine], model.score(np.array([0]))[0, pairs.titles[mine]])


@pytest.mark.parametrize("history", ["own", "other"])
def test_networks_are_given_the_same_events_and_labels(pairs, world, history):
    whose = world.whose[history]
    data, rows = pays_bing.one_slate_a_reader(world, world.test, world.train, whose)
    refuse_leaks(data)
    for place, (reader, author) in enumerate(whose.items()):
        past = world.train[pairs.users[world.train] == author]
        real = data.history[place] > 0
        assert (data.history[place][real] - 1).tolist() == pairs.titles[past].tolist()
        assert data.liked[place][real].tolist() == pairs.labels[past].tolist()
        assert (pairs.users[rows[place]] == reader).all()


def test_networks_train_inside_the_training_folds_and_read_no_headline_that_is_shown(pairs, world):
    halves = pays_bing.Halves(world)
    known = set(pairs.titles[world.train])
    shown, past = halves.log.impressions, halves.log.histories
    assert set(shown.items) | set(past.items) <= known
    held = set(halves.validation.shown[halves.validation.shown > 0] - 1)
    assert held <= known and not held & (set(shown.items) | set(past.items))
    for row in range(len(shown)):
        items, clicked = shown.shown(row)
        assert 0 < len(items) <= pays_bing.CONFIG["width"] and not set(items) & set(past.items[past.users == row])
        of_user = dict(zip(pairs.titles[pairs.users == shown.users[row]], pairs.labels[pairs.users == shown.users[row]]))
        assert [of_user[item] for item in items] == clicked.tolist()
        own = past.users == row
        assert [of_user[item] for item in past.items[own]] == (past.values[own] > 0).tolist()


def test_tables_hold_the_readers_of_every_deal_in_one_order():
    deals = [{"readers": [1, 2, 5], "own": {"a": [0.1, 0.2, 0.5]}, "other": {"a": [1, 2, 5]}},
             {"readers": [2, 4, 5], "own": {"a": [0.2, 0.4, 0.5]}, "other": {"a": [2, 4, 5]}}]  # fmt: skip
    tables = pays_bing.as_tables(deals)
    assert tables["own"]["a"].tolist() == [[0.2, 0.5]] * 2 and tables["other"]["a"].tolist() == [[2, 5]] * 2


def test_a_reader_without_a_score_in_a_fold_has_the_mean_of_the_others(pairs):
    rows = np.flatnonzero(pairs.users < 3)
    auc = pairs.auc(rows, np.arange(len(pairs.users)))
    assert auc.index.tolist() == [0, 1, 2] and isinstance(auc, pd.Series)
    alone = rows[pairs.labels[rows]]
    assert pairs.auc(alone, np.zeros(len(pairs.users))).isna().all()


def test_the_newest_clicks_are_kept_in_order():
    data = Slates(np.arange(3), np.array([[1, 2, 3, 4], [5, 6, 0, 0], [7, 8, 9, 0]]), np.ones((3, 1), int), np.ones((3, 1), bool))
    for clicks, expected in ((2, [[3, 4], [5, 6], [8, 9]]), (3, [[2, 3, 4], [5, 6, 0], [7, 8, 9]]), (9, data.history.tolist())):
        cut = pays_readers.newest(data, clicks)
        assert cut.history.tolist() == expected and (cut.liked == (cut.history > 0)).all()


def test_worlds_of_the_planted_readers_are_those_that_were_predicted():
    import yaml

    from tests.conftest import ROOT

    written = yaml.safe_load((ROOT / "studies" / "attention_pays.yml").read_text("utf-8"))
    assert set(pays_readers.worlds(pays_readers.CONFIG)) <= set(written["predictions"])
