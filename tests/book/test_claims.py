"""Claims and the linter of prose: what keeps the text true."""

import json
import os
import re

import pytest
import yaml

from recsys.book import lint
from recsys.book.claimed import (
    LOG,
    STRICT,
    Claim,
    ClaimError,
    agrees,
    as_printed,
    claim,
    claims,
    numbers_of,
    read_claims,
    rewrite_roles,
    update_claims,
)
from recsys.book.passes import table, verdicts
from recsys.book.reproduce import environment
from recsys.book.root import notebooks, pages

CLAIMS = """# a comment that survives
toy.a:
  says: one
  value: 0.1070
  tolerance: 0.001
  chapter: toy
  kind: seeded
toy.b:
  says: two
  value: 415
  tolerance: 0
  chapter: toy
  kind: exact
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "claims.yml").write_text(CLAIMS)
    (tmp_path / "book" / "references.bib").write_text("@article{known2020, title={x}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECSYS_UPDATE", raising=False)
    return tmp_path


def test_a_claim_within_tolerance_prints_one_outside_raises(tiny):
    assert repr(claim("toy.a", 0.1079)) == "claim toy.a: 0.108"
    assert repr(claim("toy.b", 415.0)) == "claim toy.b: 415"
    with pytest.raises(ClaimError, match="the book says 0.107 with tolerance 0.001, computed was 0.1082"):
        claim("toy.a", 0.1082)
    for wrong in (float("nan"), 414, 415.01):
        with pytest.raises(ClaimError):
            claim("toy.b", wrong)


@pytest.mark.parametrize("text, value, good", [
    ("0.107", 0.1070, True), ("0.108", 0.1070, False), (".107", 0.1070, True), ("10.7%", 0.1070, True), ("11%", 0.1070, True),
    ("817,741", 817741, True), ("817741", 817741, False), ("415", 415, True), ("−0.02", -0.02, True), ("0.11", 0.107, True),
])
def test_prose_agrees_with_a_value_when_it_is_the_value_rounded(text, value, good):
    assert agrees(text, Claim("toy", "", (value,), 0, "toy", "seeded")) is good
    assert not good or as_printed(text, value) == text


INTERVAL = """toy.c:
  says: three
  value: [0.0055, -0.0009, 0.0118]
  tolerance: 0.001
  chapter: toy
  kind: seeded
"""
TAKEN = """toy.d:
  says: four
  chapter: toy
  taken from: [{study}, a log, attention minus, decay]
"""


def test_many_claims_are_silent_when_they_hold_and_name_each_that_does_not(tiny, capsys):
    assert claims({"toy.a": 0.1079, "toy.b": 415}) is None and capsys.readouterr().out == ""
    with pytest.raises(ClaimError) as error:
        claims({"toy.a": 0.2, "toy.b": 416, "toy.x": 1})
    assert all(id in str(error.value) for id in ("toy.a", "toy.b", "toy.x"))


def test_a_reader_is_told_what_the_book_has_and_goes_on(tiny, monkeypatch, capsys):
    monkeypatch.delenv(STRICT)
    monkeypatch.setenv(LOG, str(tiny / "log"))
    (tiny / "book" / "claims.yml").write_text(CLAIMS + INTERVAL)
    assert repr(claim("toy.a", 0.1079)) == "claim toy.a: 0.108"
    assert repr(claim("toy.a", 0.2)) == "the book has 0.107 (one); you have 0.200"
    assert repr(claim("toy.x", 2)) == "the book has no claim toy.x; you have 2.0000"
    assert claims({"toy.a": 0.1079, "toy.b": 1416, "toy.c": (0.0161, -0.0009, 0.0118)}) is None
    assert capsys.readouterr().out.splitlines() == [
        "the book has 415 (two); you have 1,416",
        "the book has 0.0055 [-0.0009, 0.0118] (three); you have 0.0161 [-0.0009, 0.0118]",
    ]  # fmt: skip
    assert [json.loads(line)["id"] for line in (tiny / "log").read_text().splitlines()][:3] == ["toy.a", "toy.a", "toy.x"]


def test_claims_are_strict_where_the_book_is_checked(monkeypatch):
    assert os.environ[STRICT]
    monkeypatch.delenv(STRICT)
    assert environment()[STRICT]


def test_a_claim_may_be_an_interval(tiny):
    (tiny / "book" / "claims.yml").write_text(INTERVAL)
    claims({"toy.c": (0.0056, -0.0008, 0.0117)})
    for wrong in (0.0055, (0.0055, -0.0009), (0.0055, -0.0009, 0.0218), (0.0055, float("nan"), 0.0118)):
        with pytest.raises(ClaimError, match="the book says 0.0055, -0.0009, 0.0118"):
            claims({"toy.c": wrong})
    held = read_claims(tiny)["toy.c"]
    for text, good in (("0.0055 [-0.0009, 0.0118]", True), (".0055 [−.0009, .0118]", True), ("0.0055", True),
                       ("0.0055 [-0.0009, 0.0119]", False), ("0.55% [-0.09%, 1.18%]", True), ("0.0118", False)):
        assert agrees(text, held) is good
    update_claims(tiny, {"toy.c": [0.0061, -0.0009, 0.0118]})
    prose = "{claim}`0.0055 [-0.0009, 0.0118] <toy.c>`"
    assert rewrite_roles(prose, read_claims(tiny)) == prose.replace("0.0055", "0.0061")


def test_a_number_without_an_interval_is_not_printed_with_one(tiny):
    assert not agrees("0.107 [0.1, 0.2]", read_claims(tiny)["toy.a"])


def test_a_claim_of_a_study_keeps_no_copy_of_its_number(tiny):
    (tiny / "studies").mkdir()
    (tiny / "book" / "claims.yml").write_text(TAKEN.replace("{study}", "toy"))
    artefact = tiny / "studies" / "toy.json"
    for found in ([0.01, 0.0, 0.02], {"difference": 0.03, "low": 0.0, "high": 0.05, "p_value": 0.04}, [0.02, 0.0, 0.04, 0.001]):
        artefact.write_text(json.dumps({"result": {"a log": {"attention minus": {"decay": found}}}}))
        held = read_claims(tiny)["toy.d"]
        assert held.numbers == numbers_of(found)[:3], "what follows an interval, such as a p-value, is no part of the claim"
        assert held.kind == "study" and held.study == "toy"
    assert list(verdicts(tiny, {}, {held.chapter})) == [], "it is not made again"
    artefact.write_text(json.dumps({"result": {"a log": {}}}))
    with pytest.raises(ClaimError, match="expected 'attention minus' in the artefact"):
        read_claims(tiny)


def test_update_rewrites_a_value_within_its_tolerance_too(tiny):
    assert update_claims(tiny, {"toy.a": 0.1071}) == ["toy.a: 0.1070 -> 0.1071"]


def test_no_notebook_prints_one_number_and_says_another(root):
    claims, raw = read_claims(root), (root / "book" / "claims.yml").read_text("utf-8")
    decimals = {id: len(value.partition(".")[2]) for id, value in re.findall(r"^([\w.@-]+):\n(?:  .*\n)*?  value: (\S+)", raw, re.M)}
    for path in notebooks(root):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        printed = "".join("".join(output.get("text", [])) for cell in cells for output in cell.get("outputs", []))
        for id, value in re.findall(r"claim ([\w.@-]+): (-?[\d.,]+)", printed):
            stored = float(value.replace(",", ""))
            shown = min(decimals[id], len(value.partition(".")[2]))
            assert abs(stored - claims[id].value) <= 0.51 * 10.0**-shown, f"{path.name}: {id} printed {value}, says {claims[id].value}"


def test_update_rewrites_values_that_are_out_and_nothing_else(tiny):
    changed = update_claims(tiny, {"toy.a": 0.1203, "toy.b": 415})
    assert changed == ["toy.a: 0.1070 -> 0.1203"]
    text = (tiny / "book" / "claims.yml").read_text()
    assert text == CLAIMS.replace("0.1070", "0.1203")
    prose = "It is {claim}`0.107 <toy.a>`, or {claim}`10.7% <toy.a>`, for {claim}`415 <toy.b>`."
    assert rewrite_roles(prose, read_claims(tiny)) == prose.replace("0.107", "0.120").replace("10.7%", "12.0%")


@pytest.mark.parametrize("prose, problem", [
    ("It is 0.107 here.", "bare result '0.107'"), ("It is .107.", "bare result '.107'"), ("About 12% more.", "bare result '12%'"),
    ("| a | 0.5 |\n", "bare result '0.5'"), ("12 per cent", "bare result '12 per cent'"),
    ("Python 3.11 and more", "bare result '3.11'"), ("In section 4.2 of it", "bare result '4.2'"),
    ("{claim}`0.108 <toy.a>`", "the text says 0.108, the claim toy.a is 0.107"), ("{claim}`1 <toy.x>`", "toy.x is not in"),
    ("{cited}`0.094 <nobody>`", "cites nobody, which is not in the bibliography"),
])
def test_the_linter_finds(tiny, prose, problem):
    page = tiny / "page.md"
    page.write_text("# Title\n\n" + prose)
    found = list(lint.problems(page, read_claims(tiny), lint.citation_keys(tiny)))
    assert len(found) == 1 and problem in found[0]


@pytest.mark.parametrize("prose", [
    "{claim}`0.107 <toy.a>` and {cited}`.094 <known2020>`", "version 1.2.1", "`0.107` in code", "$p = 0.5$", "95% intervals",
    "```python\nx = 0.107\n```", "[link](http://x/0.107)", "In section four of 2015, 943 of 1,682.", "{cite:t}`known2020`",
])
def test_the_linter_leaves_alone(tiny, prose):
    page = tiny / "page.md"
    page.write_text(prose)
    assert list(lint.problems(page, read_claims(tiny), lint.citation_keys(tiny))) == []


def test_the_book_has_no_bare_result_and_no_stale_number(root):
    claims, keys = read_claims(root), lint.citation_keys(root)
    assert [problem for page in pages(root) for problem in lint.problems(page, claims, keys)] == []


def test_each_claim_is_made_by_a_notebook_and_used_in_prose(root):
    claims = read_claims(root)
    prose = "".join(lint.prose(page) for page in pages(root))
    cited = {match.group(2) for match in lint.ROLE.finditer(prose)}
    chapters = {notebook.stem for notebook in notebooks(root)}
    assert set(claims) - cited == set(), "claims that no sentence uses"
    assert {claim.chapter for claim in claims.values()} <= chapters


def test_each_claim_says_its_protocol(root):
    """A ranking result names data, split, masking, fit, ties and users, or points at the claim that does."""
    for id, claim in read_claims(root).items():
        if "nDCG@10 of" in claim.says and " As " not in " " + claim.says and "planted" not in claim.says:
            for word in ("ideal capped", "ties by" if "only liked" not in claim.says else "liked"):
                assert word in claim.says, f"{id}: {word}"


def test_the_table_of_claims_says_what_is_out(tiny):
    text = table(tiny, {"claims": {"toy.a": 0.2, "toy.b": 415}, "notebooks": {"toy": {}}})
    assert "OUT" in text.splitlines()[1] and "1 of 2 claims within tolerance" in text
    assert [row[-1] for row in verdicts(tiny, {}, {"toy"})] == [False, False], "a claim nobody made does not hold"


def test_an_exact_claim_may_not_have_a_wide_tolerance(tiny):
    (tiny / "book" / "claims.yml").write_text(CLAIMS.replace("tolerance: 0\n", "tolerance: 3\n"))
    with pytest.raises(ClaimError, match="may differ by rounding only"):
        read_claims(tiny)


def test_claims_are_sane(root):
    raw = yaml.safe_load((root / "book" / "claims.yml").read_text("utf-8"))
    for id, fields in raw.items():
        if "taken from" in fields:
            assert set(fields) == {"says", "chapter", "taken from"}, id
            continue
        assert set(fields) == {"says", "value", "tolerance", "chapter", "kind"}, id
        narrow = fields["tolerance"] <= 0.05 * abs(numbers_of(fields["value"])[0]) + 1e-9 or fields["tolerance"] <= 0.005
        assert narrow or "depends on the processor" in fields["says"], f"{id}: a wide tolerance gives its reason"


def test_a_tolerance_that_yaml_reads_as_text_is_refused():
    with pytest.raises(ClaimError, match="write 0.00006"):
        Claim("a", "b", (0.1,), yaml.safe_load("6e-05"), "c", "seeded")


def test_every_entry_of_the_bibliography_is_cited(root):
    """An entry that nobody cites is no evidence that the book covers it."""
    keys = re.findall(r"^@\w+\{([^,]+),", (root / "book" / "references.bib").read_text("utf-8"), re.M)
    pages = [*(root / "notebooks").glob("*.ipynb"), *(root / "book").glob("*.md"), *(root / "book").glob("*.yml"), *(root / "recsys").rglob("*.yml")]
    written = "\n".join(path.read_text("utf-8") for path in pages)
    assert len(keys) > 100 and [key for key in keys if not re.search(rf"(?<!\w){re.escape(key)}(?!\w)", written)] == []
