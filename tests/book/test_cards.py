"""Cards: what is shown of a list, as a page and as text."""

import re

import pytest

from recsys.book.cards import cards

ROWS = [
    {"title": f"Film {n} & <b>", "detail": f"19{n}0", "reason": f"because of {n}"}
    for n in range(1, 9)
]


def test_every_row_is_a_card_and_no_name_is_read_as_a_tag():
    html = cards(ROWS).html
    assert html.count('type="checkbox"') == len(ROWS)
    assert "<b>For you" in html and "&amp; &lt;b&gt;" in html
    assert not re.search(r"Film \d & <b>", html)


def test_text_tells_those_in_sight_and_the_popular_list():
    text = repr(cards(ROWS, popular=["A", "B"], k=3)).splitlines()
    assert text[0] == "1. Film 1 & <b> (1910): because of 1"
    assert len(text) == 4 and text[3] == "for everybody: A · B"
    assert "For everybody" not in cards(ROWS).html


def test_a_row_without_a_reason_or_with_another_part_is_named():
    with pytest.raises(ValueError, match=r"rows\[1\]: expected title, reason"):
        cards([ROWS[0], {"title": "no reason"}])
    with pytest.raises(ValueError, match=r"rows\[0\].*score"):
        cards([ROWS[0] | {"score": 1}])


def test_a_card_that_is_marked_gives_its_place_to_the_next(browser):
    page = browser.new_page()
    page.set_content(cards(ROWS, k=3).html)
    boxes = page.locator("input")
    in_sight = [box.is_visible() for box in boxes.all()]
    assert in_sight == [True] * 3 + [False] * 5
    boxes.nth(1).check()
    assert [box.is_visible() for box in boxes.all()] == [True] * 4 + [False] * 4
