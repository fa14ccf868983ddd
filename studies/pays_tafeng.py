"""When does attention pay? Ta-Feng: six poolings of one network, and four controls."""

from pathlib import Path

from recsys.book.pays import baskets, registered

DATA = ["ta-feng"]
CONFIG = registered(Path(__file__).parent, "pays_tafeng")


def pieces(config):
    return baskets.pieces(config)


def run(config, done):
    return baskets.results(config, done)
