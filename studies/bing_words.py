"""The Bing News sample beside a bandit: what the log holds, and a newspaper planted from its words.

A logistic regression on headline vectors is fitted to the rows of the first file, and orders those
of the second; its chances are then the truth of planted newspapers, in which all readers are alike.
The log itself is not replayed: nothing in it was drawn by known chances.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

from recsys.batches.articles import centred, unit
from recsys.data import load, load_static_embeddings
from recsys.economy.bandits import EpsilonGreedy, Thompson
from recsys.economy.linear_bandits import LinUCB
from recsys.economy.shelf import Shelf, play
from recsys.evaluation import auc, rounded, two_way_test

DATA = ["dkn-news", "wordllama"]
CONFIG = {
    "directions": 16,
    "penalty": 0.1,
    "bootstrap": 1000,
    "replicas": 20,
    "headlines": 210,
    "slots": 10,
    "life": 1000,
    "steps": 20_000,
    "seeds": {"draws": 0, "play": 7},
}


def run(config):
    log = load("dkn-news")
    rows, first = log.interactions, (log.rows["file"] == "train").to_numpy()
    plain = load_static_embeddings("wordllama").vectors(list(log.items["headline"]))
    vectors = centred(plain, unit(plain).mean(axis=0))  # (n_items, n)
    model = LogisticRegression(C=config["penalty"], max_iter=500)
    model.fit(vectors[rows.items[first]], rows.values[first] > 0)
    rng = np.random.default_rng(config["seeds"]["draws"])
    clicked = rows.values[~first] > 0
    score = model.decision_function(vectors[rows.items[~first]])
    area = ordered(clicked, score, config["bootstrap"], rng)
    lost = newspapers(config, vectors, model.predict_proba(vectors)[:, 1], rng)
    return {
        "log": counts(rows, first),
        "auc": rounded(area),
        "regret": {name: round(float(each.mean()), 4) for name, each in lost.items()},
        "LinUCB minus Thompson": rounded(
            two_way_test((lost["LinUCB"] - lost["Thompson"])[None])[:3]
        ),
    }


def counts(rows, first):
    """How often a headline was shown, and what the two files share."""
    shown = np.bincount(rows.items)
    common = np.intersect1d(rows.items[~first], rows.items[first])
    return {
        "rows": len(rows.items),
        "headlines": len(shown),
        "shown once": round(float((shown == 1).mean()), 4),
        "most shown": int(shown.max()),
        "clicked": round(float(rows.values.mean()), 4),
        "in both files": len(common),
    }


def ordered(clicked, score, times, rng):
    """AUC of the second file, and its bootstrap interval over rows."""
    draws = [rng.integers(len(score), size=len(score)) for _ in range(times)]
    again = [auc(clicked[rows], score[rows]) for rows in draws]
    return [auc(clicked, score), *np.quantile(again, [0.025, 0.975])]


def newspapers(config, vectors, chances, rng):
    """Regret of each bandit in each newspaper, where chances of a click are these."""
    main = np.linalg.svd(vectors, full_matrices=False)[2][: config["directions"]]
    x = unit(vectors @ main.T)
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)  # (n_items, directions + 1)
    pages = [
        rng.permutation(len(x))[: config["headlines"]]
        for _ in range(config["replicas"])
    ]
    page = np.array(pages)  # (replicas, headlines)
    replicas, slots = config["replicas"], config["slots"]
    bandits = {
        "anything": EpsilonGreedy(replicas, slots, 1.0),
        "Thompson": Thompson(replicas, slots),
        "LinUCB": LinUCB(replicas, x.shape[1], alpha=1),
    }
    lost = {}
    for name, bandit in bandits.items():
        shelf = Shelf(chances[page], x[page], slots, config["life"])
        run = play(bandit, shelf, config["steps"], seed=config["seeds"]["play"])
        lost[name] = run.regret.sum(axis=0)
    return lost
