"""What attention earns in the next basket: three poolings of one network, several seeds."""

from dataclasses import replace

import numpy as np

from recsys.baselines import PersonalFrequency
from recsys.batches.visits import visits
from recsys.data import load
from recsys.data.taiw import taiw_filter
from recsys.evaluation import (
    bootstrap_interval,
    hits_of,
    last_basket,
    ndcg,
    paired_test,
    recall,
    rounded,
    top_k,
)
from recsys.neural.next_basket import prepare
from recsys.torch.next_basket import NextBasket, NextBasketConfig
from recsys.training.loop import FitConfig

DATA = ["ta-feng"]
CONFIG = {
    "poolings": ["mean", "softmax", "sum"],
    "epochs": [1, 2, 3],
    "learning_rate": 0.01,
    "targets": 2,
    "per source": 60,
    "seeds": 3,
    "control": {"decay": 1, "popularity_weight": 2},
    "past baskets": [[1, 4], [5, 8], [9, 15], [16, 99]],
    "protocol": "TAIW filter; last basket of users with at least 3 days; the day of the basket is told; full ranking; "
    "fitted on train for development, on train and development for the test; bought items allowed; score "
    "ties by item-index; nDCG ideal over all items of the basket; epochs chosen on development with seed 0",
}


def run(config):
    split = last_basket(taiw_filter(load("ta-feng").interactions))
    development = Shop(config, split.train, split.validation)
    chosen, tried = {}, {}
    for name, network in networks(config).items():
        tried[name] = {
            epochs: round(
                float(development.measure(network, epochs, 0)["nDCG"].mean()), 5
            )
            for epochs in config["epochs"]
        }
        chosen[name] = max(tried[name], key=tried[name].get)
    shop = Shop(config, split.train_and_validation, split.test)
    tests = {
        name: [
            shop.measure(network, chosen[name], seed) for seed in range(config["seeds"])
        ]
        for name, network in networks(config).items()
    }
    control = shop.read(
        PersonalFrequency(**config["control"]).fit(split.train_and_validation).score
    )
    results = {
        "protocol": config["protocol"],
        "users": len(shop.users),
        "development": tried,
        "epochs": chosen,
        "control": {
            metric: rounded(bootstrap_interval(control[metric])) for metric in control
        },
        "models": {},
    }
    for name, runs in tests.items():
        results["models"][name] = {
            metric: {
                "seeds": rounded(run[metric].mean() for run in runs),
                "mean over seeds": rounded(bootstrap_interval(mean_of(runs, metric))),
                "over the control": rounded(
                    paired_test(mean_of(runs, metric), control[metric])
                ),
                "over mean pooling": rounded(
                    paired_test(
                        mean_of(runs, metric), mean_of(tests[mean_twin(name)], metric)
                    )
                )
                if name != mean_twin(name)
                else None,
            }
            for metric in control
        }
    results["by past baskets"] = by_past_baskets(config, shop, tests)
    return results


class Shop:
    """One part of the split: questions to learn from, users to serve, and how to measure."""

    def __init__(self, config, fitted, truth):
        self.config, self.fitted = config, fitted
        self.prepared = prepare(fitted, proposing(config))
        self.users, first = np.unique(truth.users, return_index=True)
        self.days = np.zeros(fitted.n_users, dtype=np.int64)
        self.days[self.users] = truth.times[first]
        self.relevant = truth.of_users(self.users).seen()

    def measure(self, network, epochs, seed):
        """Train one network and read its recall and nDCG of each user."""
        training = FitConfig(
            epochs=epochs, learning_rate=self.config["learning_rate"], seed=seed
        )
        model = NextBasket(replace(network, training=training)).fit(
            self.fitted, self.prepared
        )
        return self.read(lambda users: model.score(users, days=self.days[users]))

    def read(self, score):
        ranked = np.vstack(
            [top_k(score(users), 10) for users in np.array_split(self.users, 16)]
        )
        hits, n_relevant = hits_of(ranked, self.relevant), np.diff(self.relevant.indptr)
        return {
            "recall": recall(hits, n_relevant),
            "nDCG": ndcg(hits, n_relevant, "all-relevant"),
        }


def networks(config):
    """Each pooling, with the candidate's own purchases told apart and without."""
    return {
        f"{pooling}{'' if match else ', blind to repeats'}": replace(
            proposing(config), pooling=pooling, match=match
        )
        for match in (True, False)
        for pooling in config["poolings"]
    }


def proposing(config):
    """How many of the newest baskets are learned from, and how many products are proposed."""
    return NextBasketConfig(targets=config["targets"], per_source=config["per source"])


def mean_twin(name):
    """The name of the same network with mean pooling."""
    return "mean" + "".join(name.partition(",")[1:])


def by_past_baskets(config, shop, tests):
    """Gain in recall over mean pooling, mean over seeds, by baskets before the test."""
    n = visits(shop.fitted).n_baskets[shop.users]
    rows = []
    for low, high in config["past baskets"]:
        here = (n >= low) & (n <= high)
        gains = {
            name: rounded(
                paired_test(
                    mean_of(runs, "recall")[here],
                    mean_of(tests[mean_twin(name)], "recall")[here],
                )
            )
            for name, runs in tests.items()
            if name != mean_twin(name)
        }
        rows.append(
            {
                "from": low,
                "to": high,
                "users": int(here.sum()),
                "over mean pooling": gains,
            }
        )
    return rows


def mean_of(runs, metric):
    return np.mean([run[metric] for run in runs], axis=0)
