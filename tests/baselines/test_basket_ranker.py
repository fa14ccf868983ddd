"""The two steps of the next-basket model: features against a literal version, no look ahead, and strangers."""

import numpy as np
import pytest

from recsys.baselines import BasketRanker
from recsys.baselines.basket_features import FEATURES, HALF_LIVES, ShopLog
from recsys.baselines.two_steps import lessons
from recsys.data import Interactions


def shop(seed=0, n_users=40, n_items=25, n_days=30):
    """Users of a few baskets on days from 500 on; product 0 is everybody's, the rest by chance."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), rng.integers(6, 30, n_users))
    items = np.where(rng.random(len(users)) < 0.2, 0, rng.integers(0, n_items, len(users)))
    log = Interactions.from_ids(users, items, np.ones(len(users)), 500 + rng.integers(0, n_days, len(users)), time_unit="day")
    return log.select(np.unique(np.stack([log.users, log.times, log.items]), axis=1, return_index=True)[1])


def ranker(lead=None):
    return BasketRanker(lead=lead, targets=1, candidates=6, trees=10)


def literal(log, past, user, item, day):
    """The features of one pair by name, in loops; similarity to the history is left to its own tests."""
    mine = [(int(t), int(i)) for u, i, t in zip(past.users, past.items, past.times, strict=True) if u == user]
    visits = sorted({t for t, _ in mine})
    times = sorted(t for t, i in mine if i == item)
    age = {t: len(visits) - 1 - place for place, t in enumerate(visits)}
    by_user = {}
    for u, i, t in zip(log.users, log.items, log.times, strict=True):
        if i == item:
            by_user.setdefault(u, []).append(t)
    bought = list(by_user.values())
    usual = (sum(max(t) - min(t) for t in bought) + 30) / (sum(len(t) - 1 for t in bought) + 1)
    gap = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else usual
    popularity, day_seen = [], min(day, log.times.max() + 1)
    for life in HALF_LIVES:
        weight = {i: 0.0 for i in range(log.n_items)}
        for i, t in zip(log.items, log.times, strict=True):
            weight[i] += 0.5 ** ((day_seen - 1 - t) / life) if t < day_seen else 0.0
        popularity.append(np.log(weight[item] / max(sum(weight.values()), 1) + 1e-6))
    return {
        "times bought": len(times), "share of visits": len(times) / len(visits),
        "decayed times": sum(0.97 ** (day - t) for t in times), "decayed visits": sum(0.8 ** age[t] for t in times),
        "days since bought": day - times[-1] if times else np.nan,
        "visits since bought": min(age[t] for t in times) if times else np.nan,
        "days over usual gap": (day - times[-1]) / max(gap, 1) if times else np.nan,
        "popularity 1": popularity[0], "popularity 3": popularity[1], "popularity 10": popularity[2],
        "trend": popularity[0] - popularity[2], "share that buys again": (sum(len(t) > 1 for t in bought) + 1) / (len(bought) + 20),
        "rows per buyer": (sum(map(len, bought)) + 1) / (len(bought) + 1), "usual gap": usual, "visits": len(visits),
        "basket size": len(mine) / len(visits), "days since visit": day - visits[-1],
        "days between visits": (visits[-1] - visits[0]) / (len(visits) - 1) if len(visits) > 1 else np.nan,
        "share of new products": len({i for _, i in mine}) / len(mine), "popularity at the end": 0.0}


@pytest.mark.parametrize("seed", range(2))
def test_every_feature_agrees_with_a_literal_version(seed):
    log = shop(seed)
    users = np.array([3, 17, 30])
    past, days = log.of_users(users), np.array([531, 533, 540])
    pairs = ShopLog(log, 6).pairs(past, days, True)
    assert (np.diff(pairs.rows * log.n_items + pairs.items) > 0).all() and set(pairs.rows) == {0, 1, 2}
    for row, item, features in zip(*pairs, strict=True):
        expected = literal(log, past, row, item, days[row])
        assert set(FEATURES) - set(expected) == {"similarity to history"}
        found = dict(zip(FEATURES, features, strict=True))
        for name, value in expected.items():
            assert np.isclose(found[name], value, rtol=1e-4, atol=1e-5, equal_nan=True), (name, row, item)


def test_own_purchases_and_best_sellers_are_always_proposed():
    log = shop(1)
    pairs = ShopLog(log, 6).pairs(log, np.full(log.n_users, 531), True)
    proposed = set(zip(pairs.rows.tolist(), pairs.items.tolist(), strict=True))
    assert proposed >= set(zip(log.users.tolist(), log.items.tolist(), strict=True))
    assert all((user, 0) in proposed for user in range(log.n_users))


def test_sales_of_the_day_and_later_never_change_its_popularity():
    log = shop(2)
    later = log.times >= 515
    other = Interactions(log.users, np.where(later, (log.items + 7) % log.n_items, log.items), log.values, log.times,
                         log.user_ids, log.item_ids, "day")
    day = np.array([515])
    assert (ShopLog(log, 6).shares(day) == ShopLog(other, 6).shares(day)).all()
    assert not (ShopLog(log, 6).shares(day + 1) == ShopLog(other, 6).shares(day + 1)).all()


@pytest.mark.parametrize("lead", [None, 7])
def test_what_is_in_the_answer_never_changes_its_description(lead):
    """The guard against the leak: other products in everybody's last basket, the same lesson but for its answers."""
    log = shop(3)
    newest = np.zeros(log.n_users, int)
    np.maximum.at(newest, log.users, log.times)
    last = log.times == newest[log.users]
    other = Interactions(log.users, np.where(last, (log.items + 5) % log.n_items, log.items), log.values, log.times,
                         log.user_ids, log.item_ids, "day")
    for ours, theirs in zip(lessons(log, 0, 6, lead), lessons(other, 0, 6, lead), strict=True):
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(ours.pairs, theirs.pairs, strict=True))
        assert not np.array_equal(ours.bought, theirs.bought)


@pytest.mark.parametrize("lead", [None, 7])
def test_answers_are_the_products_of_the_basket(lead):
    log = shop(4)
    for age in (0, 1):
        (lesson,) = lessons(log, age, 6, lead)
        row = 0
        for user in range(log.n_users):
            days = np.unique(log.times[log.users == user])
            if len(days) < age + 2:
                continue
            basket = set(log.items[(log.users == user) & (log.times == days[-1 - age])].tolist())
            here = lesson.pairs.rows == row
            assert set(lesson.pairs.items[here & lesson.bought]) == basket & set(lesson.pairs.items[here])
            expected = days[-1 - age] if lead is None else days[-2 - age] + lead
            assert lesson.days[row] == expected and lesson.past.times[lesson.past.users == row].max() == days[-2 - age]
            row += 1


def test_a_planted_habit_is_learned():
    """Who bought a product at both of the last two visits buys it again: it comes first, before the best seller."""
    rng = np.random.default_rng(0)
    rows = [(user, item, 10 * visit) for user in range(200) for visit in range(6)
            for item in {user % 20, int(rng.integers(20, 40))}]
    users, items, days = np.array(rows).T
    log = Interactions.from_ids(users, items, np.ones(len(users)), days, time_unit="day")
    for lead in (None, 10):
        model = BasketRanker(lead=lead, candidates=10, trees=20).fit(log)
        assert (model.score(np.arange(200)).argmax(axis=1) == np.arange(200) % 20).all()
        past = log.of_users([7])
        stranger = past.select(past.times >= 20)  # who came four times
        assert model.score([0], history=stranger).argmax() == 7


@pytest.mark.parametrize("lead", [None, 7])
def test_a_batch_a_history_and_a_stranger_are_served_alike(lead):
    log = shop(5)
    model = ranker(lead).fit(log)
    users = np.array([3, 0, 11])
    together = model.score(users)
    assert np.allclose(together, model.score(users, history=log.of_users(users)), atol=1e-12)
    assert all(np.allclose(model.score([user])[0], together[row], atol=1e-12) for row, user in enumerate(users))
    three, nobody = (Interactions.from_sequences([items], log.item_ids) for items in ([4, 2, 7], []))
    assert np.isfinite(model.score([0], history=three)).all() and np.isfinite(model.score([0], history=nobody)).all()


def test_products_nobody_proposed_follow_by_popularity():
    log = shop(6)
    model = ranker().fit(log)
    nobody = Interactions.from_sequences([[]], log.item_ids)
    scores = model.score([0], history=nobody)[0]
    proposed = model.log.pairs(model._in_days(nobody), np.array([model.log.last + 1]), True).items
    rest = np.setdiff1d(np.arange(log.n_items), proposed)
    shares = model.log.shares(np.array([model.log.last + 1]))[-1][0]
    assert scores[proposed].min() > scores[rest].max()
    assert (rest[np.lexsort((rest, -scores[rest]))] == rest[np.lexsort((rest, -shares[rest]))]).all()


def test_the_day_of_the_visit_changes_the_scores_and_must_be_after_the_history():
    log = shop(7)
    model = ranker().fit(log)
    assert not np.allclose(model.score([2], today=531), model.score([2], today=560))
    assert np.allclose(model.score([2]), model.score([2], today=int(log.times.max()) + 1))
    with pytest.raises(ValueError, match="today must be after the history: row 0 has a purchase on day"):
        model.score([2], today=500)
    late = Interactions(np.zeros(2, int), [1, 2], [1, 1], [520, log.times.max() + 1], [0], log.item_ids, "day")
    with pytest.raises(ValueError, match="today must be after the history: row 0"):
        model.score([0], history=late)  # the day after the log's last one, by default
    assert np.isfinite(model.score([0], history=late, today=log.times.max() + 2)).all()
    with pytest.raises(ValueError, match="supposes the day: use lead=None"):
        ranker(7).fit(log).score([2], today=531)


def nobody_comes_back():
    """Twenty customers, two visits each, never a product twice."""
    users = np.repeat(np.arange(20), 2)
    return Interactions.from_ids(users, np.arange(40), np.ones(40), np.tile([500, 510], 20), time_unit="day")


def test_what_cannot_be_learned_from_is_named():
    log = shop(8)
    with pytest.raises(ValueError, match='needs times in days; these are in "second"'):
        ranker().fit(Interactions(log.users, log.items, log.values, log.times, log.user_ids, log.item_ids))
    with pytest.raises(ValueError, match="No user has 2 baskets"):
        ranker().fit(log.select(log.times == 500))
    with pytest.raises(ValueError, match="none of the .* products proposed was bought"):
        BasketRanker(lead=None, targets=1, candidates=1).fit(nobody_comes_back())
    with pytest.raises(ValueError, match="lead must be at least 1 day, or None"):
        BasketRanker(lead=0)
    with pytest.raises(ValueError, match="targets and candidates must be at least 1"):
        BasketRanker(targets=0)
    with pytest.raises(ValueError, match="negatives must be a share"):
        BasketRanker(negatives=0)
    with pytest.raises(ValueError, match="is not fitted: call fit"):
        BasketRanker().score([0])
