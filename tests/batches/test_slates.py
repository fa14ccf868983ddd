"""Slates from a log of impressions, and the guard against leaks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.batches.slates import SlateBatches, Slates, last_histories, read_once, refuse_leaks, slates
from recsys.data import DataError, ImpressionLog, Impressions, Interactions


def log(past=((), (3, 4), (3, 4, 0), (5,))):
    """Reader 0 at times 2, 0, 1 (out of order) and reader 1 once; reader 2 never."""
    shown = Impressions([0, 0, 0, 1], [0, 1, 2, 9], [0, 2, 4, 7, 9], [3, 1, 0, 2, 1, 2, 5, 0, 1],
                        [1, 0, 1, 0, 0, 0, 1, 1, 1], [10, 11, 12], np.arange(6))  # fmt: skip
    return ImpressionLog(shown, Interactions.from_sequences(past, np.arange(6)), pd.DataFrame(index=np.arange(6)))


def test_a_slate_has_a_past_a_click_and_a_skip():
    data = slates(log(), max_history=2)
    assert data.users.tolist() == [0, 0]  # the first has no past, the last no skip
    assert data.history.tolist() == [[4, 5], [5, 1]]  # ids are index + 1, the newest two
    assert data.shown.tolist() == [[1, 3, 0], [2, 3, 6]]
    assert data.clicked.tolist() == [[True, False, False], [False, False, True]]


def with_a_skip():
    """Reader 0 skipped item 4 before the third slate."""
    whole = log()
    past = whole.histories
    return ImpressionLog(whole.impressions, replace(past, values=np.array([1.0, 0, 1, 0, 1, 1])), whole.items)


def test_an_event_whose_value_is_not_above_nought_is_a_skip():
    data = slates(with_a_skip(), max_history=5)
    assert data.history.tolist() == [[4, 5, 0], [4, 5, 1]]
    assert data.liked.tolist() == [[True, False, False], [True, False, True]]
    assert slates(log(), max_history=5).liked.tolist() == [[True, True, False], [True, True, True]]
    assert data.select(np.array([1])).liked.tolist() == [[True, False, True]]


def test_the_last_history_holds_skips_where_they_are_wanted_and_clicks_alone_otherwise():
    clicks, both = (last_histories(with_a_skip(), skips) for skips in (False, True))
    assert [clicks.items[clicks.users == user].tolist() for user in range(2)] == [[3, 0, 5], [5, 0, 1]]
    assert (clicks.values == 1).all()
    assert [both.items[both.users == user].tolist() for user in range(2)] == [[3, 4, 0, 1, 2, 5], [5, 0, 1]]
    assert [both.values[both.users == user].tolist() for user in range(2)] == [[1, 0, 1, 0, 0, 1], [1, 1, 1]]


def test_the_last_history_is_the_past_of_the_last_impression_and_its_clicks():
    clicks = last_histories(log())
    assert clicks.user_ids.tolist() == [10, 11, 12]
    assert [clicks.items[clicks.users == user].tolist() for user in range(3)] == [[3, 4, 0, 5], [5, 0, 1], []]


def test_the_last_history_follows_time_not_the_order_of_rows():
    shown = Impressions([0, 0], [5, 1], [0, 1, 2], [2, 1], [True, True], [0], np.arange(3))
    late = ImpressionLog(shown, Interactions.from_sequences([[0, 1], [0]], np.arange(3)), pd.DataFrame(index=range(3)))
    assert last_histories(late).items.tolist() == [0, 1, 2]


def test_the_guard_catches_a_planted_leak_and_names_it():
    data = slates(log(), max_history=3)
    refuse_leaks(data)
    history = data.history.copy()
    history[1, 0] = 6
    with pytest.raises(DataError, match=r"Row 1 \(user 0\): the candidate with id 6 .* at place 0; 1 of 2 rows"):
        refuse_leaks(Slates(data.users, history, data.shown, data.clicked))


def test_padding_is_no_leak():
    refuse_leaks(Slates(np.zeros(1, int), np.array([[2, 0]]), np.array([[1, 0]]), np.array([[True, False]])))


def test_a_log_without_a_usable_impression_is_refused():
    with pytest.raises(ValueError, match="a click, a skip and an earlier click; found none"):
        slates(log(past=((), (), (), ())), max_history=5)
    with pytest.raises(ValueError, match="max_history: expected at least 1, got 0"):
        slates(log(), max_history=0)


def test_articles_of_a_batch_are_read_once_and_each_id_finds_its_own():
    rng = np.random.default_rng(0)
    articles = rng.normal(size=(40, 3))
    history, shown = rng.integers(0, 41, (6, 5)), rng.integers(1, 41, (6, 4))
    taken, past, asked = read_once(articles, history, shown)
    padded = np.concatenate([np.zeros((1, 3)), articles])  # as ids count
    assert (taken[past] == padded[history]).all() and (taken[asked] == padded[shown]).all()
    assert (taken == padded[np.unique([*history.ravel(), *shown.ravel()])]).all()


def test_without_padding_and_without_a_history_only_articles_are_read():
    articles = np.arange(1, 7)[:, None]
    taken, past, asked = read_once(articles, np.zeros((1, 0), dtype=np.int64), np.array([[3, 1, 3]]))
    assert taken.tolist() == [[1], [3]] and past.shape == (1, 0) and asked.tolist() == [[1, 0, 1]]


def test_an_epoch_holds_every_slate_once_in_an_order_of_its_own():
    rng = np.random.default_rng(1)
    shown = np.argsort(rng.random((9, 12)))[:, :4] + 1
    shown[::2, 3] = 0
    clicked = (rng.random((9, 4)) < 0.5) & (shown > 0)
    liked = rng.random((9, 2)) < 0.5
    data = Slates(np.arange(9), rng.integers(13, 20, (9, 2)), shown, clicked, liked)
    articles = np.arange(1, 20)[:, None]
    make = SlateBatches(data, articles, batch_size=4, seed=2)
    assert [len(batch[1]) for batch in make(0)] == [4, 4, 1]
    orders = []
    for epoch in (0, 0, 1):
        rows = [tuple(map(tuple, parts)) for taken, past, asked, *flags in make(epoch)
                for parts in zip(taken[past][..., 0], taken[asked][..., 0], *flags, strict=True)]  # fmt: skip
        orders.append(rows)
    wanted = [tuple(map(tuple, parts)) for parts in zip(data.history, shown, liked, clicked, ~clicked & (shown > 0))]
    assert all(sorted(rows) == sorted(wanted) for rows in orders)
    assert orders[0] == orders[1] != orders[2]


def test_histories_and_articles_belong_to_the_impressions():
    good = log()
    fewer = Interactions.from_sequences([(), (3, 4)], np.arange(6))
    with pytest.raises(DataError, match="histories: expected 4 users, one for each impression, got 2"):
        ImpressionLog(good.impressions, fewer, good.items)
    others = Interactions.from_sequences([(), (3,), (4,), (5,)], np.arange(1, 7))
    with pytest.raises(DataError, match="histories: expected the item ids of the impressions"):
        ImpressionLog(good.impressions, others, good.items)
    with pytest.raises(DataError, match="items: expected the item ids of the impressions"):
        ImpressionLog(good.impressions, good.histories, good.items.iloc[::-1])
