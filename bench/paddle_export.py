"""Time SASRec's scores in Paddle: the network itself, its saved graph, and paddle.inference.

    python bench/paddle_export.py             # about a minute; writes results/paddle_export.json
    python bench/paddle_export.py ROUNDS      # fewer or more turns: printed, not written

The serving form: ids of length 50 to the scores of 1,682 films as the next one, for
batches of 1, 32 and 256 viewers, on one thread. The three take turns, so that a busy
machine disturbs all alike; printed are medians in milliseconds, the median of the ratios
of neighbours, and the largest difference of a score from the network's. Ids are checked
by the caller, before any of the three and outside the clock.
"""

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from recsys.checks import check_ids  # noqa: E402
from recsys.paddle.sasrec import SASRec, SASRecConfig  # noqa: E402  (loads Paddle, quietly)

import paddle  # noqa: E402
from paddle import inference  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "paddle_export.json"
N_ITEMS, LENGTH, BATCHES = 1682, 50, (1, 32, 256)
ROUNDS, WARM_UP = 31, 3


def save(network: SASRec, path: Path) -> None:
    """Write `score_next` as a static graph of any batch and any length."""
    ids = paddle.static.InputSpec([None, None], "int64", "ids")
    last = paddle.static.InputSpec([None], "int64", "last")
    graph = paddle.jit.to_static(network.score_next, input_spec=[ids, last], full_graph=True)
    paddle.jit.save(graph, str(path))


def predictor(path: Path):
    """The saved graph behind paddle.inference, as a function of arrays."""
    config = inference.Config(f"{path}.json", f"{path}.pdiparams")
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(1)
    config.disable_glog_info()
    engine = inference.create_predictor(config)

    def scores(*arrays):
        for name, array in zip(engine.get_input_names(), arrays, strict=True):
            handle = engine.get_input_handle(name)
            handle.reshape(array.shape)
            handle.copy_from_cpu(array)
        engine.run()
        (name,) = engine.get_output_names()
        return engine.get_output_handle(name).copy_to_cpu()

    return scores


def sides(folder: Path) -> dict:
    """The three ways from arrays to scores."""
    paddle.seed(0)
    network = SASRec(N_ITEMS, SASRecConfig())
    network.eval()
    path = folder / "sasrec"
    save(network, path)
    loaded = paddle.jit.load(str(path))

    @paddle.no_grad()
    def eager(*arrays):
        return network.score_next(*map(paddle.to_tensor, arrays)).numpy()

    @paddle.no_grad()
    def graph(*arrays):
        return loaded(*map(paddle.to_tensor, arrays)).numpy()

    return {"network": eager, "jit.load": graph, "paddle.inference": predictor(path)}


def milliseconds(side, arrays: tuple) -> float:
    """One call."""
    start = time.perf_counter()
    side(*arrays)
    return 1e3 * (time.perf_counter() - start)


def measured(ways: dict, batch: int, rounds: int) -> list[dict]:
    """Each way at one size of batch: milliseconds, share of the network's, difference."""
    rng = np.random.default_rng(batch)
    ids = rng.integers(1, N_ITEMS + 1, (batch, LENGTH))
    arrays = (ids, np.full(batch, LENGTH - 1))
    check_ids("ids", ids, N_ITEMS)
    expected = ways["network"](*arrays)
    turns = [
        [milliseconds(side, arrays) for side in ways.values()] for _ in range(rounds + WARM_UP)
    ][WARM_UP:]
    rows = []
    for place, (name, side) in enumerate(ways.items()):
        rows.append(
            {
                "batch": batch,
                "way": name,
                "ms": statistics.median(turn[place] for turn in turns),
                "ratio": statistics.median(turn[place] / turn[0] for turn in turns),
                "difference": float(np.abs(side(*arrays) - expected).max()),
            }
        )
    return rows


def main(rounds: int, write: bool) -> None:
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        ways = sides(Path(folder))
        print(f"{'batch':>6} {'way':<18}{'ms':>9}{'ratio':>8}{'difference':>12}")
        rows = []
        for batch in BATCHES:
            for row in measured(ways, batch, rounds):
                rows.append(row)
                print(
                    "{batch:>6} {way:<18}{ms:>9.2f}{ratio:>8.2f}{difference:>12.1e}".format(**row)
                )
    if not write:
        return
    about = {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "paddle": paddle.__version__,
        "load": [round(load_before, 2), round(os.getloadavg()[0], 2)],
    }
    RESULTS.write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS, write=not sys.argv[1:])
