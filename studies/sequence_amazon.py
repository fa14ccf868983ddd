"""The same models on Amazon Beauty and Sports: settings transferred, tuned a little, tested."""

import numpy as np

from recsys.baselines import ItemKNN, Popularity
from recsys.baselines.transitions import TransitionCounter
from recsys.data import load
from recsys.evaluation import (
    bootstrap_interval,
    evaluate,
    leave_last_out,
    paired_test,
    rounded,
    timed_fit,
)
from recsys.neural.recommender import config_from
from recsys.torch.sasrec import SASRecConfig, SASRecRecommender

METRIC = "nDCG@10"
DATA = ["amazon-beauty", "amazon-sports"]
CONFIG = {
    "mixers": ["attention", "decay", "mean", "last"],
    "base": {
        "dim": 64,
        "n_blocks": 1,
        "n_heads": 4,
        "max_length": 50,
        "negatives": 256,
    },
    "tried": [
        {"dropout": 0.2, "learning_rate": 0.008, "tokens": 1000, "epochs": 8},
        {"dropout": 0.2, "learning_rate": 0.004, "tokens": 2000, "epochs": 12},
        {"dropout": 0.5, "learning_rate": 0.004, "tokens": 2000, "epochs": 12},
    ],
    "tuned on": "amazon-beauty",
    "seeds": {"amazon-beauty": [0, 1], "amazon-sports": [0]},
    "protocols": {
        "on": "amazon-beauty",
        "of": [
            "attention",
            "decay",
            "Popularity",
            "ItemKNN, recency",
            "TransitionCounter",
            "TransitionCounter, settings of the paper",
        ],
    },
    "counters": {
        "Popularity": [{}],
        "ItemKNN, recency": [
            {"neighbours": 200, "shrinkage": 10, "recency": 0.7},
            {"neighbours": 200, "shrinkage": 3, "recency": 0.7},
        ],
        "TransitionCounter": [
            {
                "window": 10,
                "distance_power": 0.5,
                "tau": 10000,
                "recency": 0.6,
                "popularity_weight": 0.0,
            },
            {
                "window": 10,
                "distance_power": 1.0,
                "tau": 3000,
                "recency": 0.7,
                "popularity_weight": 0.003,
            },
            {
                "window": 20,
                "distance_power": 0.5,
                "tau": 10000,
                "recency": 0.7,
                "popularity_weight": 0.0,
            },
        ],
    },
    "counter of the paper": {
        "amazon-beauty": {
            "window": 10,
            "distance_power": 0.5,
            "tau": 11250,
            "recency": 0.6,
            "popularity_weight": -0.04,
        },
        "amazon-sports": {
            "window": 10,
            "distance_power": 0.5,
            "tau": 15000,
            "recency": 0.7,
            "popularity_weight": 0.0,
            "head": 10,
            "head_share": 0.8,
        },
    },
    "left out": {
        "EASE": "a dense inverse of 12,101 or 18,357 squared in float64: 1.2 or 2.7 GB and as much again to make it"
    },
}
COUNTERS = {
    "Popularity": Popularity,
    "ItemKNN": ItemKNN,
    "TransitionCounter": TransitionCounter,
}


def run(config):
    splits = {name: leave_last_out(load(name).interactions) for name in DATA}
    tuning = tune(config, splits[config["tuned on"]])
    results = {"tuning on the validation of " + config["tuned on"]: tuning}
    for name, split in splits.items():
        results[name] = tested(config, name, split, tuning)
        results[name]["left out"] = config["left out"]
    return results


def tune(config, split):
    """Every mixer with the same configurations, every counter with its grid."""
    rows = {}
    for mixer in config["mixers"]:
        grid = [
            {**config["base"], **changes, "mixer": mixer} for changes in config["tried"]
        ]
        rows[mixer] = chosen(
            [(settings, sasrec(settings, 0)) for settings in grid], split
        )
    for name, grid in config["counters"].items():
        rows[name] = chosen(
            [
                (settings, COUNTERS[name.partition(",")[0]](**settings))
                for settings in grid
            ],
            split,
        )
    return rows


def chosen(candidates, split):
    """Validation of each candidate, and the best."""
    rows = []
    for settings, model in candidates:
        seconds = timed_fit(model, split.train)
        value = evaluate(model, split, on="validation", fit=False).mean(METRIC)
        rows.append(
            {
                "settings": settings,
                METRIC: round(value, 4),
                "cpu seconds of a fit": round(seconds, 1),
            }
        )
    return {"rows": rows, "best": max(rows, key=lambda row: row[METRIC])["settings"]}


def tested(config, data, split, tuning):
    """The test of everything, and four protocols for a few."""
    users, rows, protocols = {}, {}, {}
    seeds, paper = config["seeds"][data], config["counter of the paper"][data]
    for name in [
        *config["mixers"],
        *config["counters"],
        "TransitionCounter, settings of the paper",
    ]:
        neural = name in config["mixers"]
        values, seconds = [], []
        for seed in seeds if neural else [0]:
            model = model_of(config, tuning, paper, name, seed)
            seconds.append(timed_fit(model, split.train_and_validation))
            result = evaluate(model, split, fit=False)
            values.append(result[METRIC])
        users[name] = np.mean(values, axis=0)
        rows[name] = {
            METRIC: rounded(bootstrap_interval(users[name])),
            "each seed": rounded(map(np.mean, values)),
            "cpu seconds of a fit": round(float(np.median(seconds)), 1),
        }
        if data == config["protocols"]["on"] and name in config["protocols"]["of"]:
            early = model_of(config, tuning, paper, name, seed).fit(split.train)
            protocols[name] = under_protocols(split, model, early, result)
    return {
        "test": rows,
        "protocol": result.protocol,
        "protocols": protocols,
        "paired difference to attention": {
            name: rounded(paired_test(values, users["attention"]))
            for name, values in users.items()
            if name != "attention"
        },
    }


def under_protocols(split, late, early, usual):
    """One model of one seed under four protocols.

    Fitted on train and validation, of which one way is read already in `usual`; or on train.
    """
    long, short = split.train_and_validation, split.train
    ways = {
        "fitted on train and validation, seen masked": usual,
        "fitted on train and validation, seen allowed": evaluate(
            late, split, repeats=True, fit=False
        ),
        "fitted on train, history with the validation item, seen masked": evaluate(
            early, split, fit=False, history=long
        ),
        "fitted on train, history without the validation item, seen masked": evaluate(
            early, split, fit=False, history=short
        ),
    }
    return {way: round(result.mean(METRIC), 4) for way, result in ways.items()}


def model_of(config, tuning, paper, name, seed):
    if name in config["mixers"]:
        return sasrec(tuning[name]["best"], seed)
    if name.endswith("of the paper"):
        return TransitionCounter(**paper)
    return COUNTERS[name.partition(",")[0]](**tuning[name]["best"])


def sasrec(settings, seed):
    """The recommender of a flat dict of settings."""
    return SASRecRecommender(config_from(SASRecConfig, {**settings, "seed": seed}))
