"""Where the ends of a space lie: one setting of history attention moves, the other stays.

Written down before it was run: `pays_ratings_ends` in studies/attention_pays.yml. It is
read on validation only, and nothing is chosen by it.
"""

from functools import partial
from pathlib import Path

from recsys.book.pays import registered
from recsys.data import load
from recsys.evaluation import evaluate, leave_last_out
from recsys.neural.recommender import config_from
from recsys.torch.history_attention import (
    HistoryAttentionConfig,
    HistoryAttentionRecommender,
)

METRIC = "nDCG@10"
DATA = ["movielens-100k"]
CONFIG = registered(Path(__file__).parent, "pays_ratings_ends")


def pieces(config):
    return {pooling: partial(of_pooling, config, pooling) for pooling in config["arms"]}


def of_pooling(config, pooling):
    """For each value of each setting, the mean over viewers, a number a seed."""
    split = leave_last_out(load("movielens-100k").interactions)
    kept = {}  # of a pair of settings; one pair lies on both lines
    found = {}
    for name, values in config["moved"].items():
        found[name] = {}
        for value in values:
            settings = {**config["at"], name: value}
            key = tuple(settings.values())
            if key not in kept:
                kept[key] = [read(config, split, pooling, seed, settings)
                             for seed in config["seeds"]]
            found[name][str(value)] = kept[key]
    return found


def read(config, split, pooling, seed, settings):
    flat = {**config["fixed"], **settings, "pooling": pooling, "seed": seed}
    model = HistoryAttentionRecommender(config_from(HistoryAttentionConfig, flat))
    return round(evaluate(model, split, on="validation").mean(METRIC), 5)


def run(config, done):
    return {
        "validation": {
            pooling: {
                name: {value: round(sum(seeds) / len(seeds), 5)
                       for value, seeds in values.items()}
                for name, values in piece.items()
            }
            for pooling, piece in done.items()
        },
        "seeds": done,
    }
