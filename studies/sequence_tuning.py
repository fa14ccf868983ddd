"""Sequence models of MovieLens 100K on validation: the same configurations for all."""

from recsys.baselines import EASE
from recsys.baselines.blend import Blend
from recsys.baselines.transitions import Markov, TransitionCounter
from recsys.data import load
from recsys.evaluation import (
    combinations,
    evaluate,
    leave_last_out,
    timed_fit,
    tune,
)
from recsys.neural.recommender import config_from
from recsys.torch.sasrec import SASRecConfig, SASRecRecommender

METRIC = "nDCG@10"
DATA = ["movielens-100k"]
CONFIG = {
    "mixers": ["attention", "decay", "mean", "last"],
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
    "tried": [
        {},
        {"max_length": 50},
        {"learning_rate": 0.004},
        {"dropout": 0.3, "epochs": 12},
        {"n_blocks": 2},
    ],
    "fast": [{"max_length": 50, "learning_rate": 0.012, "epochs": 4}],
    "blend weights of SASRec": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
    "EASE, recency": {"l2": 400, "recency": 0.9},
    "TransitionCounter": {
        "window": [10, 20],
        "distance_power": [1.0],
        "tau": [100, 300, 1000, 3000],
        "recency": [0.6, 0.7, 0.8],
        "head": [None, 7],
        "popularity_weight": [-0.03, 0.003],
    },
    "Markov": {"smoothing": [1, 3, 10, 30, 100, 300]},
}


def run(config):
    split = leave_last_out(load("movielens-100k").interactions)
    results = {mixer: tuned(config, split, mixer) for mixer in config["mixers"]}
    for budget in ("tried", "fast"):
        results[f"best of the {budget}"] = max(
            (results[mixer][budget]["best"] for mixer in config["mixers"]),
            key=lambda row: row[METRIC],
        )
    results |= {
        model.__name__: counted(split, model, config[model.__name__])
        for model in (TransitionCounter, Markov)
    }
    return results | blends(config, split, results)


def tuned(config, split, mixer):
    """Every configuration with one mixer."""
    told = {}
    for budget in ("tried", "fast"):
        rows = [
            trained(split, {**config["base"], **changes, "mixer": mixer})
            for changes in config[budget]
        ]
        told[budget] = {"rows": rows, "best": max(rows, key=lambda row: row[METRIC])}
    return told


def blends(config, split, results):
    """The best model of each budget with EASE, in every proportion."""
    ease = EASE(**config["EASE, recency"]).fit(split.train)
    told = {"protocol": evaluate(ease, split, on="validation", fit=False).protocol}
    for budget in ("tried", "fast"):
        model = build(results[f"best of the {budget}"]["settings"]).fit(split.train)
        told[f"blend of the best of the {budget} and EASE, recency"] = blended(
            split, model, ease, config["blend weights of SASRec"]
        )
    return told


def build(settings):
    """The recommender of a flat dict of settings."""
    return SASRecRecommender(config_from(SASRecConfig, settings))


def trained(split, settings):
    """One row of the tuning."""
    model = build(settings)
    seconds = timed_fit(model, split.train)
    result = evaluate(model, split, on="validation", fit=False)
    return {
        "settings": settings,
        METRIC: round(result.mean(METRIC), 4),
        "recall@10": round(result.mean("recall@10"), 4),
        "cpu seconds of a fit": round(seconds, 1),
    }


def blended(split, model, ease, weights):
    """Validation of a weighted sum of two fitted models, for each weight of the first."""
    rows = []
    for weight in weights:
        both = Blend([model, ease], [weight, 1 - weight])
        result = evaluate(both, split, on="validation", fit=False)
        rows.append({"weight": weight, METRIC: round(result.mean(METRIC), 4)})
    return {"rows": rows, "best": max(rows, key=lambda row: row[METRIC])}


def counted(split, model, grid):
    """Validation of every combination of a grid, the ten best kept."""
    rows, best = tune(
        lambda settings: model(**settings), combinations(grid), split, METRIC, digits=4
    )
    rows.sort(key=lambda row: -row[METRIC])
    return {
        "tried": len(rows),
        "ten best": rows[:10],
        "best": best,
        METRIC: rows[0][METRIC],
    }
