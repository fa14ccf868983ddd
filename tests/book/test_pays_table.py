"""The table of the studies, and what its rule foretold, on results that are made up."""

import pytest
import yaml

from recsys.book.pays import foretold, table
from recsys.book.pays.foretold import NEITHER, PAYS
from recsys.book.pays.table import SLATES, WORLDS
from tests.conftest import ROOT

REGISTERED = yaml.safe_load((ROOT / "studies" / "attention_pays.yml").read_text("utf-8"))


def compared(difference=0.01, p=0.5, within=False):
    return {"difference": difference, "low": difference - 0.02, "high": difference + 0.02, "p_value": p, "standard_error": 0.01,
            "smallest": 0.03, "needed": 1234, "within_margin": within, "bootstrap low": -0.1, "bootstrap high": 0.2}  # fmt: skip


def of_log(level=0.2, units=943, **found):
    return {"units": units, "margin": 0.03 * abs(level), "arms": {"decay": {"level": [level, level - 0.01, level + 0.01]}},
            "attention minus": {"decay": compared(**found), "mean": compared()}}  # fmt: skip


MOVIELENS = {"movielens-100k, last out": of_log(p=0.02), "movielens-100k, after a cut": of_log(within=True), "blend": {}}
TEXT = {"lee-news, characters": of_log(level=-2.4, units=60, difference=0.1, p=1e-6), "lee-news, words": of_log(level=-9.0, difference=-0.2, p=1e-5)}
BING = {"readers": 77, SLATES: compared(p=0.3) | {"holm": 0.001, "says": "pays"},
        "levels": {"mean, trained, clicks minus skips": [0.61, 0.6, 0.62], "softmax, trained, clicks minus skips": [0.7, 0.6, 0.8]}}  # fmt: skip
RESULTS = {"pays_movielens": MOVIELENS, "pays_text": TEXT, "pays_bing": BING}


def test_every_world_is_registered_with_a_prediction_and_those_with_order_with_moderators():
    assert set(WORLDS) <= set(REGISTERED["predictions"])
    measured = REGISTERED["studies"]["pays_moderators"]
    assert [name for name in WORLDS if name != SLATES] == measured["worlds"]
    assert measured["without order"] == [SLATES]
    assert {world.study for world in WORLDS.values()} <= set(REGISTERED["studies"])


def test_the_threshold_is_the_one_that_was_registered():
    assert f"at least {foretold.LEAST_BITS:.2f}".replace("0.", ".") in REGISTERED["moderators"]["rule"]


def test_worlds_without_a_result_are_named_and_the_others_keep_their_order():
    found, missing = table.rows(RESULTS, REGISTERED["predictions"])
    names = [row.world for row in found]
    assert names == ["movielens-100k, last out", "movielens-100k, after a cut", "lee-news, characters", "lee-news, words", SLATES]
    assert set(names) | set(missing) == set(WORLDS) and not set(names) & set(missing)
    assert table.rows({}, REGISTERED["predictions"]) == ([], list(WORLDS))


def test_a_row_says_what_its_study_stored():
    rows = {row.world: row for row in table.rows(RESULTS, REGISTERED["predictions"])[0]}
    characters, slates = rows["lee-news, characters"], rows[SLATES]
    assert (characters.unit, characters.units, characters.metric, characters.level) == ("article", 60, "bits a token", 2.4)
    assert (characters.difference, characters.low, characters.high) == (0.1, 0.1 - 0.02, 0.1 + 0.02)
    assert (characters.bootstrap_low, characters.bootstrap_high, characters.smallest, characters.needed) == (-0.1, 0.2, 0.03, 1234)
    assert (characters.predicted, characters.found) == ("pays", "pays")
    assert (slates.unit, slates.units, slates.level, slates.found) == ("reader", 77, 0.61, "not decided")


def test_holm_is_over_the_whole_table_and_the_verdict_is_by_it():
    rows = {row.world: row for row in table.rows(RESULTS, REGISTERED["predictions"])[0]}
    assert rows["lee-news, characters"].adjusted_p == pytest.approx(11e-6)
    assert rows["lee-news, words"].adjusted_p == pytest.approx(10e-5) and rows["lee-news, words"].found == "costs"
    assert rows["movielens-100k, last out"].adjusted_p == pytest.approx(0.18)
    assert rows["movielens-100k, last out"].found == "not decided"
    assert rows["movielens-100k, after a cut"].found == "equal"


def test_a_later_result_takes_no_verdict_back():
    before, _ = table.rows({"pays_text": TEXT}, REGISTERED["predictions"])
    more = {name: of_log(p=0.001) for name in ("amazon-beauty, last out", "amazon-sports, last out")}
    after, _ = table.rows({**RESULTS, "pays_amazon": more}, REGISTERED["predictions"])
    found = {row.world: row.found for row in after}
    assert all(found[row.world] == row.found for row in before)


def moderators(bits, error=0.001, repeats=0.0, length=10.0, events=10.0):
    return {"newest_bits": bits, "newest_bits_error": error, "repeat_share": repeats, "median_length": length, "events_per_item": events}


def test_the_registered_rule_asks_for_both_size_and_certainty():
    measured = {"a": moderators(0.02), "b": moderators(0.0199), "c": moderators(0.5, error=0.25), "d": moderators(0.5)}
    verdicts = {"a": "pays", "b": "equal", "c": "not decided", "d": "costs", "e, slates": "pays"}
    found = foretold.rule(verdicts, measured)
    assert found.says == {"a": PAYS, "b": NEITHER, "c": NEITHER, "d": PAYS}
    assert found.right == 3


def test_the_trivial_rule_says_the_commonest_outcome():
    measured = {name: moderators(0.0) for name in "abc"}
    found = foretold.commonest({"a": "equal", "b": "not decided", "c": "pays"}, measured)
    assert set(found.says.values()) == {NEITHER} and found.right == 2


FOUR = {"a, one": moderators(0.5, repeats=0.1), "a, two": moderators(0.15, repeats=0.3), "b": moderators(0.2, repeats=0.2),
        "c": moderators(0.0, repeats=0.15), "d": moderators(0.01, repeats=0.25)}  # fmt: skip
PAYING = {"a, one": "pays", "a, two": "pays", "b": "pays", "c": "equal", "d": "not decided"}


def test_a_moderator_that_parts_the_verdicts_foretells_those_left_out():
    found = foretold.left_out(PAYING, FOUR)
    assert found["newest_bits"].right == 5
    assert found["another"].right < 5
    assert set(found["commonest"].says) == set(PAYING)


def test_what_is_left_out_is_not_read_and_takes_its_whole_data_set_along():
    """Turning both verdicts of data set "a" changes what is said of others, and nothing of "a"."""
    turned = {**PAYING, "a, one": "equal", "a, two": "costs"}
    before, after = foretold.left_out(PAYING, FOUR), foretold.left_out(turned, FOUR)
    for kind in before:
        for world in ("a, one", "a, two"):
            assert before[kind].says[world] == after[kind].says[world]
    assert any(before[kind].says != after[kind].says for kind in before)


def test_another_moderator_may_point_downwards():
    measured = {name: moderators(0.0, repeats=repeats) for name, repeats in zip("abcd", (0.0, 0.1, 0.8, 0.9), strict=True)}
    verdicts = {"a": "pays", "b": "pays", "c": "equal", "d": "equal"}
    assert foretold.left_out(verdicts, measured)["another"].right == 4


def test_one_data_set_cannot_be_left_out():
    with pytest.raises(ValueError, match="expected worlds of at least 2 data sets, got \\['a'\\]"):
        foretold.left_out({"a, one": "pays", "a, two": "equal", SLATES: "pays"}, FOUR)


def test_what_is_not_stored_yet_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    (tmp_path / "studies").mkdir()
    (tmp_path / "book" / "claims.yml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert table.stored() == {}
