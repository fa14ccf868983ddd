"""When does attention pay? What each log tells before anything is trained."""

from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from recsys.book.pays import basket_worlds, logs, registered, text
from recsys.book.pays.planted import Viewers
from recsys.book.pays.retail import sessions
from recsys.evaluation import moderators

DATA = [
    "movielens-100k",
    "amazon-beauty",
    "amazon-sports",
    "online-retail-ii",
    "ta-feng",
    "lee-news",
]


def of_study(name, *keys):
    """What was written down for another study, and holds here too."""
    written = registered(Path(__file__).parent, name)
    return {key: written[key] for key in keys}


CONFIG = {
    **of_study("pays_retail", "sessions"),
    **of_study("pays_text", "articles", "rare"),
    **of_study("pays_tafeng", "cut day"),
    **of_study("pays_planted", "length", "interests", "stay", "noise"),
    **registered(Path(__file__).parent, "pays_moderators"),
}


def pieces(config):
    worlds = {name: partial(of_world, config, name) for name in config["worlds"]}
    return {**worlds, "planted viewers": partial(of_viewers, config)}


def run(config, done):
    worlds = {name: done[name] for name in config["worlds"]}
    return {
        "worlds": {**worlds, **done["planted viewers"]},
        "without order": config["without order"],
        "protocol": "the part that is fitted for validation; mean over seeds",
    }


def of_world(config, name):
    """The moderators of one log."""
    return measured(fitted(config, name), config["seeds"])


def fitted(config, name):
    """What the study of a world fits before its validation is read."""
    data = name.partition(",")[0]
    if data == "lee-news":
        world = text.world(config, name)
    elif data == "ta-feng":
        world = basket_worlds.world(config, name)
    elif data == "online-retail-ii":
        read = partial(sessions, config=config["sessions"])
        world = logs.world(config, name, read)
    else:
        world = logs.world(config, name)
    return world.fitted("validation")


def of_viewers(config):
    """The moderators of every planted world of a number of viewers."""
    found = {}
    for stay, noise, interests in product(
        config["stay"], config["noise"], config["interests"]
    ):
        world = {
            "viewers": config["viewers"],
            "interests": interests,
            "stay": stay,
            "noise": noise,
        }
        name = ", ".join(f"{key} {value}" for key, value in world.items())
        log = Viewers(world, config["length"], seed=0).fitted("validation")
        found[name] = measured(log, config["seeds"][:1])
    return found


def measured(log, seeds):
    """Means over the seeds, and the bits of each.

    The error of the mean: users are the same for every seed, so their part stays; the
    part of the seeds shrinks with their number.
    """
    rows = [asdict(moderators(log, seed)) for seed in seeds]
    bits = np.array([row["newest_bits"] for row in rows])
    errors = np.array([row["newest_bits_error"] for row in rows])
    of_seeds = bits.var(ddof=1) / len(seeds) if len(seeds) > 1 else 0.0
    return {
        **{key: round(value, 4) for key, value in rows[0].items()},
        "newest_bits": round(float(bits.mean()), 4),
        "newest_bits_error": round(float(np.sqrt((errors**2).mean() + of_seeds)), 4),
        "seeds": bits.round(4).tolist(),
        "events": len(log),
        "users": int((log.user_counts() > 0).sum()),
        "items": int((log.item_counts() > 0).sum()),
    }
