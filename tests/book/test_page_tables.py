"""Tables on a page: pandas' empty row goes, numbers are marked, an interval is one."""

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from recsys.book.page.tables import mended

FRAME = pd.DataFrame(
    {"nDCG@10": ["0.1141 [0.1, 0.13]", "0.1265 [-0.01, 0.14]"], "settings": [20, 1000], "tool": ["ours", "theirs"]},
    index=pd.Index(["attention", "decay"], name="mixer"),
)


def parsed(frame):
    return BeautifulSoup(mended(f"<div>\n{frame.to_html()}</div>"), "html.parser")


def texts(cells):
    return [cell.get_text().strip() for cell in cells]


def test_the_name_of_the_index_stands_beside_those_of_the_columns():
    [row] = parsed(FRAME).thead.find_all("tr")
    assert texts(row.find_all(["th", "td"])) == ["mixer", "nDCG@10", "settings", "tool"]


def test_two_levels_of_an_index_keep_their_names_and_an_index_without_one_an_empty_cell():
    two = FRAME.set_index("tool", append=True)
    [row] = parsed(two).thead.find_all("tr")
    assert texts(row.find_all(["th", "td"])) == ["mixer", "tool", "nDCG@10", "settings"]
    [row] = parsed(FRAME.rename_axis(None)).thead.find_all("tr")
    assert texts(row.find_all("td")) == [""] and texts(row.find_all("th"))[0] == "nDCG@10"


def test_names_of_index_and_columns_both_stay():
    [row] = parsed(FRAME.rename_axis("column", axis=1)).thead.find_all("tr")
    assert texts(row.find_all(["th", "td"]))[0] == "mixer / column"


def test_columns_of_numbers_and_of_intervals_are_marked_with_their_headers_and_no_others():
    table = parsed(FRAME)
    assert set(texts(table.select("td.number"))) == {"0.1141 [0.1, 0.13]", "20", "0.1265 [-0.01, 0.14]", "1,000"}
    assert texts(table.select("th.number")) == ["nDCG@10", "settings"]


def test_a_row_whose_first_cell_spans_several_has_its_numbers_in_their_columns():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=pd.MultiIndex.from_tuples([("g", 1), ("g", 2)]))
    assert texts(parsed(frame).select("td.number")) == ["1", "2"]


@pytest.mark.parametrize("number", ["-0.1", "−3", "+4.5%", ".25", "1,682", "1e-05", "18.6 ms", "1.51 (1.47 to 1.56)", "0.017 ± 0.004",
                                    "[0.1, 0.2]", "1997-09 to 1998-04", "2000-11-01", "nan", "–", ""])
def test_what_reads_as_a_number_is_one(number):
    assert len(parsed(pd.DataFrame({"a": ["1.5", number]})).select("td.number")) == 2


@pytest.mark.parametrize("text", ["2 of 3", "a", "v1.2", "12 33 50", "13, 14"])
def test_what_reads_as_text_is_none(text):
    assert parsed(pd.DataFrame({"a": ["1.5", text]})).select("td.number") == []


def test_a_table_stands_in_a_box_that_scrolls_and_each_header_says_of_what():
    soup = parsed(FRAME)
    assert soup.table.parent["class"] == ["pst-scrollable-table-container"] and "style" not in str(soup)
    assert {cell["scope"] for cell in soup.tbody.find_all("th")} == {"row"}
    assert {cell["scope"] for cell in soup.thead.find_all("th")} == {"col"}


def test_a_header_cell_that_is_empty_is_no_header():
    table = '<table class="table"><thead><tr><th class="head"><p></p></th><th class="head"><p>a</p></th></tr></thead>'
    made = BeautifulSoup(mended(table + "<tbody><tr><td>b</td><td>1</td></tr></tbody></table>"), "html.parser")
    assert texts(made.find_all("th")) == ["a"] and texts(made.select("td.number")) == ["1"]


def test_the_rest_of_a_page_stays_as_it_is():
    page = '<p>a</p><svg viewBox="0 0 1 1"><path d="M0"/></svg>'
    assert mended(page) == page


def test_large_counts_have_commas_and_names_have_none():
    frame = pd.DataFrame({"item": [4714981010038], "rows": [134217728], "year": [1998]})
    assert texts(parsed(frame).tbody.find_all("td")) == ["4714981010038", "134,217,728", "1998"]
    counts = parsed(pd.DataFrame({"same stamp": [1205]}, index=pd.Index([2048], name="positions"))).tbody
    assert texts(counts.find_all(["th", "td"])) == ["2,048", "1,205"]


def test_what_is_missing_is_a_dash_and_a_bound_is_a_number():
    frame = pd.DataFrame({"units": ["92", None], "error": ["< 1e-12", "< 1e-8"]})
    cells = parsed(frame).tbody.find_all("td")
    assert texts(cells) == ["92", "< 1e-12", "–", "< 1e-8"]
    assert all("number" in cell["class"] for cell in cells)


def test_an_interval_keeps_its_line_beside_a_word():
    frame = pd.DataFrame({"a": ["as before", "0.033 [0.030, 0.036]"], "b": ["x", "0.1"]})
    assert texts(parsed(frame).select("td.number")) == ["0.033 [0.030, 0.036]"]


def test_a_number_that_tells_what_was_measured_is_a_number():
    said = '<button class="claim">0.93</button><span class="told">Share of 20 lists.</span>'
    table = f"<table><tbody><tr><td>mean</td><td>{said}</td></tr></tbody></table>"
    assert len(BeautifulSoup(mended(table), "html.parser").select("td.number")) == 1


def test_an_empty_cell_among_numbers_has_a_dash():
    frame = pd.DataFrame({"a": ["0.1", ""], "b": ["x", ""]})
    assert texts(parsed(frame).select("tbody td")) == ["0.1", "x", "–", ""]


def test_the_bounds_of_an_interval_beside_a_verdict_stay_on_one_line():
    [cell] = parsed(pd.DataFrame({"a": ["+0.042 [+0.031, +0.052] pays"]})).select("tbody td")
    assert cell.get_text() == "+0.042 [+0.031,\N{NO-BREAK SPACE}+0.052] pays"
    assert len(cell.select("br")) == 2


def marked(frame, tags="tag_mark-best "):
    return BeautifulSoup(mended(f'<div class="cell {tags}docutils container"><div>\n{frame.to_html()}</div></div>'), "html.parser")


def test_the_best_of_each_column_of_results_is_bold_where_the_cell_asks_for_it():
    frame = FRAME.assign(bits=[2.5, 2.25], passes=[1, 2], same=["1", "1"], rate=["9%", "10%"])
    page = marked(frame)
    assert texts(page.select("td strong")) == ["0.1265 [-0.01, 0.14]", "1,000", "2.25"], "not passes, not a tie of all, not a rate"
    assert "not tell it from the next" in page.select_one("p.of-marks").text
    assert marked(frame, "").select("strong, p.of-marks") == []
    assert marked(frame[["tool"]]).select("strong, p.of-marks") == []


def test_two_that_are_best_are_both_bold_and_a_missing_one_is_none():
    frame = pd.DataFrame({"recall": ["−0.5", "0.25", "0.25", "NaN"]})
    assert texts(marked(frame).select("strong")) == ["0.25", "0.25"]


def test_a_table_of_the_next_cell_is_not_marked():
    cell = f'<div class="cell docutils container"><div>\n{FRAME.to_html()}</div></div>'
    body = f'<div class="cell tag_mark-best docutils container"><p>x</p></div>{cell}'
    assert BeautifulSoup(mended(body), "html.parser").select("strong") == []


def test_an_interval_may_break_before_its_bounds_and_a_word_in_place_of_a_number_stands_where_one_would():
    soup = parsed(pd.DataFrame({"a": ["(control)", "0.033 [0.030, 0.036]"], "passes": ["never", "2313"]}))
    assert texts(soup.select("span.bounds")) == ["[0.030, 0.036]"]
    assert texts(soup.select("td.number")) == ["(control)", "never", "0.033 [0.030, 0.036]", "2,313"]


def test_what_python_says_of_truth_is_said_in_words():
    assert texts(parsed(pd.DataFrame({"at rest": [True, False]})).select("tbody td")) == ["yes", "no"]


def test_a_short_name_of_a_row_stays_on_a_line_and_a_long_one_has_room():
    frame = pd.DataFrame({"a": [1, 2, 3]}, index=["T = 1.0", "two steps", "max of 4, 19 clicks, same vectors"])
    assert [cell.get("class") for cell in parsed(frame).select("tbody th")] == [["short"], None, ["long"]]
