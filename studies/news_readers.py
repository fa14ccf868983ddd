"""Readers of the Lee articles with planted interests: does attention help?

350 articles as unit vectors (WordLlama, mean of tokens, centred); topics are clusters of them.
Three networks that differ in the reader only: NRMS (self-attention, then additive attention, blind
to the candidate), target attention, and a mean. Beside them, without training: the mean of the
vectors, and softmax attention whose sharpness the validation readers choose. Learning rate from the
same grid and epoch chosen for each on validation readers, at each number of interests and for each
of five seeds of readers and weights. Test readers are strangers. A slate is one click among five;
AUC is taken within a slate whose history has at least fifteen clicks, its mean over slates of a
reader. Weight AUC: do the clicked candidate's weights put the articles read for the same planted
interest above the others; with topics dealt to articles at random it has nothing to find.
"""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd

from recsys.attention.weights import softmax
from recsys.batches.slates import slates
from recsys.data import load_static_embeddings, load_texts
from recsys.evaluation.compare import bootstrap_interval, rounded
from recsys.evaluation.metrics import auc_per_user
from recsys.simulate.readers import planted_readers, planted_topics
from recsys.neural.news import fit_best, slate_auc
from recsys.training.loop import FitConfig
from recsys.torch.nrms import NewsRecommender, NRMSConfig

DATA = ["lee-news", "wordllama"]
CONFIG = {
    "interests": [1, 2, 4, 6],
    "seeds": [0, 1, 2, 3, 4],
    "topics": 24,
    "sharpness": 10,
    "readers": {"train": 400, "validation": 200, "test": 500},
    "impressions": 20,
    "shown": 5,
    "least history": 15,
    "trained": ["mean", "target", "self"],
    "learning rates": [0.003, 0.01, 0.03, 0.1],
    "epochs": 8,
    "free": ["mean, untrained", "target, untrained"],
    "free sharpness": [2, 4, 8, 16, 32, 64],
    "dim": 32,
    "n_heads": 4,
    "dropout": 0.1,
}

DIFFERENCES = [
    ("target", "mean"),
    ("self", "mean"),
    ("target", "mean, untrained"),
    ("target", "target, untrained"),
    ("target, untrained", "mean, untrained"),
]


def run(config):
    vectors = article_vectors()
    fit = planted_topics(vectors, config["topics"])
    rows, chosen = [], {}
    for n_interests, seed in itertools.product(config["interests"], config["seeds"]):
        world = World(fit, n_interests, seed, config)
        for kind in config["trained"] + config["free"]:
            setting, result = (
                trained(world, vectors, kind, config)
                if kind in config["trained"]
                else free(world, vectors, kind, config)
            )
            rows.append(
                {"interests": n_interests, "kind": kind, "seed": seed, **result}
            )
            chosen.setdefault(f"{kind}, {n_interests}", []).append(setting)
    return {
        "rows": [
            {key: kept(value) for key, value in row.items() if key != "each"}
            for row in rows
        ],
        "chosen": chosen,
        "summary": summary(pd.DataFrame(rows), config),
        "protocol": " ".join(__doc__.split("\n", 2)[2].split()),
    }


def article_vectors():
    """Unit vectors of the 350 articles around their mean."""
    vectors = load_static_embeddings("wordllama").vectors(
        list(load_texts("lee-news").table.text)
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors -= vectors.mean(axis=0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class World:
    """Readers of one seed: to learn from, to choose by, and of the test with their truth."""

    def __init__(self, fit, n_interests, seed, config):
        parts = [
            planted_readers(
                fit,
                n_readers,
                n_interests,
                config["impressions"],
                config["shown"],
                config["sharpness"],
                seed=10 * seed + place,
            )
            for place, n_readers in enumerate(config["readers"].values())
        ]
        self.seed, (self.train, _, self.truth) = seed, parts
        self.validation, self.test = (long_slates(part, config) for part in parts[1:])

    def judged(self, scores, weights):
        """AUC on test readers, and what the weights find."""
        data, truth = self.test, self.truth
        each = (
            pd.Series(slate_auc(scores, data)).groupby(data.users).mean().to_numpy()
        )  # one a reader
        lie = replace(
            truth, fit=np.random.default_rng(self.seed).permutation(truth.fit)
        )
        return {
            "auc": each.mean(),
            "each": each,
            "weight auc": weight_auc(weights, data, truth),
            "weight auc, permuted truth": weight_auc(weights, data, lie),
            "truth": np.nanmean(
                slate_auc(truth.utilities(data.users, data.shown - 1), data)
            ),
        }


def trained(world, vectors, kind, config):
    """The learning rate best on validation readers, and what its network does."""

    def network(rate):
        settings = NRMSConfig(
            reader=kind,
            dim=config["dim"],
            n_heads=config["n_heads"],
            dropout=config["dropout"],
            training=FitConfig(
                epochs=config["epochs"], learning_rate=rate, seed=world.seed
            ),
        )
        return NewsRecommender(vectors, settings)

    networks = map(network, config["learning rates"])
    model = fit_best(networks, world.train.log, world.validation)
    result = world.judged(*model.score_slates(world.test))
    return model.config.training.learning_rate, {
        **result,
        "validation": max(model.result.metrics),
        "epoch": model.result.best_epoch,
    }


def free(world, vectors, kind, config):
    """No training: likeness to the clicked, averaged evenly or by the softmax of itself."""
    grid = config["free sharpness"] if kind.startswith("target") else [0]
    tried = [
        (
            np.nanmean(
                slate_auc(
                    likeness(vectors, world.validation, sharpness)[0], world.validation
                )
            ),
            sharpness,
        )
        for sharpness in grid
    ]
    best, sharpness = max(tried)
    return sharpness, {
        **world.judged(*likeness(vectors, world.test, sharpness)),
        "validation": best,
        "epoch": 0,
    }


def likeness(vectors, data, sharpness):
    """Scores (n, width) and weights (n, width, length) of softmax attention over unit vectors."""
    past, shown = (
        vectors[np.maximum(data.history - 1, 0)],
        vectors[np.maximum(data.shown - 1, 0)],
    )
    like = shown @ past.swapaxes(1, 2)
    weights = softmax(
        sharpness * like, mask=np.broadcast_to((data.history > 0)[:, None], like.shape)
    )
    return (weights * like).sum(axis=2), weights


def long_slates(world, config):
    data = slates(world.log, config["impressions"])
    return data.select((data.history > 0).sum(axis=1) >= config["least history"])


def weight_auc(weights, data, truth):
    """AUC of the clicked candidate's weights against "read for the same planted interest".

    NaN at one interest.
    """
    clicked, rows = data.clicked.argmax(axis=1), np.arange(len(data))
    reason = truth.reasons(data.users, data.shown - 1)[rows, clicked]
    same = truth.reasons(data.users, np.maximum(data.history - 1, 0)) == reason[:, None]
    real = data.history > 0
    each = auc_per_user(np.nonzero(real)[0], same[real], weights[rows, clicked][real])
    return float(np.nanmean(each)) if np.isfinite(each).any() else float("nan")


def summary(table, config):
    """By number of interests: means over seeds, and differences to the mean network.

    Intervals are over readers.
    """
    result = {}
    for n_interests, part in table.groupby("interests"):
        by_kind = {
            kind: rows.sort_values("seed") for kind, rows in part.groupby("kind")
        }
        result[str(n_interests)] = {
            "truth": kept(part.truth.mean()),
            "auc": {kind: kept(rows.auc.mean()) for kind, rows in by_kind.items()},
            "weight auc": {
                kind: kept(rows["weight auc"].mean())
                for kind, rows in by_kind.items()
                if "mean" not in kind
            },
            "weight auc, permuted truth": kept(
                by_kind["target"]["weight auc, permuted truth"].mean()
            ),
        }
        for one, other in DIFFERENCES:
            difference = np.concatenate(
                [a - b for a, b in zip(by_kind[one].each, by_kind[other].each)]
            )
            result[str(n_interests)][f"{one} minus {other}"] = rounded(
                bootstrap_interval(difference)
            )
            result[str(n_interests)][f"{one} minus {other}, each seed"] = rounded(
                a - b for a, b in zip(by_kind[one].auc, by_kind[other].auc)
            )
    return result


def kept(value):
    """A float as `rounded` keeps it; names and whole numbers as they are."""
    return rounded([value])[0] if isinstance(value, float) else value
