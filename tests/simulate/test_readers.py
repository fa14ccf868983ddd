"""Planted readers: choices follow the stated utility, and what is returned is the truth."""

import numpy as np
import pytest

from recsys.evaluation.metrics import auc
from recsys.simulate.readers import planted_readers, planted_topics


@pytest.fixture(scope="module")
def vectors():
    random = np.random.default_rng(0)
    centres = random.normal(size=(6, 12))
    return np.repeat(centres, 20, axis=0) + 0.3 * random.normal(size=(120, 12))


@pytest.fixture(scope="module")
def fit(vectors):
    return planted_topics(vectors, 6)


@pytest.fixture(scope="module")
def readers(fit):
    return planted_readers(fit, 200, 2, n_impressions=12, n_shown=4, sharpness=8, seed=1)


def pieces(readers):
    shown = readers.log.impressions
    n = len(readers.interests)
    items = shown.items.reshape(n, -1, 4)
    return items, shown.clicked.reshape(items.shape)


def test_topics_are_the_planted_clusters(fit):
    assert fit.shape == (120, 6) and fit.max() <= 1 + 1e-12
    labels = fit.argmax(1).reshape(6, 20)
    assert (labels == labels[:, :1]).all() and len(np.unique(labels[:, 0])) == 6


def test_an_article_without_text_fits_no_topic_and_moves_no_other(vectors):
    fit = planted_topics(np.vstack([vectors, np.zeros((1, vectors.shape[1]))]), 6)
    assert (fit[-1] == 0).all()
    alone = planted_topics(vectors, 6)
    same = [np.isclose(fit[:-1], column[:, None], atol=0.05).all(axis=0).any() for column in alone.T]
    assert all(same)  # the same topics, in any order


def test_every_slate_has_distinct_articles_one_click_and_nothing_already_read(readers):
    items, clicked = pieces(readers)
    assert (clicked.sum(-1) == 1).all()
    assert all(len(set(slate)) == 4 for reader in items for slate in reader)
    past = readers.log.histories
    for row in range(0, len(readers.log.impressions), 7):
        assert not set(past.items[past.users == row]) & set(readers.log.impressions.shown(row)[0])


def test_the_history_of_an_impression_is_the_clicks_before_it(readers):
    items, clicked = pieces(readers)
    past = readers.log.histories
    clicks = items[clicked].reshape(len(items), -1)
    for reader, step in ((0, 0), (3, 5), (199, 11)):
        assert past.items[past.users == reader * 12 + step].tolist() == clicks[reader, :step].tolist()


@pytest.mark.parametrize("taste", ["max", "sum"])
def test_clicks_have_the_probabilities_of_softmax_utility(fit, taste):
    readers = planted_readers(fit, 4000, 2, n_impressions=2, n_shown=4, sharpness=3, seed=2, taste=taste)
    items, clicked = pieces(readers)
    utilities = readers.utilities(np.arange(4000), items.reshape(4000, -1)).reshape(items.shape)
    expected = np.exp(utilities) / np.exp(utilities).sum(-1, keepdims=True)
    for low, high in ((0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 1)):
        inside = (expected >= low) & (expected < high)
        assert abs(clicked[inside].mean() - expected[inside].mean()) < 4 / np.sqrt(inside.sum()) / 2


def test_an_article_is_worth_its_best_fit_or_the_sum_of_all(fit):
    likings = {}
    for taste in ("max", "sum"):
        readers = planted_readers(fit, 3, 2, 4, sharpness=5, seed=1, interests=np.array([[0, 1], [2, 2], [5, 3]]), taste=taste)
        likings[taste] = readers.utilities(np.arange(3), np.tile(np.arange(120), (3, 1)))
    for row, (one, other) in enumerate([(0, 1), (2, 2), (5, 3)]):
        assert np.allclose(likings["sum"][row], 5 * (fit[:, one] + fit[:, other]))
        assert np.allclose(likings["max"][row], 5 * np.maximum(fit[:, one], fit[:, other]))


def test_with_one_interest_best_and_sum_are_the_same_world(fit):
    worlds = [planted_readers(fit, 20, 1, 6, 4, seed=7, taste=taste).log.impressions for taste in ("max", "sum")]
    assert (worlds[0].items == worlds[1].items).all() and (worlds[0].clicked == worlds[1].clicked).all()


def test_sharpness_nought_clicks_at_random_and_a_large_one_takes_the_best(fit):
    items, clicked = pieces(planted_readers(fit, 500, 2, 10, 4, sharpness=0, seed=3))
    assert abs(clicked[:, :, 0].mean() - 0.25) < 0.03
    sure = planted_readers(fit, 100, 2, 10, 4, sharpness=1e6, seed=3)
    items, clicked = pieces(sure)
    worth = sure.utilities(np.arange(100), items.reshape(100, -1)).reshape(items.shape)
    assert (worth[clicked] == worth.max(-1).ravel()).all()


def test_reasons_are_interests_of_the_reader_and_fit_best(readers):
    articles = np.tile(np.arange(120), (5, 1))
    reasons = readers.reasons(np.arange(5), articles)
    for reader in range(5):
        own = readers.interests[reader]
        assert (reasons[reader] == own[readers.fit[:, own].argmax(1)]).all()


def test_the_truth_orders_clicks_and_permuted_truth_does_not(readers):
    items, clicked = pieces(readers)
    everyone, flat = np.arange(200), items.reshape(200, -1)
    mine = auc(clicked.ravel(), readers.utilities(everyone, flat).ravel())
    others = auc(clicked.ravel(), readers.utilities(np.roll(everyone, 1), flat).ravel())
    assert mine > 0.85 and others < 0.65


def test_the_same_seed_gives_the_same_log_and_interests_can_be_planted(fit):
    one, two = (planted_readers(fit, 5, 2, 3, seed=4) for _ in range(2))
    assert (one.log.impressions.items == two.log.impressions.items).all()
    chosen = np.array([[0, 1]] * 5)
    assert (planted_readers(fit, 5, 2, 3, seed=4, interests=chosen).interests == chosen).all()


@pytest.mark.parametrize(("change", "message"), [
    ({"n_interests": 7}, "n_interests: expected at most the 6 topics of fit, got 7"),
    ({"n_readers": 0}, "n_readers: expected at least 1, got 0"),
    ({"n_shown": 1}, "n_shown: expected from 2 to 117, got 1;"),
    ({"n_shown": 118}, "n_shown: expected from 2 to 117, got 118"),
    ({"sharpness": -1}, "sharpness: expected a finite number of at least 0, got -1"),
    ({"fit": np.full((120, 6), np.nan)}, r"fit: expected finite numbers, got nan at index \(0, 0\)"),
    ({"interests": np.zeros((2, 2), int)}, r"interests: expected one row a reader, \(5, 2\), got \(2, 2\)"),
    ({"interests": np.full((5, 2), 6)}, "interests: expected topics from 0 to 5, got 6 to 6"),
    ({"taste": "min"}, "taste: expected one of max, sum, got 'min'"),
])  # fmt: skip
def test_what_cannot_be_planted_is_refused(fit, change, message):
    with pytest.raises(ValueError, match=message):
        planted_readers(**{"fit": fit, "n_readers": 5, "n_interests": 2, "n_impressions": 3, **change})
