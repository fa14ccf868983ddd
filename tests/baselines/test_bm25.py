"""BM25 against a sum done by hand."""

import math

import numpy as np
import pytest

from recsys.baselines.bm25 import BM25


def test_a_query_in_chinese_finds_its_article():
    articles = ["央行下调存款利率", "国家队赢得世界杯预选赛", "台风登陆沿海城市"]
    assert BM25(articles).scores("世界杯").argmax() == 1
    assert not BM25(articles).scores("股票").any()


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
