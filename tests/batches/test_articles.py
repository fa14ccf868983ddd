"""Vectors of articles: length one, about their mean, and nothing where there is no word."""

import numpy as np

from recsys.batches.articles import centred, unit

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(40, 6)) + 2.0


def test_rows_have_length_one_and_a_row_of_zeros_stays():
    rows = np.vstack([ROWS, np.zeros(6)])
    assert np.allclose(np.linalg.norm(unit(rows), axis=1), [1.0] * 40 + [0.0])


def test_what_all_articles_share_is_gone():
    middle = unit(ROWS).mean(axis=0)
    found = centred(ROWS, middle)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert np.allclose(found, unit(unit(ROWS) - middle))
    assert np.linalg.norm(found.mean(axis=0)) < 0.2 * np.linalg.norm(middle)


def test_length_of_a_text_changes_nothing_and_a_blank_text_has_no_direction():
    middle = unit(ROWS).mean(axis=0)
    assert np.allclose(centred(3 * ROWS, middle), centred(ROWS, middle))
    assert (centred(np.zeros((2, 6)), middle) == 0).all()
