"""Online Retail II: every invoice line of a British gift shop, December 2009 to 2010.

UCI publishes one Excel workbook with a sheet a year (Chen 2012); the first sheet is
read here. The same lines are passed on as a Parquet file. Either way all rows are kept,
cancelled invoices, charges and stock corrections among them:
`recsys.data.retail.customer_orders` leaves those out.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys.data.errors import DataError
from recsys.data.interactions import Interactions
from recsys.data.sources.tables import MEND, require

WORKBOOK = "online_retail_II.xlsx"
SHEET = "Year 2009-2010"
PARQUET = "online_retail_2009_2010.parquet"
PARQUET_SHA256 = "e92bcbbce1b7a1041ad79462879d4774bf050c7b8fee9f4eef89f09fb6330664"
"""Of the one Parquet file that is passed on. A changed byte can end the process inside
fastparquet (1 of 50 did in a trial), so other bytes are refused before it sees them."""
COLUMNS = [
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
]
CODES = ["Invoice", "StockCode", "Description"]
"""Columns of text in which a spreadsheet holds whole numbers as numbers."""


def read_workbook(files: Mapping[str, bytes]):
    """Read the first sheet of `online_retail_II.xlsx`, as UCI publishes it.

    Raises:
        DataError: no workbook with that sheet, or a row is not as it should be; the
            message names the first such row, counted as a spreadsheet does.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(files[WORKBOOK]))
        header, *lines = workbook.get_sheet_by_name(SHEET).to_python()
    except (CalamineError, ValueError) as error:
        raise DataError(
            f'{WORKBOOK}: expected a workbook with the sheet "{SHEET}", got '
            f"{type(error).__name__}: {error}; {MEND}"
        ) from error
    if header != COLUMNS:
        raise DataError(
            f"{WORKBOOK}, row 1: expected the columns {COLUMNS}, got {header}; {MEND}"
        )
    table = pd.DataFrame(lines, columns=COLUMNS, dtype=object)
    table["Customer ID"] = table["Customer ID"].replace("", np.nan)
    for column in CODES:
        table[column] = [_text(cell) for cell in table[column]]
    return _read(table, WORKBOOK, header=True)


def read_parquet(files: Mapping[str, bytes]):
    """Read `online_retail_2009_2010.parquet`, the first sheet as it is passed on.

    Raises:
        DataError: other bytes than those of that file.
    """
    from fastparquet import ParquetFile

    content = files[PARQUET]
    found = hashlib.sha256(content).hexdigest()
    if found != PARQUET_SHA256:
        raise DataError(
            f"{PARQUET}: expected a file with SHA-256 {PARQUET_SHA256[:12]}..., got "
            f"{found[:12]}... of {len(content):,} bytes; {MEND}"
        )
    table = ParquetFile(io.BytesIO(content)).to_pandas()
    return _read(table.fillna({"Description": ""}), PARQUET, header=False)


def _text(cell: object) -> object:
    """A number as the code that was typed; anything else as it is."""
    return f"{cell:.0f}" if isinstance(cell, float) and cell.is_integer() else cell


def _read(table: pd.DataFrame, file: str, *, header: bool):
    """Check each line, and make the tables.

    Users are invoices and items stock codes, both as text. Values are quantities, below
    0 where something came back, and times are seconds of the shop's own clock. `users`
    has the customer (missing where none is named) and the country of each invoice;
    `items` the most frequent description and the median price, in pounds, over lines
    that cost something; `rows` the description and the price of each line. Blanks
    around descriptions are taken off.
    """
    lines = _checked(table, file, header)
    interactions = Interactions.from_ids(
        lines["Invoice"].to_numpy(dtype=object),
        lines["StockCode"].to_numpy(dtype=object),
        lines["Quantity"].to_numpy(),
        lines["InvoiceDate"].to_numpy(),
        source=file,
    )
    first = np.unique(interactions.users, return_index=True)[1]
    users = pd.DataFrame(
        {
            "customer": lines["Customer ID"].iloc[first].astype("Int64").array,
            "country": lines["Country"].iloc[first].to_numpy(),
        },
        index=pd.Index(interactions.user_ids, name="user"),
    )
    rows = pd.DataFrame({"description": lines["Description"], "price": lines["Price"]})
    return interactions, users, _products(rows, interactions), rows


def _checked(table: pd.DataFrame, file: str, header: bool) -> pd.DataFrame:
    """The lines with numbers and dates in the place of cells.

    Raises:
        DataError: a cell is not what it should be; the message names the first row.
    """

    def check(column: str, good: pd.Series, expected: str) -> None:
        require(table, column, good, expected, file=file, header=header)

    lines = pd.DataFrame(
        {column: table[column].astype(str) for column in [*CODES, "Country"]}
    )
    for column in ("Quantity", "Price", "Customer ID"):
        lines[column] = pd.to_numeric(table[column], errors="coerce")
    lines["InvoiceDate"] = pd.to_datetime(
        table["InvoiceDate"], format="%Y-%m-%d %H:%M:%S", errors="coerce"
    )
    lines["Description"] = lines["Description"].str.strip()
    is_invoice = lines["Invoice"].str.fullmatch("[AC]?[0-9]{6}")
    check("Invoice", is_invoice, "six digits, after C if cancelled or A if adjusted,")
    check("StockCode", lines["StockCode"].str.strip() != "", "a code")
    has_quantity = (lines["Quantity"] % 1 == 0) & (lines["Quantity"] != 0)
    check("Quantity", has_quantity, "a whole number other than 0")
    is_date = lines["InvoiceDate"].notna()
    check("InvoiceDate", is_date, "a date as year-month-day hour:minute:second")
    check("Price", np.isfinite(lines["Price"]), "a number")
    has_customer = (lines["Customer ID"] % 1 == 0) & (lines["Customer ID"] > 0)
    named = table["Customer ID"].notna()
    check("Customer ID", has_customer | ~named, "a customer's number or nothing")
    check("Country", lines["Country"].str.strip() != "", "a country")
    for column in ("Customer ID", "Country"):
        of_first = lines.groupby("Invoice")[column].transform("first")
        same = (lines[column] == of_first) | (~named & of_first.isna())
        check(column, same, "the same on every line of an invoice")
    return lines


def _products(rows: pd.DataFrame, interactions: Interactions) -> pd.DataFrame:
    priced = rows.assign(item=interactions.items)[rows["price"] > 0]
    counts = priced.groupby(["item", "description"], as_index=False).size()
    ordered = counts.sort_values(
        ["item", "size", "description"], ascending=[True, False, True]
    )
    most_frequent = ordered.drop_duplicates("item").set_index("item")["description"]
    every = np.arange(interactions.n_items)
    return pd.DataFrame(
        {
            "description": most_frequent.reindex(every, fill_value="").to_numpy(),
            "price": priced.groupby("item")["price"].median().reindex(every).to_numpy(),
        },
        index=pd.Index(interactions.item_ids, name="item"),
    )
