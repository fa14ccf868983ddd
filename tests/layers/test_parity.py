"""The NumPy reference, PyTorch and Paddle agree, and with the frameworks' own modules."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys import attention as A

TOLERANCE = {"float64": {"rtol": 0, "atol": 1e-12}, "float32": {"rtol": 1e-5, "atol": 1e-5}}
thousand_shapes = settings(
    max_examples=1000,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
small = st.integers(1, 6)


@st.composite
def problems(draw):
    """A random shape and the arrays of every layer in it, masks included."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    batch, queries, length, width = (draw(small) for _ in range(4))
    n_heads, hidden = draw(st.integers(1, 3)), draw(small)
    dim, share = width * n_heads, draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    mask = rng.random((batch, length)) > share if draw(st.booleans()) else None
    return {
        "n_heads": n_heads,
        "causal": draw(st.booleans()),
        "mask": mask,
        "query": rng.normal(size=(batch, queries, dim)),
        "items": rng.normal(size=(batch, length, dim)),
        "square": [glorot(rng, dim, dim) for _ in range(4)],
        "wide": [glorot(rng, dim, hidden) for _ in range(3)],
        "bias": rng.normal(size=hidden),
        "direction": glorot(rng, hidden, 1),
    }


def glorot(rng, in_dim, out_dim):
    bound = np.sqrt(6 / (in_dim + out_dim))
    return rng.uniform(-bound, bound, size=(in_dim, out_dim))


def named(names, arrays):
    return dict(zip([name if "." in name else f"{name}.weight" for name in names.split()], arrays))


def requests(p):
    """One call of each layer of a twin."""
    dim, hidden = p["items"].shape[-1], len(p["bias"])
    q, x, mask = p["query"], p["items"], p["mask"]
    own = {"query_dim": dim, "item_dim": dim}
    heads = {"dim": dim, "n_heads": p["n_heads"], "causal": p["causal"]}
    target = [p["wide"][0], p["bias"], *p["wide"][1:], p["direction"]]
    layers = [
        ("DotProductAttention", {**own, "dim": dim}, [q, x], named("query key value", p["square"])),
        ("AdditiveAttention", {**own, "hidden_dim": hidden}, [q, x],
         named("query key direction", [*p["wide"][:2], p["direction"]])),
        ("TargetAttention", {"dim": dim, "hidden_dim": hidden}, [q, x],
         named("candidate candidate.bias item product direction", target)),
        ("MultiHeadSelfAttention", heads, [x], named("query key value output", p["square"])),
        ("MeanPooling", {}, [x], {}),
    ]  # fmt: skip
    return [("run", (*layer[:3], mask, layer[3]), {}) for layer in layers]


def reference(p):
    """The same in NumPy."""
    q, x, padding = p["query"], p["items"], p["mask"]
    real = np.ones(x.shape[:2], dtype=bool) if padding is None else padding
    mask = real[:, None, :]
    heads_mask = mask & A.causal_mask(x.shape[1]) if p["causal"] else mask
    direction, wide = p["direction"][:, 0], p["wide"]
    even = A.mean_weights(real)
    return [
        A.projected_attention(q, x, A.Projections(*p["square"][:3]), mask),
        A.attend(A.additive_scores(q, x, *wide[:2], direction), x, mask),
        A.attend(A.target_scores(q, x, wide[0], p["bias"], *wide[1:], direction), x, mask),
        A.multi_head_attention(x, x, A.Projections(*p["square"]), p["n_heads"], heads_mask),
        (A.pool(even, x), even),
    ]


def cast(value, dtype):
    if isinstance(value, list):
        return [cast(x, dtype) for x in value]
    floats = isinstance(value, np.ndarray) and value.dtype == np.float64
    return value.astype(dtype) if floats else value


def check(backend, problem, dtype):
    problem = {name: cast(value, dtype) for name, value in problem.items()}
    for ours, theirs in zip(reference(problem), backend.many(requests(problem)), strict=True):
        for expected, got in zip(ours, theirs, strict=True):
            assert got.shape == expected.shape
            np.testing.assert_allclose(got, expected, **TOLERANCE[dtype])


def test_layers_equal_the_reference_on_a_fixed_example(backend):
    rng = np.random.default_rng(0)
    fixed = {
        "n_heads": 2,
        "causal": True,
        "mask": np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], dtype=bool),
        "query": rng.normal(size=(3, 2, 6)),
        "items": rng.normal(size=(3, 5, 6)),
        "square": [glorot(rng, 6, 6) for _ in range(4)],
        "wide": [glorot(rng, 6, 4) for _ in range(3)],
        "bias": rng.normal(size=4),
        "direction": glorot(rng, 4, 1),
    }
    check(backend, fixed, "float64")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_layers_equal_the_reference_on_a_thousand_random_shapes(backend, dtype):
    @thousand_shapes
    @given(problems())
    def on_random_shapes(problem):
        check(backend, problem, dtype)

    on_random_shapes()


@pytest.mark.parametrize("causal", [False, True])
def test_attention_equals_the_fused_kernel(backend, causal):
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(3, 2, 6, 4)) for _ in range(3))
    mask = np.broadcast_to(rng.random((3, 1, 1, 6)) > 0.3, (3, 2, 6, 6)).copy()
    mask[..., 0] = True
    if causal:
        mask &= np.tri(6, dtype=bool)
    expected = backend.fused_attention(q, k, v, mask)
    np.testing.assert_allclose(backend.call("attention", q, k, v, mask)[0], expected, atol=1e-12)
    np.testing.assert_allclose(A.attention(q, k, v, mask)[0], expected, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_multi_head_layer_equals_the_frameworks_own(backend, causal):
    rng = np.random.default_rng(1)
    items, padding = rng.normal(size=(3, 5, 6)), rng.random((3, 5)) > 0.3
    padding[:, 0] = True
    mask = np.broadcast_to(padding[:, None, None, :], (3, 1, 5, 5))
    mask = mask & np.tri(5, dtype=bool) if causal else mask.copy()
    arguments = {"dim": 6, "n_heads": 3, "causal": causal}
    parameters = backend.parameters("MultiHeadSelfAttention", arguments, dtype="float64")
    ours = backend.run("MultiHeadSelfAttention", arguments, [items], padding, parameters)
    theirs = backend.framework_multi_head(parameters, 3, items, mask)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_softmax_and_its_temperature_equal_the_reference(backend):
    rng = np.random.default_rng(2)
    scores, mask = rng.normal(size=(3, 4, 5)), rng.random((3, 1, 5)) > 0.5
    for temperature in (0.3, 1.0, 4.0):
        expected = A.softmax(scores, temperature, mask=mask)
        got = backend.call("softmax", scores, mask, temperature=temperature)
        np.testing.assert_allclose(got, expected, atol=1e-14)


def test_a_large_score_under_the_mask_never_drowns_the_rest(backend):
    scores, mask = np.array([[5000.0, 0.0, 0.0]]), np.array([[False, True, True]])
    np.testing.assert_allclose(backend.call("softmax", scores, mask), [[0, 0.5, 0.5]], atol=1e-12)


def test_softmax_does_not_overflow_in_float32(backend):
    scores = np.array([[100, 50, 0], [-3e4, -3e4, -3e4]], dtype=np.float32)
    expected = [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(backend.call("softmax", scores), expected, rtol=1e-6, atol=1e-20)


def test_causal_masks_are_equal(backend):
    np.testing.assert_array_equal(backend.call("causal_mask", 4), A.causal_mask(4))


def test_projections_start_as_glorot_says(backend):
    arguments = {"dim": 60, "hidden_dim": 40}
    arrays = backend.parameters("TargetAttention", arguments, seed=3)
    bound = np.sqrt(6 / 100)
    for name in ("candidate", "item", "product"):
        weight = arrays[f"{name}.weight"]
        assert weight.shape == (60, 40) and np.abs(weight).max() <= bound
        assert abs(weight.std() / (bound / np.sqrt(3)) - 1) < 0.05
    assert (arrays["candidate.bias"] == 0).all()


def test_parameters_survive_the_way_through_arrays(backend):
    first, second = backend.round_trip("TargetAttention", {"dim": 6, "hidden_dim": 3})
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array)
