"""Invariances of attention with one head and several."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import attention as A

fixed = settings(derandomize=True, deadline=None, database=None, max_examples=40)


def arrays(seed, batch=2, queries=3, keys=5, dim=4, value_dim=6):
    """Random query, key, value and a mask, whose last row may be empty."""
    rng = np.random.default_rng(seed)
    mask = rng.random((batch, 1, keys)) > 0.4
    shapes = [(batch, queries, dim), (batch, keys, dim), (batch, keys, value_dim)]
    return *(rng.normal(size=shape) for shape in shapes), mask


sizes = st.integers(1, 5)


@fixed
@given(st.integers(0, 999), sizes, sizes, sizes, sizes, sizes)
def test_attention_equals_its_loop(seed, batch, queries, keys, dim, value_dim):
    q, k, v, mask = arrays(seed, batch, queries, keys, dim, value_dim)
    output, weights = A.attention(q, k, v, mask)
    for b in range(batch):
        for i in range(queries):
            expected, total = np.zeros(value_dim), 0.0
            for j in range(keys):
                if mask[b, 0, j]:
                    weight = np.exp(sum(q[b, i] * k[b, j]) / np.sqrt(dim))
                    expected, total = expected + weight * v[b, j], total + weight
            expected = expected / (total or 1)
            np.testing.assert_allclose(output[b, i], expected, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(weights[b, i].sum(), 1 if total else 0, rtol=1e-12)


@fixed
@given(st.integers(0, 999))
def test_order_of_keys_never_changes_the_output(seed):
    q, k, v, mask = arrays(seed)
    order = np.random.default_rng(seed).permutation(5)
    output, weights = A.attention(q, k, v, mask)
    moved, moved_weights = A.attention(q, k[:, order], v[:, order], mask[:, :, order])
    np.testing.assert_allclose(moved, output, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(moved_weights, weights[:, :, order], rtol=1e-12)


@fixed
@given(st.integers(0, 999))
def test_output_lies_in_the_convex_hull_of_the_values(seed):
    q, k, v, mask = arrays(seed)
    mask[:, :, 0] = True
    output, weights = A.attention(q, k, v, mask)
    real = np.where(mask[:, 0, :, None], v, np.nan)
    assert (output <= np.nanmax(real, axis=1)[:, None] + 1e-12).all()
    assert (output >= np.nanmin(real, axis=1)[:, None] - 1e-12).all()
    assert (weights >= 0).all()


def test_a_constant_added_to_every_key_changes_nothing():
    q, k, v, mask = arrays(0)
    bias = np.random.default_rng(1).normal(size=4)
    np.testing.assert_allclose(A.attention(q, k + bias, v, mask)[0], A.attention(q, k, v, mask)[0])


def test_the_causal_mask_shows_the_past_and_the_present_only():
    np.testing.assert_array_equal(A.causal_mask(3), [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    assert A.causal_mask(3).dtype == bool


def test_a_row_with_every_key_masked_gives_zeros_and_takes_no_gradient():
    q, k, v, mask = arrays(0)
    mask[1] = False
    output, weights = A.attention(q, k, v, mask)
    assert (output[1] == 0).all() and (weights[1] == 0).all() and (output[0] != 0).all()
    for gradient in A.attention_vjp(q, k, v, np.ones_like(output), mask):
        assert (gradient[1] == 0).all() and (gradient[0] != 0).any()


def projections(dim=4, seed=0, output=True):
    rng = np.random.default_rng(seed)
    count = 4 if output else 3
    return A.Projections(*(rng.normal(size=(dim, dim)) for _ in range(count)))


def test_several_heads_equal_one_head_at_a_time():
    items, w = arrays(0)[1], projections()
    output, weights = A.multi_head_attention(items, items, w, n_heads=2)
    heads = []
    for h in range(2):
        columns = slice(2 * h, 2 * h + 2)
        head = A.Projections(w.query[:, columns], w.key[:, columns], w.value[:, columns])
        each, each_weights = A.projected_attention(items, items, head)
        np.testing.assert_allclose(weights[:, h], each_weights, rtol=1e-12)
        heads.append(each)
    np.testing.assert_allclose(output, np.concatenate(heads, axis=-1) @ w.output, rtol=1e-12)


def test_the_future_never_changes_the_past():
    items, w = arrays(0)[1], projections()
    causal = A.causal_mask(5)[None]
    before, _ = A.multi_head_attention(items, items, w, 2, causal)
    changed = items.copy()
    changed[:, 3:] += 10
    after, _ = A.multi_head_attention(changed, changed, w, 2, causal)
    np.testing.assert_array_equal(after[:, :3], before[:, :3])
    assert np.abs(after[:, 3:] - before[:, 3:]).min() > 0


def test_padding_length_never_changes_an_output():
    items, w = arrays(0)[1], projections()
    real = np.ones((2, 1, 5), dtype=bool)
    before, _ = A.multi_head_attention(items, items, w, 2, real)
    padded = np.concatenate([items, np.full((2, 3, 4), 9.0)], axis=1)
    mask = np.concatenate([real, np.zeros((2, 1, 3), dtype=bool)], axis=2)
    after, _ = A.multi_head_attention(padded, padded, w, 2, mask)
    np.testing.assert_allclose(after[:, :5], before, rtol=1e-12)


def test_batch_mates_never_change_a_row():
    q, k, v, mask = arrays(0, batch=4)
    together = A.attention(q, k, v, mask)[0]
    alone = [A.attention(q[[i]], k[[i]], v[[i]], mask[[i]])[0][0] for i in range(4)]
    np.testing.assert_allclose(together, alone, rtol=1e-13)


def test_merging_undoes_splitting():
    x = np.arange(24.0).reshape(2, 3, 4)
    assert A.split_heads(x, 2).shape == (2, 2, 3, 2)
    np.testing.assert_array_equal(A.split_heads(x, 2)[0, 1], [[2, 3], [6, 7], [10, 11]])
    np.testing.assert_array_equal(A.merge_heads(A.split_heads(x, 2)), x)


@pytest.mark.parametrize("n_heads", [3, 0, -1, 8])
def test_a_dimension_that_does_not_divide_by_the_heads_is_refused(n_heads):
    items = np.ones((2, 3, 4))
    with pytest.raises(ValueError, match=f"got dim 4 and n_heads {n_heads}"):
        A.multi_head_attention(items, items, projections(), n_heads)


def test_one_value_for_each_key_is_required():
    q, k, v, _ = arrays(0)
    with pytest.raises(ValueError, match="one value for each key"):
        A.attention(q, k, v[:, :4])
    with pytest.raises(ValueError, match="one value for each key"):
        A.attend(np.zeros((2, 3, 5)), v[:1])


def test_values_that_are_not_finite_are_refused_even_where_masked():
    q, k, v, mask = arrays(0)
    v[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"values: expected finite .* got nan at index \(1, 2, 3\)"):
        A.attention(q, k, v, mask)
