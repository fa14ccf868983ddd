"""What every layer always does, in both frameworks.

One body for all: a case names a layer, its arguments and its kind. "query" layers take
queries and items, "self" and "pool" layers take items only.
"""

from typing import NamedTuple

import numpy as np
import pytest

BATCH, QUERIES, LENGTH, DIM = 4, 3, 5, 6


class Layer(NamedTuple):
    name: str
    arguments: dict
    kind: str
    ordered: bool = False  # whether the order of the items matters


LAYERS = [
    Layer("DotProductAttention", {"query_dim": 4, "item_dim": DIM, "dim": 3}, "query"),
    Layer("AdditiveAttention", {"query_dim": 4, "item_dim": DIM, "hidden_dim": 7}, "query"),
    Layer("TargetAttention", {"dim": DIM, "hidden_dim": 7}, "query"),
    Layer("MultiHeadSelfAttention", {"dim": DIM, "n_heads": 2}, "self"),
    Layer("MultiHeadSelfAttention", {"dim": DIM, "n_heads": 2, "causal": True}, "self", True),
    Layer("MeanPooling", {}, "pool"),
]
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 0, 0, 1]], dtype=bool)


def name_of(layer):
    return layer.name + ("-causal" if layer.arguments.get("causal") else "")


def layers(wanted):
    """Run a test once for each layer that is wanted."""
    return pytest.mark.parametrize("layer", list(filter(wanted, LAYERS)), ids=name_of)


every_layer = layers(lambda x: True)
query_layers = layers(lambda x: x.kind == "query")
averages = layers(lambda x: x.kind != "self")
unordered = layers(lambda x: not x.ordered)
learning = layers(lambda x: x.name != "MeanPooling")
causal = layers(lambda x: x.arguments.get("causal"))


def inputs_of(layer, batch=BATCH, length=LENGTH, seed=0):
    """The inputs of a layer: items last, queries before them where it takes any."""
    rng = np.random.default_rng(seed)
    items = rng.normal(size=(batch, length, DIM))
    if layer.kind != "query":
        return [items]
    return [rng.normal(size=(batch, QUERIES, layer.arguments.get("query_dim", DIM))), items]


def run(backend, layer, inputs, mask=None, **options):
    return backend.run(layer.name, layer.arguments, inputs, mask, **options)


def seen(layer, mask):
    """Which weights may differ from zero, in a shape that fits the weights."""
    if layer.kind == "pool":
        return mask
    if layer.kind == "query":
        return mask[:, None, :]
    pairs = mask[:, None, None, :]
    return pairs & np.tri(LENGTH, dtype=bool) if layer.arguments.get("causal") else pairs


def real_rows(layer, result, mask):
    """Outputs of real positions for self-attention, all of them otherwise."""
    return result[mask] if layer.kind == "self" else result


@every_layer
def test_weights_sum_to_one_unless_everything_is_masked(backend, layer):
    _, weights = run(backend, layer, inputs_of(layer), MASK)
    expected = np.broadcast_to(seen(layer, MASK).any(axis=-1), weights.shape[:-1])
    np.testing.assert_allclose(weights.sum(axis=-1), expected, atol=1e-12)
    assert (weights >= 0).all()


@every_layer
def test_masked_positions_weigh_nothing(backend, layer):
    _, weights = run(backend, layer, inputs_of(layer), MASK)
    assert weights[np.broadcast_to(~seen(layer, MASK), weights.shape)].max() == 0


@every_layer
def test_what_stands_under_the_mask_never_changes_an_output(backend, layer):
    *query, items = inputs_of(layer)
    before, _ = run(backend, layer, [*query, items], MASK)
    after, _ = run(backend, layer, [*query, np.where(MASK[..., None], items, 50.0)], MASK)
    np.testing.assert_allclose(
        real_rows(layer, after, MASK), real_rows(layer, before, MASK), atol=1e-12
    )


@every_layer
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_length_never_changes_a_score(backend, layer, side):
    *query, items = inputs_of(layer)
    real = np.ones((BATCH, LENGTH), dtype=bool)
    before, weights = run(backend, layer, [*query, items])
    widths = (3, 0) if side == "left" else (0, 3)
    longer = np.pad(items, ((0, 0), widths, (0, 0)), constant_values=7.0)
    mask = np.pad(real, ((0, 0), widths))
    after, longer_weights = run(backend, layer, [*query, longer], mask)
    np.testing.assert_allclose(real_rows(layer, after, mask).ravel(), before.ravel(), atol=1e-12)
    kept = longer_weights[..., mask[0]]
    kept = kept[..., mask[0], :] if layer.kind == "self" else kept
    np.testing.assert_allclose(kept, weights, atol=1e-12)


@every_layer
def test_batch_mates_never_change_a_row(backend, layer):
    inputs = inputs_of(layer)
    together = run(backend, layer, inputs, MASK)
    for row in range(BATCH):
        alone = run(backend, layer, [x[[row]] for x in inputs], MASK[[row]])
        for one, all_of_them in zip(alone, together):
            np.testing.assert_allclose(one[0], all_of_them[row], atol=1e-12)


@every_layer
def test_order_of_the_batch_moves_with_it(backend, layer):
    inputs, order = inputs_of(layer), [2, 0, 3, 1]
    before = run(backend, layer, inputs, MASK)
    after = run(backend, layer, [x[order] for x in inputs], MASK[order])
    for moved, kept in zip(after, before):
        np.testing.assert_allclose(moved, kept[order], atol=1e-12)


@query_layers
def test_queries_do_not_see_each_other(backend, layer):
    query, items = inputs_of(layer)
    together = run(backend, layer, [query, items], MASK)[0]
    for i in range(QUERIES):
        alone = run(backend, layer, [query[:, [i]], items], MASK)[0]
        np.testing.assert_allclose(alone[:, 0], together[:, i], atol=1e-12)


@unordered
def test_order_of_the_items_moves_only_the_weights(backend, layer):
    *query, items = inputs_of(layer)
    order = np.array([3, 0, 4, 2, 1])
    output, weights = run(backend, layer, [*query, items], MASK)
    moved, moved_weights = run(backend, layer, [*query, items[:, order]], MASK[:, order])
    if layer.kind == "self":
        output, weights = output[:, order], weights[:, :, order]
    np.testing.assert_allclose(moved, output, atol=1e-12)
    np.testing.assert_allclose(moved_weights, weights[..., order], atol=1e-12)


@causal
def test_the_future_never_changes_the_past(backend, layer):
    (items,) = inputs_of(layer)
    changed = items.copy()
    changed[:, 3:] += 5
    before, after = (run(backend, layer, [x])[0] for x in (items, changed))
    np.testing.assert_allclose(after[:, :3], before[:, :3], atol=1e-12)
    assert np.abs(after[:, 3:] - before[:, 3:]).max() > 0.01


def values_of(layer, parameters, items):
    """What the layer averages: projected values or the items themselves."""
    if layer.name == "DotProductAttention":
        return items @ parameters["value.weight"]
    return items


@averages
def test_output_lies_in_the_convex_hull_of_the_values(backend, layer):
    *query, items = inputs_of(layer)
    parameters = backend.parameters(layer.name, layer.arguments, dtype="float64")
    output, weights = run(backend, layer, [*query, items], MASK, parameters=parameters)
    values = values_of(layer, parameters, items)
    for row in range(BATCH):
        real = values[row][MASK[row]]
        assert (output[row] <= real.max(axis=0) + 1e-12).all()
        assert (output[row] >= real.min(axis=0) - 1e-12).all()
        np.testing.assert_allclose(output[row], weights[row] @ values[row], atol=1e-12)


@every_layer
def test_a_history_without_a_real_item_gives_zeros_and_takes_no_gradient(backend, layer):
    inputs, mask = inputs_of(layer), MASK.copy()
    mask[1] = False
    output, weights = run(backend, layer, inputs, mask)
    assert (output[1] == 0).all() and (weights[1] == 0).all()
    assert (np.abs(output[[0, 2, 3]]).reshape(3, -1).max(axis=1) > 0).all()
    grad_inputs, grads = backend.gradients(
        layer.name, layer.arguments, inputs, np.ones_like(output), mask
    )
    for gradient in grad_inputs:
        assert (gradient[1] == 0).all() and np.isfinite(gradient).all()
    for name, gradient in grads.items():
        assert gradient is not None and np.isfinite(gradient).all(), name


@every_layer
def test_no_mask_is_a_mask_of_real_items(backend, layer):
    inputs, everything = inputs_of(layer), np.ones((BATCH, LENGTH), dtype=bool)
    for without, full in zip(run(backend, layer, inputs), run(backend, layer, inputs, everything)):
        np.testing.assert_array_equal(without, full)


@learning
def test_every_parameter_is_used_and_learns(backend, layer):
    inputs = inputs_of(layer)
    output, _ = run(backend, layer, inputs, MASK)
    g = np.random.default_rng(1).normal(size=output.shape)
    _, grads = backend.gradients(layer.name, layer.arguments, inputs, g, MASK)
    assert grads and all(gradient is not None for gradient in grads.values())
    for name, gradient in grads.items():
        assert np.abs(gradient).max() > 1e-6, name


@learning
def test_gradient_descent_lowers_the_loss_at_every_step(backend, layer):
    inputs = inputs_of(layer)
    output, _ = run(backend, layer, inputs, MASK, seed=1)
    losses = backend.descend(layer.name, layer.arguments, inputs, output + 0.3, MASK)
    assert (np.diff(losses) < 0).all()


@every_layer
@pytest.mark.parametrize("training", [False, True])
def test_two_calls_on_the_same_input_agree(backend, layer, training):
    first, second = run(backend, layer, inputs_of(layer), MASK, training=training, calls=2)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


POOLS = {  # of a history with 3 real items, by hand
    "MeanPooling": [1 / 3, 1 / 3, 1 / 3],
}


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("real", [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1]])
def test_pooling_has_its_closed_form_wherever_padding_stands(backend, name, real):
    (items,), mask = inputs_of(LAYERS[-1], batch=1), np.array([real], dtype=bool)
    output, weights = backend.run(name, {}, [items], mask)
    np.testing.assert_allclose(weights[mask], POOLS[name], atol=1e-12)
    np.testing.assert_allclose(output[0], POOLS[name] @ items[mask], atol=1e-12)


@every_layer
def test_float32_stays_float32(backend, layer):
    result = run(backend, layer, [x.astype(np.float32) for x in inputs_of(layer)], MASK)
    assert {x.dtype for x in result} == {np.dtype(np.float32)}


class TestDropout:
    """Dropout acts on the averages of a training step and on nothing else."""

    layer = Layer("MultiHeadSelfAttention", {"dim": DIM, "n_heads": 2, "dropout": 0.4}, "self")
    plain = Layer("MultiHeadSelfAttention", {"dim": DIM, "n_heads": 2}, "self")

    def test_it_is_off_in_evaluation(self, backend):
        first, second = run(backend, self.layer, inputs_of(self.layer), MASK, calls=2)
        np.testing.assert_array_equal(first[0], second[0])
        without, _ = run(backend, self.plain, inputs_of(self.layer), MASK)
        np.testing.assert_array_equal(first[0], without)

    def test_it_moves_the_output_in_training_and_keeps_its_mean(self, backend):
        inputs = inputs_of(self.layer)
        calls = run(backend, self.layer, inputs, MASK, training=True, calls=600)
        outputs = np.array([output for output, _ in calls])
        assert (outputs[0] != outputs[1]).any()
        expected, _ = run(backend, self.plain, inputs, MASK)
        error = outputs.std(axis=0) / np.sqrt(600)
        assert (np.abs(outputs.mean(axis=0) - expected) <= 5 * error + 1e-12).all()

    def test_the_weights_it_returns_are_those_before_dropout(self, backend):
        _, weights = run(backend, self.layer, inputs_of(self.layer), MASK, training=True)
        np.testing.assert_allclose(weights.sum(axis=-1), 1)

    def test_it_drops_what_its_generator_says_in_both_frameworks(self, backend):
        (items,) = inputs_of(self.layer)
        parameters = backend.parameters(self.layer.name, self.layer.arguments, dtype="float64")
        output, weights = run(backend, self.layer, [items], MASK, parameters=parameters, training=True)
        kept = np.random.default_rng(0).random(weights.shape, dtype=np.float32) >= 0.4
        value = (items @ parameters["value.weight"]).reshape(BATCH, LENGTH, 2, DIM // 2)
        mixed = (weights * kept / 0.6) @ value.transpose(0, 2, 1, 3)  # (batch, heads, length, dim / heads)
        merged = mixed.transpose(0, 2, 1, 3).reshape(items.shape)
        np.testing.assert_allclose(output, merged @ parameters["output.weight"], atol=1e-6)
