"""The shop's next basket: tuned on the development basket, then one reading of the test."""

import numpy as np

from recsys.baselines import (
    EASE,
    TIFUKNN,
    UPCF,
    BasketRanker,
    ItemKNN,
    PersonalFrequency,
    Popularity,
)
from recsys.batches.sales import LateSales
from recsys.batches.visits import visits
from recsys.data import load
from recsys.data.taiw import taiw_filter
from recsys.evaluation import (
    Split,
    bootstrap_interval,
    combinations,
    evaluate,
    hits_of,
    last_basket,
    ndcg,
    paired_test,
    recall,
    rounded,
    top_k,
)
from recsys.recommender import histories

DATA = ["ta-feng", "tafeng-realitycheck"]
CONTROL = "personal frequency"
CONFIG = {
    "grids": {
        "popularity": {},
        CONTROL: {"decay": [1], "popularity_weight": [0.001, 0.5, 1, 1.5, 2, 3]},
        "personal frequency, decayed": {
            "decay": [0.99],
            "popularity_weight": [0.001, 0.5, 1, 1.5, 2, 3],
        },
        "TIFU-KNN": {
            "neighbours": [300, 900, 1500],
            "within_decay": [1],
            "group_decay": [1],
            "groups": [10],
            "alpha": [0.1, 0.2, 0.5],
        },
        "UP-CF": {
            "recency": [5, 25, 100],
            "asymmetry": [0.25, 0.75, 1],
            "locality": [5],
        },
        "item-kNN": {
            "neighbours": [200, 800, 2000, 5000],
            "shrinkage": [50],
            "recency": [0.98],
        },
        "EASE": {"l2": [50, 200, 800], "recency": [0.98]},
        "frequency and sales of late": {
            "decay": [1, 0.99],
            "half_life": [2],
            "weight": [1, 2, 4],
            "usual_gap": [9],
        },
        "two steps, trees": {"usual_gap": [9, 14], "targets": [2, 3]},
        "frequency and sales of late, day known": {
            "decay": [1, 0.99],
            "half_life": [0, 1],
            "weight": [1, 2, 4],
            "usual_gap": [None],
        },
        "two steps, trees, day known": {"usual_gap": [None], "targets": [2, 3]},
    },
    "published TIFU-KNN": {
        "ta-feng": {
            "neighbours": 425,
            "within_decay": 1,
            "group_decay": 1,
            "groups": 10,
            "alpha": 0.4,
        },
        "tafeng-realitycheck": {
            "neighbours": 300,
            "within_decay": 0.9,
            "group_decay": 0.7,
            "groups": 7,
            "alpha": 0.7,
        },
    },
    "past baskets": [[1, 4], [5, 8], [9, 15], [16, 99]],
    "random tie orders": 5,
    "seeds": 2,
}


class FrequencyAndSales:
    """Decayed personal frequency + weight * share of late sales over the largest share.

    `half_life` is a place in `HALF_LIVES`; `usual_gap` as in `BasketRanker`.
    """

    def __init__(self, decay, half_life, weight, usual_gap):
        self.personal = PersonalFrequency(decay, 1e-3)
        self.half_life, self.weight, self.usual_gap = half_life, weight, usual_gap

    def fit(self, interactions):
        self.interactions, self.sales = interactions, LateSales(interactions)
        self.personal.fit(interactions)
        return self

    def score(self, users, history=None, days=None):
        past = histories(self, users, history)
        if self.usual_gap is not None:
            days = past.newest_times(missing=self.sales.last) + self.usual_gap
        shares = self.sales.before(days, self.half_life)
        return self.personal.score(users, history) + self.weight * shares / shares.max(
            axis=1, keepdims=True
        )


class OnTheDay:
    """A model that is told the day of the basket it is asked for."""

    def __init__(self, model, days):
        self.model, self.days = model, days

    def fit(self, interactions):
        self.model.fit(interactions)
        return self

    def score(self, users, history=None):
        return self.model.score(users, history, days=self.days[users])


MODELS = {
    "popularity": Popularity,
    "personal frequency": PersonalFrequency,
    "TIFU-KNN": TIFUKNN,
    "UP-CF": UPCF,
    "item-kNN": ItemKNN,
    "EASE": EASE,
    "frequency and sales of late": FrequencyAndSales,
    "two steps": BasketRanker,
}


def run(config):
    log = taiw_filter(load("ta-feng").interactions)
    split = last_basket(log)
    results, tests = {"rows": len(log), "users": log.n_users, "items": log.n_items}, {}
    models = results["models"] = {}
    for name, grid in config["grids"].items():
        tried = [
            {**settings, **means(measure(name, settings, split, "validation"))}
            for settings in combinations(grid)
        ]
        best = max(tried, key=lambda row: row["nDCG"])
        settings = {key: value for key, value in best.items() if key in grid}
        tests[name] = measure(name, settings, split, "test")
        models[name] = {
            "grid": tried,
            "best": settings,
            "protocol": tests[name]["protocol"],
            "recall": rounded(bootstrap_interval(tests[name]["recall"])),
            "nDCG": rounded(bootstrap_interval(tests[name]["nDCG"])),
            "nDCG capped": rounded(bootstrap_interval(tests[name]["nDCG capped"])),
        }
    for name, test in tests.items():
        models[name]["over the control"] = {
            metric: rounded(paired_test(test[metric], tests[CONTROL][metric]))
            for metric in ("recall", "nDCG")
        }
    results["by past baskets"] = by_past_baskets(config, split, tests)
    results["seeds"] = seeds(config, split, models)
    results["published TIFU-KNN"] = published(config, split)
    reality = last_basket(load("tafeng-realitycheck").interactions)
    results["ties"] = ties(config, {"ta-feng": split, "tafeng-realitycheck": reality})
    results["drift"] = drift(split)
    return results


def measure(name, settings, split, on, seed=None):
    """Recall and both nDCG of each user, by the one way in which everything here is measured."""
    model = MODELS[name.partition(",")[0]](
        **settings, **({} if seed is None else {"seed": seed})
    )
    part = getattr(split, on)
    if settings.get("usual_gap", 0) is None:
        days = np.zeros(part.n_users, dtype=np.int64)
        days[part.users] = part.times
        model = OnTheDay(model, days)
    result = evaluate(model, split, on=on, repeats=True)
    relevant = part.of_users(result.users).seen()
    uncapped = ndcg(
        hits_of(result.ranked, relevant), np.diff(relevant.indptr), "all-relevant"
    )
    protocol = result.protocol.replace(
        "nDCG ideal capped at k",
        "nDCG ideal over all items of the basket, and capped at k",
    )
    told = (
        "; the day of the basket is told"
        if settings.get("usual_gap", 0) is None
        else ""
    )
    return {
        "recall": result["recall@10"],
        "nDCG": uncapped,
        "nDCG capped": result["nDCG@10"],
        "users": result.users,
        "protocol": "TAIW filter; " + protocol + told,
    }


def by_past_baskets(config, split, tests):
    """Recall of control and trees, and the paired difference, by baskets before the test."""
    n = visits(split.train_and_validation).n_baskets[tests[CONTROL]["users"]]
    rows = []
    for low, high in config["past baskets"]:
        here = (n >= low) & (n <= high)
        row = {
            "from": low,
            "to": high,
            "users": int(here.sum()),
            CONTROL: round(float(tests[CONTROL]["recall"][here].mean()), 4),
        }
        for name in ("two steps, trees", "two steps, trees, day known"):
            row[name] = round(float(tests[name]["recall"][here].mean()), 4)
            row[name + ", over the control"] = rounded(
                paired_test(tests[name]["recall"][here], tests[CONTROL]["recall"][here])
            )
        rows.append(row)
    return rows


def seeds(config, split, models):
    """The chosen tree models with other seeds of the negatives."""
    return {
        name: [
            means(measure(name, models[name]["best"], split, "test", seed))
            for seed in range(1, config["seeds"])
        ]
        for name in ("two steps, trees", "two steps, trees, day known")
    }


def published(config, split):
    """TIFU-KNN at published settings: own baskets, with and without the development basket."""
    both = config["published TIFU-KNN"]
    without = Split(
        split.interactions,
        np.where(split.part == 1, 3, split.part),
        split.protocol,
        True,
    )
    reality = last_basket(load("tafeng-realitycheck").interactions)
    return {
        "ta-feng, development": means(
            measure("TIFU-KNN", both["ta-feng"], split, "validation")
        ),
        "ta-feng, test, fitted without the development baskets": means(
            measure("TIFU-KNN", both["ta-feng"], without, "test")
        ),
        "ta-feng, test": means(measure("TIFU-KNN", both["ta-feng"], split, "test")),
        "tafeng-realitycheck, test": means(
            measure("TIFU-KNN", both["tafeng-realitycheck"], reality, "test")
        ),
    }


def ties(config, splits):
    """Personal counts alone, equal counts in other orders: the test under each rule."""
    rows = {}
    for data, split in splits.items():
        past, test = split.train_and_validation, split.test
        users = np.unique(test.users)
        relevant = test.of_users(users).seen()
        n_relevant = np.diff(relevant.indptr)
        rows[data] = {"users": len(users)}
        for rule, second, order, seed in tie_rules(past, config["random tie orders"]):
            ranked = np.vstack(
                [
                    top_k(
                        past.of_users(some).matrix().toarray() + second(some),
                        10,
                        None,
                        order,
                        seed,
                    )
                    for some in np.array_split(users, 16)
                ]
            )
            hits = hits_of(ranked, relevant)
            rows[data][rule] = {
                "recall": round(float(recall(hits, n_relevant).mean()), 4),
                "nDCG": round(float(ndcg(hits, n_relevant, "all-relevant").mean()), 4),
            }
    return rows


def tie_rules(past, n_random):
    """(name, second key of some users in [0, 1), rule for what still ties, seed), for each rule."""
    sold = past.item_counts()
    popular = sold / (sold.max() + 1)
    place = np.empty(len(past))
    place[past.by_time()] = np.arange(1, len(past) + 1) / (len(past) + 1)
    pairs = past.users * past.n_items + past.items
    newest = newest_first(past, pairs, place)
    return [
        ("smallest product number first", lambda some: 0, "item-index", 0),
        ("largest product number first", lambda some: 0, "reverse-item-index", 0),
        *[
            (f"random {seed}", lambda some: 0, "random", seed)
            for seed in range(n_random)
        ],
        ("least popular first", lambda some: -popular, "item-index", 0),
        ("most popular first", lambda some: popular, "item-index", 0),
        (
            "newest first, the rest by popularity",
            lambda some: late(newest[some].toarray(), popular),
            "item-index",
            0,
        ),
    ]


def late(newest, popular):
    """What was taken, by when; then the rest by popularity, below it."""
    return np.where(newest > 0, newest, popular / 1e6)


def newest_first(past, pairs, place):
    """Users by items: when the user last took it, as a place in (0, 1)."""
    order = np.argsort(place)
    last = order[len(order) - 1 - np.unique(pairs[order][::-1], return_index=True)[1]]
    return past.select(last).matrix(place[last])


def drift(split):
    """When baskets of both parts fall, and the best seller's share in each ten days."""
    past = split.train_and_validation
    best = past.item_counts().argmax()
    decade = (past.times - past.times.min()) // 10
    share = np.bincount(
        decade[past.items == best], minlength=decade.max() + 1
    ) / np.bincount(decade)
    days = {
        part: np.percentile(getattr(split, part).times - past.times.min(), [10, 50, 90])
        .astype(int)
        .tolist()
        for part in ("validation", "test")
    }
    return {
        "best seller": int(past.item_ids[best]),
        "share of sales by ten days": rounded(share),
        "days of the baskets": days,
    }


def means(result):
    return {
        metric: round(float(result[metric].mean()), 5) for metric in ("recall", "nDCG")
    }
