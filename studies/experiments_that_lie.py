"""Designs that lie, beside the truth and in a world where they are right: 40 replicas.

`FORETOLD` was written before the study was run, from small trials with other seeds and
fewer replicas; `run` says of each line whether it came so.
"""

import numpy as np

from recsys.economy import (
    Stream,
    budget_spend,
    cuped,
    feed_minutes,
    planted_world,
    sales_by_city,
    stream_clicks,
)
from recsys.evaluation import rounded, two_way_test

DATA = []
CONFIG = {
    "replicas": 40,
    "seed": 2026,
    "stream": {"steps": 60_000, "period": 1000, "explored": 0.1, "lift": 0.2},
    "budgets": {
        "advertisers": 200,
        "days": 14,
        "lift": 0.2,
        "tightness": [0.5, 0.9, 1.2, 3.0],
    },
    "cities": {
        "number": 40,
        "lift": 0.2,
        "own shares": [1.0, 0.9, 0.7, 0.5],
        "stock noise": 0.05,
    },
    "feed": {
        "users": 200,
        "items": 200,
        "rounds": 60,
        "looks": [1, 3, 7, 14, 28, 60],
        "periods": [1, 5, 10, 15],
        "world": {"outside": 2.5, "leave": -5.0, "attachment": 1.0},
        "memories": {
            "lasting": {"memory_gain": 0.1, "memory_kept": 0.98},
            "fleeting": {"memory_gain": 1.0, "memory_kept": 0.5},
            "none": {"memory_gain": 0.0, "leave": -1000.0},
        },
    },
}
FORETOLD = [
    "exploring: the truth is above 0 on average and the user test below 0 in 38 of 40",
    "exploring: arms with their own data are above 0 in 36 of 40, and below the truth",
    "exploring: a switchback is below 0 on average, since the table is carried over",
    "thumbnail: user test and switchback are within 0.02 of 0.2 on average",
    "budgets: the user test says 0.2 within 0.01 at every tightness",
    "budgets: split and switchback are within 0.01 of the truth at every tightness",
    "cities: a tenth of leakage brings back 0.19 of the bias within 0.03",
    "cities: the closed form 1 - share^2 is within 0.05 at every share",
    "lasting memory: truth below 0, switchbacks up to 10 rounds above it, in 38 of 40",
    "lasting memory: user test above 0 after 1 round, below after 60, in 38 of 40",
    "fleeting memory: switchback of 1 round above 0, of 10 rounds below, in 38 of 40",
    "no memory: switchback and truth are above 0 in 40 of 40, within 0.03 on average",
]


def run(config):
    results = {
        "exploring": stream(config, explored=config["stream"]["explored"]),
        "thumbnail": stream(config, lift=config["stream"]["lift"]),
        "budgets": budgets(config),
        "cities": cities(config),
        "feed": {name: feed(config, name) for name in config["feed"]["memories"]},
    }
    return results | {"foretold": dict(zip(FORETOLD, came(results), strict=True))}


def summary(lifts):
    """Mean over replicas with its t interval, and how many are below 0."""
    lifts = np.asarray(lifts, dtype=float)
    found = two_way_test(lifts[None])
    return {
        "mean": rounded([found.difference, found.low, found.high]),
        "below 0": int((lifts < 0).sum()),
        "above 0": int((lifts > 0).sum()),
    }


def designs(n_steps, period):
    """Nobody, everybody, half, half with their own copy, by turns."""
    turns = np.arange(n_steps) // period % 2
    steps = [np.zeros(n_steps), np.ones(n_steps), *[np.full(n_steps, 0.5)] * 2, turns]
    return np.stack(steps), [False, False, False, True, False]


def read(arms):
    """Truth and what each of three designs says."""
    truth = arms.rates[1, :, 1] / arms.rates[0, :, 0] - 1
    names = ("truth", "user test", "own copy", "switchback")
    return {
        name: summary(lifts)
        for name, lifts in zip(names, [truth, *arms.lifts[2:]], strict=True)
    }


def stream(config, **treatment):
    steps = designs(config["stream"]["steps"], config["stream"]["period"])
    world = Stream(**treatment)
    return read(stream_clicks(world, *steps, config["replicas"], config["seed"]))


def budgets(config):
    settings = config["budgets"]
    rng = np.random.default_rng(config["seed"])
    bids = rng.lognormal(3, 1, settings["advertisers"])
    uneven = bids * rng.lognormal(0, 0.5, settings["advertisers"])
    return {
        str(tightness): read(
            budget_spend(
                bids,
                tightness * uneven,
                settings["lift"],
                *designs(settings["days"], 1),
                config["replicas"],
                config["seed"],
            )
        )
        for tightness in settings["tightness"]
    }


def cities(config):
    """Sales of treated cities over those of others, each over its month before."""
    settings = config["cities"]
    rows = {str(share): [] for share in settings["own shares"]}
    users = []
    for replica in range(config["replicas"]):
        rng = np.random.default_rng([config["seed"], replica])
        size = rng.lognormal(0, 1, settings["number"])
        noise = rng.lognormal(0, settings["stock noise"], (2, settings["number"]))
        treated = rng.permutation(settings["number"]) < settings["number"] // 2
        asked = size * np.where(treated, 1 + settings["lift"], 1)
        for share in settings["own shares"]:
            before = sales_by_city(size, size * noise[0], share)
            after = sales_by_city(asked, size * noise[1], share) / before
            rows[str(share)].append(after[treated].mean() / after[~treated].mean() - 1)
        halves = np.array([1 + settings["lift"], 1.0])  # two arms that share all stock
        got = sales_by_city(halves, np.ones(2), 0.0)
        users.append(got[0] / got[1] - 1)
    found = {share: summary(lifts) for share, lifts in rows.items()}
    return {"user test": round(float(np.mean(users)), 4)} | found


def feed(config, memory):
    """Bait, with every user's minutes of a round before it to adjust by."""
    settings = config["feed"]
    n_rounds, n_users = settings["rounds"], settings["users"]
    rows = {"truth": [], "first round": []}
    rows |= {f"user test, {look}": [] for look in settings["looks"]}
    rows |= {f"switchback, {period}": [] for period in settings["periods"]}
    for replica in range(config["replicas"]):
        numbers = settings["world"] | settings["memories"][memory]
        seed = config["seed"] + replica
        world = planted_world(n_users, settings["items"], seed=seed, **numbers)
        everybody = np.ones((n_rounds, n_users), dtype=bool)
        bait, honest = feed_minutes(world, everybody), feed_minutes(world, ~everybody)
        rows["truth"].append(bait.sum() / honest.sum() - 1)
        rows["first round"].append(bait[0].sum() / honest[0].sum() - 1)
        arm = np.random.default_rng(seed).permutation(n_users) < n_users // 2
        tested = feed_minutes(world, everybody & arm)
        for look in settings["looks"]:
            adjusted = cuped(tested[:look].mean(axis=0), honest[0], arm)
            said = adjusted[arm].mean() / adjusted[~arm].mean() - 1
            rows[f"user test, {look}"].append(said)
        for period in settings["periods"]:
            on = by_turns(n_rounds, period, first=replica % 2)
            turned = feed_minutes(world, everybody & on[:, None])
            said = turned[on].mean() / turned[~on].mean() - 1
            rows[f"switchback, {period}"].append(said)
    return {name: summary(lifts) for name, lifts in rows.items()}


def by_turns(n_rounds, period, first):
    """On, off, off, on, ...: so a trend favours neither; `first` exchanges the two."""
    return (np.arange(n_rounds) // period + 1) // 2 % 2 == first


def came(results):
    """Whether each line of `FORETOLD` came so."""
    exploring, thumbnail = results["exploring"], results["thumbnail"]
    mean = lambda row: row["mean"][0]
    budgets, cities = results["budgets"].values(), results["cities"]
    shares = {name: mean(row) for name, row in cities.items() if name != "user test"}
    bias = {float(share): lift / cities["user test"] for share, lift in shares.items()}
    feeds = results["feed"]
    lasting, fleeting, none = feeds["lasting"], feeds["fleeting"], feeds["none"]
    turns = [lasting[f"switchback, {period}"] for period in (1, 5, 10)]
    yield mean(exploring["truth"]) > 0 and exploring["user test"]["below 0"] >= 38
    own = exploring["own copy"]
    yield own["above 0"] >= 36 and mean(own) < mean(exploring["truth"])
    yield mean(exploring["switchback"]) < 0
    yield all(
        abs(mean(thumbnail[name]) - 0.2) < 0.02 for name in ("user test", "switchback")
    )
    yield all(abs(mean(row["user test"]) - 0.2) < 0.01 for row in budgets)
    yield all(
        abs(mean(row[name]) - mean(row["truth"])) < 0.01
        for row in budgets
        for name in ("own copy", "switchback")
    )
    yield abs(bias[0.9] - 0.19) < 0.03
    yield all(abs(part - (1 - share**2)) < 0.05 for share, part in bias.items())
    down = lasting["truth"]["below 0"] >= 38
    yield down and all(row["above 0"] >= 38 for row in turns)
    first, last = lasting["user test, 1"], lasting["user test, 60"]
    yield first["above 0"] >= 38 and last["below 0"] >= 38
    short, long = fleeting["switchback, 1"], fleeting["switchback, 10"]
    yield short["above 0"] >= 38 and long["below 0"] >= 38
    pairs = [row for name, row in none.items() if name.startswith("switchback")]
    near = all(abs(mean(row) - mean(none["truth"])) < 0.03 for row in pairs)
    up = all(row["above 0"] == 40 for row in [none["truth"], *pairs])
    yield up and near
