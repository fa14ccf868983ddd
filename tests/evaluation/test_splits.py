"""Splits: every row in at most one part, and no promise about time broken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data import Interactions
from recsys.evaluation import TIE_BREAKS, Split, global_temporal, last_basket, leave_last_out, random_ratio


@st.composite
def logs(draw):
    n_users = draw(st.integers(2, 6))
    rows = [(user, draw(st.integers(0, 5)), draw(st.integers(0, 4)))
            for user in range(n_users) for _ in range(draw(st.integers(1, 8)))]
    rows += [(0, 0, 0), (0, 1, 2), (0, 2, 4)]  # somebody always has three days
    order = draw(st.permutations(range(len(rows))))
    users, items, times = np.array([rows[i] for i in order]).T
    return Interactions.from_ids(users, items, np.ones(len(rows)), times, time_unit="day")


MAKERS = [leave_last_out, last_basket, lambda log: global_temporal(log, 0.2, 0.2),
          lambda log: random_ratio(log, 0.2, 0.4)]


@pytest.mark.parametrize("make", MAKERS)
@given(log=logs())
@settings(deadline=None, derandomize=True, max_examples=60)
def test_the_three_parts_are_the_log_once_and_ordered_where_promised(make, log):
    split = make(log)
    assert len(split.train) + len(split.validation) + len(split.test) == len(log)
    assert len(split.train_and_validation) == len(split.train) + len(split.validation)
    assert set(np.unique(split.part)) <= {0, 1, 2}
    if split.ordered:
        assert split.leaks()["later than the user's test"] == 0
        for user in np.unique(split.test.users):
            fitted = split.train_and_validation
            if (fitted.users == user).any():
                assert fitted.times[fitted.users == user].max() <= split.test.times[split.test.users == user].min()


@pytest.mark.parametrize("make", MAKERS)
@given(log=logs())
@settings(deadline=None, derandomize=True, max_examples=30)
def test_what_a_model_is_fitted_on_does_not_depend_on_test_values(make, log):
    """Change every value of the test rows: the fitted part stays as it is."""
    split = make(log)
    values = np.where(split.part == 2, 99.0, log.values)
    other = make(Interactions(log.users, log.items, values, log.times, log.user_ids, log.item_ids, "day"))
    assert (other.part == split.part).all()
    assert (other.train_and_validation.values == split.train_and_validation.values).all()


@given(log=logs())
@settings(deadline=None, derandomize=True, max_examples=60)
def test_leave_last_out_agrees_with_a_loop(log):
    split = leave_last_out(log)
    for user in range(log.n_users):
        rows = sorted(np.flatnonzero(log.users == user), key=lambda row: (log.times[row], row))
        expected = [0] * (len(rows) - 2) + [1, 2] if len(rows) >= 3 else [0] * len(rows)
        assert split.part[rows].tolist() == expected


@given(log=logs())
@settings(deadline=None, derandomize=True, max_examples=60)
def test_last_basket_agrees_with_a_loop(log):
    split = last_basket(log)
    for user in range(log.n_users):
        rows = np.flatnonzero(log.users == user)
        days = sorted(set(log.times[rows]))
        part = {days[-1]: 2, days[-2]: 1} if len(days) >= 3 else {}
        assert split.part[rows].tolist() == [part.get(day, 0) for day in log.times[rows]]


def test_tie_breaks_change_only_rows_of_one_time_stamp(movielens):
    log = movielens.interactions
    base = leave_last_out(log)
    for ties in TIE_BREAKS:
        other = leave_last_out(log, ties, seed=1)
        assert (np.sort(other.test.times[np.argsort(other.test.users)]) ==
                np.sort(base.test.times[np.argsort(base.test.users)])).all()
    moved = {ties: (leave_last_out(log, ties).part != base.part).sum() for ties in TIE_BREAKS}
    assert moved["file-order"] == 0 and all(moved[ties] > 300 for ties in TIE_BREAKS[1:])
    tied_users = base.interactions.users[leave_last_out(log, "reverse-file-order").part != base.part]
    assert len(np.unique(tied_users)) <= 943


def test_tie_breaks_by_item_pick_the_largest_or_smallest():
    log = Interactions.from_ids([1] * 4, [5, 9, 7, 6], np.ones(4), [0, 3, 3, 3])
    last = {ties: leave_last_out(log, ties).test.items.tolist() for ties in TIE_BREAKS if ties != "random"}
    assert last == {"file-order": [1], "reverse-file-order": [3], "item-ascending": [3], "item-descending": [1]}


def test_random_ratio_takes_the_share_of_each_user_and_repeats_under_its_seed(movielens):
    log = movielens.interactions
    split = random_ratio(log, 0.1, 0.2, seed=4)
    total, test = np.bincount(log.users), np.bincount(split.test.users, minlength=log.n_users)
    assert (test == np.floor(total * 0.2)).all()
    assert (random_ratio(log, 0.1, 0.2, seed=4).part == split.part).all()
    assert (random_ratio(log, 0.1, 0.2, seed=5).part != split.part).any()


def test_a_random_split_shares_no_pair_where_pairs_occur_once_and_counts_the_future_it_sees(movielens):
    leaks = random_ratio(movielens.interactions).leaks()
    assert leaks["repeated pairs"] == 0 and leaks["later than the user's test"] > 50_000


def test_a_split_that_breaks_its_promise_is_refused(small):
    part = np.zeros(len(small), int)
    part[small.by_time()[0]] = 2  # the first event of a user as the test, later ones in train
    with pytest.raises(ValueError, match="fitted rows are later than their user's test"):
        Split(small, part, "broken on purpose", ordered=True)


def test_splits_say_what_is_wrong(small):
    with pytest.raises(ValueError, match="no test rows"):
        leave_last_out(small.select(small.ages() == 0))
    with pytest.raises(ValueError, match="Unknown tie-break 'newest'; expected one of file-order"):
        leave_last_out(small, ties="newest")
    with pytest.raises(ValueError, match="test=1.5 came"):
        random_ratio(small, test=1.5)
    with pytest.raises(ValueError, match="validation=0.5, test=0.6 came"):
        global_temporal(small, 0.5, 0.6)


def test_leaks_count_repeated_pairs():
    log = Interactions.from_ids([1] * 4, [5, 6, 7, 5], np.ones(4), [0, 1, 2, 3])
    assert leave_last_out(log).leaks()["repeated pairs"] == 1
