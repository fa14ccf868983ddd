"""When does attention pay? Letters and words of the Lee articles."""

from pathlib import Path

from recsys.book.pays import registered, text

DATA = ["lee-news"]
CONFIG = registered(Path(__file__).parent, "pays_text")


def pieces(config):
    return text.pieces(config)


def run(config, done):
    return text.results(config, done)
