"""What a number tells: where it was computed, how sure it is, and HTML that holds any text."""

import json

import pytest

from recsys.book.claimed import Claim
from recsys.book.page.origin import shown_cell
from recsys.book.page.told import every_claim, kind_of, opened, says


@pytest.fixture
def notebook(tmp_path):
    def cell(kind, source, *tags):
        return {"cell_type": kind, "source": source, "metadata": {"tags": list(tags)}}

    cells = [
        cell("code", "import numpy as np"),
        cell("markdown", "a.one"),
        cell("code", "value = 0.5"),
        cell("code", "claims({'a.one': value, **{f'a.{name}.low': 0 for name in 'xy'}})", "remove-cell"),
        cell("code", "print('a.two')"),
        cell("code", "claim('a.two', value)"),
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}), "utf-8")
    return path


@pytest.mark.parametrize("id, cell", [("a.one", 2), ("a.x.low", 2), ("a.two", 5), ("a.three", None)])
def test_a_claim_leads_to_the_cell_on_the_page_that_computed_it(notebook, id, cell):
    assert shown_cell(notebook, id) == cell


CLAIM = Claim("a.one", 'nDCG < 1 & "so on"', (0.5, 0.4, 0.6), 0.01, "a", "seeded")


def test_what_opens_is_safe_html_with_its_links_and_is_tied_to_its_button():
    html = opened("0.5 [0.4, 0.6]", CLAIM, "told-3", {"Its cell": "#cell-2"}, says(CLAIM, {}), True)
    assert "data-plain" not in html and 'popovertarget="told-3"' in html and 'id="told-3"' in html
    assert "nDCG &lt; 1 &amp; &quot;so on&quot;" in html and '<a href="#cell-2">Its cell</a>' in html


def test_how_sure_a_number_is_depends_on_its_kind():
    exact = Claim("b", "", (1,), 0, "a", "exact")
    study = Claim("c", "", (1.0,), 0, "a", "study", "worth")
    said = [kind_of(claim) for claim in (CLAIM, exact, study)]
    assert "one seed" in said[0] and "0.01" in said[0] and "formula" in said[1] and "worth" in said[2]


def test_the_table_of_all_claims_has_a_row_for_each_with_its_interval():
    html = every_claim({"a.one": CLAIM}, {"a.one": "../notebooks/a.html#cell-2"})
    assert 'id="a.one"' in html and "0.5 [0.4, 0.6]" in html and 'href="../notebooks/a.html#cell-2"' in html


def test_another_claim_that_a_text_names_is_a_link_and_a_file_name_is_none():
    other = Claim("a.two", "As a.one, of table.json.", (1,), 0, "a", "exact")
    assert says(other, {"a.one": CLAIM}, "claims.html") == 'As <a href="claims.html#a.one">a.one</a>, of table.json.'
