"""When does attention pay? Planted viewers, with the bounds of what can be known."""

from pathlib import Path

from recsys.book.pays import planted, registered

DATA: list[str] = []
CONFIG = registered(Path(__file__).parent, "pays_planted")


def pieces(config):
    return planted.pieces(config)


def run(config, done):
    return planted.results(config, done)
