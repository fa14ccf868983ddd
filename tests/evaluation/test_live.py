"""Questions after a cut: what each is asked from, against a loop over the log."""

import numpy as np
import pytest

import recsys.evaluation as ev
from recsys.baselines import ItemKNN
from recsys.data import Interactions


@pytest.fixture
def log():
    rng = np.random.default_rng(3)
    return Interactions.from_ids(rng.integers(6, size=80), rng.integers(12, size=80), np.ones(80), rng.integers(30, size=80))


def test_each_event_is_asked_for_once_from_all_that_its_user_did_before_it(log):
    asked = log.times >= 20
    split, owners = ev.next_events(log, asked, per_user=99)
    found = []
    for question, user in enumerate(owners):
        history = split.train.select(split.train.users == question)
        assert (split.test.users == question).sum() == 1
        found.append((user, history.items.tolist(), int(split.test.items[split.test.users == question][0])))
    wanted = []
    for user in range(log.n_users):
        rows = sorted(np.flatnonzero(log.users == user), key=lambda row: (log.times[row], row))
        wanted += [(user, log.items[rows[:place]].tolist(), int(log.items[rows[place]]))
                   for place in range(1, len(rows)) if asked[rows[place]]]  # fmt: skip
    assert found == wanted and len(wanted) > 10


def test_no_user_has_more_questions_than_are_asked_for_and_the_seed_decides_which(log):
    drawn = [ev.next_events(log, log.times >= 5, 2, seed) for seed in (0, 0, 1)]
    assert all(np.bincount(owners).max() == 2 for _, owners in drawn)
    same, again, other = (split.test.items for split, _ in drawn)
    assert np.array_equal(same, again) and not np.array_equal(same, other)


def test_a_model_fitted_before_the_cut_answers_from_the_histories_of_strangers(log):
    split, owners = ev.next_events(log, log.times >= 20)
    model = ItemKNN(neighbours=5).fit(log.select(log.times < 20))
    found = ev.evaluate(model, split, k=5, fit=False, history=split.train)
    assert len(found["nDCG@5"]) == len(owners) and 0 < found["nDCG@5"].mean() < 1
    one = model.score([-1], Interactions.from_sequences([split.train.items[split.train.users == 7]], log.item_ids))
    asked = model.score([-1], split.train.of_users([7]))
    assert np.array_equal(one, asked)


@pytest.mark.parametrize("asked", [np.zeros(80, dtype=bool), np.ones(79, dtype=bool), np.arange(80)])
def test_nothing_to_ask_is_named(log, asked):
    with pytest.raises(ValueError, match="asked: expected"):
        ev.next_events(log, asked)
