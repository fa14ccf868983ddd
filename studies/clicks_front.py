"""What clicks don't say: bait over 60 rounds, and 80 policies in four worlds. 8 seeds.

All policies of a seed meet the same people and items. `FORETOLD` was written before the
study was run, from small trials with other seeds; `run` says of each line whether it
came so.
"""

from dataclasses import replace
from itertools import product

import numpy as np

from recsys.economy import best_slates, draw_log, planted_world, play_round, start
from recsys.evaluation import gini, ndcg, rounded, two_way_test

DATA = []
CONFIG = {
    "seeds": [11, 12, 13, 14, 15, 16, 17, 18],
    "users": 200,
    "items": 200,
    "rounds": 60,
    "worlds": {
        "lasting": {"memory_gain": 0.1, "memory_kept": 0.98},
        "fleeting": {"memory_gain": 1.0, "memory_kept": 0.5},
        "forgetful": {"memory_gain": 0.0},
        "captive": {"memory_gain": 0.0, "attachment": 0.0},
    },
    "world": {"outside": 2.5, "leave": -4.0, "attachment": 2.0, "nuisance": 0.5},
    "loads": [0.25, 0.5, 1.0, 2.0, 3.0],
    "lures": [0.0, 0.25, 0.5, 1.0],
    "boosts": [0.0, 0.1, 0.3, 1.0],
    "attachments": [0.0, 1.0, 2.0, 4.0],
    "memories": [0.0, 0.05, 0.1],
    "offline": {"rounds": 20, "policies": 11, "noise": 2.0},
}
FORETOLD = [
    "bait: above 0 in the first round and below 0 in all rounds together, 8 of 8",
    "bait: minutes of all rounds fall by 0.2 to 0.4 on average",
    "bait: the honest ranker is ahead for good from round 4 to 10, 8 of 8",
    "held: nobody can leave or remember: bait gains minutes, takes surplus, 8 of 8",
    "held: memory 0.1: bait loses minutes in 8 of 8, also where nobody can leave",
    "held: no memory, but leaving: bait changes minutes by less than 0.05 on average",
    "offline: honest world: correlation above 0.99 on average",
    "offline: bait: correlation over lures below -0.95 on average",
    "offline: bait: over lures and noise together from -0.7 to 0.3 on average",
    "front: lure 1 is never on the front of the two worlds with memory",
    "front: lure 1 is on the front of the captive world",
    "front: boost 0.3 adds 0.04 to 0.12 of equality for below 0.02 of money, 4 of 4",
]


def run(config):
    results = {
        "bait": bait(config),
        "held": held(config),
        "offline": offline(config),
        "front": {name: front(config, name) for name in config["worlds"]},
    }
    return results | {"foretold": dict(zip(FORETOLD, came(results), strict=True))}


def summary(values):
    """Mean over seeds with its t interval, and the seeds one by one."""
    values = np.asarray(values, dtype=float)
    found = two_way_test(values[None])
    return {
        "mean": rounded([found.difference, found.low, found.high]),
        "seeds": [round(float(value), 4) for value in values],
        "below 0": int((values < 0).sum()),
        "above 0": int((values > 0).sum()),
    }


def planted(config, seed, **settings):
    numbers = config["world"] | settings
    return planted_world(config["users"], config["items"], seed=seed, **numbers)


def lived(config, world, scores, tastes=None):
    """The books of policies, each with its scores of items, side by side.

    No user changes another and nobody tires, so every policy has a copy of all users,
    and one slate of each of them for all rounds.
    """
    tastes, n_slots = world.tastes if tastes is None else tastes, len(world.examination)
    known = np.broadcast_to(tastes, (len(scores), *world.tastes.shape))
    slates = np.concatenate(
        [
            best_slates(tastes, policy, world.topics, n_slots)
            for tastes, policy in zip(known, scores, strict=True)
        ]
    )
    crowd = replace(world, tastes=np.tile(world.tastes, (len(scores), 1)))
    state, spent, surplus, minutes = start(crowd), np.zeros(slates.shape), 0.0, []
    by_policy = lambda users: users.reshape(len(scores), -1)
    for _ in range(config["rounds"]):
        divided, book, state = play_round(crowd, state, slates)
        spent += divided.items * (book.weight * world.minutes)[:, None]
        surplus = surplus + book.weight * (book.realised - world.outside)
        minutes.append(by_policy(book.feed).sum(axis=1))
    made = np.arange(len(scores)).repeat(world.n_users)[:, None] * world.n_creators
    made = (made + world.creators[slates]).ravel()
    made = np.bincount(made, spent.ravel(), len(scores) * world.n_creators)
    rate = world.load * world.price  # money for a minute
    return {
        "minutes": np.array(minutes).T,  # (policies, rounds)
        "surplus": by_policy(surplus).mean(axis=1),
        "money": (1 - world.creators_share) * rate * by_policy(spent).sum(axis=1),
        "equality": np.array([1 - gini(creators) for creators in by_policy(made)]),
        "left": by_policy(book.weight).mean(axis=1),
    }


def both(config, world):
    """The honest ranker and the click ranker."""
    return lived(config, world, [world.quality, world.quality + world.lure])


def bait(config):
    """The click ranker against the honest one, where memory lasts."""
    rows = {"first round": [], "all rounds": [], "surplus": [], "ahead from": []}
    rows |= {"in total from": [], "left, honest": [], "left, bait": []}
    for seed in config["seeds"]:
        world = planted(config, seed, **config["worlds"]["lasting"])
        lives = both(config, world)
        honest, lured = lives["minutes"]
        gain = lured - honest
        rows["first round"].append(gain[0] / honest[0])
        rows["all rounds"].append(gain.sum() / honest.sum())
        rows["surplus"].append(lives["surplus"][1] / lives["surplus"][0] - 1)
        rows["ahead from"].append(after_last(gain >= 0))
        rows["in total from"].append(after_last(gain.cumsum() >= 0))
        rows["left, honest"].append(lives["left"][0])
        rows["left, bait"].append(lives["left"][1])
    return {name: summary(values) for name, values in rows.items()}


def after_last(ahead):
    """The round, from 1, after the last in which it is true."""
    return len(ahead) - np.argmax(ahead[::-1]) + 1 if ahead.any() else 1


def held(config):
    """Bait over honest minutes less 1, by what drives users away and what stays."""
    rows = {}
    for attachment, gain in product(config["attachments"], config["memories"]):
        settings = {"memory_gain": gain, "memory_kept": 0.98, "attachment": attachment}
        lifts, taken = [], []
        for seed in config["seeds"]:
            world = planted(config, seed, **settings)
            lives = both(config, world)
            honest, lured = lives["minutes"].sum(axis=1)
            lifts.append(lured / honest - 1)
            taken.append(lives["surplus"][1] / lives["surplus"][0] - 1)
        row = {"minutes": summary(lifts), "surplus": summary(taken)}
        rows[f"{attachment}, {gain}"] = row
    return rows


def offline(config):
    """Correlation of NDCG on clicks with realised surplus, over policies."""
    names = ("honest world, noise", "bait, lure", "bait, noise", "bait, both")
    rows = {name: [] for name in names}
    n = config["offline"]["policies"]
    lures = [(0.0, lure) for lure in np.linspace(-1, 1, n)]
    noises = [(noise, 0.0) for noise in np.linspace(0, config["offline"]["noise"], n)]
    for seed in config["seeds"]:
        world = planted(config, seed, **config["worlds"]["lasting"])
        honest = replace(world, lure=np.zeros(world.n_items))
        sets = [(honest, noises), (world, lures), (world, noises)]
        points = [judged(config, of, policies, seed) for of, policies in sets]
        points.append(np.hstack(points[1:]))
        for name, (metric, surplus) in zip(names, points, strict=True):
            rows[name].append(np.corrcoef(metric, surplus)[0, 1])
    return {name: summary(values) for name, values in rows.items()}


def judged(config, world, policies, seed):
    """NDCG@10 on the clicks of evenly drawn slates, and realised surplus: (2, n)."""
    rng = np.random.default_rng(seed)
    clicked = np.zeros((world.n_users, world.n_items), dtype=bool)
    for number in range(config["offline"]["rounds"]):
        noise = rng.random(clicked.shape)
        slates = noise.argsort(axis=1)[:, : len(world.examination)]
        log = draw_log(world, start(world), slates, seed=[seed, number])
        clicked[log.user[log.click], log.item[log.click]] = True
    asked = clicked.any(axis=1)
    error = rng.normal(size=world.tastes.shape)
    noises, lures = np.array(policies).T
    tastes = world.tastes + noises[:, None, None] * error
    scores = world.quality + lures[:, None] * world.lure
    found = []
    for known, policy in zip(tastes, scores, strict=True):
        order = np.argsort(-(known[:, world.topics] + policy), axis=1, kind="stable")
        hits = np.take_along_axis(clicked, order[:, :10], axis=1)
        found.append(ndcg(hits[asked], clicked[asked].sum(axis=1)).mean())
    return np.array([found, lived(config, world, scores, tastes)["surplus"]])


def front(config, name):
    """Surplus, the platform's money, equality of creators: who is not dominated."""
    grid = list(product(config["loads"], config["lures"], config["boosts"]))
    accounts = np.empty((len(config["seeds"]), len(grid), 3))
    for row, seed in enumerate(config["seeds"]):
        world = planted(config, seed, **config["worlds"][name])
        small = smaller_half(world)[world.creators]
        scores = [
            world.quality + lure * world.lure + boost * small
            for lure, boost in product(config["lures"], config["boosts"])
        ]
        for place, load in enumerate(config["loads"]):
            lives = lived(config, replace(world, load=load), scores)
            columns = slice(place * len(scores), (place + 1) * len(scores))
            names = ("surplus", "money", "equality")
            accounts[row, columns] = np.stack([lives[name] for name in names], axis=1)
    mean = accounts.mean(axis=0)
    lures = np.array([lure for _, lure, _ in grid])
    kept = undominated(mean)
    each = np.array([undominated(of_seed) for of_seed in accounts])
    return {
        "policies": [
            [*policy, *np.round(values, 4).tolist(), bool(on)]
            for policy, values, on in zip(grid, mean, kept, strict=True)
        ],
        "on the front": int(kept.sum()),
        "by lure": {str(w): int(kept[lures == w].sum()) for w in config["lures"]},
        "by lure, seeds": {
            str(w): each[:, lures == w].sum(axis=1).tolist() for w in config["lures"]
        },
        "boost": boosted(grid, accounts),
    }


def smaller_half(world):
    """Creators with the fewest minutes in an honest first round: bool (n_creators,)."""
    slates = best_slates(
        world.tastes, world.quality, world.topics, len(world.examination)
    )
    items = play_round(world, start(world), slates)[1].items
    made = np.bincount(world.creators, items, minlength=world.n_creators)
    return made.argsort(kind="stable").argsort(kind="stable") < world.n_creators // 2


def undominated(accounts):
    """Rows (n, 3) for which no other is at least as good in all and better in one."""
    as_good = (accounts[:, None] >= accounts).all(axis=2)  # [a, b]: a as good as b
    better = (accounts[:, None] > accounts).any(axis=2)
    return ~(as_good & better).any(axis=0)


def boosted(grid, accounts):
    """What each boost changes at load 1 without lure, against no boost, by seed."""
    place = {policy: number for number, policy in enumerate(grid)}
    none = accounts[:, place[1.0, 0.0, 0.0]]
    rows = {}
    for boost in sorted({policy[2] for policy in grid} - {0.0}):
        some = accounts[:, place[1.0, 0.0, boost]]
        rows[str(boost)] = {
            "surplus": summary(some[:, 0] / none[:, 0] - 1),
            "money": summary(some[:, 1] / none[:, 1] - 1),
            "equality": summary(some[:, 2] - none[:, 2]),
        }
    return rows


def came(results):
    """Whether each line of `FORETOLD` came so."""
    yield from came_of_bait(results["bait"])
    yield from came_of_held(results["held"])
    honest, lure, _, both = (row["mean"][0] for row in results["offline"].values())
    yield honest > 0.99
    yield lure < -0.95
    yield -0.7 < both < 0.3
    fronts = results["front"]
    yield all(fronts[name]["by lure"]["1.0"] == 0 for name in ("lasting", "fleeting"))
    yield fronts["captive"]["by lure"]["1.0"] > 0
    boosts = [of_world["boost"]["0.3"] for of_world in fronts.values()]
    yield all(
        0.04 < row["equality"]["mean"][0] < 0.12 and row["money"]["mean"][0] > -0.02
        for row in boosts
    )


def came_of_bait(rows):
    first, whole = rows["first round"], rows["all rounds"]
    yield first["above 0"] == 8 and whole["below 0"] == 8
    yield -0.4 < whole["mean"][0] < -0.2
    yield all(4 <= number <= 10 for number in rows["ahead from"]["seeds"])


def came_of_held(rows):
    captive = rows["0.0, 0.0"]
    yield captive["minutes"]["above 0"] == 8 and captive["surplus"]["below 0"] == 8
    memories = [row for name, row in rows.items() if name.endswith(", 0.1")]
    yield all(row["minutes"]["below 0"] == 8 for row in memories)
    leaving = [rows[f"{attachment}, 0.0"] for attachment in (1.0, 2.0, 4.0)]
    yield all(abs(row["minutes"]["mean"][0]) < 0.05 for row in leaving)
