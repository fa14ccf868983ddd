"""RecTools' and RecBole's SASRec beside our models: one split, one metric, accuracy against seconds.

    .venv/bin/python bench/rivals.py            # everything, about an hour on one core
    .venv/bin/python bench/rivals.py --ours     # our rows again, the others kept: some minutes
    .venv/bin/python bench/rivals.py --search   # how RecTools' settings are chosen, on validation
    .venv/bin/python bench/rivals.py --only "rectools: tuned"

A rival trains in an environment of its own (bench/environments.py) on a CSV of our split, for
a time that its row names, and hands back ten items for each user; hits and nDCG@10 are
counted here. Writes bench/results/rivals.json (every user's nDCG@10, for paired tests) and
rivals.md. The final epoch of each row was chosen on validation; the test curve chooses nothing.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # read while NumPy and torch load
    os.environ[name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import resource  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from dataclasses import asdict  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import scipy  # noqa: E402
import torch  # noqa: E402
from environments import BENCH, ensure  # noqa: E402
from rival_rows import RIVALS, search, tuned  # noqa: E402
from rival_table import markdown  # noqa: E402

from recsys.book.pays.arms import build  # noqa: E402
from recsys.data import load  # noqa: E402
from recsys.evaluation import evaluate, hits_of, leave_last_out, ndcg, rounded  # noqa: E402

RESULTS = BENCH / "results" / "rivals.json"
K = 10


def our_models():
    """(name, seed, epochs, model) of each row of ours, tuned as the study tuned it."""
    found = json.loads((BENCH.parent / "studies" / "pays_movielens.json").read_text(encoding="utf-8"))
    arms = found["result"]["movielens-100k, last out"]["arms"]
    for arm, seeds in (("EASE", 1), ("item-kNN", 1), ("counter", 1), ("attention", 5), ("decay", 5)):
        settings = arms[arm]["settings"]
        for seed in range(seeds):
            yield arm, seed, settings.get("epochs"), build(arm, settings, seed)


class Timed:
    """A recommender whose ``fit`` keeps its own time, by the clock and by the core."""

    def __init__(self, model):
        self.model, self.score = model, model.score

    def fit(self, interactions):
        wall, cpu = time.perf_counter(), time.process_time()
        self.model.fit(interactions)
        self.seconds, self.cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
        return self


def point(epochs, seconds, cpu_seconds, values):
    """One point of a curve."""
    return {"epochs": epochs, "seconds": round(float(seconds), 2), "cpu_seconds": round(float(cpu_seconds), 2),
            "ndcg10": round(float(np.mean(values)), 4)}  # fmt: skip


def our_row(split, name, seed, epochs, model):
    """Fit one of our models, read the test, and keep every user's number."""
    timed = Timed(model)
    values = evaluate(timed, split, K)[f"nDCG@{K}"]
    config = getattr(model, "config", None)
    return {
        "name": name, "tool": "ours", "seed": seed, "epochs": epochs,
        "settings": asdict(config) if config else {n: v for n, v in vars(model).items() if np.isscalar(v)},
        "about": {"versions": {"torch": torch.__version__, "numpy": np.__version__, "scipy": scipy.__version__},
                  "python": platform.python_version(), "threads": torch.get_num_threads(),
                  "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024},
        "curve": [point(epochs, timed.seconds, timed.cpu_seconds, values)],
        "ndcg10": rounded(values),
    }  # fmt: skip


def write_csv(path, part):
    """user, item, rank: one row an event, users in order, each by time (ties in file order)."""
    order = part.by_time()
    table = np.stack([part.users[order], part.items[order], np.arange(len(order))], axis=1)
    np.savetxt(path, table, fmt="%d", delimiter=",", header="user,item,rank", comments="")


def trained(split, run, seed, on):
    """What a rival hands back: its npz as a dict. For validation it trains on train alone."""
    fitted, truth = ((split.train, split.validation) if on == "validation"
                     else (split.train_and_validation, split.test))  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="recsys-rival-") as folder:
        folder = Path(folder)
        upto = {"validation": split.train_and_validation, "test": split.interactions}[on]
        write_csv(folder / "split.csv", upto if run["tool"] == "recbole" else fitted)
        job = {"train": str(folder / "split.csv"), "settings": run["settings"], "seed": seed,
               "epochs": run["epochs"], "seconds": run["seconds"], "output": str(folder / "out.npz")}  # fmt: skip
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        command = [ensure(run["tool"]), "-W", "ignore", BENCH / f"rival_{run['tool']}.py", folder / "job.json"]
        subprocess.run(command, check=True, cwd=folder)
        found = dict(np.load(folder / "out.npz"))
    targets = np.full(split.interactions.n_users, -1)
    targets[truth.users] = truth.items
    if "targets" in found and not np.array_equal(found["targets"], targets):
        raise ValueError(f"{run['tool']} split the events otherwise: "
                         f"{(found['targets'] != targets).sum()} users have another item to find")
    if found["ranked"].min() < 0 or any(hits_of(lists, fitted.seen()).any() for lists in found["ranked"]):
        raise ValueError(f"{run['tool']}: a list is short, or holds what its user has seen")
    found["values"] = [ndcg(hits_of(lists, truth.seen()), np.ones(len(lists), dtype=int)) for lists in found["ranked"]]
    return found


def rival_row(split, run, seed, on="test"):
    """Train a rival, and keep its curve and, at its final epoch, every user's number."""
    found = trained(split, run, seed, on)
    curve = [point(*p) for p in zip(found["epochs"].tolist(), found["seconds"], found["cpu_seconds"], found["values"])]
    row = {"name": run["name"], "tool": run["tool"], "seed": seed, "settings": run["settings"], "curve": curve}
    if on == "validation":
        return row
    final = found["epochs"].tolist().index(run["final"]) if run["final"] in found["epochs"] else -1
    return row | {"epochs": curve[final]["epochs"], "about": json.loads(str(found["about"])),
                  "ndcg10": rounded(found["values"][final])}  # fmt: skip


def keep(section, row):
    """Put one row into the results, in place of an earlier one of the same name and seed."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    same = (row["name"], row["tool"], row["seed"])
    others = [old for old in results.get(section, []) if (old["name"], old["tool"], old["seed"]) != same]
    results[section] = [*others, row]
    RESULTS.write_text(json.dumps(results, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n",
                       encoding="utf-8")  # fmt: skip
    print(f"{section}: {row['tool']}, {row['name']}, seed {row['seed']}: {row['curve'][-1]}", flush=True)


def main(arguments):
    split = leave_last_out(load("movielens-100k").interactions)
    everything = not (arguments.ours or arguments.search or arguments.only)
    label = "{tool}: {name}".format_map
    if arguments.search or everything:
        for run in search():
            if arguments.only in (None, label(run)):
                keep("search", rival_row(split, run, 0, on="validation"))
    if arguments.search:
        return
    tried = json.loads(RESULTS.read_text(encoding="utf-8"))["search"]
    for run in [tuned(tried), *RIVALS]:
        if everything or label(run) == arguments.only:
            for seed in run["seeds"]:
                keep("rows", rival_row(split, run, seed))
    if everything or arguments.ours:
        for row in our_models():
            keep("rows", our_row(split, *row))
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    RESULTS.with_suffix(".md").write_text(markdown(results), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", action="store_true")
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--only", metavar="TOOL: NAME")
    main(parser.parse_args())
