"""Online Retail II: the workbook, the Parquet file, what its card says, and what customers ordered."""

import io
import zipfile
from dataclasses import replace
from datetime import datetime
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
import pytest

from recsys.data import DataError, Dataset, card, downloads, entry, fetch, fetching, load, where
from recsys.data.parse import READERS, Parsed, content_hash, parse, tables_hash
from recsys.data.retail import customer_orders
from recsys.data.sources.online_retail import COLUMNS, PARQUET, SHEET, WORKBOOK
from tests.data.test_sets import loaded, put

NAME = "online-retail-ii"
EARLY, LATE = datetime(2009, 12, 1, 7, 45), datetime(2010, 1, 4, 18, 20)
LINES = [
    [489434, 85048, " LIGHTS ", 12, EARLY, 6.95, 13085, "United Kingdom"],
    [489434, "79323P", "PINK", 2, EARLY, 6.75, 13085, "United Kingdom"],
    [489434, 85048, "LIGHTS", 3, EARLY, 5.95, 13085, "United Kingdom"],
    [489435, "79323P", "PINK CHERRY", 1, EARLY, 8.25, "", "France"],
    [489435, "DOT", "DOTCOM POSTAGE", 1, EARLY, 4.5, "", "France"],
    ["C489449", "79323P", "PINK", -2, LATE, 6.75, 13085, "United Kingdom"],
    [489450, 21232, "", -9, LATE, 0, "", "United Kingdom"],
    [489451, "79323p", 20713, 1, LATE, 7.5, "", "United Kingdom"],
    [489452, "POST", "POSTAGE", 1, LATE, 18, 12346, "EIRE"],
    [489452, 21232, "damages", 4, LATE, 0, 12346, "EIRE"],
    [489453, 85048, "LIGHTS", 1, LATE, 6.5, 12346, "EIRE"],
]


def workbook(lines, header=COLUMNS, sheet=SHEET):
    """The bytes of an Excel workbook with one sheet, as little of one as there can be."""
    rows = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in [header, *lines])
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r0" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="{sheet}" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
                                      f'<Relationship Id="r2" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
    }  # fmt: skip
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _cell(value):
    if isinstance(value, datetime):
        days = (value - datetime(1899, 12, 30)).total_seconds() / 86400
        return f'<c s="1"><v>{days!r}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>' if value else "<c/>"
    return f"<c><v>{value!r}</v></c>"


def read(lines=LINES, **how):
    return Parsed(*READERS["uci"]({WORKBOOK: workbook(lines, **how)}))


def dataset(parsed):
    data = parsed.interactions
    return Dataset(NAME, data, parsed.users.loc[data.user_ids], parsed.items.loc[data.item_ids], parsed.rows)


# What the catalogue, the card and the docstrings say is what the data holds

@pytest.fixture(scope="module")
def shop():
    return loaded(NAME)


def is_product(shop):
    return shop.items.index.str.fullmatch("[0-9]{5}.*")[shop.interactions.items]


def is_known(shop):
    return shop.users["customer"].notna().to_numpy()[shop.interactions.users]


def is_cancelled(shop):
    return shop.users.index.str.startswith("C")[shop.interactions.users]


def is_charged(shop):
    return (shop.interactions.values > 0) & (shop.rows["price"] > 0).to_numpy() & is_product(shop)


def codes_of_neighbours(data):
    """Item indices of each row but the first of its user, and of the row before it."""
    order = data.by_time()
    same = np.diff(data.users[order]) == 0
    return data.items[order][1:][same], data.items[order][:-1][same]


def test_counts_and_hashes_of_the_catalogue_are_those_of_the_data(shop):
    data, wanted = shop.interactions, entry(NAME)
    assert (len(data), data.n_users, data.n_items) == (525_461, 28_816, 4_632) == tuple(wanted.counts.values())
    parsed = Parsed(data, shop.users, shop.items, shop.rows)
    assert content_hash(parsed) == wanted.content and tables_hash(parsed) == wanted.tables["parquet"]
    assert data.time_unit == "second" and (np.diff(data.times) >= 0).all()
    assert [str(np.datetime64(int(time), "s")) for time in data.times[[0, -1]]] == ["2009-12-01T07:45:00", "2010-12-09T20:01:00"]
    assert (data.times % 60 == 0).all()


@pytest.mark.parametrize("column", ["users", "items", "values", "times"])
def test_one_altered_cell_or_two_swapped_rows_give_another_content(shop, column):
    data = shop.interactions
    changed = getattr(data, column).copy()
    changed[[9, 10]] = changed[[10, 9]] if column in ("users", "items") else changed[[9, 10]] + 1
    changed[[500, 525_000]] = changed[[525_000, 500]]
    other = replace(data, **{column: changed})
    assert content_hash(Parsed(other, shop.users, shop.items, shop.rows)) != entry(NAME).content


def test_what_the_card_says_is_counted(shop):
    text, data = card(NAME), shop.interactions
    n_times = pd.Series(data.times).groupby(data.users).nunique()
    assert n_times.max() == 2 and (n_times == 2).sum() == 41 and "(41 have two)" in text
    known, charged, cancelled = is_known(shop), is_charged(shop), is_cancelled(shop)
    assert (~known).sum() == 107_927 and "107,927 lines" in text
    dot = data.select(data.items == data.item_index("DOT")).user_counts() > 0
    sold = data.select(charged & ~known)
    of_the_site = dot[sold.users]
    assert round(of_the_site.mean(), 2) == 0.90 and len(np.unique(sold.users[of_the_site])) == 733
    assert round(of_the_site.sum() / 733) == 126
    assert all(said in text for said in ("90 in 100 stand on 733", "126 products each", "95 in 100 neighbouring lines"))
    after, before = codes_of_neighbours(sold)
    assert round((after > before).mean(), 2) == 0.95
    after, before = codes_of_neighbours(data.select(charged & known))
    assert round((after > before).mean(), 2) == 0.51, "no order of codes where a customer is known"
    assert cancelled.sum() == 10_206 and ((data.values < 0) & ~cancelled).sum() == 2_121
    assert (shop.rows["price"] <= 0).sum() == 3_690
    assert all(said in text for said in ("10,206 lines cancel", "2,121 have a quantity", "3,690 cost nothing"))
    customer = shop.users["customer"].fillna(0).to_numpy()[data.users]
    bought = set(zip(customer[charged & known], data.items[charged & known], data.values[charged & known]))
    back = cancelled & known & (data.values < 0)
    matched = sum((c, item, -value) in bought for c, item, value in zip(customer[back], data.items[back], data.values[back]))
    assert (back.sum(), matched) == (9_839, 3_592) and "3,592 of the 9,839" in text


def test_what_the_card_says_of_orders_is_counted(shop):
    text, orders = card(NAME), customer_orders(shop)
    data = orders.interactions
    assert (len(data), data.n_users, data.n_items, orders.users["customer"].nunique()) == (393_634, 18_966, 4_006, 4_285)
    assert "393,634 rows on 18,966 invoices" in text and "406,295" in customer_orders.__doc__
    assert round((data.values >= 12).mean(), 2) == 0.31 and "31 in 100 rows" in text
    lines = shop.interactions.select(is_charged(shop) & is_known(shop))
    assert len(lines) == 406_295 and len(lines) - len(data) == 12_661 and round(12_661 / 406_295, 3) == 0.031
    assert "12,661 lines of known customers" in " ".join(text.split())
    price = shop.rows["price"].to_numpy()[is_charged(shop) & is_known(shop)]
    whole = pd.DataFrame({"user": lines.users, "item": lines.items, "value": lines.values, "price": price})
    assert whole.duplicated().sum() == 6_744 and "6,744 repeat a whole line" in text
    number = np.array([int(code[:5]) for code in data.item_ids])

    def share_near(log):
        after, before = codes_of_neighbours(log)
        return (np.abs(number[after] - number[before]) <= 3).mean()

    shuffled = data.select(np.random.default_rng(0).permutation(len(data)))
    in_orders = replace(shuffled, times=np.zeros(len(data), dtype=np.int64))
    assert round(share_near(data), 2) == 0.19 and round(share_near(in_orders), 2) == 0.03
    assert "19 cases of 100, against 3 of 100" in text


def test_orders_are_what_known_customers_were_charged_for_once_a_product(shop):
    orders = customer_orders(shop)
    data = orders.interactions
    assert not orders.users.index.str.startswith("C").any() and orders.users["customer"].notna().all()
    assert (data.values > 0).all() and (orders.rows["price"] > 0).all()
    assert data.matrix().nnz == len(data), "one row a product of an invoice"
    lines = shop.interactions.select(is_charged(shop) & is_known(shop))
    assert data.values.sum() == lines.values.sum() and (data.seen().sum() == lines.seen().sum())
    assert (np.diff(data.times) >= 0).all() and len(orders.rows) == len(data)
    assert (orders.users.index == data.user_ids).all() and (orders.items.index == data.item_ids).all()


# What the reader makes of a small workbook

def test_lines_become_rows_with_invoices_as_users_and_codes_as_items():
    parsed = read()
    data = parsed.interactions
    assert data.user_ids.tolist() == ["489434", "489435", "489450", "489451", "489452", "489453", "C489449"]
    assert data.item_ids.tolist() == ["21232", "79323P", "79323p", "85048", "DOT", "POST"]
    assert data.user_ids[data.users].tolist()[:6] == ["489434"] * 3 + ["489435"] * 2 + ["C489449"]
    assert data.item_ids[data.items].tolist()[:5] == ["85048", "79323P", "85048", "79323P", "DOT"]
    assert data.values.tolist() == [12, 2, 3, 1, 1, -2, -9, 1, 1, 4, 1]
    assert data.times.astype("datetime64[s]").tolist() == [EARLY] * 5 + [LATE] * 6
    assert parsed.users["customer"].tolist() == [13085, pd.NA, pd.NA, pd.NA, 12346, 12346, 13085]
    assert parsed.users.loc["489435", "country"] == "France"
    assert parsed.rows["description"].tolist()[:3] == ["LIGHTS", "PINK", "LIGHTS"] and parsed.rows["price"][1] == 6.75
    assert parsed.items.loc["79323p", "description"] == "20713", "a name that a spreadsheet holds as a number"


def test_a_products_name_and_price_come_from_lines_that_cost_something():
    items = read().items
    assert items.loc["85048"].tolist() == ["LIGHTS", 6.5] and items.loc["79323P"].tolist() == ["PINK", 6.75]
    assert items.loc["21232", "description"] == "" and np.isnan(items.loc["21232", "price"])
    tie = [[489434 + n, 85048, name, 1, EARLY, price, "", "EIRE"] for n, (name, price) in enumerate((("B", 1), ("A", 2)))]
    assert read(tie).items.loc["85048"].tolist() == ["A", 1.5]


def test_a_time_that_a_spreadsheet_holds_a_little_short_is_that_second():
    times = [datetime(2010, 3, 5, hour, minute, second) for hour in range(24) for minute in range(60) for second in (0, 7)]
    lines = [[489434, 1, "A", 1, time, 1, "", "EIRE"] for time in times]
    assert read(lines).interactions.times.astype("datetime64[s]").tolist() == times
    with pytest.raises(DataError, match="row 1: expected a time in whole seconds, got 2010-03-05T00:00:00.4"):
        read([lines[0], [489434, 1, "A", 1, datetime(2010, 3, 5, 0, 0, 0, 400_000), 1, "", "EIRE"]])


def order_book(lines):
    """The rule of `customer_orders`, line by line."""
    made = {}
    for invoice, code, _, quantity, _, price, customer, _ in lines:
        if quantity > 0 and price > 0 and customer and str(code)[:5].isdigit() and len(str(code)) >= 5:
            made[str(invoice), str(code)] = made.get((str(invoice), str(code)), 0) + quantity
    return made


def test_customer_orders_are_those_of_a_loop_over_the_lines():
    rng = np.random.default_rng(0)
    for _ in range(20):
        lines = [[489434 + int(number), *LINES[int(line)][1:3], int(rng.integers(-1, 4)) or 5, EARLY, float(rng.integers(2)),
                  13085 if number % 3 else "", "EIRE"] for number, line in zip(rng.integers(5, size=40), rng.integers(11, size=40))]
        expected, orders = order_book(lines), customer_orders(dataset(read(lines))).interactions
        found = list(zip(orders.user_ids[orders.users].tolist(), orders.item_ids[orders.items].tolist()))
        assert found == list(expected), "in the order of first lines"
        assert orders.values.tolist() == list(expected.values())


def test_customer_orders_keep_the_tables_beside_their_rows():
    orders = customer_orders(dataset(read()))
    data = orders.interactions
    assert list(zip(data.user_ids[data.users], data.item_ids[data.items], data.values)) == [
        ("489434", "85048", 15), ("489434", "79323P", 2), ("489453", "85048", 1)]
    assert data.times.astype("datetime64[s]").tolist() == [EARLY, EARLY, LATE] and data.time_unit == "second"
    assert orders.rows["price"].tolist() == [6.95, 6.75, 6.5] and orders.users["customer"].tolist() == [13085, 12346]
    with pytest.raises(DataError, match="online-retail-ii: expected products that a known customer was charged for, got none in 2 lines; mend"):
        customer_orders(dataset(read(LINES[3:5])))


# What is said of bad files

def with_cell(row, column, value):
    lines = [list(line) for line in LINES]
    lines[row][COLUMNS.index(column)] = value
    return lines


@pytest.mark.parametrize("row, column, value, message", [
    (1, "Invoice", 48943, r"row 3: expected six digits, after C if cancelled or A if adjusted, in Invoice, got '48943'"),
    (1, "Invoice", "B489434", r"row 3: expected six digits"),
    (4, "StockCode", "", r"row 6: expected a code in StockCode, got ''"),
    (2, "Quantity", 1.5, r"row 4: expected a whole number other than 0 in Quantity, got 1.5"),
    (2, "Quantity", 0, r"row 4: expected a whole number other than 0 in Quantity, got 0.0"),
    (2, "Quantity", "many", r"row 4: expected a whole number other than 0 in Quantity, got 'many'"),
    (5, "InvoiceDate", "soon", r"row 7: expected a date as year-month-day hour:minute:second in InvoiceDate, got 'soon'"),
    (0, "Price", "free", r"row 2: expected a number in Price, got 'free'"),
    (0, "Price", "", r"row 2: expected a number in Price, got ''"),
    (8, "Customer ID", 0.5, r"row 10: expected a customer's number or nothing in Customer ID, got 0.5"),
    (8, "Customer ID", "me", r"row 10: expected a customer's number or nothing in Customer ID, got 'me'"),
    (10, "Country", "", r"row 12: expected a country in Country, got ''"),
    (2, "Customer ID", 13086, r"row 4: expected the same on every line of an invoice in Customer ID, got 13086"),
    (4, "Customer ID", 13086, r"row \d: expected the same on every line of an invoice in Customer ID"),
    (2, "Customer ID", "", r"row 4: expected the same on every line of an invoice in Customer ID, got nan"),
    (2, "Country", "EIRE", r"row 4: expected the same on every line of an invoice in Country, got 'EIRE'"),
])  # fmt: skip
def test_a_bad_row_is_named_as_a_spreadsheet_counts_it(row, column, value, message):
    with pytest.raises(DataError, match=f"{WORKBOOK}, {message}.*mend:"):
        read(with_cell(row, column, value))


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:900], lambda content: bytes(len(content)),
                                    lambda content: np.random.default_rng(0).bytes(5000)])
def test_a_damaged_workbook_is_named_with_the_mend(damage):
    with pytest.raises(DataError, match=f'{WORKBOOK}: expected a workbook with the sheet "Year 2009-2010".*mend:'):
        parse(entry(NAME), {WORKBOOK: damage(workbook(LINES))})


def test_another_sheet_or_other_columns_are_named():
    with pytest.raises(DataError, match=f'{WORKBOOK}: expected a workbook with the sheet "Year 2009-2010", got Worksheet'):
        read(sheet="Year 2010-2011")
    with pytest.raises(DataError, match=f"{WORKBOOK}, row 1: expected the columns .*got .*InvoiceNo"):
        read(header=["InvoiceNo", *COLUMNS[1:]])
    with pytest.raises(DataError, match=f"{WORKBOOK}: expected 525,461 rows, got 11"):
        parse(entry(NAME), {WORKBOOK: workbook(LINES)})


def test_one_flipped_byte_of_the_parquet_file_is_refused_before_it_is_decoded(shop, monkeypatch):
    import fastparquet

    directory = next(d for d in fetching._local_directories(entry(NAME)) if fetching._files_in(entry(NAME), d))
    if not (directory / PARQUET).is_file():
        pytest.skip("the workbook is at hand, not the Parquet file")
    content = bytearray((directory / PARQUET).read_bytes())
    content[1_000_000] ^= 1
    monkeypatch.setattr(fastparquet, "ParquetFile", lambda file: pytest.fail("damaged bytes were decoded"))
    for damaged in (bytes(content), bytes(content[:5000]), b""):
        with pytest.raises(DataError, match=f"{PARQUET}: expected a file with SHA-256 e92bcbbce1b7..., got .*mend:"):
            parse(entry(NAME), {PARQUET: damaged})


# Where it is had

@pytest.fixture
def small(monkeypatch, tmp_path):
    """An empty cache, no mirror, and an entry whose content is that of the small workbook."""
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECSYS_DATA_MIRROR", raising=False)
    wanted = replace(entry(NAME), content=content_hash(read()), counts={"rows": len(LINES)})
    monkeypatch.setattr(fetching, "entry", lambda name: wanted)
    return tmp_path


def test_the_official_archive_gives_the_data(small, monkeypatch):
    with zipfile.ZipFile(small / "online+retail+ii.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(WORKBOOK, workbook(LINES))
    monkeypatch.setattr(downloads, "_get_official", lambda place, directory: small / "online+retail+ii.zip")
    assert fetch(NAME) == small / "cache" / NAME
    assert len(load(NAME).interactions) == len(LINES)
    assert f"retail+ii.zip`, files `{WORKBOOK}`\n" in card(NAME), "no folder is named where there is none"
    assert where(NAME)[0].found == "content hash agrees; no hash of its other tables is known in this form"


def test_an_altered_line_in_the_cache_is_refused_and_stays(small):
    altered = workbook(with_cell(1, "Quantity", 3))
    put(small / "cache" / NAME, {WORKBOOK: altered})
    with pytest.raises(DataError, match=f"{WORKBOOK}: .*the content is not that of {NAME}.*mend: fetch it again"):
        load(NAME)
    assert (small / "cache" / NAME / WORKBOOK).read_bytes() == altered
    put(small / "cache" / NAME, {WORKBOOK: workbook(LINES)})
    assert len(load(NAME).interactions) == len(LINES)
