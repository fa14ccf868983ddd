"""Neural collaborative filtering against a dot product: the same search, then the test.

Four models are trained on the same pairs with the same loss (He and others, 2017; Rendle and
others, 2020). Each is tuned over the same grid on validation with one seed; the test is read
with five. The test of the first paper, the right film among 99 drawn at random, stands beside.
"""

from functools import partial

import numpy as np

from recsys.baselines import EASE, ImplicitALS, Popularity
from recsys.data import load
from recsys.evaluation import (
    bootstrap_interval,
    combinations,
    evaluate,
    leave_last_out,
    ndcg,
    paired_test,
    rounded,
    sampled_hits,
    tune,
)
from recsys.neural.recommender import config_from
from recsys.torch.ncf import (
    DotProductConfig,
    DotProductRecommender,
    GMFConfig,
    GMFRecommender,
    MLPConfig,
    MLPRecommender,
    NeuMFConfig,
    NeuMFRecommender,
)

METRIC = "nDCG@10"
DATA = ["movielens-100k"]
MODELS = {
    "dot product": (DotProductRecommender, DotProductConfig),
    "GMF": (GMFRecommender, GMFConfig),
    "MLP": (MLPRecommender, MLPConfig),
    "NeuMF": (NeuMFRecommender, NeuMFConfig),
}
BESIDE = {"Popularity": Popularity, "ImplicitALS": ImplicitALS, "EASE": EASE}
CONFIG = {
    "grid of each": {
        "dim": [16, 32],
        "l2": [0.0001, 0.001, 0.003],
        "learning_rate": [0.01, 0.03],
    },
    "fixed": {"negatives": 4, "batch_size": 4096, "epochs": 10, "clip_norm": 10.0},
    "seed of the search": 0,
    "seeds of the test": [0, 1, 2, 3, 4],
    "beside": {
        "Popularity": {},
        "ImplicitALS": {"factors": 192, "alpha": 4, "l2": 20},
        "EASE": {"l2": 100},
    },
    "sampled": {"negatives": 99, "seed": 0},
}


def run(config):
    split = leave_last_out(load("movielens-100k").interactions)
    results, tests = {}, {}
    for name in MODELS:
        tried, best = tune(
            partial(build, config, name, config["seed of the search"]),
            combinations(config["grid of each"]),
            split,
            METRIC,
        )
        tests[name] = [
            read_test(config, split, build(config, name, seed, best))
            for seed in config["seeds of the test"]
        ]
        results[name] = {"grid": tried, "best": best}
    for name, settings in config["beside"].items():
        tests[name] = [read_test(config, split, BESIDE[name](**settings))]
        results[name] = {"grid": [], "best": settings}
    return {
        "models": {
            name: {**row, **summary(tests[name], tests["dot product"])}
            for name, row in results.items()
        },
        "protocol": tests["EASE"][0]["protocol"],
    }


def build(config, name, seed, settings):
    recommender, sizes = MODELS[name]
    flat = {**config["fixed"], **settings, "seed": seed}
    return recommender(config_from(sizes, flat))


def read_test(config, split, model):
    """Each viewer's numbers on the test: over all films, and among a sample of them."""
    full = evaluate(model, split)
    taken = split.train_and_validation.of_users(full.users).seen()
    target = split.test.items[np.argsort(split.test.users)]
    hits = sampled_hits(
        np.asarray(model.score(full.users), dtype=float),
        target,
        config["sampled"]["negatives"],
        10,
        taken,
        config["sampled"]["seed"],
    )
    return {
        "full": full[METRIC].tolist(),
        "hit": full["hit@10"].tolist(),
        "protocol": full.protocol,
        "sampled": ndcg(hits, np.ones(len(hits), dtype=int)).tolist(),
        "sampled hit": hits.any(axis=1).astype(float).tolist(),
    }


def summary(runs, reference):
    """Means over seeds and viewers, and the difference to the dot product, viewer by viewer."""
    row = {}
    for name in ("full", "hit", "sampled", "sampled hit"):
        mean, against = (
            np.mean([run[name] for run in some], axis=0) for some in (runs, reference)
        )
        row[name] = {
            "mean": rounded(bootstrap_interval(mean)),
            "seeds": rounded(np.mean(run[name]) for run in runs),
            "minus dot product": rounded(paired_test(mean, against)),
        }
    return row
