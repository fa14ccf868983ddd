"""Cutting texts, vocabularies, and BM25 against a sum done by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.text import BM25, Vocabulary, words


def test_words_are_lower_case_and_punctuation_is_gone():
    assert words("The U.N. said: 3.5 million, it's true_enough!") == [
        "the", "u", "n", "said", "3", "5", "million", "it's", "true", "enough"]  # fmt: skip


def test_width_case_and_apostrophes_are_made_alike():
    assert words("ＡＢＣ Straße don\u2019t") == words("abc STRASSE don't") == ["abc", "strasse", "don't"]


def test_chinese_gives_bigrams_or_characters():
    assert words("经济新闻") == ["经济", "济新", "新闻"]
    assert words("经济新闻", "characters") == ["经", "济", "新", "闻"]
    assert words("看NBA直播，好") == ["看", "nba", "直播", "好"]
    assert words("don't看", "characters") == ["don't", "看"]


def test_a_query_in_chinese_finds_its_article():
    articles = ["央行下调存款利率", "国家队赢得世界杯预选赛", "台风登陆沿海城市"]
    assert BM25(articles).scores("世界杯").argmax() == 1
    assert not BM25(articles).scores("股票").any()


def test_another_way_of_cutting_is_refused():
    with pytest.raises(ValueError, match="chinese: expected 'bigrams' or 'characters', got 'words'"):
        words("x", "words")


@given(st.text())
def test_any_text_can_be_cut_and_cutting_again_changes_nothing(text):
    once = words(text, "characters")
    assert words(" ".join(once), "characters") == once
    assert all(word and not word.isspace() for word in once)


def test_ids_follow_counts_then_the_alphabet():
    vocabulary = Vocabulary.from_texts(["b a c", "a b", "a d"])
    assert vocabulary.words == ("a", "b", "c", "d")
    assert vocabulary.ids("d a unknown b").tolist() == [4, 1, 2]
    assert Vocabulary.from_texts(["b a c", "a b", "a d"], min_count=2).words == ("a", "b")


def test_texts_are_cut_at_the_length_and_padded_and_no_known_word_is_zeros():
    vocabulary = Vocabulary.from_texts(["a b c"])
    rows = vocabulary.encode(["c b a", "a", "", "never seen"], length=2)
    assert rows.tolist() == [[3, 2], [1, 0], [0, 0], [0, 0]]


def test_bad_vocabularies_are_refused():
    with pytest.raises(ValueError, match="found none among 2 words"):
        Vocabulary.from_texts(["a b"], min_count=2)
    with pytest.raises(ValueError, match="'a' more than once"):
        Vocabulary(("a", "b", "a"))
    with pytest.raises(ValueError, match="wrap it in a list"):
        Vocabulary(("a",)).encode("a", 3)
    with pytest.raises(ValueError, match="length: expected at least 1, got 0"):
        Vocabulary(("a",)).encode(["a"], 0)


def test_bm25_equals_a_sum_done_by_hand():
    engine = BM25(["cat sat", "cat cat dog", "fish"], k1=1.2, b=0.75)  # lengths 2, 3, 1: mean 2
    cat, dog = math.log(1 + 1.5 / 2.5), math.log(1 + 2.5 / 1.5)
    first = cat * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 2))
    second = cat * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 2)) + dog * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 3 / 2))
    assert np.allclose(engine.scores("Cat dog bird"), [first, second, 0], atol=1e-12)


def test_bm25_saturates_and_holds_long_documents_back():
    engine = BM25(["a", "a a a a", "a " * 50, "a b c d e f g h", "z"], b=0.0)
    once, four, fifty, *_ = engine.scores("a")
    assert once < four < fifty < once * 2.2
    assert BM25(["a", "a b c d e f g h"]).scores("a").argmax() == 0


def test_no_document_is_refused_and_no_known_word_scores_nothing():
    with pytest.raises(ValueError, match="documents: expected at least one"):
        BM25([])
    assert not BM25(["a b"]).scores("c").any()
    assert BM25(["a", ""]).scores("a")[1] == 0
    assert (BM25(["a b", ""], b=1.0).scores("a") > 0).tolist() == [True, False]


@pytest.mark.parametrize("settings", [{"k1": 0}, {"k1": math.nan}, {"b": -0.1}, {"b": 1.1}, {"b": math.nan}])
def test_a_saturation_or_length_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match="k1 and b: expected a k1 above 0 and a b from 0 to 1"):
        BM25(["a"], **settings)


@pytest.mark.parametrize("read", [BM25, Vocabulary.from_texts, lambda texts: Vocabulary(("a",)).encode(texts, 3)])
def test_one_string_is_not_read_as_letters(read):
    with pytest.raises(ValueError, match="expected a list of texts, got one string; wrap it in a list"):
        read("hello world")
