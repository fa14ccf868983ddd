"""The check of padded ids that every room uses."""

import numpy as np
import pytest

from recsys.checks import check_ids


def test_ids_from_the_padding_to_the_last_item_pass():
    assert check_ids("ids", np.array([[0, 1], [7, 0]]), 7) is None
    assert check_ids("ids", np.zeros((0, 3), dtype=np.int64), 7) is None


@pytest.mark.parametrize("ids, found", [([[0, 1], [8, 9]], "8 at row 1, column 0"), ([[0, -1]], "-1 at row 0, column 1")])
def test_the_first_id_outside_is_named(ids, found):
    said = rf"history: expected ids from 0 \(padding\) to 7, got {found}; an id is an index plus one"
    with pytest.raises(ValueError, match=said):
        check_ids("history", np.array(ids), 7)


@pytest.mark.parametrize("ids", [np.zeros(3, np.int64), np.zeros((1, 2), np.int32), np.zeros((1, 2)), np.array([["1"]])])
def test_another_dtype_or_number_of_axes_is_told(ids):
    with pytest.raises(ValueError, match=r"ids: expected ids as int64 of shape \(rows, columns\), got .* of shape .*"):
        check_ids("ids", ids, 7)
