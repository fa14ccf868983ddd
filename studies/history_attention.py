"""What attention over a history adds to the mean of it: one network, two poolings, the same search.

Settings are chosen on validation with one seed for each pooling; the test is read with five.
"""

import itertools

import numpy as np

from recsys.data import load
from recsys.evaluation import (
    bootstrap_interval,
    evaluate,
    leave_last_out,
    paired_test,
    rounded,
)
from recsys.training.loop import FitConfig
from recsys.neural.history_attention import POOLINGS
from recsys.torch.history_attention import (
    HistoryAttentionConfig,
    HistoryAttentionRecommender,
)

METRIC = "nDCG@10"
DATA = ["movielens-100k"]
CONFIG = {
    "grid of each": {"max_length": [5, 10, 20], "learning_rate": [0.01, 0.02]},
    "fixed": {
        "dim": 32,
        "negatives": 4,
        "tokens": 1000,
        "epochs": 12,
        "clip_norm": 1.0,
    },
    "seed of the search": 0,
    "seeds of the test": [0, 1, 2, 3, 4],
}


def run(config):
    split = leave_last_out(load("movielens-100k").interactions)
    results, tests = {}, {}
    for pooling in POOLINGS:
        tried = search(config, split, pooling)
        best = max(tried, key=lambda row: row[METRIC])
        settings = {key: value for key, value in best.items() if key != METRIC}
        tests[pooling] = [
            read_test(split, build(config, pooling, settings, seed))
            for seed in config["seeds of the test"]
        ]
        results[pooling] = {"grid": tried, "best": settings}
    means = {
        pooling: np.mean([run["values"] for run in runs], axis=0)
        for pooling, runs in tests.items()
    }
    for pooling, row in results.items():
        row["mean"] = rounded(bootstrap_interval(means[pooling]))
        row["seeds"] = [
            round(float(np.mean(run["values"])), 4) for run in tests[pooling]
        ]
    return {
        "poolings": results,
        "attention minus mean": rounded(paired_test(means["attention"], means["mean"])),
        "protocol": tests["mean"][0]["protocol"],
    }


def search(config, split, pooling):
    """Validation of every setting of the grid, one seed."""
    grid = config["grid of each"]
    tried = [
        dict(zip(grid, values, strict=True))
        for values in itertools.product(*grid.values())
    ]
    return [{**row, METRIC: validate(config, split, pooling, row)} for row in tried]


def validate(config, split, pooling, settings):
    model = build(config, pooling, settings, config["seed of the search"])
    return round(evaluate(model, split, on="validation").mean(METRIC), 5)


def read_test(split, model):
    """Each viewer's number on the test."""
    result = evaluate(model, split)
    return {"values": result[METRIC].tolist(), "protocol": result.protocol}


def build(config, pooling, settings, seed):
    fixed = config["fixed"]
    training = FitConfig(
        epochs=fixed["epochs"],
        learning_rate=settings["learning_rate"],
        clip_norm=fixed["clip_norm"],
        seed=seed,
    )
    return HistoryAttentionRecommender(
        HistoryAttentionConfig(
            pooling=pooling,
            dim=fixed["dim"],
            max_length=settings["max_length"],
            negatives=fixed["negatives"],
            tokens=fixed["tokens"],
            training=training,
        )
    )
