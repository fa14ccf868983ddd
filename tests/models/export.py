"""Networks of Paddle as static graphs, made in one process and served in another: see test_export.

    python tests/models/export.py save HOW NETWORK DIRECTORY [NETWORK DIRECTORY ...]
    python tests/models/export.py serve DIRECTORY [DIRECTORY ...]

What serves has the files and the framework, and nothing of the package. The last line printed says in
JSON what came of each: "saved", the largest difference, or the error.
"""

import json
import sys
import traceback
from pathlib import Path

import numpy as np

N_ITEMS = 40
SIZES = ((1, 20, 30), (7, 12, 5), (3, 1, 9))
"""Batch, length, candidates."""


def network_of(name):
    """A network in evaluation mode, and what is served of it."""
    from recsys.neural.history_attention import HistoryAttentionConfig
    from recsys.neural.next_basket import NextBasketConfig
    from recsys.neural.sasrec import SASRecConfig
    from recsys.neural.target_ranker import TargetRankerConfig
    from recsys.paddle.history_attention import HistoryAttention
    from recsys.paddle.next_basket import NextBasketAttention
    from recsys.paddle.sasrec import SASRec
    from recsys.paddle.target_ranker import TargetRanker

    kind, setting = name.split(", ")
    if kind == "SASRec":
        network = SASRec(N_ITEMS, SASRecConfig(dim=16, mixer=setting))
    elif kind == "ranker":
        groups = np.arange(N_ITEMS) // 5
        network = TargetRanker(groups, TargetRankerConfig(setting, repeats=True))
    elif kind == "basket":
        network = NextBasketAttention(N_ITEMS, NextBasketConfig(setting))
    else:
        network = HistoryAttention(N_ITEMS, HistoryAttentionConfig(pooling=setting))
    network.eval()
    return network, network.score_next if kind == "SASRec" else network


def inputs(name, rng, batch, length, candidates):
    """One batch by the names of the arguments; the first row is padded."""
    history = rng.integers(1, N_ITEMS + 1, (batch, length))
    if name.startswith("SASRec"):
        last = np.full(batch, length - 1)
        last[0] = length // 2
        history[0, last[0] + 1 :] = 0
        return {"ids": history, "last": last}
    history[0, : length // 2] = 0
    asked = rng.integers(1, N_ITEMS + 1, (batch, candidates))
    if name.startswith("history"):
        return {"history": history, "candidates": asked}
    gaps = np.where(history > 0, rng.integers(1, 90, history.shape), 0)
    named = {"history": history, "gaps": gaps, "candidates": asked}
    if name.startswith("basket"):
        popularity = rng.normal(size=(batch, candidates, 3)).astype(np.float32)
        named["popularity"] = popularity
    return named


def save(name, directory, how):
    """Make the graph, and keep beside it some batches and what the network says of them.

    How is "converted", where Paddle reads the source and sizes become tensors, or "traced", where the source
    runs once: checks of sizes find what is not told yet (-1) and do not become part of the graph.
    """
    import recsys
    import recsys.paddle
    import paddle

    paddle.seed(0)
    rng = np.random.default_rng(0)
    network, served = network_of(name)
    batches = [inputs(name, rng, *sizes) for sizes in SIZES]
    for place, batch in enumerate(batches):
        said = served(*map(paddle.to_tensor, batch.values()))
        said = said if isinstance(said, tuple) else (said,)
        outputs = {f"output/{part}": array.numpy() for part, array in enumerate(said)}
        np.savez(Path(directory) / f"{place}.npz", **batch, **outputs)
    spec = []
    for argument, array in batches[0].items():
        free = [None, None, *array.shape[2:]][: array.ndim]
        spec.append(paddle.static.InputSpec(free, str(array.dtype), argument))
    if how == "traced":
        paddle.jit.ignore_module([recsys])
    graph = paddle.jit.to_static(served, input_spec=spec, full_graph=True)
    paddle.jit.save(graph, str(Path(directory) / "network"))
    return "saved"


def serve(directory):
    """Load the graph: the largest difference from what the network said."""
    import paddle

    assert "recsys" not in sys.modules
    network = paddle.jit.load(str(Path(directory) / "network"))
    worst = 0.0
    for place in range(len(SIZES)):
        with np.load(Path(directory) / f"{place}.npz") as file:
            arrays = dict(file)
        expected = [array for name, array in arrays.items() if name.startswith("output/")]
        given = [paddle.to_tensor(array) for name, array in arrays.items() if not name.startswith("output/")]
        said = network(*given)
        said = said if isinstance(said, (tuple, list)) else (said,)
        for one, other in zip(said, expected, strict=True):
            assert tuple(one.shape) == other.shape, (tuple(one.shape), other.shape)
            worst = max(worst, float(np.abs(one.numpy() - other).max()))
    return str(worst)


def said_of(step, *arguments):
    """What a step returns, or the error that it ends in."""
    try:
        return step(*arguments)
    except Exception:
        return traceback.format_exc()


if __name__ == "__main__":
    step, *words = sys.argv[1:]
    if step == "save":
        how, *words = words
        told = [said_of(save, name, directory, how) for name, directory in zip(words[::2], words[1::2], strict=True)]
    else:
        told = [said_of(serve, directory) for directory in words]
    print(json.dumps(told))
