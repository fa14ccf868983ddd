"""The Keras layer of the book on TensorFlow, against the NumPy reference.

    .venv/bin/python bench/tensorflow_attention.py        # or: make tensorflow

TensorFlow is not in the lock. This makes an environment of its own (bench/environments.py,
some minutes and 2.3 GB the first time) and runs itself in it: the unchanged file
book/code/keras_attention.py on the TensorFlow backend, called as it is and inside
tf.function, on 100 inputs of random shape, with and without a padding mask. It writes
bench/results/keras_tensorflow.json and stops if a float32 difference reaches 1e-6.
"""

import hashlib
import json
import os
import platform
import runpy
import subprocess
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "book" / "code" / "keras_attention.py"
RESULTS = ROOT / "bench" / "results" / "keras_tensorflow.json"
N_INPUTS, LIMIT = 100, 1e-6


def drawn(seed, dtype):
    """Items, users and a padding mask of random shape; some rows have no item at all."""
    rng = np.random.default_rng(seed)
    batch, length, item_dim, user_dim, dim = rng.integers(2, 9, 5)
    items = rng.standard_normal((batch, length, item_dim)).astype(dtype)
    user = rng.standard_normal((batch, user_dim)).astype(dtype)
    mask = rng.random((batch, length)) < rng.choice([0.0, 0.3, 0.7, 1.0])
    return items, user, mask, int(dim)


def reference(layer, items, user, mask):
    """Output and weights by recsys.attention in float64, with the layer's own matrices."""
    from recsys.attention import attention

    item_matrix, user_matrix = (matrix.astype("float64") for matrix in layer.get_weights())
    values = items @ item_matrix
    mask = None if mask is None else mask[:, None, :]
    output, weights = attention((user @ user_matrix)[:, None], values, values, mask)
    return output[:, 0], weights[:, 0]


def largest(pairs):
    """The largest absolute difference over pairs of arrays."""
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)


def measure(dtype):
    """Largest differences over all inputs, for one dtype."""
    import keras
    import tensorflow as tf

    layer_class = runpy.run_path(str(SOURCE))["HistoryAttention"]
    found = {"as it is": 0.0, "inside tf.function": 0.0, "repeated": 0.0, "sum of weights": 0.0}
    for seed in range(N_INPUTS):
        items, user, mask, dim = drawn(seed, dtype)
        keras.utils.set_random_seed(seed)
        layer = layer_class(dim, dtype=dtype)
        compiled = tf.function(layer)
        for given in (None, mask):
            wanted = None
            for name, call in (("inside tf.function", compiled), ("as it is", layer)):
                results = call(items, user, padding_mask=given)
                wanted = wanted or reference(layer, items, user, given)
                found[name] = max(found[name], largest(zip(results, wanted)))
            again = layer(items, user, padding_mask=given)
            found["repeated"] = max(found["repeated"], largest(zip(results, again)))
            total = np.asarray(results[1]).sum(axis=1)
            some = np.ones(len(items)) if given is None else given.any(axis=1)
            found["sum of weights"] = max(found["sum of weights"], largest([(total, some)]))
    return found


def gradients():
    """Trainable variables, and whether a gradient reaches each of them inside tf.function."""
    import tensorflow as tf

    layer = runpy.run_path(str(SOURCE))["HistoryAttention"](4)
    items, user, mask, _ = drawn(4, "float32")

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(items, user, padding_mask=mask)[0]))
        return tape.gradient(loss, layer.trainable_variables)

    reached = [bool(np.abs(np.asarray(gradient)).max() > 0) for gradient in step()]
    return len(layer.trainable_variables), sum(reached)


def run():
    """All of it, in the environment that has TensorFlow; writes the results."""
    import keras
    import tensorflow as tf

    assert keras.backend.backend() == "tensorflow"
    found = {dtype: measure(dtype) for dtype in ("float32", "float64")}
    n_variables, n_reached = gradients()
    record = {
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__,
                     "numpy": np.__version__, "python": platform.python_version()},
        "sha256_of_the_layer": hashlib.sha256(SOURCE.read_text("utf-8").encode()).hexdigest(),
        "inputs": N_INPUTS,
        "largest_difference": {
            dtype: {name: differences[name] for name in ("as it is", "inside tf.function")}
            for dtype, differences in found.items()},
        "difference_between_repeated_calls": found["float32"]["repeated"],
        "largest_error_of_the_sum_of_weights": found["float32"]["sum of weights"],
        "trainable_variables": n_variables,
        "variables_with_a_gradient": n_reached,
    }  # fmt: skip
    print(json.dumps(record, indent=2))
    assert max(record["largest_difference"]["float32"].values()) < LIMIT, "differs from NumPy"
    RESULTS.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if os.environ.get("KERAS_BACKEND") == "tensorflow":
        run()
    else:
        from environments import ensure

        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(ROOT),
                       "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}  # fmt: skip
        subprocess.run([ensure("tensorflow"), __file__], env=environment, check=True)
        print(f"wrote {RESULTS.relative_to(ROOT)}")
