"""When does attention pay? How the gain moves along one axis at a time."""

from pathlib import Path

from recsys.book.pays import axes, registered

DATA = ["movielens-100k", "lee-news"]
CONFIG = registered(Path(__file__).parent, "pays_axes")


def pieces(config):
    return axes.pieces(config)


def run(config, done):
    return axes.results(config, done)
