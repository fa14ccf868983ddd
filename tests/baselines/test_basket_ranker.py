"""The two steps of the next-basket model: what is proposed, no look ahead, and strangers."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.baselines import BasketRanker
from recsys.baselines.proposals import Proposals, propose_to_learn
from recsys.batches.questions import coming
from recsys.data import Interactions
from recsys.recommender import recency_matrix


def shop(seed=0, n_users=40, n_items=25, n_days=30):
    """Users of a few baskets on days from 500 on; product 0 is everybody's, the rest by chance."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), rng.integers(6, 30, n_users))
    items = np.where(rng.random(len(users)) < 0.2, 0, rng.integers(0, n_items, len(users)))
    log = Interactions.from_ids(users, items, np.ones(len(users)), 500 + rng.integers(0, n_days, len(users)), time_unit="day")
    return log.select(np.unique(np.stack([log.users, log.times, log.items]), axis=1, return_index=True)[1])


def ranker(usual_gap=None):
    return BasketRanker(usual_gap, targets=1, per_source=6, trees=10)


def test_own_purchases_and_best_sellers_are_always_proposed():
    log = shop(1)
    proposals = Proposals(log, 6)
    candidates, similarity = proposals.propose(coming(log, 530))
    assert (np.diff(candidates.question * log.n_items + candidates.items) > 0).all()
    proposed = set(zip(candidates.question.tolist(), candidates.items.tolist(), strict=True))
    assert proposed >= set(zip(log.users.tolist(), log.items.tolist(), strict=True))
    assert all((user, 0) in proposed for user in range(log.n_users))
    related = (recency_matrix(log, 0.98) @ proposals.similarity).toarray()
    assert np.allclose(similarity, related[candidates.question, candidates.items])
    close = [set(np.argsort(-row)[:3]) for row in related]
    assert all((user, item) in proposed for user in range(log.n_users) for item in close[user])


def test_proposals_do_not_depend_on_who_else_is_asked():
    log = shop(1)
    proposals, questions = Proposals(log, 6), coming(log, 530)
    together = proposals.propose(questions)
    for q in (0, 7, 39):
        alone, here = proposals.propose(questions.select(np.array([q]))), together.candidates.question == q
        assert (alone.candidates.items == together.candidates.items[here]).all()
        assert np.allclose(alone.similarity, together.similarity[here], rtol=1e-6)


@pytest.mark.parametrize("usual_gap", [None, 7])
def test_what_is_in_the_answer_never_changes_its_description(usual_gap):
    """The guard against the leak: other products in everybody's last basket, the same candidates but for their labels."""
    log = shop(3)
    newest = np.zeros(log.n_users, int)
    np.maximum.at(newest, log.users, log.times)
    last = log.times == newest[log.users]
    other = Interactions(log.users, np.where(last, (log.items + 5) % log.n_items, log.items), log.values, log.times,
                         log.user_ids, log.item_ids, "day")
    model = ranker(usual_gap)
    (ours, described), (theirs, also) = (propose_to_learn(data, 1, 6, usual_gap, model.features) for data in (log, other))
    assert (ours.question == theirs.question).all() and (ours.items == theirs.items).all()
    assert np.array_equal(described, also, equal_nan=True)
    assert not np.array_equal(ours.labels, theirs.labels)


@pytest.mark.parametrize("usual_gap", [None, 7])
def test_labels_are_the_products_of_the_basket_and_the_day_is_told_or_supposed(usual_gap):
    log = shop(4)
    candidates, _ = propose_to_learn(log, 2, 6, usual_gap, ranker(usual_gap).features)
    questions, q = candidates.questions, 0
    for age in (0, 1):
        for user in range(log.n_users):
            days = np.unique(log.times[log.users == user])
            if len(days) < age + 2:
                continue
            basket = set(log.items[(log.users == user) & (log.times == days[-1 - age])].tolist())
            here = candidates.question == q
            assert set(candidates.items[here & (candidates.labels == 1)]) == basket & set(candidates.items[here])
            assert questions.days[q] == (days[-1 - age] if usual_gap is None else days[-2 - age] + usual_gap)
            assert questions.users[q] == user and questions.newest_days(0)[q] == days[-2 - age]
            q += 1
    assert q == len(questions)


def test_a_planted_habit_is_learned():
    """Who bought a product at both of the last two visits buys it again: it comes first, before the best seller."""
    rng = np.random.default_rng(0)
    rows = [(user, item, 10 * visit) for user in range(200) for visit in range(6)
            for item in {user % 20, int(rng.integers(20, 40))}]
    users, items, days = np.array(rows).T
    log = Interactions.from_ids(users, items, np.ones(len(users)), days, time_unit="day")
    for usual_gap in (None, 10):
        model = BasketRanker(usual_gap, per_source=10, trees=20).fit(log)
        assert (model.score(np.arange(200)).argmax(axis=1) == np.arange(200) % 20).all()
        past = log.of_users([7])
        stranger = past.select(past.times >= 20)  # who came four times
        assert model.score([0], history=stranger).argmax() == 7


@pytest.mark.parametrize("usual_gap", [None, 7])
def test_a_batch_a_history_and_a_stranger_are_served_alike(usual_gap):
    log = shop(5)
    model = ranker(usual_gap).fit(log)
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
    last = model.proposals.sales.last
    proposed = model.proposals.propose(coming(nobody, last)).candidates.items
    rest = np.setdiff1d(np.arange(log.n_items), proposed)
    shares = model.proposals.sales.before(np.array([last + 1]), -1)[0]
    assert scores[proposed].min() > scores[rest].max()
    assert (rest[np.lexsort((rest, -scores[rest]))] == rest[np.lexsort((rest, -shares[rest]))]).all()


def test_the_day_of_the_visit_changes_the_scores_and_must_be_after_the_history():
    log = shop(7)
    model = ranker().fit(log)
    assert not np.allclose(model.score([2], days=531), model.score([2], days=560))
    assert np.allclose(model.score([2]), model.score([2], days=int(log.times.max()) + 1))
    with pytest.raises(ValueError, match="question 0 .user 0, day 500.: expected a history before that day"):
        model.score([2], days=500)
    late = Interactions(np.zeros(2, int), [1, 2], [1, 1], [520, log.times.max() + 1], [0], log.item_ids, "day")
    with pytest.raises(ValueError, match="question 0 .user 0, day 530.: expected a history before that day"):
        model.score([0], history=late)  # the day after the log's last one, by default
    assert np.isfinite(model.score([0], history=late, days=log.times.max() + 2)).all()
    with pytest.raises(ValueError, match="days: expected none where the day is supposed"):
        ranker(7).fit(log).score([2], days=531)


def nobody_comes_back():
    """Twenty customers, two visits each, never a product twice."""
    users = np.repeat(np.arange(20), 2)
    return Interactions.from_ids(users, np.arange(40), np.ones(40), np.tile([500, 510], 20), time_unit="day")


def test_what_cannot_be_learned_from_is_named():
    log = shop(8)
    with pytest.raises(ValueError, match='interactions: expected times in days, got "second"'):
        ranker().fit(Interactions(log.users, log.items, log.values, log.times, log.user_ids, log.item_ids))
    with pytest.raises(ValueError, match="expected values above 0"):
        ranker().fit(replace(log, values=np.zeros(len(log))))
    with pytest.raises(ValueError, match="expected a customer with 2 baskets, got at most 1"):
        ranker().fit(log.select(log.times == 500))
    with pytest.raises(ValueError, match="expected that something proposed was bought, got none of the"):
        BasketRanker(targets=1, per_source=1).fit(nobody_comes_back())
    with pytest.raises(ValueError, match="usual_gap: expected at least 1 day, or None"):
        BasketRanker(usual_gap=0)
    with pytest.raises(ValueError, match="targets: expected at least 1"):
        BasketRanker(targets=0)
    with pytest.raises(ValueError, match="negatives: expected a share"):
        BasketRanker(negatives=0)
    with pytest.raises(ValueError, match="is not fitted: call fit"):
        BasketRanker().score([0])
