"""The page of concepts: the arrows are those of the articles, and each verdict leads to what shows it."""

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

import pytest
import yaml

from recsys.book.claimed import agrees, read_claims
from recsys.book.concepts import CLAIM, EDGE, SIGNS, diagrams, drawn, verdicts
from recsys.book.lint import ROLE
from tests.conftest import ROOT

SEEDS = ROOT.parent / "shared" / "seeds"
NAMES = ["economy", "economics"]
COUNTED = {1: "One", 2: "Two", 3: "Three", 6: "Six", 7: "Seven", 14: "Fourteen"}


def svg_of(name):
    return ElementTree.fromstring(re.search(r"<svg.*</svg>", drawn(name, ROOT), re.S)[0])


def arrows_of(name):
    return [(arrow.start, arrow.end) for arrow in diagrams(ROOT)[name].arrows]


def mermaid(text):
    """Nodes and arrows of the one diagram of an article."""
    [source] = re.findall(r"```mermaid\n(.*?)```", text, re.S)
    arrows = [tuple(ends) for ends in re.findall(r"^ *(\w+)(?:\[[^]]*\])? *--> *(\w+)", source, re.M)]
    return dict(re.findall(r"(\w+)\[([^]]*)\]", source)), arrows


@pytest.mark.parametrize("name", NAMES)
def test_nodes_and_arrows_are_those_of_the_article(name):
    diagram = diagrams(ROOT)[name]
    texts = [path.read_text("utf-8") for path in SEEDS.glob("*.txt")] if SEEDS.is_dir() else []
    [text] = [text for text in texts if f"# {diagram.title}\n" in text] or [pytest.skip("the articles are not here")]
    nodes, arrows = mermaid(text)
    assert {node: fields[0] for node, fields in diagram.nodes.items()} == nodes
    assert arrows_of(name) == arrows, "in the article's order, each once"


@pytest.mark.parametrize("name, number", [("economy", 14), ("economics", 7)])
def test_every_arrow_is_drawn_once_with_the_sign_of_its_verdict(name, number):
    svg = svg_of(name)
    assert [tuple(path.get("data-arrow").split()) for path in svg.findall("path")] == arrows_of(name)
    signs = [one.find("text").text for one in svg if (one.get("class") or "").startswith("sign")]
    assert signs == [SIGNS[arrow.verdict] for arrow in diagrams(ROOT)[name].arrows] and len(signs) == number


@pytest.mark.parametrize("name", NAMES)
def test_every_verdict_leads_to_its_chapter_and_its_claims_come_from_there_or_beside(name):
    contents = {entry["file"] for part in yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))["parts"]
                for entry in part["chapters"]}
    claims = read_claims(ROOT)
    for arrow in diagrams(ROOT)[name].arrows:
        used = [claims[id] for _, id in CLAIM.findall(arrow.why)]
        if arrow.verdict == "not tested here":
            assert not arrow.chapter and not used
        else:
            assert arrow.chapter in contents and used, arrow
            prose = (ROOT / f"{arrow.chapter}.ipynb").read_text("utf-8")
            assert any(f"<{claim.id}>" in prose for claim in used), f"{arrow.chapter} does not say it: {arrow.why}"
    linked = [one.get("href") for one in svg_of(name).findall("a")]
    assert linked == [f"../{arrow.chapter}.html" for arrow in diagrams(ROOT)[name].arrows if arrow.chapter]


@pytest.mark.parametrize("name", NAMES)
def test_the_table_has_a_row_for_each_arrow_and_the_numbers_of_the_claims(name):
    rows = verdicts(name, ROOT).splitlines()[2:]
    assert len(rows) == len(arrows_of(name)) and all(row.count("|") == 6 for row in rows)
    found = [match for row in rows for match in ROLE.finditer(row)]
    assert found and all(agrees(match[1], read_claims(ROOT)[match[2]]) for match in found)
    assert not re.search(r"\d\.\d", ROLE.sub("", "".join(rows))), "a number that is no claim"


@pytest.mark.parametrize("name", NAMES)
def test_boxes_and_signs_keep_apart_and_inside_and_hold_their_words(name):
    svg = svg_of(name)
    _, _, width, height = map(float, svg.get("viewBox").split())
    boxes = [[float(one.get(side)) for side in ("x", "y", "width", "height")] for one in svg.findall("rect")]
    boxes += [[float(one.get("cx")) - 12, float(one.get("cy")) - 12, 24, 24] for one in svg.iter("circle")]
    for i, (x, y, wide, high) in enumerate(boxes):
        assert x >= EDGE and y >= EDGE and x + wide <= width - EDGE and y + high <= height - EDGE
        assert all(x + wide <= a or a + c <= x or y + high <= b or b + d <= y for a, b, c, d in boxes[:i]), boxes[i]
    assert width <= 366, "letters of 13.5 px are not made smaller on a telephone of 390 px"
    assert max(len(span.text) for span in svg.iter("tspan")) * 8.2 < 108, "wide letters of 13.5 px"


def test_the_page_counts_its_verdicts_right():
    page = " ".join((ROOT / "book" / "concepts.md").read_text("utf-8").split())
    counts = Counter(arrow.verdict for name in NAMES for arrow in diagrams(ROOT)[name].arrows)
    assert sum(counts.values()) == 21 and set(counts) == set(SIGNS), "no sign that no arrow has"
    said = (f"{COUNTED[counts['measured']]} arrows were measured and held as drawn. "
            f"{COUNTED[counts['true with a condition']]} more hold under a condition. "
            f"{COUNTED[counts['not decided']]} is not decided, {COUNTED[counts['not so']].lower()} are not so, "
            f"{COUNTED[counts['a definition']].lower()} are definitions, and "
            f"{COUNTED[counts['not tested here']].lower()} were not tested here.")
    assert said in page
    assert all(f"| {sign} | {verdict} |" in page for verdict, sign in SIGNS.items())
    for name in NAMES:
        diagram = diagrams(ROOT)[name]
        assert (f"After {diagram.title} by {diagram.author}, §{diagram.section}. "
                f"{COUNTED[len(diagram.arrows)]} arrows.") in page


@pytest.mark.parametrize("old, new, wrong", [
    ("to: B\n      via: 1.5", "to: Z\n      via: 1.5", "A to Z: expected nodes of A, B"),
    ("verdict: measured", "verdict: certain", "got 'certain'"),
    ("verdict: not decided", "verdict: not tested here", "expected a chapter and a claim for every verdict but"),
])  # fmt: skip
def test_an_arrow_that_the_page_could_not_show_is_refused(tmp_path, old, new, wrong):
    text = (ROOT / "book" / "concepts.yml").read_text("utf-8")
    assert old in text
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "concepts.yml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ValueError, match=re.escape(wrong)):
        diagrams(tmp_path)
