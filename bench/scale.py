"""How training and ranking grow: with the catalogue, with the log, with the number of users.

``python bench/scale.py``, or with names of parts for some of them, which are then printed and
not written. Each row runs in a process of its own, on one thread, so that its peak of memory
is its own. Times are processor seconds of that process: another one on the same machine
lengthens them little. Result: ``results/scale.json``.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import json  # noqa: E402
import platform  # noqa: E402
import resource  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from datetime import date  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from scipy import sparse  # noqa: E402

from recsys.data import Interactions, load  # noqa: E402
from recsys.evaluation import top_k  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "scale.json"
USERS, EVENTS, NEGATIVES, STEPS = 10_000, 50, 512, 120
"""The planted log of the catalogue part, and the steps of which the time is the median."""
CHUNK_BYTES = 8 * 2**20
"""Scores held at one time in the ranking part: what a processor's cache holds is ranked faster."""


def peak_memory() -> int:
    """The most bytes that this process has held so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def catalogue(n_items: int, rows: str, steps: int = STEPS) -> dict:
    """Training steps of SASRec with sampled softmax, by row-wise updates or by a dense Adam state."""
    from recsys.batches.negatives import NegativeSampler
    from recsys.batches.sequences import NextItemBatches, user_sequences, windows
    from recsys.torch.engine import Engine
    from recsys.torch.optimisation import RowwiseAdagrad, adamw
    from recsys.torch.sasrec import SASRec, SASRecConfig, SASRecRecommender, sampled_next_item_loss
    from recsys.training.loop import FitConfig, fit

    random = np.random.default_rng(0)
    items = (n_items * random.random((USERS, EVENTS)) ** 3).astype(np.int64)  # a long tail
    log = Interactions.from_sequences(items.tolist(), np.arange(n_items))
    config = SASRecConfig(negatives=NEGATIVES if rows == "row-wise" else None)
    sampler, draws = NegativeSampler(log.item_counts(), NEGATIVES), np.random.default_rng(0)
    stamps = []

    def loss(model, batch):
        stamps.append(time.process_time())
        return sampled_next_item_loss(model, batch)

    def row_by_row(model, training):
        return RowwiseAdagrad(model.parameters(), training.learning_rate, row_scale=10.0)

    of_epoch = NextItemBatches(windows(user_sequences(log), 100), config.tokens)(0)[:steps]
    batches = [(*batch, *sampler.draw(draws)) for batch in of_epoch]
    optimizer = row_by_row if rows == "row-wise" else adamw
    engine = Engine(SASRec(n_items, config), loss, FitConfig(epochs=1), optimizer)
    result = fit(engine, lambda epoch: batches, engine.config, count=SASRecRecommender.targets)
    return {"items": n_items, "embeddings": rows, "negatives": NEGATIVES, "positions a step": config.tokens,
            "steps": steps, "milliseconds a step": round(1e3 * float(np.median(np.diff(stamps))), 2),
            "peak memory, MiB": peak_memory() // 2**20, "loss": round(result.losses[0], 3)}  # fmt: skip


def replicated(times: int) -> dict:
    """One epoch of SASRec on MovieLens 100K with each user there several times."""
    from dataclasses import replace

    from recsys.torch.sasrec import SASRecConfig, SASRecRecommender

    log = load("movielens-100k").interactions
    copies = [log.users + log.n_users * copy for copy in range(times)]
    more = Interactions(np.concatenate(copies), *(np.tile(column, times) for column in (log.items, log.values, log.times)),
                        np.arange(log.n_users * times), log.item_ids)  # fmt: skip
    config = SASRecConfig()
    config = replace(config, training=replace(config.training, epochs=1))
    SASRecRecommender(config).fit(log.select(log.users < 9))  # what a first fit loads is not counted
    start = time.process_time()
    SASRecRecommender(config).fit(more)
    return {"interactions": len(more), "seconds": round(time.process_time() - start, 3)}


def ranking(n_users: int) -> dict:
    """The 10 best of 12,101 items for each user from vectors of 64 numbers, 8 seen items masked."""
    n_items, dim, k, random = 12_101, 64, 10, np.random.default_rng(0)
    user_vectors, item_vectors = (random.standard_normal((n, dim), dtype=np.float32) for n in (n_users, n_items))
    seen = sparse.csr_matrix((np.ones(8 * n_users), random.integers(0, n_items, 8 * n_users),
                              np.arange(0, 8 * n_users + 1, 8)), shape=(n_users, n_items))  # fmt: skip
    best, size = np.empty((n_users, k), dtype=np.int64), max(1, CHUNK_BYTES // (4 * n_items))
    best[:], before, product, start = 0, peak_memory(), 0.0, time.process_time()
    for first in range(0, n_users, size):
        part = slice(first, first + size)
        began = time.process_time()
        scores = user_vectors[part] @ item_vectors.T
        product += time.process_time() - began
        best[part] = top_k(scores, k, seen[part])
    beyond = time.process_time() - start - product
    return {"users": n_users, "items": n_items, "users at a time": size, "seconds of the matrix product": round(product, 3),
            "seconds beyond it": round(beyond, 3), "memory beyond vectors, history and lists, MiB":
            (peak_memory() - before) // 2**20}  # fmt: skip


PARTS = {
    "catalogue": (catalogue, [(10**4, "row-wise"), (10**5, "row-wise"), (10**6, "row-wise"),
                              (10**4, "dense Adam"), (10**6, "dense Adam", 15)]),
    "replicated": (replicated, [(1,), (2,), (4,)]),
    "ranking": (ranking, [(22_363,), (223_630,)]),
}  # fmt: skip


def in_own_process(part: str, arguments: tuple) -> dict:
    """Run one row of one part afresh; the last line that it prints is its result."""
    command = [sys.executable, __file__, "row", part, json.dumps(arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def summary(rows: dict[str, list[dict]]) -> dict:
    """What the bars of the book ask for."""
    told = {}
    if "catalogue" in rows:
        steps = {(row["items"], row["embeddings"]): row["milliseconds a step"] for row in rows["catalogue"]}
        told["step at 10^6 items / at 10^4, row-wise"] = round(steps[10**6, "row-wise"] / steps[10**4, "row-wise"], 2)
        told["step at 10^6 items / at 10^4, dense Adam"] = round(steps[10**6, "dense Adam"] / steps[10**4, "dense Adam"], 2)
    if "replicated" in rows:
        log = np.log([[row["interactions"], row["seconds"]] for row in rows["replicated"]])
        told["exponent of seconds in interactions"] = round(float(np.polyfit(*log.T, 1)[0]), 3)
    return told


def main(names: list[str]) -> int:
    """Measure, print, and write when every part was measured."""
    unknown = set(names) - set(PARTS)
    if unknown:
        print(f"unknown part {sorted(unknown)[0]!r}; expected some of: {', '.join(PARTS)}")
        return 2
    rows = {}
    for name in names or PARTS:
        rows[name] = []
        for arguments in PARTS[name][1]:
            rows[name].append(in_own_process(name, arguments))
            print(name, rows[name][-1], flush=True)
    print(summary(rows))
    if not names:
        about = {"date": date.today().isoformat(), "python": platform.python_version(), "threads": 1,
                 "system": f"{platform.system()} {platform.machine()}"}  # fmt: skip
        RESULTS.write_text(json.dumps({"machine": about, "summary": summary(rows), **rows}, indent=1) + "\n", "utf-8")
        print(f"wrote results/{RESULTS.name}")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["row"]:
        print(json.dumps(PARTS[sys.argv[2]][0](*json.loads(sys.argv[3]))))
    else:
        sys.exit(main(sys.argv[1:]))
