"""What every recommender asks of the users, the log and the histories that come in."""

import numpy as np
import pandas as pd
import pytest

from recsys.baselines import EASE, ItemKNN, Popularity
from recsys.data import DataError, Interactions
from recsys.recommender import check_log, histories, require_taken, user_indices


@pytest.fixture
def model(small):
    return ItemKNN().fit(small)


def test_a_user_asked_for_twice_has_their_scores_on_both_rows(small):
    for made in (ItemKNN(), EASE(), Popularity()):
        made.fit(small)
        alone = made.score(np.array([5, 3]))
        twice = made.score(np.array([5, 3, 5, 5]))
        assert np.array_equal(twice, alone[[0, 1, 0, 0]]), "the last row alone had a history before"
        again = made.score(np.array([0, 0]), history=small.of_users([5, 5]))
        assert np.allclose(again, alone[[0, 0]])


@pytest.mark.parametrize("bad, said", [
    (["u1"], "users: expected a list of indices .*, got 'u1'; take them from interactions.user_index"),
    (["u1", "u2"], "users: expected a list of indices .*, got <U2 of shape"), ([0.5], "got 0.5"), (3, "got 3"),
    ([True, False], "got bool of shape"), ([[0, 1]], r"got int64 of shape \(1, 2\)"), ([np.nan], "got nan"), ([None], "got None"),
])  # fmt: skip
def test_users_that_are_no_indices_are_refused_with_the_mend_with_and_without_a_history(model, small, bad, said):
    for history in (None, small.of_users([0])):
        with pytest.raises(ValueError, match=said):
            model.score(bad, history)


def test_users_come_as_whole_numbers_of_any_kind(model):
    for users in ([3, 1], np.array([3, 1], np.uint8), np.array([3.0, 1.0]), pd.Series([3, 1]), range(3, 0, -2)):
        assert user_indices(users).tolist() == [3, 1] and user_indices(users).dtype == np.int64
    assert user_indices([]).shape == (0,)
    with pytest.raises(DataError, match="Row 1: expected a user index from 0 to 19, got 20"):
        model.score([0, 20])


def test_a_history_is_over_the_very_items_of_the_fitted_log(model, small):
    n_items = small.n_items
    mine = Interactions.from_sequences([[1, 2]], small.item_ids)
    assert histories(model, [0], mine) is mine
    assert histories(model, [0], Interactions.from_sequences([[1]], small.item_ids.astype(np.int32).tolist())).n_users == 1
    other = Interactions.from_sequences([[1, 2]], np.arange(n_items))  # as many items, and others
    with pytest.raises(ValueError, match="history: expected the item ids that the model was fitted on, got 1 for 2 as item 1"):
        model.score([0], other)
    text = Interactions.from_sequences([[1, 2]], [f"{item:04}" for item in range(n_items)])
    with pytest.raises(ValueError, match="got '0000' for 0 as item 0"):
        model.score([0], text)
    with pytest.raises(ValueError, match=f"history: expected the {n_items} items the model was fitted on, got 3; make it"):
        model.score([0], Interactions.from_sequences([[1, 2]], np.arange(3)))


def test_a_data_frame_in_place_of_the_log_is_told_what_to_do(model):
    frame = pd.DataFrame({"user": [0], "item": [1]})
    mend = "expected Interactions, got DataFrame; build them with Interactions.from_ids"
    with pytest.raises(ValueError, match=f"interactions: {mend}"):
        check_log("interactions", frame)
    with pytest.raises(ValueError, match=f"history: {mend}"):
        model.score([0], frame)


def test_rows_that_were_not_taken_are_counted_with_the_mend(small):
    values = np.where(np.arange(len(small)) % 4, 1.0, 0.0)
    values[1] = -1
    log = Interactions(small.users, small.items, values, small.times, small.user_ids, small.item_ids)
    with pytest.raises(ValueError, match="got 41 of 160 at 0 or below; keep the others with interactions.taken"):
        require_taken(log)
    assert require_taken(log.taken()) is None and len(log.taken()) == 119


def test_a_table_of_another_kind_is_refused_where_rows_are_counted():
    with pytest.raises(ValueError, match="interactions: expected Interactions, got dict"):
        require_taken({"users": [1]})
