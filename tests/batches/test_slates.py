"""Slates from a log of impressions, and the guard against leaks."""

import numpy as np
import pandas as pd
import pytest

from recsys.batches.slates import Slates, last_histories, refuse_leaks, slates
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
