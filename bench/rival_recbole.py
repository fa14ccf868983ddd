"""RecBole's SASRec on a split of ours; runs inside the environment ``recbole``.

``python bench/rival_recbole.py JOB`` reads a job as bench/rival_rectools.py does. Its table
ends, for each user, with the event that is to be found: RecBole splits it off itself
(``LS: test_only``), which makes every other prefix a row of training. It masks nothing that a
user has seen, so lists are made here from its scores. RecBole writes to the folder it runs in.
"""

import json
import logging
import os
import platform
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed

K, NAME = 10, "split"
FIXED = {
    "data_path": ".",
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "eval_args": {"split": {"LS": "test_only"}, "order": "TO", "mode": "full", "group_by": "user"},
    "train_neg_sample_args": None,  # what cross-entropy needs
    "use_gpu": False,
    "show_progress": False,
    "checkpoint_dir": "saved",
}


def write_atomic(table):
    """The table as RecBole's atomic file; the place in time stands in for the time."""
    Path(NAME).mkdir(exist_ok=True)
    table.columns = ["user_id:token", "item_id:token", "timestamp:float"]
    table.to_csv(f"{NAME}/{NAME}.inter", sep="\t", index=False)


def own_ids(dataset, field, n):
    """Our number of each internal id of RecBole: (n,) int, internal id 0, the padding, left out."""
    return np.array([int(token) for token in dataset.id2token(field, np.arange(1, n))])


class Reader:
    """Makes lists from the model's scores, and holds what the library's split put aside."""

    def __init__(self, dataset, test_data, table):
        self.rows, self.test_data = test_data.dataset.inter_feat, test_data
        self.items = own_ids(dataset, "item_id", dataset.item_num)
        self.users = own_ids(dataset, "user_id", dataset.user_num)[self.rows["user_id"].numpy() - 1]
        self.targets = np.full(len(self.users), -1)
        self.targets[self.users] = self.items[self.rows["item_id"].numpy() - 1]
        self.seen = table[table["item"] != self.targets[table["user"]]]  # nobody has an item twice

    @torch.no_grad()
    def ranked_lists(self, model):
        """The ten best items for each user, those seen masked, ties by item: (n_users, 10) int."""
        model.eval()
        scores = np.full((len(self.users), self.items.max() + 1), -np.inf)
        scores[np.ix_(self.users, self.items)] = model.full_sort_predict(self.rows)[:, 1:].numpy()
        scores[self.seen["user"], self.seen["item"]] = -np.inf
        return np.argsort(-scores, axis=1, kind="stable")[:, :K]


def run(job):
    """Train epoch by epoch, and keep lists and seconds after each, until the time is over."""
    table = pd.read_csv(job["train"])
    write_atomic(table.copy())
    logging.disable(logging.WARNING)
    config = Config(model="SASRec", dataset=NAME, config_dict={**FIXED, "seed": job["seed"], **job["settings"]})
    init_seed(job["seed"], True)
    wall, cpu = -time.perf_counter(), -time.process_time()
    dataset = create_dataset(config)
    train_data, _, test_data = data_preparation(config, dataset)
    slowed = torch.is_anomaly_enabled()  # recbole/model/sequential_recommender/sine.py turns it on for all
    torch.autograd.set_detect_anomaly(False)
    model = SASRec(config, train_data.dataset)
    trainer = Trainer(config, model)
    wall, cpu = wall + time.perf_counter(), cpu + time.process_time()
    preparation = cpu
    reader = Reader(dataset, test_data, table)
    kept = {"epochs": [], "seconds": [], "cpu_seconds": [], "ranked": []}
    for epoch in range(job["epochs"][-1]):
        wall, cpu = wall - time.perf_counter(), cpu - time.process_time()
        loss = trainer._train_epoch(train_data, epoch)
        wall, cpu = wall + time.perf_counter(), cpu + time.process_time()
        for name, value in zip(kept, (epoch + 1, wall, cpu, reader.ranked_lists(model))):
            kept[name].append(value)
        print(f"epoch {epoch + 1}: {wall:.1f} s, {cpu:.1f} s of the core, loss {loss:.4f}", flush=True)
        if cpu + (cpu - preparation) / (epoch + 1) > job["seconds"]:
            break
    printed = trainer.evaluate(test_data, load_best_model=False)
    about = {
        "versions": {name: version(name) for name in ("recbole", "torch", "numpy", "pandas", "scipy", "setuptools")},
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "rows": len(train_data.dataset),
        "anomaly_detection_on_import": slowed,
        "preparation_cpu_seconds": round(preparation, 1),
        "printed_without_a_mask": {name: float(value) for name, value in printed.items()},
    }
    np.savez(job["output"], about=json.dumps(about), targets=reader.targets, **kept)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        run(json.load(file))
