"""What the tests in the shop say: levels, the pairs that were registered, Holm over each family."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from recsys.batches.questions import every_basket
from recsys.book.pays.report import compared
from recsys.book.pays.shop import Part, Shop, arms_of
from recsys.book.pays.shop_lists import FULL, INSIDE, PAIRS, SHORTLIST
from recsys.evaluation import rounded
from recsys.evaluation.verdicts import holm, two_way_test, verdict


def results(config: Mapping[str, Any], done: Mapping[str, dict]) -> dict[str, Any]:
    """What the tests say of every arm, and of the pairs that were registered."""
    shop = Shop(config)
    part, arms = shop.part("test"), arms_of(config)
    tables = {
        arm: {name: np.array(units) for name, units in done[arm]["tests"].items()}
        for arm in arms
    }
    return {
        "protocol": protocol(shop, part),
        "counts": counted(part, tables),
        "arms": {arm: row(done[arm], tables[arm]) for arm in arms},
        "headline": headline(config, tables),
        "headline by events": by_events(config, tables, part.questions.lengths()),
        "contrasts": {
            name: contrasts(config["contrasts"], config["margin"], tables, name)
            for name in ("all", *PAIRS, INSIDE, SHORTLIST)
        },
        "contrasts, told": contrasts(
            config["contrasts, told"], config["margin"], tables, SHORTLIST
        ),
    }


def protocol(shop: Shop, part: Part) -> str:
    """What the numbers depend on, in words."""
    config, n_sold = shop.config, np.count_nonzero(part.fitted.item_counts())
    return (
        f"Ta-Feng, products of at least {config['rows a product']} rows, "
        f"{len(part.questions):,} customers with at least 3 days; fitted on their "
        f"{len(part.fitted):,} rows before the last basket; settings chosen on the "
        f"basket before it, fitted on {config['customers of search']:,} of the "
        f"customers, by nDCG@10 of the shortlists of "
        f"{config['customers of validation']:,} of these; test: the last basket, its "
        "day not told but a usual gap after the newest one; full ranking of the "
        f"{n_sold:,} products that were fitted, shortlist: the {config['shortlist']} "
        "with most rows and those of the history; bought products allowed; ties by "
        "item-index; nDCG ideal capped at 10, products never sold before missed; "
        f"drawn: {config['negatives']} independent negatives by rows, none in the "
        "basket; AUC within each customer, ties counting half; intervals over seeds "
        "and customers"
    )


def counted(part: Part, tables: Mapping[str, Mapping]) -> dict[str, Any]:
    """Sizes: what is asked, and for how many customers each metric is defined."""
    drawn, first = part.drawn, next(iter(tables.values()))
    return {
        "customers": len(part.questions),
        "baskets to learn from": len(every_basket(part.fitted)),
        "bought": int(drawn.labels.sum()),
        "bought again": int((drawn.labels & drawn.again).sum()),
        "bought, on the shortlist": int(part.shortlist.labels.sum()),
        "never sold before": len(part.questions.basket_items) - int(drawn.labels.sum()),
        "customers of a metric": {
            name: int(np.isfinite(table[0]).sum())
            for name, table in first.items()
            if table.ndim == 2
        },
    }


def row(piece: Mapping[str, Any], tables: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """One arm: its level in every metric, and how it was tuned."""
    levels = {}
    for name, table in tables.items():
        if table.ndim == 2:
            known = np.isfinite(table[0])
            levels[name] = rounded(two_way_test(table[:, known])[:3])
        else:
            levels[name] = round(float(table.mean()), 4)
    return {
        "levels": levels,
        "seeds": rounded(np.nanmean(tables[SHORTLIST], axis=1)),
        "settings": piece["settings"],
        "at an end": piece["at an end"],
        "tried": [tried["validation"] for tried in piece["search"]],
        "seconds": piece["seconds"],
    }


HEADLINE = [
    (f"softmax{told}", f"{other}{told}")
    for told in ("", ", told")
    for other in ("decay", "mean")
]
"""The pairs that are read in the full ranking; the first is the primary contrast."""


def headline(
    config: Mapping[str, Any], tables: Mapping[str, Mapping]
) -> dict[str, dict[str, Any]]:
    """Softmax minus decay and minus mean, full ranking, Holm over the four."""
    found, verdicts = {}, {}
    for ours, theirs in HEADLINE:
        told = ", told" if ours.endswith("told") else ""
        margin = config["margin"] * tables[f"decay{told}"][FULL].mean()
        both = tables[ours][FULL], tables[theirs][FULL]
        name = f"{ours} minus {theirs}"
        verdicts[name] = verdict(*both, margin)
        found[name] = compared(*both, margin) | {"margin": round(float(margin), 5)}
    adjusted = holm(np.array([one.p_value for one in verdicts.values()]))
    for (name, one), p_value in zip(verdicts.items(), adjusted, strict=True):
        found[name]["adjusted p"] = round(float(p_value), 6)
        found[name]["says"] = one.says(p_value)
    return found


def by_events(
    config: Mapping[str, Any], tables: Mapping[str, Mapping], lengths: np.ndarray
) -> dict[str, list]:
    """The same by length of the history: difference, interval, number of customers."""
    found: dict[str, list] = {}
    edges = [*config["events"], lengths.max() + 1]
    for ours, theirs in HEADLINE:
        difference = tables[ours][FULL] - tables[theirs][FULL]
        for low, high in pairwise(edges):
            here = (lengths >= low) & (lengths < high)
            test = two_way_test(difference[:, here])
            name = f"{ours} minus {theirs}, {low} or more"
            found[name] = [*rounded(test[:3]), int(here.sum())]
    return found


def contrasts(
    pairs: Sequence[Sequence[str]],
    share: float,
    tables: Mapping[str, Mapping],
    name: str,
) -> dict[str, list[float]]:
    """Pairs of arms that were registered together, in one metric, Holm over all of them.

    Args:
        pairs: of arms, the second taken off the first.
        share: of the level of the first, the margin.
        tables: of every arm and metric, (seeds, customers).
        name: of the metric.

    Returns:
        Difference, its interval, p-value after Holm, and the smallest difference that
        would have been seen four times out of five.
    """
    found = {}
    for ours, theirs in pairs:
        a, b = np.broadcast_arrays(tables[ours][name], tables[theirs][name])
        known = np.isfinite(a[0])
        margin = share * a[:, known].mean()
        pair = verdict(a[:, known], b[:, known], margin)
        found[f"{ours} minus {theirs}"] = pair
    adjusted = holm(np.array([pair.p_value for pair in found.values()]))
    return {
        name: rounded([pair.difference, pair.low, pair.high, p_value, pair.smallest])
        for (name, pair), p_value in zip(found.items(), adjusted, strict=True)
    }
