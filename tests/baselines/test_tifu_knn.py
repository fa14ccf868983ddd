"""TIFU-KNN and UP-CF against slow literal versions, in dictionaries and loops."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.baselines import TIFUKNN, UPCF
from recsys.batches.visits import visits
from recsys.data import Interactions

MODELS = {"TIFU-KNN": lambda: TIFUKNN(4, 0.9, 0.7, 3, 0.6), "UP-CF": lambda: UPCF(3, 0.75, 2.0)}


def shop(seed=0, n_users=15, n_items=9, n_days=12):
    """Users of one to a dozen baskets; some products stand twice on one bill."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), rng.integers(1, 40, n_users))
    return Interactions.from_ids(users, rng.integers(0, n_items, len(users)), np.ones(len(users)),
                                 rng.integers(0, n_days, len(users)), time_unit="day")


def baskets_of(log, user):
    """The user's baskets as sets of items, oldest first."""
    mine = log.users == user
    return [set(log.items[mine & (log.times == day)].tolist()) for day in np.unique(log.times[mine])]


def runs_of(baskets, groups):
    """Cut a list in ``groups`` runs of one length or one more, the longer ones last."""
    if len(baskets) < groups:
        return [[basket] for basket in baskets]
    length, longer = divmod(len(baskets), groups)
    cut, start = [], 0
    for run in range(groups):
        size = length + (run >= groups - longer)
        cut.append(baskets[start:start + size])
        start += size
    return cut


def literal_vector(log, user, within_decay, group_decay, groups):
    baskets = baskets_of(log, user)
    vector = np.zeros(log.n_items)
    runs = runs_of(list(enumerate(baskets)), groups)
    for number, run in enumerate(runs):
        for place, basket in run:
            for item in basket:
                vector[item] += within_decay ** (len(baskets) - 1 - place) / len(run) * group_decay ** (len(runs) - 1 - number)
    return vector / max(len(runs), 1)


def literal_tifu(log, model):
    own = [literal_vector(log, user, model.within_decay, model.group_decay, model.groups) for user in range(log.n_users)]
    scores = np.zeros((log.n_users, log.n_items))
    for user in range(log.n_users):
        others = sorted((other for other in range(log.n_users) if other != user),
                        key=lambda other: (round(float(((own[user] - own[other]) ** 2).sum()), 12), other))
        near = np.mean([own[other] for other in others[:model.neighbours]], axis=0)
        scores[user] = model.alpha * own[user] + (1 - model.alpha) * near
    return scores


def literal_upcf(log, model):
    baskets = [baskets_of(log, user) for user in range(log.n_users)]
    ever = [set().union(*mine) for mine in baskets]
    share = np.zeros((log.n_users, log.n_items))
    for user, mine in enumerate(baskets):
        for basket in mine[-model.recency:]:
            for item in basket:
                share[user, item] += 1 / min(len(mine), model.recency)
    scores = np.zeros_like(share)
    for user in range(log.n_users):
        for other in range(log.n_users):
            below = len(ever[user]) ** model.asymmetry * len(ever[other]) ** (1 - model.asymmetry)
            scores[user] += (len(ever[user] & ever[other]) / below) ** model.locality * share[other]
    return scores


def test_visits_count_baskets_from_both_ends():
    log = Interactions.from_ids([5, 3, 5, 5, 3], [1, 1, 2, 1, 2], np.ones(5), [4, 9, 4, 2, -1], time_unit="day")
    place, age, n_baskets = visits(log)
    assert place.tolist() == [1, 1, 1, 0, 0] and age.tolist() == [0, 0, 0, 1, 1] and n_baskets.tolist() == [2, 2]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("settings", [(4, 0.9, 0.7, 3, 0.6), (2, 1.0, 1.0, 5, 0.2), (14, 0.5, 0.8, 1, 0.0), (3, 0.8, 0.6, 20, 1.0)])
def test_tifu_knn_agrees_with_a_literal_version(seed, settings):
    log = shop(seed)
    model = TIFUKNN(*settings).fit(log)
    assert np.allclose(model.score(np.arange(log.n_users)), literal_tifu(log, model), atol=1e-12)


@pytest.mark.parametrize("settings", [(10, 0.75, 10.0), (2, 0.25, 1.0), (1, 1.0, 3.0)])
def test_up_cf_agrees_with_a_literal_version(settings):
    log = shop(1)
    model = UPCF(*settings).fit(log)
    assert np.allclose(model.score(np.arange(log.n_users)), literal_upcf(log, model))


def test_without_decay_and_neighbours_a_vector_is_the_share_of_baskets():
    """Runs of equal length and no decay: the mean over runs is the mean over baskets."""
    log = Interactions.from_sequences([[2, 0, 2, 1, 2, 2]], np.arange(3))
    assert np.allclose(TIFUKNN(1, 1.0, 1.0, 3, 1.0).fit(log).score([0]), [[1 / 6, 1 / 6, 4 / 6]])


def test_newer_baskets_weigh_more():
    log = Interactions.from_sequences([[0, 1, 2], [0, 1, 2]], np.arange(3))
    scores = TIFUKNN(1, 0.9, 0.7, 3, 0.5).fit(log).score([0])[0]
    assert scores[2] > scores[1] > scores[0]


def test_planted_neighbours_lend_what_they_buy():
    """A customer who shares all but one product with a group is offered that one first among the new."""
    log = Interactions.from_sequences([[0, 1, 2], [0, 1, 2], [0, 1], [3, 4, 5], [3, 4, 5]], np.arange(6))
    for make in (lambda: TIFUKNN(2, 1.0, 1.0, 1, 0.5), lambda: UPCF(10, 0.5, 1.0)):
        scores = make().fit(log).score([2])[0]
        assert scores[2] > scores[3:].max() and scores[:2].min() > scores[2]


@pytest.mark.parametrize("name", MODELS)
def test_a_stranger_with_three_products_is_served_and_one_without_any_is_defined(name):
    log = shop(3)
    model = MODELS[name]().fit(log)
    stranger, nobody = (Interactions.from_sequences([items], log.item_ids) for items in ([4, 2, 7], []))
    scores = model.score([-1], history=stranger)[0]
    assert np.isfinite(scores).all() and set(np.argsort(-scores)[:3]) == {4, 2, 7}
    assert np.isfinite(model.score([-1], history=nobody)).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_history_given_equals_the_history_fitted(name):
    """Nobody becomes their own neighbour by handing in what is known already."""
    log, users = shop(5), np.array([3, 0, 11])
    model = MODELS[name]().fit(log)
    own = log.of_users(users)
    for history in (own, replace(own, user_ids=np.arange(3))):  # rows numbered by hand too
        assert (model.score(users, history=history) == model.score(users)).all()


def test_known_users_and_strangers_in_one_request_have_neighbours_of_their_own():
    """TIFU-KNN with as many neighbours as there are users: a stranger has one more."""
    log = shop(6, n_users=5)
    model, history = TIFUKNN(9, 0.9, 0.7, 3, 0.6).fit(log), log.of_users([3, 0])
    both = model.score([3, -1], history=history)
    assert np.allclose(both[0], model.score([3])[0], atol=1e-12)
    mean = model.vectors.toarray().mean(axis=0)
    assert np.allclose(both[1], 0.6 * model.vectors[0].toarray()[0] + 0.4 * mean, atol=1e-12)


def test_a_stranger_counts_the_user_they_copy_as_a_neighbour():
    log = shop(4)
    model = UPCF(3, 0.5, 1.0).fit(log)
    given = model.score([-1], history=log.of_users([2]))[0]
    assert np.allclose(given, model.score([2])[0] + model.shares[2].toarray()[0])


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="neighbours and groups: expected at least 1, got 0 and 7"):
        TIFUKNN(neighbours=0)
    with pytest.raises(ValueError, match="expected above 0 and at most 1, got 1.2 and 0.7"):
        TIFUKNN(within_decay=1.2)
    with pytest.raises(ValueError, match="alpha: expected from 0 to 1, got -1"):
        TIFUKNN(alpha=-1)
    with pytest.raises(ValueError, match="recency, asymmetry and locality: expected at least 1"):
        UPCF(recency=0)
