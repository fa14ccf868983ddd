"""Where the ends of a space lie: one setting of history attention moves, the other stays.

Written down before it was run: `pays_ratings_ends` in studies/attention_pays.yml. It is
read on validation only, and nothing is chosen by it.
"""

from functools import cache, partial
from pathlib import Path

import numpy as np

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
    read = cache(partial(of_settings, config, pooling, split))  # one pair is met twice
    return {
        name: {str(value): read(**{**config["at"], name: value}) for value in values}
        for name, values in config["moved"].items()
    }


def of_settings(config, pooling, split, max_length, learning_rate):
    settings = {
        **config["fixed"],
        "max_length": max_length,
        "learning_rate": learning_rate,
        "pooling": pooling,
    }
    models = [
        HistoryAttentionRecommender(
            config_from(HistoryAttentionConfig, {**settings, "seed": seed})
        )
        for seed in config["seeds"]
    ]
    found = [evaluate(model, split, on="validation") for model in models]
    return [round(one.mean(METRIC), 5) for one in found]


def run(config, done):
    """What the pieces hold, and its mean over the seeds."""
    means = {
        pooling: {
            name: {value: round(float(np.mean(found)), 5) for value, found in line.items()}
            for name, line in lines.items()
        }
        for pooling, lines in done.items()
    }
    return {"validation": means, "a number a seed": done}
