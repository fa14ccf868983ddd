"""When does attention pay? Invoices of Online Retail II, under two protocols."""

from functools import partial
from pathlib import Path

import numpy as np

from recsys.book.pays import logs, registered
from recsys.book.pays.report import compared
from recsys.book.pays.retail import NextCode, sessions

DATA = ["online-retail-ii"]
CONFIG = registered(Path(__file__).parent, "pays_retail")


def pieces(config):
    return logs.pieces(config, partial(sessions, config=config["sessions"]))


def run(config, done):
    read = partial(sessions, config=config["sessions"])
    results = logs.results(config, done, read)
    first = config["worlds"][0][0]
    for name, found in results.items():
        world = logs.world(config, name, read)
        table = world.read(NextCode().fit(world.fitted("test")), "test")[None]
        ours = np.array(done[f"{first}: attention"]["tests"][name]["units"])
        found["next code"] = {
            "level": round(float(table.mean()), 4),
            "attention minus it": compared(ours, table, found["margin"]),
        }
    return results
