"""What attention over a history adds to the mean of it: one network, two poolings, the same search.

Settings are chosen on validation with one seed for each pooling; the test is read with five.
"""

from functools import partial

import numpy as np

from recsys.data import load
from recsys.evaluation import (
    bootstrap_interval,
    combinations,
    evaluate,
    leave_last_out,
    paired_test,
    rounded,
    tune,
)
from recsys.neural.history_attention import POOLINGS
from recsys.neural.recommender import config_from
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
        tried, best = tune(
            partial(build, config, pooling, config["seed of the search"]),
            combinations(config["grid of each"]),
            split,
            METRIC,
        )
        tests[pooling] = [
            read_test(split, build(config, pooling, seed, best))
            for seed in config["seeds of the test"]
        ]
        results[pooling] = {"grid": tried, "best": best}
    means = {
        pooling: np.mean([run["values"] for run in runs], axis=0)
        for pooling, runs in tests.items()
    }
    for pooling, row in results.items():
        row["mean"] = rounded(bootstrap_interval(means[pooling]))
        row["seeds"] = rounded(np.mean(run["values"]) for run in tests[pooling])
    return {
        "poolings": results,
        "attention minus mean": rounded(paired_test(means["attention"], means["mean"])),
        "protocol": tests["mean"][0]["protocol"],
    }


def read_test(split, model):
    """Each viewer's number on the test."""
    result = evaluate(model, split)
    return {"values": result[METRIC].tolist(), "protocol": result.protocol}


def build(config, pooling, seed, settings):
    flat = {**config["fixed"], **settings, "pooling": pooling, "seed": seed}
    return HistoryAttentionRecommender(config_from(HistoryAttentionConfig, flat))
