"""What a table takes in is held exactly, or refused with the row: nothing is cut, wrapped, merged or masked away."""

import copy
import pickle
import time
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data import Baskets, DataError, Interactions

ANY_WIDTH = st.one_of(st.integers(-(2**70), 2**70), st.integers(2**63 - 2, 2**63 + 2), st.integers(-9, 9))


def log_of(**changed):
    """Two rows, one column of which is what the test is about."""
    columns = dict(users=[0, 1], items=[0, 1], values=[1, 1], times=[5, 6], user_ids=[7, 8], item_ids=[3, 4])
    return Interactions(**columns | changed)


@given(st.lists(ANY_WIDTH, min_size=1, max_size=8), st.sampled_from([list, np.array, lambda x: np.array(x, object)]))
@settings(deadline=None, derandomize=True)
def test_ids_of_any_width_come_back_or_are_refused_and_are_never_merged(drawn, container):
    try:
        given_ids = container(drawn)
        if getattr(given_ids, "dtype", None) == np.float64:  # NumPy merged them before we saw them
            return
        rest = np.zeros(len(drawn), int), np.ones(len(drawn)), np.zeros(len(drawn), int)
        log = Interactions.from_ids(given_ids, *rest)
    except DataError as error:
        assert max(drawn) >= 2**63 or min(drawn) < -(2**63), error
    else:
        assert log.user_ids[log.users].tolist() == drawn


def test_a_thousand_hashes_of_64_bits_are_a_thousand_users_as_text_and_none_as_numbers():
    random = np.random.default_rng(0)
    hashes = [int(value) for value in random.integers(0, 2**64, 1000, dtype=np.uint64)]
    signed = [value if row % 2 else value - 2**63 for row, value in enumerate(hashes)]  # NumPy: float64
    rest = np.zeros(1000, int), np.ones(1000), np.zeros(1000, int)
    with pytest.raises(DataError, match=r"log, row \d+: expected an integer user id that 64 bits hold.*as text"):
        Interactions.from_ids(signed, *rest, source="log")
    text = Interactions.from_ids([str(value) for value in hashes], *rest)
    assert text.n_users == 1000 and text.user_ids[text.users].tolist() == [str(value) for value in hashes]


@pytest.mark.parametrize("kind, n_bits", [("f2", 11), ("f4", 24), ("f8", 53), ("g", 53)])
def test_ids_of_floats_are_taken_up_to_where_their_own_type_is_exact(kind, n_bits):
    rest = [1, 1], [1, 1], [1, 2]
    exact, above = np.array([2**n_bits - 1, 2**n_bits], kind), np.array([1, 2**n_bits + 2 ** (n_bits // 2)], kind)
    scalars = list(above), np.array([None, *above], dtype=object)[1:]
    assert Interactions.from_ids(exact, *rest).user_ids.tolist() == [2**n_bits - 1, 2**n_bits]
    assert Interactions.from_ids(list(exact), *rest).user_ids.tolist() == [2**n_bits - 1, 2**n_bits]
    for wide in (above, pd.Series(above), *scalars):
        with pytest.raises(DataError, match=f"row 1: .*at most 2.*{n_bits}|row 1: .*hold exactly"):
            Interactions.from_ids(wide, *rest)


BAD_INDICES = [([0, 0.9], "row 1: expected an integer index, got 0.9"), ([0, np.nan], "row 1: .*got nan"),
               ([0, np.inf], "row 1: .*got inf"), ([0, "1"], "row 1: .*got '1'"), ([0, None], "row 1: .*got None"),
               ([False, True], "row 0: .*got False"), ([[0], [1]], r"expected one column, got shape \(2, 1\)"),
               (np.ma.array([0, 1], mask=[False, True]), "row 1: expected a value, got a masked entry"),
               (pd.Series([0, None], dtype="Int64"), "row 1: .*got"), ([0, 2**63], "row 1: .*at most|row 1: .*hold"),
               (np.array([0, 1], "m8[ns]"), "expected an integer index, got timedelta64"), (1, "got shape"),
               (np.array([0, 1], "M8[ns]"), "expected an integer index, got datetime64"), ([[0], [1, 2]], "one column")]


@pytest.mark.parametrize("column", ["users", "items"])
@pytest.mark.parametrize("bad, said", BAD_INDICES)
def test_an_index_that_is_no_whole_number_is_refused_with_its_row(column, bad, said):
    with pytest.raises(DataError, match=f"{column}.*{said}"):
        log_of(**{column: bad})


@pytest.mark.parametrize("bad, said", [
    ([5, 6.5], "times, row 1: expected an integer time, got 6.5; hand dates in as datetime64"),
    ([5, 1e300], "times, row 1: .*exact"), (np.array([5, 1e19]), "times, row 1: .*up to which a float64 is exact"),
    (np.array([5, 2**53 + 2.0]), "times, row 1: .*up to which a float64 is exact"), ([5, np.nan], "times, row 1: .*got nan"),
    (np.array([5, 2**63], np.uint64), "times, row 1: .*at most"), ([5, -(2**63) - 1], "times, row 1: .*hold exactly"),
    (np.array(["2020-01-01", "NaT"], "M8[s]"), "times, row 1: expected a time, got NaT"),
    (np.array(["2020-01-01", "2020-01-01T00:00:00.5"], "M8[ms]"), r"row 1: .*in whole seconds.*datetime64\[s\]"),
    ([datetime(2020, 1, 1)] * 2, "times, row 0: .*hand dates in as datetime64"),
])  # fmt: skip
def test_a_time_that_is_not_held_exactly_is_refused_with_its_row(bad, said):
    with pytest.raises(DataError, match=said):
        log_of(times=bad)
    with pytest.raises(DataError, match=said.replace("times, row", "log, row")):
        Interactions.from_ids([1, 2], [1, 2], [1, 1], bad, source="log")


@pytest.mark.parametrize("unit", ["Y", "M", "D", "h", "m", "s", "ms", "us", "ns"])
def test_dates_of_any_unit_are_counted_in_the_unit_of_the_log(unit):
    dates = np.array(["2001-01-01", "2019-01-01"], "M8[D]").astype(f"M8[{unit}]")
    days = [11323, 17897]
    for build in (lambda **given: log_of(**given),
                  lambda **given: Interactions.from_ids([1, 2], [1, 2], [1, 1], **given)):
        assert build(times=dates, time_unit="day").times.tolist() == days
        assert build(times=dates).times.tolist() == [day * 86400 for day in days]
        assert build(times=pd.Series(dates)).times.tolist() == [day * 86400 for day in days]
    with pytest.raises(DataError, match='for time_unit="step", got datetime64'):
        log_of(times=dates, time_unit="step")
    with pytest.raises(DataError, match=r"row 0: expected a time in whole days.*astype\(.datetime64\[D\]"):
        log_of(times=np.array(["2001-01-01T01", "2001-01-02"], "M8[h]"), time_unit="day")


def test_an_unknown_unit_of_time_is_refused():
    with pytest.raises(DataError, match="time_unit: expected one of second, day, step, got 'ms'"):
        log_of(time_unit="ms")


@pytest.mark.parametrize("bad, said", [
    ([1, None], "values, row 1: expected a number, got None"), ([1, "x"], "values: expected numbers, got <U"),
    (np.array([1, "2"], object), "values, row 1: expected a number, got '2'"), ([1, np.nan], "Row 1: .*finite.*nan"),
    (np.ma.array([1.0, 2.0], mask=[1, 0]), "values, row 0: .*a masked entry"), ([[1, 1]], "values: expected one column"),
    (np.array([0, 1], "M8[s]"), "values: expected numbers, got datetime64"), ([1, 1j], "values: expected numbers"),
])  # fmt: skip
def test_a_value_that_is_no_number_is_refused_with_its_row(bad, said):
    with pytest.raises(DataError, match=said):
        log_of(values=bad)


@pytest.mark.parametrize("name", ["user_ids", "item_ids"])
@pytest.mark.parametrize("bad, said", [
    ([8, 7], "position 1: expected distinct ids in rising order, got 7 after 8"),
    (["b", "b"], "position 1: expected distinct ids in rising order, got 'b' after 'b'"),
    ([7, "b"], "row 1: expected an integer id, got 'b'"), (["b", 7], "row 1: expected the id as text, like the first"),
    ([7, 2**63], "row 1: .*64 bits hold exactly|row 1: .*at most"), ([1.5, 2.5], "row 0: expected an integer id, got 1.5"),
    ([[7, 8]], "expected one column"), (["a", "b\0"], "row 1: .*zero bytes"),
])  # fmt: skip
def test_a_vocabulary_is_sorted_distinct_and_of_one_kind(name, bad, said):
    with pytest.raises(DataError, match=f"{name}, {said}|{name}: {said}"):
        log_of(**{name: bad})


@pytest.mark.parametrize("kind", [np.int32, np.uint64, object, float])
def test_the_bytes_of_a_vocabulary_are_those_of_its_ids_whatever_the_dtype_it_came_in(kind):
    """`pandas.factorize` gives objects, whose bytes are addresses: every process hashed another catalogue."""
    plain = log_of(item_ids=[3, 400]).item_ids
    came = log_of(item_ids=np.array([3, 400], dtype=kind)).item_ids
    assert came.dtype == plain.dtype == np.int64 and came.tobytes() == plain.tobytes()


@pytest.mark.parametrize("kind", ["U2", "U9", object, np.dtypes.StringDType()])
def test_text_ids_are_as_wide_as_the_longest_whatever_the_dtype_they_came_in(kind):
    came = log_of(item_ids=np.array(["a", "bc"], dtype=kind)).item_ids
    assert came.dtype == "U2" and came.tobytes() == np.array(["a", "bc"]).tobytes()


def test_text_ids_and_dates_of_ones_own_go_in_as_they_are():
    frame = pd.DataFrame({"who": ["u10", "u9", "u10"], "what": ["b", "a", "c"], "n": [1, 2, 3],
                          "when": pd.to_datetime(["2024-02-01", "2024-01-01", "2024-03-01"])})
    log = Interactions.from_ids(frame["who"], frame["what"], frame["n"], frame["when"], time_unit="day")
    assert log.user_ids.tolist() == ["u10", "u9"] and log.item_ids.tolist() == ["a", "b", "c"]
    assert log.user_ids[log.users].tolist() == frame["who"].tolist()
    assert log.times.tolist() == [19754, 19723, 19783]
    assert log.user_index(["u9", "u10"]).tolist() == [1, 0] and log.item_index("c") == 2
    with pytest.raises(DataError, match="mine, row 1: expected the user id as text, like the first, got 2"):
        Interactions.from_ids(["a", 2], [1, 2], [1, 1], [0, 0], source="mine")
    with pytest.raises(DataError, match="row 1: expected the item id as text, like the first, got nan"):
        Interactions.from_ids([1, 2], pd.Series(["a", None]), [1, 1], [0, 0])


def test_an_unknown_id_is_printed_as_it_came_and_of_the_wrong_kind_is_told():
    log = log_of(user_ids=[10, 20], item_ids=["a", "b"])
    with pytest.raises(DataError, match="Unknown user id '10': the data has 2 users, from 10 to 20, and ids of users are "
                                        "integers"):  # fmt: skip
        log.user_index(["10"])
    with pytest.raises(DataError, match="Unknown item id 7: .* from a to b, and ids of items are text"):
        log.item_index([7])
    with pytest.raises(DataError, match="Unknown user id 9007199254740993:"):
        log_of(user_ids=[1, 2**53]).user_index([2**53 + 1])
    with pytest.raises(DataError, match="row 0: expected an integer user id of at most"):
        log.user_index(np.array([2**63], np.uint64))
    empty = Interactions([], [], [], [], [], [])
    assert empty.user_index([]).tolist() == []
    with pytest.raises(DataError, match="Unknown item id 1: the data has no items"):
        empty.item_index([1])


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(0, 99))
@settings(deadline=None, derandomize=True)
def test_every_row_of_a_request_has_its_users_history_in_the_order_of_the_log(users, seed):
    random = np.random.default_rng(seed)
    log = Interactions(random.integers(0, 6, 30), random.integers(0, 9, 30), np.arange(30.0), random.integers(0, 4, 30),
                       np.arange(6) * 2, np.arange(9))  # fmt: skip
    asked = log.of_users(users)
    assert asked.n_users == len(users) and asked.user_ids.tolist() == [2 * user for user in users]
    for row, user in enumerate(users):
        for column in ("items", "values", "times"):
            mine = getattr(asked, column)[asked.users == row]
            assert mine.tolist() == getattr(log, column)[log.users == user].tolist()
    again = asked.of_users(np.arange(len(users))[::-1])  # a part of a part, and its ids, still answer
    assert again.user_ids.tolist() == asked.user_ids.tolist()[::-1]
    if len(set(users)) == len(users):
        assert (asked.values[1:] > asked.values[:-1]).all(), "distinct users: the order of the log"
        assert again.user_index(again.user_ids).tolist() == list(range(len(users)))
    elif users:
        twice = max(users, key=users.count)
        with pytest.raises(DataError, match=f"id {2 * twice} stands for several users of this table"):
            asked.user_index([2 * twice])


def test_users_that_are_no_indices_are_refused_by_of_users():
    log = log_of()
    for bad, said in ((["u1"], "users, row 0: expected a user index, got 'u1'; take it from interactions.user_index"),
                      ([0.5], "users, row 0: .*got 0.5"), ([True, False], "users, row 0: .*got True"), (0, "one column"),
                      ([2], "Row 0: expected a user index from 0 to 1, got 2"), ([-1], "got -1")):
        with pytest.raises(DataError, match=said):
            log.of_users(bad)


def test_taken_keeps_what_has_a_value_above_0_and_the_vocabularies():
    log = log_of(values=[0, 2])
    taken = log.taken()
    assert taken.users.tolist() == [1] and taken.values.tolist() == [2]
    assert taken.user_ids.tolist() == [7, 8] and taken.item_ids.tolist() == [3, 4]
    assert len(log_of(values=[-1, 0.5]).taken()) == 1


TABLES = [log_of, lambda: log_of().select([0]), lambda: log_of().of_users([1, 1]),
          lambda: Baskets.from_interactions(log_of(time_unit="day"))]


@pytest.mark.parametrize("make", TABLES)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda table: pickle.loads(pickle.dumps(table))])
def test_copies_are_as_read_only_as_the_table_and_hold_the_same(make, duplicate):
    table = make()
    twin = duplicate(table)
    assert vars(twin).keys() == vars(table).keys()
    for name, array in vars(twin).items():
        assert np.array_equal(array, getattr(table, name))
        if isinstance(array, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                array[:1] = 0


@pytest.mark.parametrize("make", TABLES)
def test_a_table_is_equal_to_itself_and_can_be_a_key(make):
    table = make()
    assert table == table and table != make() and {table: 1}[table] == 1


BASKETS = dict(users=[0, 0, 1], days=[3, 4, 3], starts=[0, 1, 3, 4], items=[0, 0, 1, 1], user_ids=[7, 8], item_ids=[3, 4])


@pytest.mark.parametrize("change, said", [
    ({"days": [3, 3, 3]}, "Row 1: expected baskets sorted by user, then day"), ({"users": [1, 0, 1]}, "Row 1: expected baskets"),
    ({"items": [0, 0, 1, 2]}, "Row 3: expected an item index from 0 to 1"), ({"users": [0, 0, 2]}, "Row 2: expected a user"),
    ({"starts": [0, 1, 1, 4]}, "starts: expected numbers that rise"), ({"starts": [0, 1, 4]}, "one longer"), ({"days": [3, 4.5, 3]}, "days, row 1"),
])  # fmt: skip
def test_baskets_are_checked_too(change, said):
    assert len(Baskets(**BASKETS)) == 3
    with pytest.raises(DataError, match=said):
        Baskets(**BASKETS | change)


def test_numbering_800_thousand_rows_takes_a_moment():
    """Below 0.3 s when it was written (0.12 s); ten times as much leaves room for a busy machine."""
    random = np.random.default_rng(0)
    users, items = random.integers(0, 32_000, 800_000), random.integers(0, 24_000, 800_000)
    started = time.process_time()
    Interactions.from_ids(users, items, np.ones(800_000), users)
    assert time.process_time() - started < 3
