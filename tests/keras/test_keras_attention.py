"""The Keras layer of the book on its torch backend, against the NumPy reference.

The same file runs on TensorFlow in an environment of its own (`bench/tensorflow_attention.py`);
the last test holds that recorded run to the file as it is now.
"""

import hashlib
import json
import os
import runpy
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import numpy as np
import pytest

from recsys.attention import attention
from recsys.runtime import import_torch

torch = import_torch()
keras = pytest.importorskip("keras")

# Keras 3.15.1 hands NumPy 2 a keyword that torch's __array__ has not learned yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "book" / "code" / "keras_attention.py"
HistoryAttention = runpy.run_path(str(SOURCE))["HistoryAttention"]


def drawn(seed):
    """Input of random shape, with padding and holes anywhere, and rows without an item."""
    rng = np.random.default_rng(seed)
    batch, length, item_dim, user_dim, dim = rng.integers(2, 9, 5)
    items = rng.standard_normal((batch, length, item_dim)).astype("float32")
    user = rng.standard_normal((batch, user_dim)).astype("float32")
    mask = rng.random((batch, length)) < rng.choice([0.0, 0.3, 0.7, 1.0])
    return items, user, mask, int(dim)


def built(items, user, dim):
    """The layer with its weights made from a seed."""
    keras.utils.set_random_seed(3)
    layer = HistoryAttention(dim)
    layer.build(items.shape, user.shape)
    return layer


def reference(layer, items, user, mask=None):
    """The same by NumPy in float64, with the layer's own matrices."""
    item_matrix, user_matrix = (w.astype(float) for w in layer.get_weights())
    values = items @ item_matrix
    mask = None if mask is None else mask[:, None, :]
    output, weights = attention((user @ user_matrix)[:, None], values, values, mask)
    return output[:, 0], weights[:, 0]


def arrays(results):
    return [keras.ops.convert_to_numpy(result) for result in results]


def test_the_backend_is_torch():
    assert keras.backend.backend() == "torch"


def test_output_and_weights_are_those_of_the_numpy_reference():
    for seed in range(100):
        items, user, mask, dim = drawn(seed)
        layer = built(items, user, dim)
        for given in (None, mask):
            expected = reference(layer, items, user, given)
            for got, wanted in zip(arrays(layer(items, user, given)), expected, strict=True):
                assert got.shape == wanted.shape
                assert np.abs(got - wanted).max() < 1e-6, seed


def test_weights_sum_to_one_and_padding_weighs_nothing():
    items, user, mask, dim = drawn(4)
    mask[0] = False
    weights = arrays(built(items, user, dim)(items, user, mask))[1]
    assert not weights[~mask].any()
    assert np.allclose(weights.sum(axis=1), mask.any(axis=1), atol=1e-6)


def test_padding_length_and_batch_mates_never_change_an_output():
    rng = np.random.default_rng(0)
    items, user = rng.standard_normal((4, 3, 5)), rng.standard_normal((4, 2))
    layer = built(items, user, 6)
    alone = arrays(layer(items[:1], user[:1]))[0][0]
    padded = np.concatenate([items, 9 * rng.standard_normal((4, 7, 5))], axis=1)
    mask = np.arange(10)[None] < np.full((4, 1), 3)
    assert np.allclose(arrays(layer(padded, user, mask))[0][0], alone, atol=1e-6)


def test_a_repeated_call_is_identical():
    items, user, mask, dim = drawn(4)
    layer = built(items, user, dim)
    for first, second in zip(arrays(layer(items, user, mask)), arrays(layer(items, user, mask))):
        assert np.array_equal(first, second)


def test_a_gradient_reaches_both_projections_and_a_row_without_items_sends_none():
    items, user, mask, dim = drawn(4)
    mask[0] = False
    layer = built(items, user, dim)
    items = torch.tensor(items, requires_grad=True)
    layer(items, user, mask)[0].square().sum().backward()
    assert len(layer.trainable_variables) == 2
    for variable in layer.trainable_variables:
        gradient = variable.value.grad
        assert torch.isfinite(gradient).all() and gradient.abs().max() > 0
    assert torch.isfinite(items.grad).all() and not items.grad[~torch.tensor(mask)].any()


def test_a_saved_model_scores_the_same(tmp_path):
    items, user, mask, dim = drawn(4)
    inputs = [keras.Input(items.shape[1:]), keras.Input(user.shape[1:]), keras.Input(mask.shape[1:], dtype="bool")]
    model = keras.Model(inputs, HistoryAttention(dim)(inputs[0], inputs[1], padding_mask=inputs[2])[0])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    given = [items, user, mask]
    assert np.array_equal(*(each.predict(given, verbose=0) for each in (model, again)))


def test_the_run_on_tensorflow_was_of_this_file():
    recorded = json.loads((ROOT / "bench" / "results" / "keras_tensorflow.json").read_text("utf-8"))
    source = SOURCE.read_text("utf-8").encode()
    assert recorded["sha256_of_the_layer"] == hashlib.sha256(source).hexdigest(), "run: make tensorflow"
    assert recorded["versions"]["keras"] == keras.__version__
    assert recorded["trainable_variables"] == 2 and recorded["difference_between_repeated_calls"] == 0
    for name, difference in recorded["largest_difference"]["float32"].items():
        assert difference < 1e-6, name
