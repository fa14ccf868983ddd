"""Questions and candidates: nothing of the day asked about is known, and draws are what they say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.batches.candidates import Candidates, batch_of, batches, draw, repeat_counts
from recsys.batches.questions import asked, coming, every_basket, in_days, newest_baskets
from recsys.data import Interactions
from recsys.evaluation import auc, last_basket

rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=60)


def log_of(triples, n_items=7):
    """(user, item, day) in any order, items and users numbered as given."""
    users, items, days = np.array(triples).T
    return Interactions(users, items, np.ones(len(users)), days, np.arange(5), np.arange(n_items), "day")


@pytest.fixture
def shop():
    random = np.random.default_rng(2)
    triples = [(user, random.integers(7), day) for user in range(5) for day in range(1, 9) for _ in range(2)]
    return log_of(triples)


@given(rows)
def test_every_basket_but_the_first_is_asked_for_with_all_that_came_before(triples):
    questions = every_basket(log_of(triples))
    expected = []
    for user in range(5):
        days = sorted({day for who, _, day in triples if who == user})
        for day in days[1:]:
            before = sorted((d, item) for who, item, d in triples if who == user and d < day)
            basket = sorted({item for who, item, d in triples if (who, d) == (user, day)})
            expected.append((user, day, before, basket))
    found = []
    for q in range(len(questions)):
        events = slice(questions.starts[q], questions.ends[q])
        history = sorted(zip(questions.event_days[events].tolist(), questions.event_items[events].tolist()))
        basket = questions.basket_items[questions.basket_starts[q]:questions.basket_starts[q + 1]].tolist()
        found.append((questions.users[q], questions.days[q], history, basket))
    assert found == expected


def test_a_history_given_apart_equals_the_one_cut_from_the_log(shop):
    split = last_basket(shop)
    apart, cut = asked(split.train_and_validation, split.test), every_basket(shop)
    last = np.flatnonzero(np.append(np.diff(cut.users) != 0, True))
    assert (apart.users == cut.users[last]).all() and (apart.lengths() == cut.lengths()[last]).all()
    counts = [repeat_counts(draw(q, np.ones(7), 3, 1)) for q in (apart, cut.select(last))]
    assert all((a == b).all() for a, b in zip(*counts))


@given(rows)
def test_days_before_1970_are_days_like_others(triples):
    late, early = every_basket(log_of(triples)), every_basket(log_of([(user, item, day - 6) for user, item, day in triples]))
    for name in ("users", "starts", "ends", "event_items", "basket_items", "basket_starts"):
        assert (getattr(late, name) == getattr(early, name)).all()
    assert (late.days - 6 == early.days).all()


def test_a_history_of_another_log_is_refused(shop):
    split = last_basket(shop)
    names = dict(zip(("users", "items", "values", "times", "user_ids", "item_ids", "time_unit"), (
        shop.users, shop.items, shop.values, shop.times, shop.user_ids, shop.item_ids, "day")))
    for changed, match in (({"user_ids": np.arange(5) + 9}, "user_ids"), ({"item_ids": np.arange(7) + 9}, "item_ids"),
                           ({"time_unit": "second"}, "times in days")):
        with pytest.raises(ValueError, match=match):
            asked(Interactions(**{**names, **changed}), split.test)


def basket(questions, q):
    return questions.basket_items[questions.basket_starts[q]:questions.basket_starts[q + 1]].tolist()


def history(questions, q):
    events = slice(questions.starts[q], questions.ends[q])
    return list(zip(questions.event_days[events].tolist(), questions.event_items[events].tolist()))


@given(rows, st.lists(st.integers(0, 40), max_size=12))
def test_selected_questions_keep_their_histories_and_baskets_in_the_order_asked_for(triples, picks):
    questions = every_basket(log_of(triples))
    picks = np.array([pick for pick in picks if pick < len(questions)], dtype=np.int64)
    some = questions.select(picks)
    assert [basket(some, q) for q in range(len(some))] == [basket(questions, q) for q in picks]
    assert [history(some, q) for q in range(len(some))] == [history(questions, q) for q in picks]
    assert (some.days == questions.days[picks]).all() and (some.users == questions.users[picks]).all()


@given(rows, st.integers(1, 3))
def test_the_newest_baskets_are_those_of_every_customer_from_the_newest_on(triples, n_baskets):
    log = log_of(triples)
    visits = {user: sorted({day for who, _, day in triples if who == user}) for user in range(5)}
    expected = [(age, user, visits[user][-1 - age]) for age in range(n_baskets) for user in range(5)
                if len(visits[user]) > age + 1]  # fmt: skip
    if not any(age == n_baskets - 1 for age, *_ in expected):
        with pytest.raises(ValueError, match=f"expected a customer with {n_baskets + 1} baskets"):
            newest_baskets(log, n_baskets)
        return
    questions, ages = newest_baskets(log, n_baskets)
    assert list(zip(ages.tolist(), questions.users.tolist(), questions.days.tolist())) == expected
    for q, (_, user, day) in enumerate(expected):
        assert sorted(history(questions, q)) == sorted((d, i) for who, i, d in triples if who == user and d < day)
        assert basket(questions, q) == sorted({i for who, i, d in triples if (who, d) == (user, day)})


def test_who_is_asked_next_has_the_whole_history_and_a_day_after_it(shop):
    users = np.array([4, 0])
    told = coming(shop.of_users(users), end=8, days=np.array([9, 30]))
    assert told.days.tolist() == [9, 30] and len(told.basket_items) == 0
    for q, user in enumerate(users):
        mine = shop.users == user
        assert sorted(history(told, q)) == sorted(zip(shop.times[mine].tolist(), shop.items[mine].tolist()))
    assert coming(shop, end=8).days.tolist() == [9] * 5
    with pytest.raises(ValueError, match="expected a history before that day, got item . on day 8"):
        coming(shop, end=8, days=8)


def test_a_supposed_day_follows_the_newest_basket_or_the_end_of_the_log(shop):
    few = shop.select((shop.times <= 3) & (shop.users != 2) | (shop.users == 1))
    assert coming(few, end=20, usual_gap=6).days.tolist() == [9, 14, 26, 9, 9]
    with pytest.raises(ValueError, match="days: expected none where the day is supposed .6 days"):
        coming(few, end=20, usual_gap=6, days=30)


def test_a_list_written_by_hand_is_read_as_one_visit_a_day_up_to_the_end():
    lists = Interactions.from_sequences([[3, 1, 3], [], [5]], np.arange(7))
    assert in_days(lists, 20).times.tolist() == [18, 19, 20, 20]
    assert coming(lists, 20).days.tolist() == [21, 21, 21]
    seconds = replace(lists, time_unit="second")
    with pytest.raises(ValueError, match='history: expected times in days or steps, got "second"'):
        in_days(seconds, 20)


def test_a_planted_leak_is_refused_and_would_have_given_the_answer_away(shop):
    """With the basket in the history, "was it bought today?" answers every question."""
    split = last_basket(shop)
    honest = asked(split.train_and_validation, split.test)
    with pytest.raises(ValueError, match="expected a history before that day, got item . on day 8; leave the basket"):
        asked(shop, split.test)
    with pytest.raises(ValueError, match="expected a history before that day"):
        replace(honest, days=honest.days - 1)  # the newest event is of that day
    leaking = asked(replace(shop, times=shop.times - 1), split.test)  # a day mislabelled, which no guard can see
    candidates = draw(leaking, np.ones(7), 5)
    counts, lately = repeat_counts(candidates)
    assert auc(candidates.labels, (counts > 0) * (lately == 1)) == 1.0


def test_a_history_out_of_order_is_refused(shop):
    questions = every_basket(shop)
    with pytest.raises(ValueError, match="question .*: expected a history from old to new"):
        replace(questions, event_days=questions.event_days[::-1].copy())


def test_no_negative_is_in_the_basket_and_the_basket_is_there_once(shop):
    questions = every_basket(shop)
    candidates = draw(questions, np.ones(7), n_negatives=20, seed=3)
    assert (np.bincount(candidates.question) == 20 + np.diff(questions.basket_starts)).all()
    for q in range(len(questions)):
        mine = candidates.question == q
        basket = questions.basket_items[questions.basket_starts[q]:questions.basket_starts[q + 1]]
        assert sorted(candidates.items[mine & (candidates.labels == 1)]) == sorted(basket)
        assert not np.isin(candidates.items[mine & (candidates.labels == 0)], basket).any()


def test_negatives_come_in_proportion_to_the_weights_outside_the_basket():
    log = log_of([(user, item, day) for user in range(5) for item, day in ((0, 1), (1, 2))])
    weights = np.array([4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0])
    candidates = draw(every_basket(log), weights, n_negatives=20_000)
    drawn = np.bincount(candidates.items[candidates.labels == 0], minlength=7) / 100_000
    assert np.allclose(drawn, [4 / 7, 0, 2 / 7, 1 / 7, 0, 0, 0], atol=0.005)


def test_a_product_that_is_never_drawn_is_not_asked_about(shop):
    weights = np.array([0.0, 1, 1, 1, 1, 1, 1])
    assert 0 not in draw(every_basket(shop), weights).items


def test_the_seed_alone_decides_the_draw(shop):
    questions = every_basket(shop)
    one, same, other = (draw(questions, np.ones(7), 5, seed).items for seed in ([1, 0], [1, 0], [1, 1]))
    assert (one == same).all() and (one != other).any()


@given(rows)
def test_repeat_counts_are_what_a_loop_counts(triples):
    questions, groups = every_basket(log_of(triples)), np.array([0, 0, 1, 1, 2, 2, 2])
    if not len(questions):
        return
    candidates = Candidates(questions, np.repeat(np.arange(len(questions)), 7), np.tile(np.arange(7), len(questions)))
    for of in (None, groups):
        times, lately = repeat_counts(candidates, of)
        kind = np.arange(7) if of is None else of
        for row in range(len(candidates)):
            q, item = candidates.question[row], candidates.items[row]
            user, day = questions.users[q], questions.days[q]
            days = [d for u, i, d in triples if u == user and d < day and kind[i] == kind[item]]
            assert times[row] == len(days) and lately[row] == (day - max(days) if days else -1)
    assert (candidates.bought_before == (repeat_counts(candidates)[0] > 0)).all()


@given(rows, st.integers(1, 5), st.integers(1, 4), st.integers(0, 3))
def test_batches_hold_each_candidate_once_with_its_newest_events(triples, length, size, seed):
    questions = every_basket(log_of(triples))
    if not len(questions):
        return
    candidates = draw(questions, np.ones(7), 2)
    seen = []
    for batch in batches(candidates, length, size, seed):
        for row in range(len(batch.rows)):
            real = batch.rows[row] >= 0
            held = batch.rows[row][real]
            seen += held.tolist()
            q = candidates.question[held[0]]
            events = np.arange(questions.starts[q], questions.ends[q])[-length:]
            known = batch.history[row] != 0
            assert (candidates.question[held] == q).all()
            assert (batch.candidates[row][real] == candidates.items[held] + 1).all()
            assert (batch.labels[row][real] == candidates.labels[held]).all()
            assert (batch.history[row][known] == questions.event_items[events] + 1).all()
            assert (batch.gaps[row][known] == questions.days[q] - questions.event_days[events]).all()
            assert (batch.gaps[row][known] >= 1).all() and (batch.gaps[row][~known] == 0).all()
            assert not batch.labels[row][~real].any() and not batch.candidates[row][~real].any()
    assert sorted(seen) == list(range(len(candidates)))


def test_a_batch_holds_the_questions_in_the_order_asked_for_and_an_empty_history_as_padding(shop):
    questions = coming(shop.select(shop.users != 3), end=8)
    candidates = draw(questions, np.ones(7), 2)
    batch = batch_of(candidates, candidates.labels, np.array([4, 3]), 3)
    assert batch.history[0].tolist() == (questions.event_items[questions.ends[4] - 3:questions.ends[4]] + 1).tolist()
    assert batch.history[1].tolist() == batch.gaps[1].tolist() == [0, 0, 0]
    alone = batch_of(candidates, candidates.labels, np.array([3]), 3)
    assert alone.history.tolist() == [[0]] and alone.gaps.tolist() == [[0]]
    assert (candidates.items[alone.rows[0]] + 1 == alone.candidates[0]).all()


def test_bad_input_is_named(shop):
    questions = every_basket(shop)
    with pytest.raises(ValueError, match="candidates: expected indices from 0 to 6, got 7 at place 1"):
        Candidates(questions, np.zeros(2, dtype=int), np.array([3, 7]))
    with pytest.raises(ValueError, match="rows in the order of their questions"):
        Candidates(questions, np.array([1, 0]), np.array([3, 3]))
    with pytest.raises(ValueError, match="expected questions 0 to 34, got 0 to 35"):
        Candidates(questions, np.array([0, 35]), np.array([3, 3]))
    with pytest.raises(ValueError, match="weights: expected 7 numbers"):
        draw(questions, np.zeros(7))
    with pytest.raises(ValueError, match="its basket holds nearly all"):
        draw(questions, np.eye(7)[questions.basket_items[0]])
    with pytest.raises(ValueError, match="expected one user, day, start"):
        replace(questions, users=questions.users[1:])
    with pytest.raises(ValueError, match="at least 1, got 0 and 4"):
        batches(draw(questions, np.ones(7)), 0, 4)


def test_a_list_written_by_hand_is_read_in_days_in_whatever_order_and_however_often_it_is_asked_for():
    lists = Interactions.from_sequences([[4, 5, 6], [1]], np.arange(9))
    twice = in_days(lists.of_users(np.array([1, 0, 0])), 20)
    assert twice.users.tolist() == [0, 1, 1, 1, 2, 2, 2] and twice.times.tolist() == [20, 18, 19, 20, 18, 19, 20]
