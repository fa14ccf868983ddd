"""What the controls without attention do, whatever the padding."""

import numpy as np
import pytest

from recsys import attention as A

MASK = np.array(
    [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], dtype=bool
)
ITEMS = np.random.default_rng(0).normal(size=(5, 5, 3))


def test_mean_is_the_mean_of_the_real_items():
    pooled = A.pool(A.mean_weights(MASK), ITEMS)
    for row in (0, 1, 2, 4):
        np.testing.assert_allclose(pooled[row], ITEMS[row][MASK[row]].mean(axis=0))


def test_last_is_the_last_real_item_wherever_padding_stands():
    pooled = A.pool(A.last_weights(MASK), ITEMS)
    for row in (0, 1, 2, 4):
        np.testing.assert_array_equal(pooled[row], ITEMS[row][MASK[row]][-1])


def test_decay_halves_with_each_real_step_back():
    expected = np.array([1, 2, 4]) / 7
    for row in (0, 1, 2):
        np.testing.assert_allclose(A.decay_weights(MASK, np.log(2))[row][MASK[row]], expected)


def test_decay_runs_from_the_mean_to_the_last_item():
    np.testing.assert_allclose(A.decay_weights(MASK, 0.0), A.mean_weights(MASK))
    np.testing.assert_allclose(A.decay_weights(MASK, 60.0), A.last_weights(MASK), atol=1e-25)


def some_decay(padding_mask):
    return A.decay_weights(padding_mask, 0.3)


@pytest.mark.parametrize("weigh", [A.mean_weights, A.last_weights, some_decay])
def test_pooling_weights_sum_to_one_and_padding_weighs_nothing(weigh):
    weights = weigh(MASK)
    np.testing.assert_allclose(weights.sum(axis=1), [1, 1, 1, 0, 1])
    assert (weights[~MASK] == 0).all()
    assert (A.pool(weights, ITEMS)[3] == 0).all()


def test_pooling_keeps_the_dtype_of_the_items():
    assert A.pool(A.mean_weights(MASK), ITEMS.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("rate", [-0.1, np.inf, np.nan])
def test_a_rate_that_is_negative_or_infinite_is_refused(rate):
    with pytest.raises(ValueError, match="rate: expected a finite number from 0 up"):
        A.decay_weights(MASK, rate)
