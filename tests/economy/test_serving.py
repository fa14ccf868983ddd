"""A policy that is served: the books of single rounds, and who is there."""

import numpy as np
import pytest

from recsys.economy import best_slates, feed_minutes, planted_world, play_round, serve, start

LASTING = {"memory_gain": 0.1, "memory_kept": 0.98, "outside": 2.5, "leave": -4.0}
LASTING |= {"attachment": 2.0, "fatigue_gain": 0.5}


def test_minutes_are_those_of_the_experiment_whose_arms_are_everybody():
    world = planted_world(30, 25, seed=1, **LASTING)
    for promised in (False, True):
        scores = world.quality + promised * world.lure
        minutes = [book.feed for book in serve(world, scores, 8)]
        assert np.allclose(minutes, feed_minutes(world, np.full((8, 30), promised)))


def test_identities_close_in_every_round_and_weights_only_fall():
    world = planted_world(30, 25, seed=2, load=1.0, nuisance=0.3, **LASTING)
    books = list(serve(world, world.quality + world.lure, 12))
    assert max(gap for book in books for gap in book.gaps().values()) < 1e-12
    weights = np.array([book.weight for book in books])
    assert (weights[0] == 1).all() and (np.diff(weights, axis=0) < 0).all()


def test_a_ranker_with_other_tastes_shows_what_those_would_like():
    world = planted_world(20, 30, seed=3)
    tastes = np.random.default_rng(4).normal(size=world.tastes.shape)
    slates = best_slates(tastes, world.quality, world.topics, 10)
    expected = play_round(world, start(world), slates)[1]
    found = next(iter(serve(world, world.quality, 1, tastes=tastes)))
    assert np.array_equal(found.feed, expected.feed)
    assert not np.array_equal(found.feed, next(iter(serve(world, world.quality, 1))).feed)


def test_who_arrives_later_lives_the_same_life():
    """No user changes another: a world of some users is that part of the world of all."""
    whole = planted_world(20, 30, seed=4, **LASTING)
    part = planted_world(20, 30, seed=4, **LASTING)
    object.__setattr__(part, "tastes", whole.tastes[5:9])
    books = zip(serve(whole, whole.quality, 6), serve(part, whole.quality, 6), strict=True)
    assert all(np.allclose(a.feed[5:9], b.feed) for a, b in books)


def test_bad_policies_are_named():
    world = planted_world(5, 12, seed=5)
    with pytest.raises(ValueError, match="n_rounds"):
        next(serve(world, world.quality, 0))
    with pytest.raises(ValueError, match="tastes: expected shape"):
        next(serve(world, world.quality, 1, tastes=world.tastes[:3]))
    with pytest.raises(ValueError, match="topics"):
        next(serve(world, world.quality[:3], 1))
