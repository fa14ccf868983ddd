"""When does attention pay? Beauty and Sports; settings are chosen on Beauty."""

from pathlib import Path

from recsys.book.pays import logs, registered

DATA = ["amazon-beauty", "amazon-sports"]
CONFIG = registered(Path(__file__).parent, "pays_amazon")


def pieces(config):
    return logs.pieces(config)


def run(config, done):
    return logs.results(config, done)
