"""The page of data sets and the cards: what they say of the data is what the data says."""

import numpy as np
import pytest
import yaml

from recsys.book.build import write_cards
from recsys.book.data_sets import card_page, lengths_in_bins, measure, page, read_measured, shown
from recsys.data import DataError, catalogue
from tests.conftest import ROOT


def test_the_pages_are_those_of_the_catalogue_and_of_what_was_measured(root):
    measured = read_measured(root)
    again = "run recsys data card --write"
    assert (root / "book" / "data-sets.md").read_text("utf-8") == page(root), again
    for name, entry in catalogue().items():
        written = root / "book" / "data" / f"{name}.md"
        assert written.is_file() == shown(entry)
        assert not shown(entry) or written.read_text("utf-8") == card_page(name, measured), again
    assert write_cards(root) == []


@pytest.mark.parametrize("name", read_measured(ROOT))
def test_what_was_measured_is_what_the_data_says(root, name):
    try:
        found = measure(name)
    except DataError as error:
        pytest.skip(f"{name} is not at hand: {str(error).splitlines()[0]}")
    assert found == read_measured(root)[name]


def test_the_side_bar_has_one_page_of_data_sets_and_no_card_that_no_number_comes_from(root):
    parts = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))["parts"]
    [reference] = [part for part in parts if part["caption"] == "Reference"]
    names = [chapter["file"] for chapter in reference["chapters"]]
    assert names == [f"book/{name}" for name in ("notation", "own-log", "data-sets", "concepts", "speed", "status",
                                             "bibliography")]
    cards = {section["file"] for section in reference["chapters"][2]["sections"]}
    assert cards == {f"book/data/{name}" for name, entry in catalogue().items() if shown(entry)}


def test_every_part_with_chapters_is_numbered(root):
    parts = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))["parts"]
    for part in parts:
        of_notebooks = any(chapter["file"].startswith("notebooks/") for chapter in part["chapters"])
        assert bool(part.get("numbered")) == of_notebooks, part["caption"]


def test_lengths_are_counted_by_doubling():
    assert lengths_in_bins(np.array([1, 2, 3, 4, 5, 8, 9])) == [[1, 1, 1], [2, 2, 1], [3, 4, 2], [5, 8, 2], [9, 16, 1]]
    assert lengths_in_bins(np.array([20, 40])) == [[17, 32, 1], [33, 64, 1]]
