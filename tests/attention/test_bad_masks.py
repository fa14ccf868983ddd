"""A mask that does not fit gets an error that says what fits."""

import numpy as np
import pytest

from recsys import attention as A

U = np.zeros((3, 3, 5))  # batch equal to queries, so that a (3, 5) mask would broadcast


WRONG = [(3, 5), (5,), (3, 3), (3, 3, 1), (3, 2, 5), (1, 3, 3, 5), (2, 1, 5)]


@pytest.mark.parametrize("shape", WRONG)
def test_a_mask_of_the_wrong_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"mask: expected the shape of the scores \(3, 3, 5\)"):
        A.softmax(U, mask=np.ones(shape, dtype=bool))


@pytest.mark.parametrize("shape", [(3, 3, 5), (1, 3, 5), (3, 1, 5), (1, 1, 5)])
def test_a_mask_may_have_one_on_every_axis_but_the_normalised(shape):
    np.testing.assert_allclose(A.softmax(U, mask=np.ones(shape, dtype=bool)), 0.2)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.uint8])
def test_a_mask_that_is_not_boolean_is_refused(dtype):
    with pytest.raises(ValueError, match="mask: expected dtype bool with True = real position"):
        A.softmax(U, mask=np.ones(U.shape, dtype=dtype))
    with pytest.raises(ValueError, match="padding_mask: expected dtype bool"):
        A.mean_weights(np.ones((2, 3), dtype=dtype))


def test_pooling_weights_that_do_not_fit_the_items_are_refused():
    with pytest.raises(ValueError, match=r"padding_mask: expected shape \(2, 3\)"):
        A.pool(np.ones((2, 4)), np.ones((2, 3, 5)))
    with pytest.raises(ValueError, match=r"padding_mask: expected the axes \(batch, length\)"):
        A.mean_weights(np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match=r"items: expected the axes \(batch, length, dim\)"):
        A.pool(np.ones((2, 3)), np.ones((2, 3)))
