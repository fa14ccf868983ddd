"""What a process with Paddle alone is asked for by `test_paddle.py`: one JSON line.

Weights that torch saved stand in the directory it is given, and it saves its own there.
"""

import json
import sys
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from recsys.data import Interactions
from recsys.paddle.engine import Engine, in_float64, seeded, tensors
from recsys.paddle.optimisation import adamw, clip_gradients, rowwise_adagrad
from recsys.paddle.parameters import Dropout, load_arrays, projection, to_arrays
from recsys.paddle.sasrec import SASRecConfig, SASRecRecommender
from recsys.training.loop import FitConfig, fit

CONFIG = FitConfig(epochs=3, learning_rate=0.02, save_every=2, weight_decay=0.01)
SMALL = SASRecConfig(dim=8, n_heads=2, max_length=6, tokens=60, training=FitConfig(epochs=1, learning_rate=1e-2))


class Bags(nn.Layer):
    """Rows of a table, some met twice in a batch, and buffers of three dtypes."""

    def __init__(self, sparse=True):
        super().__init__()
        self.table, self.drop = nn.Embedding(12, 4, sparse=sparse), Dropout(0.3)
        self.out = projection(4, 1, bias=True)
        self.register_buffer("mean", paddle.to_tensor(0.5))
        self.register_buffer("groups", paddle.to_tensor([1, 2]))
        self.register_buffer("known", paddle.to_tensor([True, False]))

    def forward(self, ids):
        return self.out(self.drop(self.table(ids)).sum(1)) + self.mean


def bags(sparse=True):
    with seeded(1):
        return Bags(sparse)


def batches(epoch):
    ids = np.random.default_rng([4, epoch]).integers(0, 10, (5 + epoch % 2, 7, 3))
    return [(rows, rows.sum(1, keepdims=True).astype(np.float32) / 10) for rows in ids]


def squared(model, batch):
    return ((model(batch[0]) - batch[1]) ** 2).mean()


def stopping_at(step):
    taken = []

    def loss(model, batch):
        taken.append(1)
        return squared(model, batch) * (float("nan") if len(taken) == step else 1.0)

    return loss


def bits(model):
    return {name: array.tobytes() for name, array in to_arrays(model).items()}


def resumes(sparse, directory):
    """Whether a run stopped at step 8, and again at its first step after that, ends with the same bits."""
    optimizer, path = (rowwise_adagrad if sparse else adamw), directory / f"{sparse}.state"
    whole = bags(sparse)
    fit(Engine(whole, squared, CONFIG, optimizer), batches, CONFIG)
    for step in (8, 1):
        try:
            fit(Engine(bags(sparse), stopping_at(step), CONFIG, optimizer), batches, CONFIG, checkpoint=path)
        except ValueError as error:
            assert "the loss is nan" in str(error)
    model = bags(sparse)
    fit(Engine(model, squared, CONFIG, optimizer), batches, CONFIG, checkpoint=path)
    return bits(model) == bits(whole) and bits(model) != bits(bags(sparse))


def clipped(longest):
    """Largest difference of a clipped sparse gradient, and of its norm, from those of the dense one."""
    sparse, dense = bags(), bags(sparse=False)
    for model in (sparse, dense):
        model.eval()
        squared(model, tensors(batches(0)[0])).backward()
    assert sparse.table.weight.grad.is_selected_rows()
    norms = [clip_gradients(model, longest).item() for model in (sparse, dense)]
    gradient = sparse.table.weight.grad
    spread = np.zeros((12, 4), dtype=np.float32)
    spread[gradient.rows()] = gradient._get_tensor_from_selected_rows().numpy()
    rows = np.abs(spread - dense.table.weight.grad.numpy()).max()
    return max(float(rows), abs(norms[0] - norms[1])), norms[0]


def refused(call):
    try:
        call()
    except ValueError as error:
        return str(error)
    return "nothing"


def main(directory):
    log = Interactions.from_sequences([[0, 1, 2, 3], [2, 3, 4, 0], [1, 2, 3, 4]] * 4, np.arange(5))
    served = SASRecRecommender(SMALL).load(directory / "torch", log)
    own = SASRecRecommender(SMALL).fit(log)
    own.save(directory / "paddle")
    np.save(directory / "paddle.npy", own.score(np.arange(3)))
    np.save(directory / "torch_in_paddle.npy", served.score(np.arange(3)))
    model, arrays = bags(), to_arrays(bags())
    load_arrays(model, {**arrays, "mean": np.float32(2)})
    bad = {**arrays, "out.bias": np.full(1, np.nan, dtype=np.float32)}
    return {
        "resumes": [resumes(sparse, directory) for sparse in (False, True)],
        "clipped": [clipped(longest) for longest in (0.01, 100.0)],
        "dtypes": {name: str(array.dtype) for name, array in to_arrays(in_float64(model)).items()},
        "mean": float(to_arrays(model)["mean"]),
        "not finite": refused(lambda: Engine(model, squared, CONFIG).load_weights(bad)),
        "torch's training": refused(lambda: SASRecRecommender(SMALL, directory / "torch.state").fit(log)),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
