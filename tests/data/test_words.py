"""Cutting texts, and vocabularies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.baselines.bm25 import BM25
from recsys.data.words import Vocabulary, words


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
    with pytest.raises(ValueError, match="got none among 2 words"):
        Vocabulary.from_texts(["a b"], min_count=2)
    with pytest.raises(ValueError, match="'a' more than once"):
        Vocabulary(("a", "b", "a"))
    with pytest.raises(ValueError, match="wrap it in a list"):
        Vocabulary(("a",)).encode("a", 3)
    with pytest.raises(ValueError, match="length: expected at least 1, got 0"):
        Vocabulary(("a",)).encode(["a"], 0)


@pytest.mark.parametrize("read", [BM25, Vocabulary.from_texts, lambda texts: Vocabulary(("a",)).encode(texts, 3)])
def test_one_string_is_not_read_as_letters(read):
    with pytest.raises(ValueError, match="expected a list of texts, got one string; wrap it in a list"):
        read("hello world")
