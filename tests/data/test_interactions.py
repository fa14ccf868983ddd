"""Interactions and Baskets: checked on entry, unchangeable after."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data import Baskets, DataError, Interactions


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 5)), min_size=1, max_size=40))
@settings(deadline=None, derandomize=True)
def test_ids_come_back_from_indices(rows):
    users, items, times = (np.array(column) for column in zip(*rows))
    data = Interactions.from_ids(users, items, np.ones(len(rows)), times)
    assert (data.user_ids[data.users] == users).all() and (data.item_ids[data.items] == items).all()
    assert (np.diff(data.user_ids) > 0).all() and set(data.users) == set(range(data.n_users))


@pytest.mark.parametrize("column, value, message", [
    ("users", 2.5, "row 1: expected an integer user id, got 2.5"),
    ("items", "x", "row 1: expected an integer item id, got 'x'"),
    ("items", None, "row 1: expected an integer item id, got None"),
    ("times", float("nan"), "row 1: expected an integer time, got nan"),
])
def test_first_bad_row_is_named(column, value, message):
    columns = {"users": [1, 1, 2], "items": [1, 2, 3], "values": [1, 1, 1], "times": [1, 2, 3]}
    columns[column][1] = value
    with pytest.raises(DataError, match=message):
        Interactions.from_ids(**columns, source="log")


def test_values_must_be_finite_and_columns_of_one_length():
    with pytest.raises(DataError, match="Row 2: expected a finite value, got inf"):
        Interactions.from_ids([1, 1, 1], [1, 2, 3], [1, 2, np.inf], [0, 0, 0])
    with pytest.raises(DataError, match="equal length"):
        Interactions.from_ids([1, 1], [1, 2, 3], [1, 2, 3], [0, 0, 0])


def test_indices_outside_the_vocabulary_are_refused():
    with pytest.raises(DataError, match="Row 0: expected an item index from 0 to 1, got 2"):
        Interactions([0], [2], [1], [0], [7], [8, 9])
    with pytest.raises(DataError, match="got -1"):
        Interactions([-1], [0], [1], [0], [7], [8, 9])


def test_nothing_can_be_changed_from_outside():
    values = np.ones(2)
    data = Interactions.from_ids([1, 2], [1, 2], values, [0, 0])
    values[0] = 9
    assert data.values[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        data.values[0] = 9
    with pytest.raises(AttributeError):
        data.values = values


def test_unknown_ids_are_named(movielens):
    with pytest.raises(DataError, match="Unknown item id 99999: the data has 1,682 items, from 1 to 1682"):
        movielens.interactions.item_index([1, 99999])
    assert movielens.interactions.user_index([1, 943]).tolist() == [0, 942]


def test_ages_count_from_the_newest(small):
    ages = small.ages()
    for user in range(small.n_users):
        mine = np.flatnonzero(small.users == user)
        by_hand = sorted(mine, key=lambda row: (small.times[row], row), reverse=True)
        assert [ages[row] for row in by_hand] == list(range(len(mine)))


def test_of_users_renumbers_rows_in_the_order_asked_for(small):
    part = small.of_users([7, 2])
    assert part.n_users == 2
    assert sorted(part.items[part.users == 0]) == sorted(small.items[small.users == 7])
    assert (part.matrix().toarray() == small.matrix().toarray()[[7, 2]]).all()


def test_matrix_sums_repeated_pairs_and_seen_does_not():
    data = Interactions.from_ids([1, 1, 2], [5, 5, 6], [2, 3, 4], [0, 1, 2])
    assert data.matrix().toarray().tolist() == [[2, 0], [0, 1]]
    assert data.matrix(data.values).toarray().tolist() == [[5, 0], [0, 4]]
    assert data.seen().toarray().tolist() == [[1, 0], [0, 1]]


def test_baskets_hold_each_users_days_and_distinct_items():
    data = Interactions.from_ids([2, 1, 2, 2, 1], [5, 6, 5, 7, 6], np.ones(5), [3, 1, 3, 3, 2], time_unit="day")
    baskets = Baskets.from_interactions(data)
    read = [(int(baskets.users[b]), int(baskets.days[b]), baskets.basket(b).tolist()) for b in range(len(baskets))]
    assert read == [(0, 1, [1]), (0, 2, [1]), (1, 3, [0, 2])]


def test_baskets_need_days():
    with pytest.raises(DataError, match='interactions: expected times in days, got "second"; divide'):
        Baskets.from_interactions(Interactions.from_ids([1], [1], [1], [1]))
