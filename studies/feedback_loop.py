"""What does a recommender learn from the log of its own slates? Eight planted worlds.

Three parts, each a loop of `recsys.economy.loop` with the truth known: *static* tastes
and a fixed catalogue; *fresh*, where items arrive and people come at different rates;
*change*, where half of the people get other tastes. Value is the expected clicks of
the slates that are shown, over those of an oracle that ranks by the truth. Worlds are
paired: every arm sees the same people and items.

Settings were chosen on a world of seed 100 with 600 people and 300 items, which the
study does not read: eight for each label of the factors (8 or 16 factors, four
ridges), and the pull of an update from five. EASE stands here untuned. An earlier
trial is that of another simulator, in which a slate could be clicked more than once.

Predictions, written before the study ran and after those trials:

 1. Clicks over impressions beat clicks as ones by .15 to .25 of the oracle's value, in
    8 of 8 worlds. (The earlier trial had .30.)
 2. Looks against impressions is not decided, or impressions are ahead: the trials had
    impressions ahead by .026. (The earlier trial had looks ahead by .024.)
 3. Uniform exploration in a tenth of all slots costs .02 to .06 of value in at least 7
    of 8 worlds, and in the last slot alone less than half of that. Both bring coverage
    above .8.
 4. The list by click counts after one round and that after 29 share at least 8 of 10
    items, and which list it is is luck: over three draws of the first round in one
    world the value varies by .03 or more (standard deviation).
 5. Overlap of the factors' slates ends above the oracle's, not below. (The earlier
    trial had it below.) It falls from round to round.
 6. Fresh items are never reached by click counts; with uniform exploration most are.
    The factors reach more than half without exploring, since an unseen item is worth
    the mean.
 7. After the change static factors end below .45 of the oracle; factors that learn on
    come back to nine tenths of where they were within 15 rounds (150 impressions, 75
    clicks a person at the most) where rows fade, and later where they do not.
 8. Fading costs those who did not change .05 or more. Factors that were fitted to the
    whole log until the change, and from then on are updated from the newest round
    alone with the same ridge, lose .2 or more for people who did not change; replay of
    as many older rows mends a third to a half of that, of five times as many two
    thirds or more. With a pull of 16 they forget nothing, and those who changed come
    back more slowly than with the whole log.
 9. Of the slices, rare visitors lose most; items that few like and items that are new
    are missed more often than others.

The study was then read once. Predictions 3 (its price) and 9 (new items) had failed and
overlap was twice the oracle's. Two readings were added to say why, and predicted:

10. Overlap is nearer the oracle's with 16 factors than with 8: eight cannot hold
    sixteen topics.
11. The lists that the exploring factors would show without exploring are worth .02 to
    .05 more than those of factors that never explored: what is learned pays the price.

That run, whose random numbers were others, put the last slot .027 above no exploration,
ahead in 8 worlds, where the first had put it .006 above, ahead in 4. What is drawn in a
loop moves it as much as the world does, so labels and exploration are now compared by
means of three draws in each world.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy import stats

from recsys.baselines import EASE
from recsys.economy.loop import from_clicks, run_loop, spread
from recsys.economy.market import planted_world
from recsys.economy.pair_factors import PairFactors
from recsys.economy.rounds import play_round, start
from recsys.evaluation import two_way_test

DATA: list[str] = []
CONFIG = {
    "seeds": list(range(8)),
    "world": {"n_users": 300, "n_items": 200, "temperature": 0.5, "outside": 3.0},
    "rounds": 30,
    "factors": {"ones": 16, "impressions": 8, "looks": 8},
    "l2": {"ones": 4.0, "impressions": 1.0, "looks": 1.0},
    "ease": 30.0,
    "explored": 0.1,
    "again": 3,
    "draws": 3,
    "drawn again": [
        "ones",
        "impressions",
        "looks",
        "looks, explored",
        "looks, last slot",
    ],
    "arriving": 4,
    "reached": {"impressions": 5, "rounds": 15},
    "least coming": 0.1,
    "change": {"before": 20, "after": 20, "kept": 0.8, "slow": 16.0, "back": 0.9},
    "decimals": 4,
}
PROTOCOL = (
    "eight planted worlds, 300 people, 200 items (316 at the end where they arrive), "
    "ten slots, no lures, one choice a slate at temperature .5, outside option of 3; "
    "first slates even, then 29 rounds (39 with a change) of learning from all that "
    "was shown; ties by item index; value is expected clicks of the slates shown over "
    "those of the oracle's, mean of the last five rounds; differences are paired over "
    "worlds, t interval of eight; labels and exploration are means of three "
    "draws a world; settings from one other world, eight tries a label"
)


def pieces(config):
    asked = {}
    for seed in config["seeds"]:
        asked[f"change, {seed}"] = partial(change, config, seed)
        for draw in range(config["draws"]):
            asked[f"static, {seed}, {draw}"] = partial(static, config, seed, draw)
            asked[f"fresh, {seed}, {draw}"] = partial(fresh, config, seed, draw)
    return asked


def run(config, done):
    of = {
        part: [over_draws(config, done, part, seed) for seed in config["seeds"]]
        for part in ("static", "fresh")
    }
    of["change"] = [done[f"change, {seed}"] for seed in config["seeds"]]
    value = {arm: [w[arm]["last"] for w in of["static"]] for arm in of["static"][0]}
    lists = {
        arm: [w[arm]["lists"] for w in of["static"]]
        for arm in of["static"][0]
        if "lists" in of["static"][0][arm]
    }
    overlap = {arm: [w[arm]["overlap"] for w in of["static"]] for arm in value}
    fresh_value = {arm: [w[arm]["last"] for w in of["fresh"]] for arm in of["fresh"][0]}
    return {
        "protocol": PROTOCOL,
        "static": averaged(of["static"]),
        "fresh": averaged(of["fresh"]),
        "change": averaged(of["change"]),
        "value by world": value,
        "differences": {
            "impressions - ones": paired(value, "impressions", "ones"),
            "looks - impressions": paired(value, "looks", "impressions"),
            "looks - ones": paired(value, "looks", "ones"),
            "explored - looks": paired(value, "looks, explored", "looks"),
            "last slot - looks": paired(value, "looks, last slot", "looks"),
            "last slot - explored": paired(
                value, "looks, last slot", "looks, explored"
            ),
            "counts explored - counts": paired(value, "counts, explored", "counts"),
            "rate - counts": paired(value, "click rate", "counts"),
            "fresh: last slot - looks": paired(
                fresh_value, "looks, last slot", "looks"
            ),
            "lists: explored - looks": paired(lists, "looks, explored", "looks"),
            "lists: last slot - looks": paired(lists, "looks, last slot", "looks"),
            "overlap: looks - oracle": paired(overlap, "looks", "oracle"),
            "overlap: looks, 16 factors - looks": paired(
                overlap, "looks, 16 factors", "looks"
            ),
            **changes(of["change"]),
        },
    }


def over_draws(config, done, part, seed):
    """One world: the mean over draws of those arms that were run with several."""
    draws = [done[f"{part}, {seed}, {draw}"] for draw in range(config["draws"])]
    again = [arm for arm in config["drawn again"] if arm in draws[0]]
    means = averaged([{arm: draw[arm] for arm in again} for draw in draws])
    return draws[0] | means


def static(config, seed, draw):
    """Tastes and catalogue stay as they are."""
    world = planted(config, seed)
    worlds = [world] * config["rounds"]
    explored = config["explored"]
    everywhere = np.full(len(world.examination), explored)
    last = np.eye(len(world.examination))[-1]
    learners = {
        "random": lambda log: np.random.default_rng(len(log)).random(shape_of(world)),
        "oracle": lambda log: truth(world),
        "one list for all": lambda log: one_list(world),
        "counts": counts(world),
        "click rate": click_rate(world),
        "ones": factors(config, world, "ones", seed),
        "impressions": factors(config, world, "impressions", seed),
        "looks": factors(config, world, "looks", seed),
        "looks, 16 factors": factors(config, world, "looks", seed, factors=16),
        "EASE": from_clicks(EASE(config["ease"]), world),
    }
    runs = {name: (learn, None) for name, learn in learners.items()}
    runs["counts, explored"] = counts(world), everywhere
    runs["looks, explored"] = factors(config, world, "looks", seed), everywhere
    runs["looks, last slot"] = factors(config, world, "looks", seed), last
    told, best = {}, None
    order = ["oracle", *(name for name in runs if name != "oracle")]
    for name in asked_for(config, order, draw):
        learn, explore = runs[name]
        loop = run_loop(worlds, learn, explore=explore, seed=seed + 1000 * draw)
        best = loop.clicks[-1].mean() if best is None else best
        told[name] = shown(config, loop, best, world.n_items)
        if name.startswith("looks"):
            told[name]["lists"] = unexplored(config, world, learn, loop, best)
        if name in ("counts", "click rate"):
            told[name] |= locked_in(config, world, learn, loop, best, seed)
    told["oracle"]["clicks"] = rounded(config, best)
    return told


def fresh(config, seed, draw):
    """Items arrive, and people come at different rates."""
    rounds, arriving = config["rounds"], config["arriving"]
    n_first = config["world"]["n_items"]
    world = planted(config, seed, n_items=n_first + arriving * (rounds - 1))
    born = np.append(np.zeros(n_first, int), np.repeat(np.arange(1, rounds), arriving))
    coming = np.random.default_rng(seed).uniform(
        config["least coming"], 1, world.n_users
    )
    everywhere = np.full(len(world.examination), config["explored"])
    last = np.eye(len(world.examination))[-1]
    runs = {
        "oracle": (lambda log: truth(world), None),
        "counts": (counts(world), None),
        "counts, explored": (counts(world), everywhere),
        "looks": (factors(config, world, "looks", seed), None),
        "looks, explored": (factors(config, world, "looks", seed), everywhere),
        "looks, last slot": (factors(config, world, "looks", seed), last),
    }
    told, oracle = {}, None
    for name in asked_for(config, runs, draw):
        learn, explore = runs[name]
        loop = run_loop(
            [world] * rounds,
            learn,
            explore=explore,
            born=born,
            coming=coming,
            seed=seed + 1000 * draw,
        )
        oracle = loop if oracle is None else oracle
        ratio = loop.clicks.mean(axis=1) / oracle.clicks.mean(axis=1)
        told[name] = {"last": rounded(config, ratio[-5:].mean())}
        told[name] |= reached(config, loop.log, born)
        told[name] |= slices(config, world, loop, oracle, born, coming)
    return told


def change(config, seed):
    """Every second person has other tastes from some round on."""
    how, world = config["change"], planted(config, seed)
    before, changed = how["before"], np.arange(world.n_users) % 2 == 0
    drawn = np.random.default_rng([seed, 1]).normal(size=world.tastes.shape)
    later = replace(world, tastes=np.where(changed[:, None], drawn, world.tastes))
    worlds = [world] * before + [later] * how["after"]
    best = [
        run_loop([w] * 2, lambda log, w=w: truth(w), seed=seed).clicks[1]
        for w in (world, later)
    ]
    best = np.repeat(best, [before, how["after"]], axis=0)  # (n_rounds, n_users)
    stopped = factors(config, world, "looks", seed)
    learners = {
        "static": lambda log: stopped(log.rows(log.round < before)),
        "whole log": factors(config, world, "looks", seed),
        "fading": factors(config, world, "looks", seed, kept=how["kept"]),
        "newest": updated(config, world, seed, replay=0),
        "newest, replay": updated(config, world, seed, replay=1),
        "newest, much replay": updated(config, world, seed, replay=5),
        "newest, slow": updated(config, world, seed, replay=0, l2=how["slow"]),
    }
    told = {}
    for name, learn in learners.items():
        clicks = run_loop(worlds, learn, seed=seed).clicks
        halves = {"changed": changed, "same": ~changed}
        curve = {
            half: clicks[:, rows].mean(axis=1) / best[:, rows].mean(axis=1)
            for half, rows in halves.items()
        }
        told[name] = {half: rounded(config, curve[half]) for half in curve}
        told[name] |= recovery(how, curve["changed"], clicks[:, changed].mean(axis=1))
    return told


def asked_for(config, names, draw):
    """All arms in the first draw of a world, later those that are drawn again."""
    again = ("oracle", *config["drawn again"])
    return [name for name in names if not draw or name in again]


def planted(config, seed, **other):
    """A world without lures: what is promised is what is kept."""
    world = planted_world(seed=seed, **{**config["world"], **other})
    return replace(world, lure=np.zeros(world.n_items))


def truth(world):
    return world.tastes[:, world.topics] + world.quality


def shape_of(world):
    return world.n_users, world.n_items


def counts(world):
    return lambda log: np.bincount(log.item, log.click, minlength=world.n_items)


def click_rate(world, doubt=5.0):
    """Clicks over impressions, and `doubt` more at the mean rate for each item."""

    def learn(log):
        clicks = np.bincount(log.item, log.click, minlength=world.n_items)
        impressions = np.bincount(log.item, minlength=world.n_items)
        return (clicks + doubt * log.click.mean()) / (impressions + doubt)

    return learn


def factors(config, world, label, seed, **other):
    looks = {"ones": None, "impressions": np.ones_like(world.examination)}
    settings = {name: config[name][label] for name in ("factors", "l2")}
    return PairFactors(
        shape_of(world),
        looks.get(label, world.examination),
        **{**settings, "seed": seed, **other},
    )


def updated(config, world, seed, **then):
    """Factors of the whole log until the change, and of the newest round after it."""
    model = factors(config, world, "looks", seed)

    def learn(log):
        if log.round.max() >= config["change"]["before"]:
            model.replay, model.l2 = then["replay"], then.get("l2", model.l2)
        return model(log)

    return learn


def one_list(world):
    """Scores of the list for everybody that is built greedily from the truth."""
    odds = np.exp((truth(world) - world.outside) / world.temperature)
    taken, scores = np.zeros(world.n_users), np.zeros(world.n_items)
    for place, looked in enumerate(world.examination):
        with_it = taken[:, None] + looked * odds  # (n_users, n_items)
        gain = (with_it / (1 + with_it)).mean(axis=0)
        item = np.argmax(np.where(scores > 0, -1, gain))
        scores[item] = len(world.examination) - place
        taken = with_it[:, item]
    return scores


def shown(config, loop, best, n_items):
    """Value by round, and how the last slates are spread."""
    value = loop.clicks.mean(axis=1) / best
    overlaps = [
        spread(slates, n_items)["overlap"] for slates in loop.slates[[1, 9, 29]]
    ]
    return {
        "last": rounded(config, value[-5:].mean()),
        "value": rounded(config, value),
        "overlap at 2, 10, 30": rounded(config, overlaps),
        **{k: rounded(config, v) for k, v in spread(loop.slates[-1], n_items).items()},
    }


def unexplored(config, world, learn, loop, best):
    """Value of the lists that a learner would show next if it explored nothing."""
    lists = np.argsort(-learn(loop.log), axis=1, kind="stable")
    lists = lists[:, : len(world.examination)]
    clicks = play_round(world, start(world), lists)[0].items.sum(axis=1)
    return rounded(config, clicks.mean() / best)


def locked_in(config, world, learn, loop, best, seed):
    """What is left of the first list, and values after other first rounds."""
    first, end = (
        set(np.argsort(-learn(loop.log.rows(loop.log.round < r)), kind="stable")[:10])
        for r in (1, config["rounds"] - 1)
    )
    again = [
        run_loop([world] * config["rounds"], learn, seed=100 * (seed + 1) + draw)
        for draw in range(config["again"])
    ]
    values = [other.clicks[-5:].mean() / best for other in again]
    return {
        "kept of the first list": len(first & end),
        "deviation over first rounds": rounded(config, np.std(values, ddof=1)),
    }


def reached(config, log, born):
    """Of items that arrived, the share that got enough impressions, and when."""
    enough, rounds = config["reached"]["impressions"], config["reached"]["rounds"]
    items = np.flatnonzero((born > 0) & (born <= config["rounds"] - rounds))
    after = []
    for item in items:
        when = np.sort(log.round[log.item == item])
        late = when[enough - 1] - born[item] + 1 if len(when) >= enough else np.inf
        after.append(late)
    after = np.array(after)
    in_time = after <= rounds
    return {
        "reached": rounded(config, in_time.mean()),
        "reached after": float(np.median(after[in_time])) if in_time.any() else None,
    }


def slices(config, world, loop, oracle, born, coming):
    """Value by how often people come; items of the oracle that are found."""
    ratio = {}
    for place, rows in enumerate(np.array_split(np.argsort(coming), 3)):
        parts = (loop.clicks[-5:, rows].mean(), oracle.clicks[-5:, rows].mean())
        ratio[f"people, third {place + 1}"] = parts[0] / parts[1]
    wanted, given = oracle.slates[-1], loop.slates[-1]
    found = (wanted[:, :, None] == given[:, None, :]).any(axis=2)  # (n_users, n_slots)
    liked = np.exp(truth(world) / world.temperature).mean(axis=0)
    quarter = np.searchsorted(np.quantile(liked, [0.25, 0.5, 0.75]), liked)
    for place in range(4):
        chosen = quarter[wanted] == place
        ratio[f"items, quarter {place + 1}"] = (
            found[chosen].mean() if chosen.any() else 0
        )
    age = config["rounds"] - born[wanted]
    for name, low, high in (("new", 0, 5), ("younger", 6, 29), ("first", 30, 99)):
        ratio[f"items, {name}"] = found[(age >= low) & (age <= high)].mean()
    return {name: rounded(config, value) for name, value in ratio.items()}


def recovery(how, curve, clicks):
    """Rounds and clicks a person until the changed half is back; None if it is not."""
    before = how["before"]
    level = curve[before - 5 : before].mean()
    back = np.flatnonzero(curve[before:] >= how["back"] * level)
    if not len(back):
        return {"rounds until back": None, "clicks until back": None}
    return {
        "rounds until back": int(back[0]),
        "clicks until back": round(float(clicks[before : before + back[0]].sum()), 2),
    }


def changes(worlds):
    """Differences at the end, between arms and halves."""
    last = {
        f"{arm}: {half}": [np.mean(world[arm][half][-5:]) for world in worlds]
        for arm in worlds[0]
        for half in ("changed", "same")
    }
    before = {
        f"{arm}: before": [np.mean(world[arm]["same"][15:20]) for world in worlds]
        for arm in worlds[0]
    }
    both = last | before
    pairs = [
        ("whole log: changed", "static: changed"),
        ("fading: changed", "whole log: changed"),
        ("fading: same", "whole log: same"),
        ("newest: same", "newest: before"),
        ("newest: same", "whole log: same"),
        ("newest, replay: same", "newest: same"),
        ("newest, much replay: same", "newest: same"),
        ("newest, much replay: same", "whole log: same"),
        ("newest, slow: same", "whole log: same"),
        ("newest, slow: changed", "whole log: changed"),
    ]
    return {f"{a} - {b}": paired(both, a, b) for a, b in pairs}


def paired(values, a, b):
    """Mean of a - b over worlds, its t interval, and what 80% power would find."""
    gap = np.array(values[a]) - np.array(values[b])
    found = two_way_test(gap[None])
    quantiles = stats.t.ppf([0.975, 0.8], found.degrees_of_freedom).sum()
    numbers = found.difference, found.low, found.high, quantiles * found.standard_error
    difference, low, high, smallest = np.round(numbers, 4).tolist()
    return {
        "difference": difference,
        "low": low,
        "high": high,
        "ahead": int((gap > 0).sum()),
        "worlds": len(gap),
        "smallest seen": smallest,
    }


def averaged(worlds):
    """The mean over worlds of every number of every arm; None counts as never."""
    told = {}
    for arm in worlds[0]:
        told[arm] = {}
        for name in worlds[0][arm]:
            column = [world[arm][name] for world in worlds]
            known = [value for value in column if value is not None]
            told[arm][name] = (
                np.mean(known, axis=0).round(4).tolist() if known else None
            )
            if len(known) < len(column):
                told[arm][f"{name}: worlds"] = len(known)
    return told


def rounded(config, numbers):
    return np.round(np.asarray(numbers, dtype=float), config["decimals"]).tolist()
