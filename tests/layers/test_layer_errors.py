"""Bad input to the layers gets the same words in both frameworks."""

import numpy as np
import pytest

ITEMS = np.random.default_rng(0).normal(size=(3, 3, 4))
QUERY = np.random.default_rng(1).normal(size=(3, 2, 4))
CALLS = {
    "DotProductAttention": ({"query_dim": 4, "item_dim": 4, "dim": 4}, [QUERY, ITEMS]),
    "AdditiveAttention": ({"query_dim": 4, "item_dim": 4, "hidden_dim": 4}, [QUERY, ITEMS]),
    "TargetAttention": ({"dim": 4, "hidden_dim": 4}, [QUERY, ITEMS]),
    "MultiHeadSelfAttention": ({"dim": 4, "n_heads": 2}, [ITEMS]),
    "MeanPooling": ({}, [ITEMS]),
}
every_layer = pytest.mark.parametrize("name", CALLS)


def refused(backend, name, message, inputs=None, mask=None):
    arguments, usual = CALLS[name]
    with pytest.raises(ValueError, match=message):
        backend.run(name, arguments, inputs or usual, mask)


@every_layer
@pytest.mark.parametrize("shape", [(3, 4), (3,), (2, 3), (1, 3), (3, 1), (3, 3, 1)])
def test_a_padding_mask_of_the_wrong_shape_is_refused(backend, name, shape):
    message = r"padding_mask: expected shape \(3, 3\), one entry for each item, got"
    refused(backend, name, message, mask=np.ones(shape, dtype=bool))


@every_layer
def test_a_padding_mask_of_the_wrong_dtype_is_refused(backend, name):
    message = "padding_mask: expected dtype bool with True = real position, got int64"
    refused(backend, name, message, mask=np.ones((3, 3), dtype=np.int64))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("function", ["attend", "attention"])
def test_values_that_are_not_finite_are_refused(backend, function, bad):
    broken = ITEMS.copy()
    broken[1, 2, 0] = bad
    scores = ITEMS[..., :3]
    given = {"attend": [scores, broken], "attention": [ITEMS, ITEMS, broken]}[function]
    with pytest.raises(ValueError, match="values: expected finite numbers, got"):
        backend.call(function, *given)


@every_layer
def test_a_layer_looks_at_no_number_so_that_a_graph_can_hold_it(backend, name):
    arguments, (*query, items) = CALLS[name]
    broken = items.copy()
    broken[1, 2, 0] = np.nan
    output, _ = backend.run(name, arguments, [*query, broken])
    assert np.isnan(output[1]).any() and np.isfinite(output[0]).all()


@every_layer
def test_items_without_a_batch_are_refused(backend, name):
    *query, items = CALLS[name][1]
    message = r"items: expected the axes \(batch, length, dim\), got"
    refused(backend, name, message, [*query, items[0]])


@pytest.mark.parametrize("name", list(CALLS)[:3])
def test_queries_that_do_not_fit_are_refused(backend, name):
    message = r"query: expected the axes \(batch, queries, dim\)"
    refused(backend, name, message, [QUERY[:, 0], ITEMS])
    refused(backend, name, "query and items: expected as many rows", [QUERY[:1], ITEMS])


@pytest.mark.parametrize("n_heads", [3, 0, -2])
def test_a_dimension_that_does_not_divide_by_the_heads_is_refused(backend, n_heads):
    with pytest.raises(ValueError, match=f"got dim 4 and n_heads {n_heads}; change one of them"):
        backend.parameters("MultiHeadSelfAttention", {"dim": 4, "n_heads": n_heads})


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_not_positive_is_refused(backend, temperature):
    with pytest.raises(ValueError, match="temperature: expected a finite number above 0"):
        backend.call("softmax", ITEMS, temperature=temperature)


@pytest.mark.parametrize("shape", [(3, 4), (4,), (3, 3, 1), (2, 3, 4)])
def test_a_score_mask_of_the_wrong_shape_is_refused(backend, shape):
    with pytest.raises(ValueError, match=r"mask: expected the shape of the scores \(3, 3, 4\)"):
        backend.call("softmax", ITEMS, np.ones(shape, dtype=bool))


def test_scores_that_are_not_finite_are_refused_with_their_place(backend):
    scores = ITEMS.copy()
    scores[2, 0, 1] = -np.inf
    with pytest.raises(ValueError, match=r"scores: expected finite .* got -inf at index \(2, 0, 1\)"):
        backend.call("softmax", scores)


def test_large_finite_scores_are_accepted_though_their_sum_overflows(backend):
    scores = np.full((1, 1, 4), 3e38, dtype=np.float32)
    np.testing.assert_allclose(backend.call("softmax", scores), 0.25)


@pytest.mark.parametrize("function", ["softmax", "attend", "attention"])
def test_functions_leave_their_arguments_alone(backend, function):
    mask = np.broadcast_to(np.arange(3) < 2, (3, 3, 3)).copy()
    scores = ITEMS[..., :3]
    given = {
        "softmax": [scores, mask],
        "attend": [scores, ITEMS, mask],
        "attention": [ITEMS, ITEMS, ITEMS, mask],
    }[function]
    for before, after in zip(given, backend.after(function, *given), strict=True):
        np.testing.assert_array_equal(after, before)


def test_functions_refuse_what_does_not_belong_together(backend):
    with pytest.raises(ValueError, match="query and key: expected the same last axis, got 4 and 3"):
        backend.call("attention", QUERY, ITEMS[..., :3], ITEMS)
    with pytest.raises(ValueError, match="one value for each key"):
        backend.call("attention", QUERY, ITEMS, ITEMS[:, :2])


def test_arrays_of_another_layer_are_refused(backend):
    arguments = {"dim": 4, "n_heads": 2}
    arrays = backend.parameters("MultiHeadSelfAttention", arguments)
    for wrong in ({**arrays, "more": np.ones(1)}, {**arrays, "query.weight": np.ones((4, 5))}):
        with pytest.raises(ValueError, match="arrays: expected the names and shapes"):
            backend.make("MultiHeadSelfAttention", arguments, parameters=wrong)
