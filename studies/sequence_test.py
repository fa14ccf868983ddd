"""What attention buys on MovieLens 100K: one reading of the test with the chosen settings."""

import numpy as np

from recsys.baselines import EASE, ItemKNN
from recsys.baselines.blend import Blend
from recsys.baselines.transitions import Markov, TransitionCounter
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

METRICS = ("nDCG@10", "recall@10")
DATA = ["movielens-100k"]
CONFIG = {
    "seeds": [0, 1, 2, 3, 4],
    "base": {
        "dim": 64,
        "n_blocks": 1,
        "n_heads": 4,
        "dropout": 0.2,
        "max_length": 100,
        "tokens": 1000,
        "epochs": 8,
        "learning_rate": 0.008,
    },
    "mixers": {
        "attention": {"dropout": 0.3, "epochs": 12},
        "decay": {"max_length": 50},
        "mean": {"dropout": 0.3, "epochs": 12},
        "last": {"max_length": 50},
    },
    "fast": {"mixer": "decay", "max_length": 50, "learning_rate": 0.012, "epochs": 4},
    "blends": {"decay + EASE": ["decay", 0.9], "fast + EASE": ["fast", 0.8]},
    "without training": {
        "EASE, recency": {"l2": 400, "recency": 0.9},
        "ItemKNN, recency": {"neighbours": 200, "shrinkage": 10, "recency": 0.7},
        "TransitionCounter": {
            "window": 10,
            "distance_power": 1.0,
            "tau": 3000.0,
            "recency": 0.7,
            "popularity_weight": -0.03,
        },
        "Markov": {"smoothing": 1.0},
    },
    "tie orders": [
        ["reverse-file-order", 0],
        ["item-ascending", 0],
        ["random", 0],
        ["random", 1],
        ["random", 2],
    ],
    "models of the tie bands": [
        "attention",
        "decay",
        "EASE, recency",
        "TransitionCounter",
    ],
}
COUNTERS = {
    "EASE": EASE,
    "ItemKNN": ItemKNN,
    "TransitionCounter": TransitionCounter,
    "Markov": Markov,
}


def run(config):
    split = leave_last_out(load("movielens-100k").interactions)
    runs = {
        name: []
        for name in [
            *config["mixers"],
            "fast",
            *config["blends"],
            *config["without training"],
        ]
    }
    for name in config["without training"]:
        runs[name].append(read(build(config, name, 0), split))
    ease = runs["EASE, recency"][0][1]
    for seed in config["seeds"]:
        for name in [*config["mixers"], "fast"]:
            runs[name].append(read(build(config, name, seed), split))
        for name, (part, weight) in config["blends"].items():
            result = evaluate(
                Blend([runs[part][-1][1], ease], [weight, 1 - weight]), split, fit=False
            )
            runs[name].append(
                (result, None, runs[part][-1][2] + runs["EASE, recency"][0][2])
            )
    users = {
        name: {
            metric: np.mean([result[metric] for result, _, _ in rows], axis=0)
            for metric in METRICS
        }
        for name, rows in runs.items()
    }
    pairs = {
        reference: {
            name: rounded(
                paired_test(users[name]["nDCG@10"], users[reference]["nDCG@10"])
            )
            for name in users
            if name != reference
        }
        for reference in ("attention", "EASE, recency")
    }
    return {
        "models": {name: described(rows, users[name]) for name, rows in runs.items()},
        "paired difference to attention": pairs["attention"],
        "paired difference to EASE, recency": pairs["EASE, recency"],
        "tie bands": tie_bands(config, runs),
        "per user nDCG@10": {
            name: rounded(values["nDCG@10"]) for name, values in users.items()
        },
        "protocol": runs["Markov"][0][0].protocol,
    }


def build(config, name, seed):
    """The recommender of a name in CONFIG."""
    if name in config["without training"]:
        return COUNTERS[name.partition(",")[0]](**config["without training"][name])
    changes = (
        config["fast"] if name == "fast" else {"mixer": name, **config["mixers"][name]}
    )
    settings = {**config["base"], **changes, "seed": seed}
    return SASRecRecommender(config_from(SASRecConfig, settings))


def read(model, split):
    """Fit on train and validation, read the test: evaluation, model, processor seconds."""
    seconds = timed_fit(model, split.train_and_validation)
    return evaluate(model, split, fit=False), model, seconds


def described(rows, users):
    """Means with intervals over users (means over seeds), the mean of each seed, seconds."""
    told = {metric: rounded(bootstrap_interval(users[metric])) for metric in METRICS}
    told["nDCG@10 of each seed"] = rounded(
        result.mean("nDCG@10") for result, _, _ in rows
    )
    return told | {
        "cpu seconds of a fit": round(
            float(np.median([seconds for _, _, seconds in rows])), 1
        )
    }


def tie_bands(config, runs):
    """nDCG@10 of seed 0 where rows of one time stand in another order.

    In the split and in the histories.
    """
    bands = {
        name: {"file-order": round(runs[name][0][0].mean("nDCG@10"), 4)}
        for name in config["models of the tie bands"]
    }
    log = load("movielens-100k").interactions
    for ties, seed in config["tie orders"]:
        split = leave_last_out(log.select(ORDERS[ties](log, seed)))
        label = f"{ties} {seed}" if ties == "random" else ties
        for name in bands:
            bands[name][label] = round(
                read(build(config, name, 0), split)[0].mean("nDCG@10"), 4
            )
    return bands


ORDERS = {
    "reverse-file-order": lambda log, seed: np.arange(len(log))[::-1],
    "item-ascending": lambda log, seed: np.argsort(log.items, kind="stable"),
    "random": lambda log, seed: np.random.default_rng(seed).permutation(len(log)),
}
