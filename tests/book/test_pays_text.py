"""Text as a log: articles that are copies of fitted ones are found, and can be left out of what is told."""

import numpy as np
import pytest

from recsys.book.pays.text import Articles, only
from recsys.data import load_texts

HELD = {"validation": 50, "test": 60, "seed": 0}


@pytest.fixture(scope="module")
def letters():
    return Articles("lee-news", "characters", HELD, rare=10)


def test_copies_are_those_whose_text_was_fitted(letters):
    texts = load_texts("lee-news").table["text"].tolist()
    order = np.random.default_rng(0).permutation(len(texts))
    test = sorted(order[50:110])
    fitted = [texts[i] for i in np.concatenate([order[:50], order[110:]])]
    assert letters.new("test").tolist() == [texts[i] not in fitted for i in test]
    assert letters.new("test").sum() == 57 and letters.new("validation").sum() == 48


def test_a_piece_keeps_the_articles_named_and_nothing_else_changes():
    piece = {"settings": {"dim": 3}, "tests": {"w": {"units": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "seconds": 1.0}}}
    kept = only(piece, "w", np.array([True, False, True]))
    assert kept == {"settings": {"dim": 3}, "tests": {"w": {"units": [[1.0, 3.0], [4.0, 6.0]], "seconds": 1.0}}}
    assert piece["tests"]["w"]["units"][0] == [1.0, 2.0, 3.0]
