"""Logs of one's own, as tables and as files: any ids, any order of rows, and each bad row by its place."""

import datetime

import fastparquet
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data import DataError, Interactions, read_log

DAY = datetime.date(2024, 1, 1)
IDS = st.one_of(
    st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=30),
    st.lists(st.text(min_size=1).filter(lambda text: text.strip() and not text.endswith("\0")), min_size=1, max_size=30),
    st.lists(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)), min_size=1, max_size=30),
)  # fmt: skip


def columns(log):
    return {name: (getattr(column, "dtype", None), np.asarray(column).tolist()) for name, column in vars(log).items()}


@given(IDS, IDS)
@settings(deadline=None, derandomize=True, max_examples=60)
def test_ids_come_back_whatever_they_are(users, items):
    n = min(len(users), len(items))
    frame = pd.DataFrame({"who": pd.Series(users[:n]), "what": pd.Series(items[:n]), "when": np.arange(n)})
    log = Interactions.from_frame(frame, "who", "what", "when")
    for ids, index, given_ids in ((log.user_ids, log.users, users), (log.item_ids, log.items, items)):
        told = [id.isoformat() if isinstance(id, datetime.date) else id for id in given_ids[:n]]
        assert ids[index].tolist() == told and (ids[1:] > ids[:-1]).all()
    assert (log.values == 1).all()


@given(st.integers(0, 999), st.integers(1, 60))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_the_order_of_rows_changes_nothing_but_among_rows_of_one_time(seed, n):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"user": random.integers(0, 9, n), "item": random.integers(0, 9, n).astype(str),
                          "time": random.permutation(n) + 0.25, "value": random.normal(size=n)})  # fmt: skip
    log = Interactions.from_frame(frame, value="value", time_unit="step")
    shuffled = frame.sample(frac=1, random_state=seed)
    assert columns(Interactions.from_frame(shuffled, value="value", time_unit="step")) == columns(log)
    tied = Interactions.from_frame(frame.assign(time=0))
    assert tied.item_ids[tied.items].tolist() == frame["item"].tolist(), "of one time the order of the frame"


def test_whole_numbers_are_numbered_as_by_from_ids(small):
    by_time = small.select(np.argsort(small.times, kind="stable"))
    raw = {"user": small.user_ids[small.users], "item": small.item_ids[small.items], "time": small.times, "value": small.values}
    log = Interactions.from_frame(pd.DataFrame(raw), value="value")
    for name in ("users", "items", "values", "times", "user_ids", "item_ids"):
        assert (getattr(log, name) == getattr(by_time, name)).all(), name


@pytest.mark.parametrize("times, unit, counted", [
    ([0.5, 86_399.9, -0.5], "second", [-1, 0, 86_399]),
    ([1_700_000_000_999, 5, 1000], "millisecond", [0, 1, 1_700_000_000]),
    (pd.to_datetime(["1970-01-02 23:59:59.0", "1969-12-31 23:59:59.5", "1970-01-01 00:00:00.0"]), "day", [-1, 0, 1]),
    (pd.to_datetime(["1970-01-02 00:00:01.7", "1969-12-31 23:59:59.5", "1970-01-01 00:00:00.0"]), "second", [-1, 0, 86_401]),
    (pd.to_datetime(["1970-01-01 01:00", "1970-01-01 02:00", "1970-01-01 03:00"]).tz_localize("Europe/Paris"), "second", [0, 3600, 7200]),
    (["1970-01-01T02:00:00+02:00", "1970-01-01 00:00:07", "1970-01-02"], "second", [0, 7, 86_400]),
    ([DAY, DAY + datetime.timedelta(1), DAY], "day", [19_723, 19_723, 19_724]),
    (["3", " 1.5", "2e0"], "step", [1, 2, 3]),
    (pd.array([3, 1, 2], dtype="Int64"), "step", [1, 2, 3]),
])  # fmt: skip
def test_times_are_counted_in_the_unit_and_rounded_down(times, unit, counted):
    log = Interactions.from_frame(pd.DataFrame({"user": [1, 2, 3], "item": [1, 2, 3], "time": times}), time_unit=unit)
    assert log.times.tolist() == counted and log.time_unit == unit.replace("millisecond", "second")


def test_dates_with_a_time_of_day_are_ids_of_their_own():
    hours = pd.to_datetime(["2024-01-05 10:00", "2024-01-05 11:00", "2024-01-05 10:00"])
    log = Interactions.from_frame(pd.DataFrame({"user": hours, "item": hours.normalize(), "time": [1, 2, 3]}))
    assert log.user_ids.tolist() == ["2024-01-05T10:00:00", "2024-01-05T11:00:00"]
    assert log.users.tolist() == [0, 1, 0] and log.item_ids.tolist() == ["2024-01-05"]


def test_events_within_one_second_keep_their_order():
    times = pd.to_datetime(["2024-01-01 10:00:00.9", "2024-01-01 10:00:00.1"])
    log = Interactions.from_frame(pd.DataFrame({"user": [1, 1], "item": ["later", "sooner"], "time": times}))
    assert log.times[0] == log.times[1] and log.item_ids[log.items].tolist() == ["sooner", "later"]


GOOD = {"user": ["a", "b", "c"], "item": [7, 8, 9], "time": [1, 2, 3], "value": [1.0, 2.0, 3.0]}
BAD = [
    ("user", None, "expected a user id in column 'user', got nothing; fill it in, or remove the row"),
    ("user", "  ", "got nothing"), ("user", 5, "expected a user id like the first, 'a', in column 'user', got 5; turn the whole"),
    ("item", None, "expected an item id in column 'item', got nothing"), ("item", 2.5, "got 2.5; turn the whole column into text"),
    ("item", np.inf, "got inf"), ("item", 2.0**60, "that a float holds exactly"), ("item", "x", "like the first, 7, in column 'item', got 'x'"),
    ("time", None, "expected a time in column 'time', got nothing"), ("time", np.inf, "expected a time as a finite number"),
    ("time", "noon", "expected a time as a finite number in column 'time', got 'noon'"),
    ("time", 1_700_000_000_000, "got 1700000000000; as seconds it is too far away: say its unit with time_unit="),
    ("value", np.nan, "expected a value in column 'value', got nothing"), ("value", -np.inf, "expected a value as a finite number"),
    ("value", "many", "got 'many'"), ("value", datetime.datetime(2024, 1, 1), "expected a value"),
]  # fmt: skip


@pytest.mark.parametrize("column, bad, said", BAD)
def test_a_planted_bad_row_is_named_by_its_label(column, bad, said):
    frame = pd.DataFrame(GOOD)
    assert len(Interactions.from_frame(frame, value="value")) == 3
    frame = frame.astype({column: object})
    frame.loc[1, column] = bad
    plain = frame.infer_objects() if bad is None or isinstance(bad, float) else frame
    for table, label in ((plain, "row 1"), (plain.set_index(pd.Index([4, 5, 6], name="visit")), "visit 5")):
        with pytest.raises(DataError) as error:
            Interactions.from_frame(table, value="value", source="mine")
        assert str(error.value).startswith(f"mine, {label}: expected ") and said in str(error.value)


def test_how_many_rows_are_bad_is_said():
    with pytest.raises(DataError, match="row 0: .*got nothing, the first of 2 such rows; fill"):
        Interactions.from_frame(pd.DataFrame({**GOOD, "user": [None, "b", None]}))


@pytest.mark.parametrize("change, said", [
    ({"user": [True, False, True]}, "got True; turn the whole column into text"), ({"user": [b"a", b"b", b"c"]}, "got b'a'"),
    ({"time": [True, False, True]}, "expected a time .*hand in numbers, or dates"),
    ({"time": pd.to_timedelta([1, 2, 3])}, "expected a time as a finite number"), ({"user": ["a", "b\0", "c"]}, r"row 1: .*zero bytes"),
])  # fmt: skip
def test_columns_of_another_kind_are_refused(change, said):
    with pytest.raises(DataError, match=said):
        Interactions.from_frame(pd.DataFrame({**GOOD, **change}))


def test_what_is_no_log_is_refused_with_the_mend():
    frame = pd.DataFrame(GOOD)
    for table, options, said in (
        (GOOD, {}, "frame: expected a pandas DataFrame, got dict"), (frame[:0], {}, "expected a row an event, got no row"),
        (frame, {"user": "who"}, "expected one column 'who' with the user, got none among user, item, time, value; name yours with user="),
        (pd.concat([frame, frame], axis=1), {}, "got 2 of them"), (frame, {"time_unit": "year"}, "time_unit: expected one of second, "),
        (frame.assign(time=pd.to_datetime(["2024-01-01"] * 3)), {"time_unit": "step"}, 'say time_unit="second" or "day"'),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said):
            Interactions.from_frame(table, **options)


@pytest.fixture
def written(tmp_path):
    """Write text as a CSV; read it."""

    def read(text, name="log.csv", **options):
        path = tmp_path / name
        path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
        return read_log(path, **options)

    return read


CSV = 'user,item,time\nann,"one, two",5\nbo,"said ""so""",3\n'


@pytest.mark.parametrize("text", [
    CSV, CSV.replace("\n", "\r\n"), "\ufeff" + CSV, CSV.replace("\n", "\n\n"), CSV.rstrip("\n"),
    "time;more;user;item\n5;,;ann;one, two\n3;,;bo;said \"\"so\"\"\n".replace("said \"\"so\"\"", '"said ""so"""'),
    CSV.replace("user,item,time", "user\titem\ttime").replace(',"', '\t"').replace('",', '"\t'),
])  # fmt: skip
def test_a_csv_is_read_whoever_wrote_it(written, text):
    log = written(text)
    assert log.user_ids[log.users].tolist() == ["bo", "ann"] and log.times.tolist() == [3, 5]
    assert log.item_ids[log.items].tolist() == ['said "so"', "one, two"]


def test_ids_of_a_csv_are_numbers_only_where_nothing_would_be_lost(written):
    head = "user,item,time\n"
    assert written(head + "10,-7,1\n9,0,2\n").user_ids.tolist() == [9, 10]
    for id in ("007", "1.0", "+1", "12345678901234567890", "NA", "None", "-0"):
        assert sorted(written(head + f"{id},1,1\n9,1,2\n").user_ids.tolist()) == sorted([id, "9"])


@pytest.mark.parametrize("bad, line, said", [
    (",x,1", 4, "expected a user id in column 'user', got nothing; fill it in"), ("u,,1", 4, "an item id"), ("u,x,", 4, "a time"),
    ("u,x,noon", 4, "expected a time as a finite number in column 'time', got 'noon'"), ("u,x,nan", 4, "got 'nan'"),
    ("u,x", 4, "expected 3 fields as in the first line, got 2; put text that holds a separator in quotes"), ("u,x,1,1", 4, "got 4"),
    ('u,"x,1', 4, "expected fields, those in quotes closed"), ('u,"x"y,1', 4, "write a quote inside quotes twice"),
    (b"u,\xe9,1", 4, "expected text in UTF-8, got the byte 0xe9; save the file as UTF-8"),
    ('u,"two\nlines",1\nu,x,noon', 6, "got 'noon'"), ("\n\nu,x,noon", 6, "got 'noon'"),
])  # fmt: skip
def test_a_planted_bad_line_is_named_as_an_editor_counts(written, bad, line, said):
    text = b"user,item,time\na,x,1\nb,y,2\n" + (bad if isinstance(bad, bytes) else bad.encode()) + b"\nc,z,3\n"
    with pytest.raises(DataError) as error:
        written(text)
    assert str(error.value).startswith(f"log.csv, line {line}: expected ") and said in str(error.value)


def test_files_that_are_no_logs_are_refused_with_the_mend(written, tmp_path):
    for text, name, said in (
        ("a,b,c\n1,2,3\n", "log.csv", "log.csv, line 1: expected one column 'user' with the user, got none among a, b, c"),
        ('user,"item,time\n1,2,3\n', "log.csv", "log.csv, line 1: expected fields, those in quotes closed"),
        ("", "log.csv", "log.csv, line 1: expected one column 'user'"), ("user,item,time\n", "log.csv", "got no row"),
        ("x", "log.xlsx", "log.xlsx: expected a name that ends in .csv, .tsv, .parquet, got '.xlsx'; save"),
        ("x", "log.parquet", "log.parquet: expected a Parquet file, got .*save the log as CSV"),
        (CSV.encode("utf-16"), "log.csv", "got the byte 0xff"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said):
            written(text, name)
    with pytest.raises(FileNotFoundError):
        read_log(tmp_path / "none.csv")


@pytest.mark.parametrize("users, times, unit", [
    ([10, 9, 10, 7], [4, 3, 2, 1], "step"), (["b", "a b", "b", "é,\n\""], [1.5, 1.25, 7, 6], "second"),
    ([DAY, DAY, DAY, DAY - datetime.timedelta(9)], pd.to_datetime(["2024-01-05 10:00:07", *["2024-01-04 00:00:00"] * 3]), "day"),
])  # fmt: skip
def test_parquet_equals_csv_equals_the_frame(tmp_path, users, times, unit):
    frame = pd.DataFrame({"who": users, "what": ["x", "y", "y", "z"], "when": times, "n": [1, 0.5, -2, 3], "more": 0})
    if isinstance(users[0], datetime.date):
        frame["who"] = pd.to_datetime(frame["who"]).astype("datetime64[us]")  # fastparquet writes seconds wrong
    frame.to_csv(tmp_path / "log.csv", index=False)
    fastparquet.write(str(tmp_path / "log.parquet"), frame)
    names = {"user": "who", "item": "what", "time": "when", "value": "n", "time_unit": unit}
    whole = columns(Interactions.from_frame(frame, **names))
    assert columns(read_log(tmp_path / "log.csv", **names)) == whole
    assert columns(read_log(tmp_path / "log.parquet", **names)) == whole


def test_a_bad_row_of_parquet_is_named_by_its_number(tmp_path):
    frame = pd.DataFrame({"user": ["a", None, "c"], "item": [1, 2, 3], "time": [1, 2, 3]})
    fastparquet.write(str(tmp_path / "log.parquet"), frame, row_group_offsets=[0, 1])
    with pytest.raises(DataError, match="^log.parquet, row 1: expected a user id in column 'user', got nothing; fill it in"):
        read_log(tmp_path / "log.parquet")
