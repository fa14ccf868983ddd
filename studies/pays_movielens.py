"""When does attention pay? MovieLens 100K, under two protocols, and the best blend."""

from pathlib import Path

import numpy as np

from recsys.baselines.blend import Blend
from recsys.book.pays import logs, registered
from recsys.book.pays.arms import COUNTERS, build
from recsys.evaluation import rounded, two_way_interval

DATA = ["movielens-100k"]
CONFIG = registered(Path(__file__).parent, "pays_movielens")


def pieces(config):
    return logs.pieces(config)


def run(config, done):
    return logs.results(config, done) | {"blend": blended(config, done)}


def blended(config, done):
    """The best network and the best counter on validation, their weight chosen there."""
    name = "movielens-100k, last out"
    world = logs.world(config, name)

    def best(arms):
        return max(arms, key=lambda arm: top(done[f"{name}: {arm}"]))

    network = best([arm for arm in config["arms"] if arm not in COUNTERS])
    counter = best([arm for arm in config["arms"] if arm in COUNTERS])
    settings = {arm: done[f"{name}: {arm}"]["settings"] for arm in (network, counter)}

    def fitted(arm, seed, on):
        return build(arm, settings[arm], seed).fit(world.fitted(on))

    parts = [fitted(arm, 0, "validation") for arm in (network, counter)]
    tried = {
        weight: float(
            world.read(Blend(parts, [weight, 1 - weight]), "validation").mean()
        )
        for weight in config["blend weights"]
    }
    weight = max(tried, key=tried.get)
    other = fitted(counter, 0, "test")
    table = np.array(
        [
            world.read(
                Blend([fitted(network, seed, "test"), other], [weight, 1 - weight]),
                "test",
            )
            for seed in config["seeds"]
        ]
    )
    return {
        "of": [network, counter],
        "weight of the network": weight,
        "validation": rounded(tried.values()),
        "level": rounded(two_way_interval(table)),
        "seeds": rounded(table.mean(1)),
    }


def top(piece):
    return max(tried["validation"] for tried in piece["search"])
