"""MovieLens 100K in its two public forms: GroupLens' own files, and RecBole's atomic files.

Both hold the same 100,000 ratings in the same order. They differ in the films'
table: GroupLens keeps the year in the title, RecBole splits it off.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from recsys.data.interactions import Interactions
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
    columns = {
        "item": "int64",
        "title": "str",
        "released": "str",
        "video": "str",
        "url": "str",
        **dict.fromkeys(GENRES, "int64"),
    }
    films = read_table(
        files["u.item"],
        columns,
        file="u.item",
        separator="|",
        header=False,
        encoding="latin-1",
    )
    year = films["title"].str.extract(r"\((\d{4})\)\s*$")[0]
    items = pd.DataFrame(
        {
            "title": films["title"].str.replace(r"\s*\(\d{4}\)\s*$", "", regex=True),
            "year": pd.to_numeric(year).astype("Int64"),
            "genres": [
                tuple(g for g in GENRES if row[g])
                for row in films[list(GENRES)].to_dict("records")
            ],
        }
    ).set_index(films["item"])
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
    films = read_table(
        files["ml-100k.item"],
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
    items = pd.DataFrame(
        {
            "title": films["movie_title:token_seq"],
            "year": pd.to_numeric(films["release_year:token"], errors="coerce").astype(
                "Int64"
            ),
            "genres": films["class:token_seq"].str.split(" ").map(tuple),
        }
    ).set_index(films["item_id:token"].rename("item"))
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


def _interactions(ratings: pd.DataFrame, file: str, header: bool) -> Interactions:
    require(
        ratings,
        "rating",
        ratings["rating"].between(1, 5),
        "a rating from 1 to 5",
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
