"""When does attention pay? Beauty and Sports; settings are chosen on Beauty."""

from functools import partial
from pathlib import Path

from recsys.book.pays import logs, registered
from recsys.book.pays.search import at_an_end, searched, tested
from recsys.book.pieces import After

DATA = ["amazon-beauty", "amazon-sports"]
CONFIG = registered(Path(__file__).parent, "pays_amazon")


def pieces(config):
    found = {}
    for arm in config["arms"]:
        found[f"search: {arm}"] = partial(search, config, arm)
        for name in shops(config):
            found[f"{name}: {arm}"] = After(
                [f"search: {arm}"], partial(test, config, arm, name)
            )
    return found


def shops(config):
    """Worlds that share the settings of the first."""
    return config["worlds"][0]


def search(config, arm):
    """Settings chosen on the first shop."""
    rows, settings = searched(config, arm, logs.world(config, shops(config)[0]))
    ends = at_an_end(config, arm, settings)
    return {"search": rows, "settings": settings, "at an end": ends}


def test(config, arm, name, chosen):
    """The test of one shop, with the settings chosen."""
    return tested(config, arm, chosen["settings"], logs.world(config, name))


def run(config, done):
    first, whole = shops(config)[0], {}
    for arm in config["arms"]:
        tests = {name: done[f"{name}: {arm}"] for name in shops(config)}
        whole[f"{first}: {arm}"] = {**done[f"search: {arm}"], "tests": tests}
    return logs.results(config, whole)
