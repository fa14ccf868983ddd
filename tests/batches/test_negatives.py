"""Drawn items: how often, with which probability, and from which generator."""

import numpy as np
import pytest

from recsys.batches.negatives import NegativeSampler


@pytest.mark.parametrize("by, weights", [("popularity", [1, 5, 4, 2]), ("uniform", [1, 1, 1, 1])])
def test_items_are_drawn_with_the_probability_that_is_told(by, weights):
    sampler = NegativeSampler(np.array([0, 4, 3, 1]), 40_000, by)
    ids, log_q = sampler.draw(np.random.default_rng(3))
    drawn = ids - 1
    told = np.array(weights) / sum(weights)
    assert np.allclose(np.exp(sampler.log_q), told, rtol=1e-6)
    assert (log_q == sampler.log_q[drawn]).all() and (ids.dtype, log_q.dtype) == (np.int64, np.float32)
    shares = np.bincount(drawn, minlength=4) / 40_000
    assert (np.abs(shares - told) < 4 * np.sqrt(told * (1 - told) / 40_000)).all()


def test_draws_follow_the_seed():
    sampler = NegativeSampler(np.ones(1000), 8)
    first, again = np.random.default_rng(5), np.random.default_rng(5)
    drawn = [sampler.draw(first)[0].tolist() for _ in range(2)]
    assert [sampler.draw(again)[0].tolist() for _ in range(2)] == drawn and drawn[0] != drawn[1]


def test_settings_that_cannot_be_are_named():
    with pytest.raises(ValueError, match='by: expected "popularity" or "uniform", got \'rank\''):
        NegativeSampler(np.ones(3), 2, "rank")
    with pytest.raises(ValueError, match="n_negatives: expected at least 1, got 0"):
        NegativeSampler(np.ones(3), 0)
