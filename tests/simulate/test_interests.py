"""Planted interests: the stated probabilities are those of the log, and carry the truth."""

import numpy as np
import pytest

from recsys.simulate.interests import planted_interests


def pairs(planted):
    """Each event with the one before it: users, last items, next items."""
    log = planted.interactions
    items = log.items.reshape(log.n_users, -1)
    users = np.repeat(np.arange(log.n_users), items.shape[1] - 1)
    return users, items[:, :-1].ravel(), items[:, 1:].ravel()


@pytest.mark.parametrize("n_interests", [1, 3])
def test_items_come_as_often_as_the_truth_says(n_interests):
    """Of events given probability p, a share of p happens: a chi-squared test over 20 classes of p."""
    planted = planted_interests(400, n_interests, 60, n_topics=4, n_styles=3, items_per_style=2, seed=1)
    users, last, following = pairs(planted)
    expected = planted.probabilities(users, last)
    happened = np.zeros_like(expected)
    happened[np.arange(len(users)), following] = 1
    levels, level = np.unique(expected.round(9), return_inverse=True)
    counts = np.bincount(level.ravel())
    hits = np.bincount(level.ravel(), happened.ravel())
    random = levels > 0
    z = (hits - counts * levels)[random] / np.sqrt(counts * levels * (1 - levels))[random]
    assert len(levels) > 2 and (np.abs(z) < 4).all()
    assert hits[~random].sum() == 0


def test_probabilities_sum_to_one():
    planted = planted_interests(50, 3, 10)
    rows = planted.probabilities(np.arange(50), planted.interactions.items.reshape(50, 10)[:, -1])
    assert np.allclose(rows.sum(1), 1)


def test_another_viewers_truth_explains_a_log_worse():
    planted = planted_interests(200, 2, 30, seed=2)
    users, last, following = pairs(planted)
    own = planted.probabilities(users, last)[np.arange(len(users)), following]
    others = planted.probabilities((users + 1) % 200, last)[np.arange(len(users)), following]
    assert np.log(own + 1e-6).mean() > np.log(others + 1e-6).mean() + 1


def test_interests_of_a_viewer_are_different_topics():
    topics = planted_interests(300, 5, 2).topics
    assert (np.diff(np.sort(topics, axis=1), axis=1) > 0).all()


def test_the_same_seed_gives_the_same_log_and_another_does_not():
    first, again, other = (planted_interests(20, 2, 9, seed=seed).interactions.items for seed in (3, 3, 4))
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("wrong", [{"n_users": 0}, {"n_interests": 9}, {"length": 0}, {"stay": 1.0}, {"noise": 1.1}])
def test_settings_out_of_range_are_refused(wrong):
    settings = {"n_users": 5, "n_interests": 2, "length": 5} | wrong
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
        planted_interests(**settings)
