"""MovieLens 1M and 20M, which were never at hand: small files in the format of their READMEs."""

import zipfile

import pytest

from recsys.data import DataError, card, downloads, entry, fetch, load, where
from recsys.data.parse import READERS, Parsed, content_hash, parse

ONE = {"ratings.dat": b"2::1193::5::978300760\n1::661::3::978302109\n1::1193::4::978301968\n",
       "movies.dat": b'1193::Cuckoo\'s "Nest", One (1975)::Drama\n661::"Great" Am\xe9lie: Le Film::Children\'s|Comedy|War\n'
                     b"3::Unseen (1995)::Drama\n"}  # fmt: skip
TWENTY = {"ratings.csv": b"userId,movieId,rating,timestamp\n1,2,3.5,1112486027\n1,29,0.5,1112484676\n9,2,5.0,789652009\n",
          "movies.csv": 'movieId,title,genres\n2,"American President, The (1995)",Comedy|Drama\n29,"""Great"" Amélie (2001)",(no genres listed)\n'
                        "30,Unseen (1999),Drama\n".encode()}  # fmt: skip
SETS = [("movielens-1m", "ml-1m", ONE), ("movielens-20m", "ml-20m", TWENTY)]


def read(form, files):
    return Parsed(*READERS[form](files))


def test_lines_of_1m_become_ratings_and_films():
    parsed = read("ml-1m", ONE)
    data = parsed.interactions
    assert data.user_ids[data.users].tolist() == [2, 1, 1] and data.item_ids[data.items].tolist() == [1193, 661, 1193]
    assert data.values.tolist() == [5, 3, 4] and data.times.tolist() == [978300760, 978302109, 978301968]
    assert data.time_unit == "second" and parsed.users.index.tolist() == [1, 2] and not len(parsed.users.columns)
    assert parsed.items.loc[1193].tolist() == ['Cuckoo\'s "Nest", One', 1975, ("Drama",)]
    assert parsed.items.loc[661, "title"] == '"Great" Am\xe9lie: Le Film' and parsed.items["year"].isna().tolist() == [False, True, False]
    assert parsed.items.loc[661, "genres"] == ("Children's", "Comedy", "War")


def test_lines_of_20m_become_ratings_in_halves_and_films():
    parsed = read("ml-20m", TWENTY)
    data = parsed.interactions
    assert data.user_ids[data.users].tolist() == [1, 1, 9] and data.item_ids[data.items].tolist() == [2, 29, 2]
    assert data.values.tolist() == [3.5, 0.5, 5] and data.times.tolist() == [1112486027, 1112484676, 789652009]
    assert parsed.items.loc[2].tolist() == ["American President, The", 1995, ("Comedy", "Drama")]
    assert parsed.items.loc[29].tolist() == ['"Great" Amélie', 2001, ()]


def test_half_a_star_counts_in_the_content():
    changed = TWENTY | {"ratings.csv": TWENTY["ratings.csv"].replace(b"3.5", b"3.0")}
    assert content_hash(read("ml-20m", TWENTY)) != content_hash(read("ml-20m", changed))


@pytest.mark.parametrize("form, files", [(form, files) for _, form, files in SETS])
def test_line_ends_change_nothing(form, files):
    windows = {name: content.replace(b"\n", b"\r\n") for name, content in files.items()}
    assert content_hash(read(form, files)) == content_hash(read(form, windows))
    assert read(form, files).items.equals(read(form, windows).items)


@pytest.mark.parametrize("form, files, file, old, new, message", [
    ("ml-1m", ONE, "ratings.dat", b"::661::", b"::x61::", r"ratings.dat, row 2: expected an integer in item, got 'x61'"),
    ("ml-1m", ONE, "ratings.dat", b"::3::", b"::3.5::", r"ratings.dat, row 2: expected an integer in rating, got '3.5'"),
    ("ml-1m", ONE, "ratings.dat", b"::3::", b"::6::", r"ratings.dat, row 2: expected a rating from 1 to 5 in rating, got .*6"),
    ("ml-1m", ONE, "ratings.dat", b"::3::978302109", b"::3", r"ratings.dat, row 2: expected 4 fields, got 3"),
    ("ml-1m", ONE, "ratings.dat", b"978302109", b"-1", r"ratings.dat, row 2: expected seconds since 1970 in time"),
    ("ml-1m", ONE, "movies.dat", b"661::", b"six::", r"movies.dat, row 2: expected an integer id in item, got 'six'"),
    ("ml-1m", ONE, "movies.dat", b"::Children's", b"", r"movies.dat, row 2: expected 3 fields, got 2"),
    ("ml-1m", ONE, "movies.dat", b"Film::", b"F::ilm::", r"movies.dat, row 2: expected 3 fields, got 4"),
    ("ml-20m", TWENTY, "ratings.csv", b"3.5", b"3.7", r"ratings.csv, row 2: expected a rating from 0.5 to 5 in rating, got .*3.7"),
    ("ml-20m", TWENTY, "ratings.csv", b",0.5,", b",0.0,", r"ratings.csv, row 3: expected a rating from 0.5 to 5 in rating, got .*0"),
    ("ml-20m", TWENTY, "ratings.csv", b",0.5,", b",half,", r"ratings.csv, row 3: expected a number in rating, got 'half'"),
    ("ml-20m", TWENTY, "ratings.csv", b"timestamp", b"time", r"ratings.csv, row 1: expected the columns .*timestamp"),
    ("ml-20m", TWENTY, "movies.csv", b"29,", b"x,", r"movies.csv, row 3: expected an integer in movieId, got 'x'"),
    ("ml-20m", TWENTY, "movies.csv", b",(no genres listed)", b"", r"movies.csv, row 3: expected genres between bars in genres, got ''"),
])  # fmt: skip
def test_a_bad_row_is_named_with_its_file_and_the_mend(form, files, file, old, new, message):
    assert old in files[file]
    with pytest.raises(DataError, match=message) as caught:
        READERS[form](files | {file: files[file].replace(old, new, 1)})
    assert "mend:" in str(caught.value)


@pytest.mark.parametrize("name, form, files", SETS)
def test_a_rated_film_that_is_missing_or_listed_twice_is_named_where_no_hash_is_known(name, form, files):
    films = next(file for file in files if file.startswith("movies"))
    lines = files[films].splitlines(keepends=True)
    at = next(place for place, line in enumerate(lines) if line.startswith((b"661::", b"29,")))
    assert len(parse(entry(name), files)) == 3
    for changed, said in ((lines[:at] + lines[at + 1 :], "got 0"), ([*lines, lines[at]], "got 2")):
        with pytest.raises(DataError, match=rf"{films}: table of items: expected one row for item (661|29), {said}.*mend:"):
            parse(entry(name), files | {films: b"".join(changed)})


@pytest.mark.parametrize("name, form, files", SETS)
def test_the_official_archive_gives_the_data_and_nothing_is_said_to_agree(name, form, files, monkeypatch, tmp_path):
    wanted = entry(name)
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        for file, content in files.items():
            archive.writestr(f"{form}/{file}", content)
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECSYS_DATA_MIRROR", raising=False)
    monkeypatch.setattr(downloads, "_get_official", lambda place, directory: tmp_path / "it.zip")
    assert fetch(name) == tmp_path / "cache" / name
    ratings = load(name)
    assert len(ratings.interactions) == 3 and ratings.items.index.tolist() == ratings.interactions.item_ids.tolist()
    assert where(name)[0].found == f"3 of {wanted.counts['rows']:,} rows; no hash is known to hold them against"


@pytest.mark.parametrize("name, counts", [("movielens-1m", "1,000,209 rows, 6,040 users"), ("movielens-20m", "20,000,263 rows, 138,493 users")])
def test_the_cards_say_that_nothing_here_was_run_on_them(name, counts):
    text, wanted = card(name), entry(name)
    assert wanted.content is None and wanted.optional and counts in text
    assert "never at hand here" in text and "no number in this book comes from it" in text
    assert "Anything in this book" in text


def test_an_archive_may_hold_what_20m_unpacks_to():
    assert downloads.LIMIT > 540 * 10**6
