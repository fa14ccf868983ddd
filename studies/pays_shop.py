"""When does attention pay? The target side of a shop: poolings of one network beside counts."""

from pathlib import Path

from recsys.book.pays import registered, shop, shop_report

DATA = ["ta-feng"]
CONFIG = registered(Path(__file__).parent, "pays_shop")


def pieces(config):
    return shop.pieces(config)


def run(config, done):
    return shop_report.results(config, done)
