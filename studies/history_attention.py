"""What content adds to age where a candidate reads a history: one network, four ways.

Written down before it was run: `pays_ratings` in studies/attention_pays.yml. All
poolings try the same settings, chosen on validation with one seed; the test is read with
five. Then all four at equal lengths, each with the learning rate that was chosen for it.
"""

from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from recsys.book.pays import registered
from recsys.data import load
from recsys.evaluation import (
    draws,
    evaluate,
    leave_last_out,
    rounded,
    tune,
    two_way_interval,
    verdict,
)
from recsys.evaluation.verdicts import holm
from recsys.neural.history_attention import BY_AGE
from recsys.neural.recommender import config_from
from recsys.torch.history_attention import (
    HistoryAttentionConfig,
    HistoryAttentionRecommender,
)

METRIC = "nDCG@10"
DATA = ["movielens-100k"]
CONFIG = registered(Path(__file__).parent, "pays_ratings")


def pieces(config):
    return {pooling: partial(of_pooling, config, pooling) for pooling in config["arms"]}


def of_pooling(config, pooling):
    """What was tried on validation, and each viewer's number on the test."""
    split = leave_last_out(load("movielens-100k").interactions)
    space = config["spaces"]["network"]
    tried, best = tune(
        partial(build, config, pooling, 0),
        draws(space, config["settings"], config["draw seed"]),
        split,
        METRIC,
    )
    tests = {}
    for length in {best["max_length"], *config["equal lengths"]}:
        settings = {**best, "max_length": length}
        tests[str(length)] = [
            read_test(split, build(config, pooling, seed, settings))
            for seed in config["seeds"]
        ]
    return {"tried": tried, "best": best, "tests": tests}


def build(config, pooling, seed, settings):
    flat = {**config["fixed"], **settings, "pooling": pooling, "seed": seed}
    return HistoryAttentionRecommender(config_from(HistoryAttentionConfig, flat))


def read_test(split, model):
    """Each viewer's number, and the rate that was learned."""
    found = evaluate(model, split)
    by_age = model.config.pooling in BY_AGE
    return {
        "values": [round(value, 5) for value in found[METRIC].tolist()],
        "rate": round(model.network.rate().item(), 4) if by_age else None,
        "protocol": found.protocol,
    }


def run(config, done):
    chosen = {arm: piece["best"]["max_length"] for arm, piece in done.items()}
    equal = {
        f"{length} newest": dict.fromkeys(done, length)
        for length in config["equal lengths"]
    }
    return {
        "poolings": {arm: row(piece, chosen[arm]) for arm, piece in done.items()},
        "attention minus": compared(config, done, {"as chosen": chosen})["as chosen"],
        "equal lengths": compared(config, done, equal),
        "levels": {
            name: {
                arm: rounded(two_way_interval(table(done[arm], length)))
                for arm, length in lengths.items()
            }
            for name, lengths in equal.items()
        },
        "protocol": done["decay"]["tests"][str(chosen["decay"])][0]["protocol"],
    }


def row(piece, length):
    """One pooling as chosen: its level, its seeds, and what was tried."""
    tried, best = piece["tried"], piece["best"]
    return {
        "level": rounded(two_way_interval(table(piece, length))),
        "seeds": rounded(table(piece, length).mean(1)),
        "rates": [test["rate"] for test in piece["tests"][str(length)]],
        "best": best,
        "at an end": [
            name for name in best if best[name] in ends([one[name] for one in tried])
        ],
        "tried": tried,
    }


def ends(values):
    return min(values), max(values)


def table(piece, length):
    """(n_seeds, n_viewers)."""
    return np.array([test["values"] for test in piece["tests"][str(length)]])


def compared(config, done, groups):
    """Attention minus each other pooling, in each group of lengths; Holm over all."""
    found = {}
    for name, lengths in groups.items():
        tables = {arm: table(done[arm], length) for arm, length in lengths.items()}
        margin = config["margin"] * tables["decay"].mean()
        for arm in config["arms"]:
            if arm != "attention":
                found[name, arm] = verdict(tables["attention"], tables[arm], margin)
    adjusted = holm(np.array([one.p_value for one in found.values()]))
    told = {name: {} for name in groups}
    for (name, arm), p_value in zip(found, adjusted.tolist(), strict=True):
        one = found[name, arm]
        told[name][arm] = {
            **{key: short(value) for key, value in asdict(one).items()},
            "adjusted p": short(p_value),
            "says": one.says(p_value),
        }
    return told


def short(number):
    return round(number, 5) if isinstance(number, float) else number
