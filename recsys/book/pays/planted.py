"""Planted viewers: how the gain of attention moves with what was planted; the bounds.

A world is a number of viewers, of interests of each, a stay and a noise
(`recsys.simulate.interests`). The last event of each viewer is asked for, and what was
watched may come again. Viewers of another seed are other viewers.

A test is read twice. "drawn" is nDCG@10 of the item that came. "expected" is its mean
over the items that could have come, by the planted probabilities: the same number
without the luck of one draw. Beside the arms stand two readers that learn nothing:
"oracle" knows each viewer's interests, "bound" what the history tells of them
(`recsys.simulate.bounds`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from recsys.book.pays.arms import build
from recsys.book.pays.logs import METRIC, LastOut
from recsys.book.pays.report import compared
from recsys.book.pays.search import at_an_end, searched
from recsys.book.pieces import After
from recsys.data import Interactions
from recsys.evaluation import evaluate, rounded, timed_fit, two_way_interval
from recsys.evaluation.verdicts import Verdict, holm, two_way_test
from recsys.recommender import Recommender, chunks
from recsys.simulate.bounds import counts_and_newest
from recsys.simulate.interests import planted_interests

CHOSEN_IN = {"viewers": 1000, "interests": 4, "stay": 0.7, "noise": 0.5}
"""The world on whose validation part settings are chosen."""

FEWER_PASSES = {1_000: 1, 10_000: 2, 100_000: 8}
"""What the passes are divided by, by the number of viewers."""

READINGS = ("drawn", "expected")


class Viewers(LastOut):
    """The viewers of a world that one seed draws."""

    def __init__(self, world: Mapping[str, Any], length: int, seed: int):
        self.planted = planted_interests(
            world["viewers"],
            world["interests"],
            length,
            stay=world["stay"],
            noise=world["noise"],
            seed=100 * world["interests"] + seed,
        )
        super().__init__(self.planted.interactions, repeats=True)

    def readings(self, model: Recommender, on: str) -> dict[str, np.ndarray]:
        """nDCG@10 of each viewer, of the item drawn and expected: (n_users,) each."""
        found = evaluate(model, self.split, on=on, repeats=self.repeats, fit=False)
        last = newest_items(self.fitted(on))
        discount = 1 / np.log2(np.arange(found.ranked.shape[1]) + 2)  # (k,)
        expected = np.empty(len(found.users))
        for rows in chunks(len(found.users), 10_000):
            users = found.users[rows]
            chances = self.planted.probabilities(users, last[users])  # (n, n_items)
            listed = np.take_along_axis(chances, found.ranked[rows], axis=1)  # (n, k)
            expected[rows] = listed @ discount
        return {"drawn": found[METRIC], "expected": expected}


def newest_items(log: Interactions) -> np.ndarray:
    """The newest item of each user, all of whom have one: int (n_users,)."""
    newest = log.select(log.ages() == 0)
    items = np.empty(log.n_users, dtype=np.int64)
    items[newest.users] = newest.items
    return items


class Oracle:
    """Knows each viewer's interests, and the newest item."""

    def __init__(self, viewers: Viewers, on: str):
        self.planted, self.interactions = viewers.planted, viewers.fitted(on)

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        last = newest_items(self.interactions)
        return self.planted.probabilities(users, last[users])


class Bound(Oracle):
    """Knows the world, and of a viewer the history."""

    def score(
        self, users: np.ndarray, history: Interactions | None = None
    ) -> np.ndarray:
        return counts_and_newest(self.planted, self.interactions.of_users(users))


KNOWING = {"oracle": Oracle, "bound": Bound}


def worlds(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every world by name, with the arms that are tested in it and the seeds.

    A number of viewers may narrow what holds for others, under "at 10000" for 10,000.
    """
    found = {}
    for viewers in config["viewers"]:
        own = {**config, **config.get(f"at {viewers}", {})}
        for stay, noise, interests in product(
            own["stay"], own["noise"], own["interests"]
        ):
            planted = f"interests {interests}, stay {stay}, noise {noise}"
            found[f"viewers {viewers}, {planted}"] = {
                "viewers": viewers,
                "interests": interests,
                "stay": stay,
                "noise": noise,
                "arms": own["arms"],
                "seeds": own["seeds"],
            }
    return found


def pieces(config: Mapping[str, Any]) -> dict[str, Any]:
    """A search for each arm; in each world what can be known, and each arm's test."""
    found = {f"search: {arm}": partial(search, config, arm) for arm in config["arms"]}
    for name, world in worlds(config).items():
        found[f"{name}: known"] = partial(known, config, world)
        for arm in world["arms"]:
            test = partial(tested, config, world, arm)
            found[f"{name}: {arm}"] = After([f"search: {arm}"], test)
    return found


def search(config: Mapping[str, Any], arm: str) -> dict[str, Any]:
    """Choose an arm's settings, on the validation part of one world."""
    viewers = Viewers(CHOSEN_IN, config["length"], seed=0)
    rows, settings = searched(config, arm, viewers)
    return {
        "search": rows,
        "settings": settings,
        "at an end": at_an_end(config, arm, settings),
    }


def known(config: Mapping[str, Any], world: Mapping[str, Any]) -> dict[str, Any]:
    """Read the test of a world with those who learn nothing, once a seed."""
    drawn = [Viewers(world, config["length"], seed) for seed in world["seeds"]]
    return {
        name: table(
            [viewers.readings(knows(viewers, "test"), "test") for viewers in drawn]
        )
        for name, knows in KNOWING.items()
    }


def tested(
    config: Mapping[str, Any],
    world: Mapping[str, Any],
    arm: str,
    chosen: Mapping[str, Any],
) -> dict[str, Any]:
    """Read the test of a world with one arm, as its search has chosen, once a seed."""
    passes = chosen["settings"]["epochs"] // FEWER_PASSES[world["viewers"]]
    settings = {**chosen["settings"], "epochs": max(1, passes)}
    read, seconds = [], []
    for seed in world["seeds"]:
        viewers = Viewers(world, config["length"], seed)
        model = build(arm, settings, seed)
        seconds.append(timed_fit(model, viewers.fitted("test")))
        read.append(viewers.readings(model, "test"))
    return {**table(read), "seconds": round(float(np.median(seconds)), 1)}


def table(read: Sequence[Mapping[str, np.ndarray]]) -> dict[str, list[list[float]]]:
    """Readings of each seed as lists, one row a seed and one number a viewer."""
    return {name: [row[name].round(5).tolist() for row in read] for name in READINGS}


def results(config: Mapping[str, Any], done: Mapping[str, dict]) -> dict[str, Any]:
    """How each arm was tuned, and what each world's tests say.

    Viewers of another seed are others, so seeds share no unit, and a comparison rests
    on the means of the seeds: `two_way_test` has about n_seeds - 1 degrees of freedom.
    """
    found = {
        name: described(config, done, name, world)
        for name, world in worlds(config).items()
    }
    for reading in READINGS:
        judge([world[reading]["attention minus"]["decay"] for world in found.values()])
    searches = {arm: done[f"search: {arm}"] for arm in config["arms"]}
    return {"protocol": protocol(config), "searches": searches, "worlds": found}


def described(
    config: Mapping[str, Any],
    done: Mapping[str, dict],
    name: str,
    world: Mapping[str, Any],
) -> dict[str, Any]:
    """One world: what it is, the seconds of a fit, what each reading says."""
    kept = ("viewers", "interests", "stay", "noise", "seeds")
    row = {key: world[key] for key in kept}
    tests = {arm: done[f"{name}: {arm}"] for arm in world["arms"]}
    row["seconds"] = {arm: test["seconds"] for arm, test in tests.items()}
    for reading in READINGS:
        arms = {arm: np.array(test[reading]) for arm, test in tests.items()}
        knowing = {
            who: np.array(test[reading]) for who, test in done[f"{name}: known"].items()
        }
        row[reading] = of_reading(arms, knowing, config["margin"])
    return row


def of_reading(
    arms: Mapping[str, np.ndarray], knowing: Mapping[str, np.ndarray], margin: float
) -> dict[str, Any]:
    """Levels, attention minus each, and shares of what there is to know.

    Args:
        arms, knowing: from a name to a metric, (n_seeds, n_viewers).
        margin: of equivalence, a share of the level of decay.
    """
    everybody = {**knowing, **arms}
    absolute = margin * arms["decay"].mean()
    return {
        "level": {
            who: rounded(two_way_interval(read)) for who, read in everybody.items()
        },
        "seeds": {who: rounded(read.mean(1)) for who, read in everybody.items()},
        "margin": round(float(absolute), 5),
        "attention minus": {
            arm: compared(arms["attention"], read, absolute)
            for arm, read in arms.items()
            if arm != "attention"
        },
        "share beyond the mean": {
            arm: share(read, arms["mean"], knowing["bound"])
            for arm, read in arms.items()
            if "mean" in arms and arm != "mean"
        },
    }


def share(
    arm: np.ndarray, mean: np.ndarray, bound: np.ndarray
) -> list[float | None] | None:
    """What an arm takes of what the history tells beyond what "mean" has learned.

    Args:
        arm, mean, bound: (n_seeds, n_viewers) floats.

    Returns:
        (arm - mean) / (bound - mean), a ratio of means, and the bounds of its 95%
        interval over seeds and viewers, that of arm - mean - ratio * (bound - mean), by
        the mean gap. None where the interval of the gap reaches 0.
    """
    taken, gap = arm - mean, bound - mean
    if two_way_test(gap).low <= 0:
        return None
    ratio = taken.mean() / gap.mean()
    left = two_way_test(taken - ratio * gap)
    half = (left.high - left.low) / 2 / gap.mean()
    return rounded([ratio, ratio - half, ratio + half])


def judge(comparisons: Sequence[dict[str, Any]]) -> None:
    """Name the verdict of each comparison, with Holm over all of them."""
    adjusted = holm([found["p_value"] for found in comparisons])
    for found, p_value in zip(comparisons, adjusted, strict=True):
        numbers = {field.name: found[field.name] for field in fields(Verdict)}
        found["adjusted p"] = round(float(p_value), 6)
        found["verdict"] = Verdict(**numbers).says(p_value)


def protocol(config: Mapping[str, Any]) -> str:
    """What the numbers depend on, in words."""
    n = config["length"]
    return (
        f"leave-last-out; fitted on {n - 1} events of each viewer; full ranking; seen "
        "items allowed; score ties by item-index; nDCG ideal capped at 10; viewers of "
        "another seed are others; expected: the mean over the planted probabilities of "
        "the next item"
    )
