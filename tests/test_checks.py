"""The checks of ids, indices, counts and shares that every room uses."""

from types import SimpleNamespace

import numpy as np
import pytest

from recsys.batches import sequences
from recsys.checks import PADDING, check_counts, check_dropout, check_ids, check_indices
from recsys.data import words


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


def test_one_id_pads_items_and_words():
    assert PADDING == sequences.PADDING == words.PADDING == 0


def test_the_first_index_outside_is_named_with_the_mend():
    assert check_indices("items", np.array([0, 2]), 3, "look") is None
    assert check_indices("items", np.zeros(0, dtype=np.uint8), 0, "look") is None
    for indices, found in (([0, 3, 4], "3 at place 1"), ([-1], "-1 at place 0")):
        with pytest.raises(ValueError, match=f"^items: expected indices from 0 to 2, got {found}; look$"):
            check_indices("items", np.array(indices), 3, "look")
    with pytest.raises(ValueError, match="^items: expected indices as whole numbers, got float64; look$"):
        check_indices("items", np.array([1.0]), 3, "look")


@pytest.mark.parametrize("count, said", [(0, "at least 1, got 0"), (float("nan"), "at least 1, got nan"),
                                         (2.5, "a whole number, got 2.5")])  # fmt: skip
def test_a_count_is_a_whole_number_from_1(count, said):
    assert check_counts(SimpleNamespace(dim=np.int32(1), other=7), "dim", "other") is None
    with pytest.raises(ValueError, match=f"^dim: expected {said}$"):
        check_counts(SimpleNamespace(other=1, dim=count), "other", "dim")


@pytest.mark.parametrize("share", [-0.1, 1, float("nan"), float("inf")])
def test_something_is_left_of_what_dropout_drops(share):
    assert check_dropout(0.0) is None and check_dropout(0.99) is None
    with pytest.raises(ValueError, match=f"^dropout: expected from 0 to below 1, got {share}$"):
        check_dropout(share)
