"""Viewers with one to six planted interests: one network, attention and its controls."""

from functools import partial

import numpy as np

from recsys.evaluation import (
    bootstrap_interval,
    evaluate,
    leave_last_out,
    paired_test,
    rounded,
    tune,
)
from recsys.simulate.interests import planted_interests
from recsys.neural.recommender import config_from
from recsys.torch.sasrec import SASRecConfig, SASRecRecommender

METRIC = "nDCG@10"
DATA: list[str] = []
CONFIG = {
    "viewers": 1000,
    "length": 50,
    "interests": [1, 2, 4, 6],
    "seeds": [0, 1, 2],
    "mixers": ["attention", "decay", "mean", "last"],
    "tuned with interests": 4,
    "grid": [
        {"epochs": 8, "learning_rate": 4e-3},
        {"epochs": 8, "learning_rate": 8e-3},
        {"epochs": 12, "learning_rate": 8e-3},
    ],
}


class Oracle:
    """Knows what was planted: the next item's true probabilities."""

    def __init__(self, planted):
        self.planted = planted

    def fit(self, interactions):
        self.interactions = interactions
        return self

    def score(self, users, history=None):
        past = self.interactions.of_users(users)
        newest = past.select(past.ages() == 0)
        last = np.zeros(len(users), dtype=np.int64)
        last[newest.users] = newest.items
        return self.planted.probabilities(users, last)


def build(config, mixer, seed, settings):
    shape = {"n_blocks": 1, "max_length": config["length"], "mixer": mixer}
    flat = {**shape, **settings, "seed": seed}
    return SASRecRecommender(config_from(SASRecConfig, flat))


def run(config):
    split = {
        (m, seed): leave_last_out(world(config, m, seed).interactions)
        for m in config["interests"]
        for seed in config["seeds"]
    }
    tuned = {
        mixer: tuned_mixer(config, mixer, split[config["tuned with interests"], 0])
        for mixer in config["mixers"]
    }
    results = {"protocol": "", "tuning": tuned, "by interests": {}}
    for m in config["interests"]:
        per_user = {name: [] for name in ["oracle", *config["mixers"]]}
        for seed in config["seeds"]:
            test = evaluate(
                Oracle(world(config, m, seed)), split[m, seed], repeats=True
            )
            per_user["oracle"].append(test[METRIC])
            for mixer in config["mixers"]:
                model = build(config, mixer, seed, tuned[mixer]["best"])
                test = evaluate(model, split[m, seed], repeats=True)
                per_user[mixer].append(test[METRIC])
        results["protocol"] = test.protocol
        results["by interests"][str(m)] = summary(per_user)
    return results


def world(config, interests, seed):
    """Viewers of another seed are other viewers: seeds differ in data and in training."""
    return planted_interests(
        config["viewers"], interests, config["length"], seed=100 * interests + seed
    )


def tuned_mixer(config, mixer, split):
    """Validation of every setting of the grid, and the best."""
    tried, best = tune(
        partial(build, config, mixer, 0),
        config["grid"],
        split,
        METRIC,
        repeats=True,
        digits=4,
    )
    return {"tried": tried, "best": best}


def summary(per_user):
    """Means with intervals over all viewers of all seeds, and attention minus each, in pairs."""
    flat = {name: np.concatenate(values) for name, values in per_user.items()}
    return {
        "mean": {
            name: rounded(bootstrap_interval(values)) for name, values in flat.items()
        },
        "by seed": {
            name: rounded(part.mean() for part in values)
            for name, values in per_user.items()
        },
        "attention minus": {
            name: rounded(paired_test(flat["attention"], values))
            for name, values in flat.items()
            if name != "attention"
        },
    }
