"""When does attention pay? Invoices of Online Retail II, under two protocols."""

from pathlib import Path

from recsys.book.pays import logs, registered

DATA = ["online-retail-ii"]
CONFIG = registered(Path(__file__).parent, "pays_retail")


def pieces(config):
    return logs.pieces(config)


def run(config, done):
    return logs.results(config, done)
