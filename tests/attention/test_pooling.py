"""What the controls without attention do, whatever the padding."""

import numpy as np

from recsys import attention as A

MASK = np.array(
    [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], dtype=bool
)
ITEMS = np.random.default_rng(0).normal(size=(5, 5, 3))


def test_mean_is_the_mean_of_the_real_items():
    pooled = A.pool(A.mean_weights(MASK), ITEMS)
    for row in (0, 1, 2, 4):
        np.testing.assert_allclose(pooled[row], ITEMS[row][MASK[row]].mean(axis=0))


def test_pooling_weights_sum_to_one_and_padding_weighs_nothing():
    weights = A.mean_weights(MASK)
    np.testing.assert_allclose(weights.sum(axis=1), [1, 1, 1, 0, 1])
    assert (weights[~MASK] == 0).all()
    assert (A.pool(weights, ITEMS)[3] == 0).all()


def test_pooling_keeps_the_dtype_of_the_items():
    assert A.pool(A.mean_weights(MASK), ITEMS.astype(np.float32)).dtype == np.float32
