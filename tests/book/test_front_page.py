"""The front page and the README: the map knows every chapter, and the picture is the chapter's own."""

import re
import shutil
import xml.etree.ElementTree as ElementTree

import pytest
import yaml

from recsys.book.chapter_map import WIDE, chapters, drawn
from recsys.book.figures import first_stored

REFERENCE = "Reference"


def in_contents(root):
    contents = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    return [entry["file"] for part in contents["parts"] if part["caption"] != REFERENCE for entry in part["chapters"]]


def test_every_chapter_is_on_the_map_once_and_nothing_else(root):
    assert [chapter.file for chapter in chapters(root)] == in_contents(root)
    assert set(yaml.safe_load((root / "book" / "map.yml").read_text("utf-8"))) == set(in_contents(root))


def test_boxes_link_to_their_pages_do_not_overlap_and_hold_their_titles(root):
    svg = ElementTree.fromstring(re.search(r"<svg.*</svg>", drawn(root), re.S)[0])
    boxes = svg.findall(".//a")
    assert [box.get("href") for box in boxes] == [f"../{file}.html" for file in in_contents(root)]
    places = [tuple(float(box.find("rect").get(side)) for side in ("x", "y", "width", "height")) for box in boxes]
    for i, (x, y, wide, high) in enumerate(places):
        assert all(x + wide <= a or a + c <= x or y + high <= b or b + d <= y for a, b, c, d in places[:i])
    lines = [span.text for box in boxes for span in box.findall(".//tspan")]
    assert max(map(len, lines)) * 7 < WIDE, "letters of 12 px are up to 7 px wide"


def test_the_map_has_an_arrow_for_each_need(root):
    needs = yaml.safe_load((root / "book" / "map.yml").read_text("utf-8"))
    assert drawn(root).count('class="arrow"') == sum(map(len, needs.values()))


def test_a_chapter_before_what_it_stands_on_is_refused(root, tmp_path):
    shutil.copytree(root / "book", tmp_path / "book", ignore=shutil.ignore_patterns("_static"))
    shutil.copytree(root / "notebooks", tmp_path / "notebooks")
    contents = (root / "_toc.yml").read_text("utf-8")
    turned = contents.replace("notebooks/allocation\n", "notebooks/x\n").replace("notebooks/weights\n", "notebooks/allocation\n")
    (tmp_path / "_toc.yml").write_text(turned.replace("notebooks/x\n", "notebooks/weights\n"))
    with pytest.raises(ValueError, match="notebooks/weights stands on before it.*got notebooks/allocation"):
        chapters(tmp_path)


def test_the_picture_of_the_readme_is_the_first_figure_of_the_answer(root):
    stored = first_stored(root / "notebooks" / "worth.ipynb")
    assert stored.caption.startswith("Attention minus its control in each log")
    assert (root / "book" / "answer.svg").read_text("utf-8") == stored.wide, "recsys reproduce --update draws it again"


def test_a_notebook_without_a_figure_is_named(root, tmp_path):
    (tmp_path / "bare.ipynb").write_text('{"cells": []}')
    with pytest.raises(ValueError, match="bare.ipynb: expected a figure"):
        first_stored(tmp_path / "bare.ipynb")
