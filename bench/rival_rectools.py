"""RecTools' SASRec on a split of ours; runs inside the environment ``rectools``.

``python bench/rival_rectools.py JOB`` reads a job (JSON: ``train``, a CSV with the columns
user, item, rank; ``settings`` of SASRecModel; ``seed``; ``epochs``, those at which lists are
kept; ``seconds``, of the core after which training stops; ``output``) and writes one npz: the ten items for
each user after each of these epochs, and the seconds of training that it took to get there.
"""

import json
import os
import platform
import resource
import sys
import time
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

K = 10


def dataset_of(path):
    """RecTools' dataset of a CSV; the place in time stands in for the time, so nothing ties."""
    table = pd.read_csv(path)
    return Dataset.construct(pd.DataFrame({
        Columns.User: table["user"],
        Columns.Item: table["item"],
        Columns.Weight: 1.0,
        Columns.Datetime: pd.Timestamp("2000-01-01") + pd.to_timedelta(table["rank"], unit="s"),
    }))  # fmt: skip


def ranked_lists(model, dataset, n_users):
    """The ten best items for each user, those seen masked: (n_users, 10) int, -1 where it gives none."""
    recommended = model.recommend(users=np.arange(n_users), dataset=dataset, k=K, filter_viewed=True)
    lists = np.full((n_users, K), -1)
    lists[recommended[Columns.User], recommended[Columns.Rank] - 1] = recommended[Columns.Item]
    return lists


def run(job):
    """Train in the steps that the job names, and keep lists and seconds at each."""
    dataset = dataset_of(job["train"])
    n_users = dataset.user_id_map.size
    seed_everything(job["seed"])
    model = SASRecModel(**job["settings"])
    done, wall, cpu = 0, 0.0, 0.0
    kept = {"epochs": [], "seconds": [], "cpu_seconds": [], "ranked": []}
    for epochs in job["epochs"]:
        if done and cpu * epochs / done > job["seconds"]:
            break
        wall, cpu = wall - time.perf_counter(), cpu - time.process_time()
        model.fit_partial(dataset, min_epochs=epochs - done, max_epochs=epochs - done)
        wall, cpu = wall + time.perf_counter(), cpu + time.process_time()
        done = epochs
        for name, value in zip(kept, (done, wall, cpu, ranked_lists(model, dataset, n_users))):
            kept[name].append(value)
        print(f"epoch {done}: {wall:.1f} s, {cpu:.1f} s of the core", flush=True)
    about = {
        "versions": {name: version(name) for name in ("rectools", "torch", "pytorch-lightning", "numpy", "pandas")},
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "parameters": sum(parameter.numel() for parameter in model.torch_model.parameters()),
        "known_items": len(model.data_preparator.get_known_item_ids()),
        "trained_events": len(model.data_preparator.train_dataset.interactions.df),
    }
    np.savez(job["output"], about=json.dumps(about), **kept)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        run(json.load(file))
