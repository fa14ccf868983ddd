"""Tuning of the baselines on validation, then one reading of the test, on both data sets."""

from functools import partial

from recsys.baselines import (
    EASE,
    ImplicitALS,
    ItemKNN,
    PersonalFrequency,
    Popularity,
    UserKNN,
)
from recsys.data import load
from recsys.evaluation import (
    TIE_BREAKS,
    bootstrap_interval,
    combinations,
    evaluate,
    last_basket,
    leave_last_out,
    paired_test,
    rounded,
    tune,
)

METRIC = "nDCG@10"
MODELS = {
    "Popularity": Popularity,
    "PersonalFrequency": PersonalFrequency,
    "UserKNN": UserKNN,
    "ItemKNN": ItemKNN,
    "ImplicitALS": ImplicitALS,
    "EASE": EASE,
}
DATA = ["movielens-100k", "ta-feng"]
CONFIG = {
    "movielens-100k": {
        "Popularity": {},
        "UserKNN": {"neighbours": [5, 10, 20, 50, 100], "shrinkage": [0, 5, 20]},
        "ItemKNN": {
            "neighbours": [100, 200, 400, 800],
            "shrinkage": [0, 10, 50, 200],
            "recency": [1],
        },
        "ItemKNN, recency": {
            "neighbours": [100, 200, 400, 800],
            "shrinkage": [0, 10, 50],
            "recency": [0.9, 0.8, 0.7, 0.6],
        },
        "ImplicitALS": {
            "factors": [64, 128, 192],
            "alpha": [0.5, 1, 4],
            "l2": [5, 10, 20],
        },
        "EASE": {"l2": [25, 50, 100, 200, 400, 800], "recency": [1]},
        "EASE, recency": {
            "l2": [100, 200, 400, 800, 1600],
            "recency": [0.95, 0.9, 0.85, 0.8],
        },
    },
    "ta-feng": {
        "Popularity": {},
        "PersonalFrequency": {
            "decay": [1],
            "popularity_weight": [0.001, 1, 1.5, 2, 3, 5],
        },
        "PersonalFrequency, decayed": {
            "decay": [0.995, 0.99, 0.98],
            "popularity_weight": [0.001, 0.5, 1, 1.5, 2, 3],
        },
        "ItemKNN": {"neighbours": [200, 800], "shrinkage": [50, 200], "recency": [1]},
        "ItemKNN, recency": {
            "neighbours": [200],
            "shrinkage": [50, 200],
            "recency": [0.98, 0.9],
        },
        "UserKNN": {"neighbours": [300, 1000], "shrinkage": [10]},
        "ImplicitALS": {"factors": [64], "alpha": [2, 5], "l2": [50, 200]},
    },
    "random tie orders": 10,
}


def run(config):
    splits = {
        "movielens-100k": leave_last_out(load("movielens-100k").interactions),
        "ta-feng": last_basket(load("ta-feng").interactions),
    }
    repeats = {"movielens-100k": False, "ta-feng": True}
    results = {}
    for data, split in splits.items():
        tests = {}
        results[data] = {}
        for name, grid in config[data].items():
            tried, best = tune(
                partial(build, name),
                combinations(grid),
                split,
                METRIC,
                repeats=repeats[data],
            )
            tests[name] = evaluate(build(name, best), split, repeats=repeats[data])
            results[data][name] = {
                "grid": tried,
                "best": best,
                "test": rounded(bootstrap_interval(tests[name][METRIC])),
                "recall": rounded(bootstrap_interval(tests[name]["recall@10"])),
            }
        leader = max(tests, key=lambda name: tests[name].mean(METRIC))
        for name, result in tests.items():
            results[data][name]["behind the best"] = rounded(
                paired_test(tests[leader][METRIC], result[METRIC])
            )
        results[data + " protocol"] = tests[leader].protocol
    results["tie bands"] = tie_bands(config, results["movielens-100k"])
    return results


def tie_bands(config, tuned):
    """The test number of each tuned model on MovieLens under other orders of tied time stamps."""
    interactions = load("movielens-100k").interactions
    orders = [(ties, 0) for ties in TIE_BREAKS if ties != "random"]
    orders += [("random", seed) for seed in range(config["random tie orders"])]
    bands = {name: {} for name in tuned}
    for ties, seed in orders:
        split = leave_last_out(interactions, ties, seed)
        for name, row in tuned.items():
            label = f"{ties} {seed}" if ties == "random" else ties
            bands[name][label] = round(
                evaluate(build(name, row["best"]), split).mean(METRIC), 4
            )
    return bands


def build(name, settings):
    return MODELS[name.partition(",")[0]](**settings)
