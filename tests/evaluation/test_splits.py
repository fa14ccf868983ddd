"""Splits: every row in at most one part, and no promise about time broken."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsys.baselines import Popularity
from recsys.data import Interactions
from recsys.evaluation import TIE_BREAKS, Split, evaluate, global_temporal, last_basket, leave_last_out, random_ratio


@st.composite
def logs(draw):
    n_users = draw(st.integers(2, 6))
    rows = [(user, draw(st.integers(0, 5)), draw(st.integers(0, 4)))
            for user in range(n_users) for _ in range(draw(st.integers(1, 8)))]
    rows += [(0, 0, 0), (0, 1, 2), (0, 2, 4), (0, 3, 1), (0, 4, 3)]  # somebody always has days for every part
    order = draw(st.permutations(range(len(rows))))
    users, items, times = np.array([rows[i] for i in order]).T
    return Interactions.from_ids(users, items, np.ones(len(rows)), times, time_unit="day")


def cut_in_time(log):
    """A global cut; a log whose ties leave a part empty is no example of one."""
    try:
        return global_temporal(log, 0.2, 0.2)
    except ValueError as error:
        assume("part: expected rows in" not in str(error))
        raise


MAKERS = [leave_last_out, last_basket, cut_in_time,
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
    assert split.protocol == "random rows of each user, validation 10%, test 20%, seed 4"
    assert (random_ratio(log, 0.1, 0.2, seed=4).part == split.part).all()
    assert (random_ratio(log, 0.1, 0.2, seed=5).part != split.part).any()


def test_a_random_split_shares_no_pair_where_pairs_occur_once_and_counts_the_future_it_sees(movielens):
    leaks = random_ratio(movielens.interactions).leaks()
    assert leaks["repeated pairs"] == 0 and leaks["later than the user's test"] > 50_000


def test_a_split_that_breaks_its_promise_is_refused(small):
    part = np.zeros(len(small), int)
    part[small.by_time()[0]] = 2  # the first event of a user as the test, later ones in train
    with pytest.raises(ValueError, match="no fitted row later than its user's test, got 7"):
        Split(small, part, "broken on purpose", ordered=True)


def test_splits_say_what_is_wrong(small):
    with pytest.raises(ValueError, match="no test rows"):
        leave_last_out(small.select(small.ages() == 0))
    with pytest.raises(ValueError, match="ties: expected one of file-order, .* got 'newest'"):
        leave_last_out(small, ties="newest")
    with pytest.raises(ValueError, match="test=1.5"):
        random_ratio(small, test=1.5)
    with pytest.raises(ValueError, match="validation=0.5, test=0.6"):
        global_temporal(small, 0.5, 0.6)


def test_leaks_count_repeated_pairs():
    log = Interactions.from_ids([1] * 4, [5, 6, 7, 5], np.ones(4), [0, 1, 2, 3])
    assert leave_last_out(log).leaks()["repeated pairs"] == 1


def in_order(n, unit="second"):
    """One user, n items, one after another."""
    return Interactions([0] * n, np.arange(n), np.ones(n), np.arange(n), [7], np.arange(n), unit)


def counts(split):
    return np.bincount(split.part, minlength=3).tolist()


@pytest.mark.parametrize("n, validation, test, expected", [
    (10, 0.6, 0.3, [1, 6, 3]), (10, 0.0, 0.9, [1, 0, 9]), (100, 0.1, 0.29, [61, 10, 29]), (9, 1 / 3, 1 / 3, [3, 3, 3]),
    (1000, 0.07, 0.58, [350, 70, 580]),
])
def test_a_share_is_the_decimal_number_that_was_written(n, validation, test, expected):
    """In floats 1 - 0.6 - 0.3 times 10 is less than 1, and 100 times 0.29 less than 29."""
    assert counts(global_temporal(in_order(n), validation, test)) == expected
    assert counts(random_ratio(in_order(n), validation, test)) == expected


def test_times_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="expected times in seconds or days, got steps"):
        global_temporal(in_order(20, "step"))
    with pytest.raises(ValueError, match='expected times in days or steps, got "second"'):
        last_basket(in_order(20, "second"))
    for unit in ("day", "step"):  # steps number the baskets in the file of the reality check
        assert counts(last_basket(in_order(20, unit))) == [18, 1, 1]


def test_a_split_without_train_or_without_the_validation_asked_for_is_refused():
    one_time = Interactions([0] * 10, np.arange(10), np.ones(10), np.zeros(10), [7], np.arange(10), "day")
    with pytest.raises(ValueError, match="got no train rows"):
        global_temporal(one_time)
    with pytest.raises(ValueError, match="got no train rows"):
        Split(in_order(3), [1, 2, 2], "by hand", ordered=False)
    with pytest.raises(ValueError, match="got no validation rows"):
        random_ratio(in_order(5), 0.1, 0.2)
    two_times = Interactions([0] * 10, np.arange(10), np.ones(10), [0] * 5 + [1] * 5, [7], np.arange(10), "day")
    with pytest.raises(ValueError, match="got no validation rows"):
        global_temporal(two_times)
    assert counts(global_temporal(two_times, validation=0)) == [5, 0, 5]


@pytest.mark.parametrize("make", [leave_last_out, last_basket, global_temporal, random_ratio])
def test_an_empty_log_is_refused(make):
    with pytest.raises(ValueError, match="interactions: expected at least one row, got none"):
        make(in_order(0, "day"))


@pytest.mark.parametrize("make", [leave_last_out, last_basket, global_temporal,
                                  lambda log: evaluate(Popularity(), random_ratio(log))])
def test_what_was_not_taken_is_neither_split_nor_counted_as_relevant(make):
    skips = Interactions([0] * 20, np.arange(20), [0, 1] * 10, np.arange(20), [7], np.arange(20), "day")
    with pytest.raises(ValueError, match="expected values above 0, got (10 of 20|9 of 16)"):
        make(skips)


def test_labels_of_no_part_are_refused():
    with pytest.raises(ValueError, match="part: expected a label from 0 to 3"):
        Split(in_order(3), [0, 2, 4], "by hand", ordered=False)


@pytest.mark.parametrize("shares", [{"test": 1e-8}, {"validation": 1e-8}, {"test": 1e-8, "validation": 0}])
@pytest.mark.parametrize("make", [global_temporal, random_ratio])
def test_a_share_that_is_no_row_of_any_log_is_named(small, make, shares):
    with pytest.raises(ValueError, match="expected shares of at least a millionth, got .*1e-08"):
        make(small, **shares)
