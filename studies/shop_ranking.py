"""Will this customer buy this product? Target attention beside equally tuned controls, Ta-Feng.

Two settings for each kind of network and for EASE, four for the count. A first run with learning
rates .015 and .03 and EASE's l2 100 and 400 chose the smaller of the two for every model, so both
lists were moved down by one.
"""

from types import SimpleNamespace

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from recsys.baselines import EASE, PersonalFrequency, Popularity
from recsys.batches.candidates import draw
from recsys.batches.purchase_features import purchase_features
from recsys.batches.questions import asked, every_basket
from recsys.data import Interactions, load
from recsys.evaluation import (
    auc,
    auc_per_user,
    bootstrap_interval,
    hits_of,
    last_basket,
    ndcg,
    paired_test,
    recall,
    rounded,
    timed_fit,
    top_k,
)
from recsys.torch.target_ranker import TargetRankerConfig, TargetRankerRecommender
from recsys.training.loop import FitConfig

DATA = ["ta-feng"]
CONFIG = {
    "networks": [
        "none",
        "mean",
        "max",
        "last",
        "dot",
        "din",
        "mean, repeats",
        "dot, repeats",
    ],
    "network grid": [{"learning_rate": 0.0075}, {"learning_rate": 0.015}],
    "epochs": 4,
    "seeds": [0, 1, 2, 3, 4],
    "all seeds": ["mean", "dot", "mean, repeats", "dot, repeats"],
    "trees grid": [
        {"max_leaf_nodes": 31, "max_iter": 200},
        {"max_leaf_nodes": 15, "max_iter": 300},
    ],
    "EASE grid": [{"l2": 25.0}, {"l2": 100.0}],
    "EASE rows": 25,
    "frequency grid": [
        {"decay": 1.0, "popularity_weight": 0.001},
        {"decay": 0.99, "popularity_weight": 0.001},
        {"decay": 1.0, "popularity_weight": 1.5},
        {"decay": 1.0, "popularity_weight": -0.001},
    ],
    "negatives": 30,
    "draw": {"validation": 101, "test": 102, "trees": 103},
    "lengths": [1, 10, 25, 50, 100],
    "full ranking customers": 300,
    "full ranking networks": ["mean", "dot", "mean, repeats", "dot, repeats"],
}


def run(config):
    shop = read_shop(config)
    fitted, table = {}, {}
    for name in config["networks"]:
        table[name], fitted[name] = tune_network(config, shop, name)
    per_user = {
        name: [told(shop.test, model.predict(shop.test.candidates)) for model in models]
        for name, models in fitted.items()
    }
    for name, scores_of in {
        "trees": trees,
        "EASE": ease,
        "frequency": frequency,
    }.items():
        table[name], scores = tune_other(
            config[f"{name} grid"], shop, scores_of(config, shop)
        )
        per_user[name] = [told(shop.test, scores)]
    for name, seeds in per_user.items():
        table[name]["test"] = {
            kind: interval(shop, seeds, kind) for kind in ("all", "new", "again")
        }
        table[name]["test"]["AUC over all rows"] = rounded(
            [seed["pooled"] for seed in seeds]
        )
    return {
        "protocol": shop.protocol,
        "counts": shop.counts,
        "models": table,
        "differences": {
            f"{a} against {b}": differences(config, shop, per_user[a], per_user[b])
            for a, b in PAIRS
        },
        "full ranking": full_ranking(config, shop, fitted),
    }


PAIRS = [
    ("dot", "mean"),
    ("dot, repeats", "mean, repeats"),
    ("din", "mean"),
    ("mean, repeats", "mean"),
    ("mean, repeats", "dot"),
    ("mean", "none"),
    ("trees", "dot, repeats"),
    ("trees", "dot"),
]


def read_shop(config):
    """The log in three parts, questions of each, and candidates of validation and test."""
    data = load("ta-feng")
    split = last_basket(data.interactions)
    evaluated = np.unique(split.test.users)
    train = split.train.select(np.isin(split.train.users, evaluated))
    weights = train.item_counts()
    parts = {
        "validation": asked(split.train, split.validation),
        "test": asked(split.train_and_validation, split.test),
    }
    shop = {
        name: part_of(
            draw(questions, weights, config["negatives"], config["draw"][name])
        )
        for name, questions in parts.items()
    }
    counts = {
        "customers": len(evaluated),
        "baskets to learn from": len(every_basket(train)),
        "test rows": len(shop["test"].candidates),
        "bought": int(shop["test"].labels.sum()),
        "bought again": int((shop["test"].labels * shop["test"].again).sum()),
        "test products never sold before": int(
            len(parts["test"].basket_items) - shop["test"].labels.sum()
        ),
    }
    protocol = (
        f"Ta-Feng, {len(evaluated):,} customers with at least 3 days; fitted once, on their baskets before the "
        "last two; chosen on the basket before last; test: the last basket, with the basket before last in the "
        f"history but not in the fit; {config['negatives']} independent negatives by rows in the fitted log, none "
        "in the basket; products the fitted log lacks left out; AUC within each customer, ties counting half"
    )
    return SimpleNamespace(
        split=split,
        train=train,
        weights=weights,
        items=data.items,
        counts=counts,
        protocol=protocol,
        **shop,
        groups=np.unique(data.items["subclass"].to_numpy(), return_inverse=True)[1],
    )


def part_of(candidates):
    """Candidates with what every model is measured against."""
    return SimpleNamespace(
        candidates=candidates,
        question=candidates.question,
        labels=candidates.labels,
        again=candidates.bought_before,
        lengths=candidates.questions.lengths(),
    )


def told(part, scores):
    """AUC within each customer: all candidates, new ones, ones bought before.

    NaN without both classes.
    """
    every = {"pooled": auc(part.labels, scores)}
    for kind, rows in {
        "all": np.ones(len(scores), dtype=bool),
        "new": ~part.again,
        "again": part.again,
    }.items():
        every[kind] = np.full(len(part.lengths), np.nan)
        every[kind][np.unique(part.question[rows])] = auc_per_user(
            part.question[rows], part.labels[rows], scores[rows]
        )
    return every


def train(config, shop, name, settings, seed):
    """One fitted network; "dot, repeats" is dot-product attention whose head is told of repeats."""
    pooling, _, repeats = name.partition(", ")
    training = FitConfig(
        epochs=config["epochs"], seed=seed, weight_decay=1e-2, **settings
    )
    network = TargetRankerConfig(
        pooling=pooling, repeats=bool(repeats), training=training
    )
    model = TargetRankerRecommender(shop.groups, network)
    model.seconds = timed_fit(model, shop.train)
    return model


def tune_network(config, shop, name):
    """The learning rate by validation at the first seed, then the other seeds with it."""
    seeds = config["seeds"] if name in config["all seeds"] else config["seeds"][:2]
    first = [
        train(config, shop, name, settings, seeds[0])
        for settings in config["network grid"]
    ]
    grid = [
        {
            **settings,
            "validation": valid(shop, model.predict(shop.validation.candidates)),
        }
        for settings, model in zip(config["network grid"], first, strict=True)
    ]
    best = int(np.argmax([row["validation"] for row in grid]))
    models = [first[best]] + [
        train(config, shop, name, config["network grid"][best], seed)
        for seed in seeds[1:]
    ]
    row = {
        "grid": grid,
        "best": config["network grid"][best],
        "seconds to train": round(max(model.seconds for model in models), 1),
    }
    return row, models


def tune_other(grid, shop, scores_of):
    """The settings by validation, then the test's scores with them."""
    tried = [
        {**settings, "validation": valid(shop, scores_of(settings, "validation"))}
        for settings in grid
    ]
    best = grid[int(np.argmax([row["validation"] for row in tried]))]
    return {"grid": tried, "best": best}, scores_of(best, "test")


def valid(shop, scores):
    return round(float(np.nanmean(told(shop.validation, scores)["all"])), 5)


def trees(config, shop):
    """Gradient-boosted trees on hand-made features, learnt from the same baskets.

    With 10 negatives each.
    """
    prices = shop.items["price"].to_numpy()
    learnt = draw(every_basket(shop.train), shop.weights, 10, config["draw"]["trees"])
    inputs, fitted = purchase_features(learnt, shop.train, shop.groups, prices), {}

    def scores_of(settings, part):
        key = str(settings)
        if key not in fitted:
            model = HistGradientBoostingClassifier(
                early_stopping=False, random_state=0, **settings
            )
            fitted[key] = model.fit(inputs, learnt.labels)
        candidates = getattr(shop, part).candidates
        return fitted[key].decision_function(
            purchase_features(candidates, shop.train, shop.groups, prices)
        )

    return scores_of


def ease(config, shop):
    """EASE on the products with enough rows; every other product scores 0."""
    kept = np.flatnonzero(shop.weights >= config["EASE rows"])
    place = np.full(len(shop.weights), -1)
    place[kept] = np.arange(len(kept))
    fitted = {}

    def scores_of(settings, part):
        key = str(settings)
        model = (
            fitted[key]
            if key in fitted
            else EASE(**settings).fit(within(shop.train, place, kept))
        )
        fitted[key] = model
        history = within(
            shop.split.train
            if part == "validation"
            else shop.split.train_and_validation,
            place,
            kept,
        )
        return scores_by_user(model, history, getattr(shop, part), place)

    return scores_of


def frequency(config, shop):
    def scores_of(settings, part):
        model = PersonalFrequency(**settings).fit(shop.train)
        history = (
            shop.split.train
            if part == "validation"
            else shop.split.train_and_validation
        )
        return scores_by_user(
            model, history, getattr(shop, part), np.arange(len(shop.weights))
        )

    return scores_of


def within(log, place, kept):
    rows = place[log.items] >= 0
    return Interactions(
        log.users[rows],
        place[log.items[rows]],
        log.values[rows],
        log.times[rows],
        log.user_ids,
        log.item_ids[kept],
        log.time_unit,
    )


def scores_by_user(model, history, part, place):
    """Scores of the candidates by a recommender that ranks everything, 500 customers at a time."""
    users, scores = part.candidates.questions.users, np.zeros(len(part.question))
    for start in range(0, len(users), 500):
        chunk = users[start : start + 500]
        rows = np.arange(*np.searchsorted(part.question, [start, start + len(chunk)]))
        at = place[part.candidates.items[rows]]
        full = model.score(chunk, history=history.of_users(chunk))
        scores[rows] = np.where(at >= 0, full[part.question[rows] - start, at], 0.0)
    return scores


def interval(shop, seeds, kind):
    """Each customer's mean AUC over seeds, its interval over customers, seeds, how many."""
    values = np.mean([seed[kind] for seed in seeds], axis=0)
    known = np.isfinite(values)
    return {
        "mean": rounded(bootstrap_interval(values[known])),
        "customers": int(known.sum()),
        "seeds": rounded([np.nanmean(seed[kind]) for seed in seeds]),
    }


def differences(config, shop, ours, theirs):
    """Paired over customers, seeds averaged: all, new, bought before, by history."""
    found = {}
    for kind in ("all", "new", "again"):
        a, b = (
            np.mean([seed[kind] for seed in seeds], axis=0) for seeds in (ours, theirs)
        )
        known = np.isfinite(a) & np.isfinite(b)
        found[kind] = rounded(paired_test(a[known], b[known]))
        edges = [*config["lengths"], 10**9] if kind != "again" else []
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            here = known & (shop.test.lengths >= low) & (shop.test.lengths < high)
            found[f"{kind}, {low} events or more"] = [
                *rounded(paired_test(a[here], b[here])),
                int(here.sum()),
            ]
    means = [[np.nanmean(seed["all"]) for seed in seeds] for seeds in (ours, theirs)]
    if len(ours) == len(theirs):
        found["seeds"] = rounded(np.subtract(*means))
    return found


def full_ranking(config, shop, fitted):
    """All products ranked for some customers, repeats allowed.

    With and without the correction for the draws.
    """
    users = np.random.default_rng(0).permutation(np.unique(shop.split.test.users))[
        : config["full ranking customers"]
    ]
    history, relevant = (
        shop.split.train_and_validation.of_users(users),
        shop.split.test.of_users(users).seen(),
    )
    n_relevant, found, gains = np.diff(relevant.indptr), {}, {}

    def measure(name, scores):
        hits = hits_of(top_k(scores, 10), relevant)
        gains[name] = ndcg(hits, n_relevant)
        found[name] = {
            "nDCG@10": rounded(bootstrap_interval(gains[name])),
            "recall@10": rounded(bootstrap_interval(recall(hits, n_relevant))),
        }

    for settings in (
        {"decay": 1.0, "popularity_weight": 1.5},
        {"decay": 1.0, "popularity_weight": 0.001},
    ):
        name = f"personal frequency, {settings['popularity_weight']} popularity"
        measure(
            name,
            PersonalFrequency(**settings).fit(shop.train).score(users, history=history),
        )
    measure("popularity", Popularity().fit(shop.train).score(users, history=history))
    for name in config["full ranking networks"]:
        scores = fitted[name][0].score(users, history=history)
        draws = fitted[name][0].log_draws()
        measure(
            f"{name}, as learnt",
            np.where(
                np.isfinite(draws), scores - np.nan_to_num(draws, neginf=0), -np.inf
            ),
        )
        measure(name, scores)
        found[name]["against personal frequency"] = rounded(
            paired_test(gains[name], gains["personal frequency, 1.5 popularity"])
        )
    return found
