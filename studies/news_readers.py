"""Readers of the Lee articles with planted interests: does attention over the clicked articles help?

350 articles as unit vectors (WordLlama, mean of tokens, centred); topics are clusters of them.
Three networks that differ in the reader only: NRMS (self-attention, then additive attention,
blind to the candidate), target attention, and a mean. Learning rate from the same grid and epoch
chosen for each on validation readers, at each number of interests, with seed 0; then five seeds
of readers and weights. Test readers are strangers. A slate is one click among five; AUC is
taken within a slate whose history has at least fifteen clicks, its mean over slates of a reader.
Weight AUC: do the clicked candidate's weights put the articles read for the same planted interest
above the others; with topics dealt to articles at random it has nothing to find.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from recsys.data import load_static_embeddings, load_texts
from recsys.data.clicks import slates
from recsys.evaluation.compare import bootstrap_interval
from recsys.evaluation.metrics import auc_per_user
from recsys.simulate.readers import planted_readers, planted_topics
from recsys.torch.fit import FitConfig
from recsys.torch.nrms import NewsRecommender, NRMSConfig, slate_auc

DATA = ["lee-news", "wordllama"]
USES = ["simulate/readers.py", "data/clicks.py", "data/lee.py", "data/wordllama.py", "evaluation/compare.py",
        "evaluation/metrics.py", "torch/nrms.py", "torch/fit.py", "torch/cross_attention.py", "torch/multi_head.py",
        "torch/functional.py", "torch/pooling.py"]
CONFIG = {
    "interests": [1, 2, 4, 6], "seeds": [0, 1, 2, 3, 4], "topics": 24, "sharpness": 10,
    "readers": {"train": 400, "validation": 200, "test": 500}, "impressions": 20, "shown": 5, "least history": 15,
    "kinds": ["mean", "target", "self"], "learning rates": [0.003, 0.01], "epochs": 6, "dim": 32, "n_heads": 4, "dropout": 0.1,
}


def run(config):
    vectors = article_vectors()
    fit = planted_topics(vectors, config["topics"])
    rows, chosen = [], {}
    for n_interests in config["interests"]:
        for kind in config["kinds"]:
            tried = {rate: play(vectors, fit, n_interests, kind, rate, 0, config) for rate in config["learning rates"]}
            best = max(tried, key=lambda rate: tried[rate]["validation"])
            chosen[f"{kind}, {n_interests}"] = best
            for seed in config["seeds"]:
                result = tried[best] if seed == 0 else play(vectors, fit, n_interests, kind, best, seed, config)
                rows.append({"interests": n_interests, "kind": kind, "seed": seed, **result})
    table = pd.DataFrame(rows)
    return {"rows": [{key: rounded(value) for key, value in row.items() if key != "each"} for row in rows],
            "learning rates": chosen, "summary": summary(table, config),
            "protocol": " ".join(__doc__.split("\n", 2)[2].split())}


def article_vectors():
    """Unit vectors of the 350 articles around their mean."""
    vectors = load_static_embeddings("wordllama").vectors(list(load_texts("lee-news").table.text))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors -= vectors.mean(axis=0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def play(vectors, fit, n_interests, kind, rate, seed, config):
    """One world of readers, one network: AUC on test readers and what its weights find."""
    worlds = {}
    for place, (part, n_readers) in enumerate(config["readers"].items()):
        worlds[part] = planted_readers(fit, n_readers, n_interests, config["impressions"], config["shown"],
                                       config["sharpness"], seed=10 * seed + place)
    parts = {part: long_slates(world, config) for part, world in worlds.items() if part != "train"}
    settings = NRMSConfig(reader=kind, dim=config["dim"], n_heads=config["n_heads"], dropout=config["dropout"],
                          training=FitConfig(epochs=config["epochs"], learning_rate=rate, seed=seed))
    model = NewsRecommender(vectors, settings).fit(worlds["train"].log, parts["validation"])
    data, test = parts["test"], worlds["test"]
    scores, weights = model.score_slates(data)
    each = pd.Series(slate_auc(scores, data)).groupby(data.users).mean().to_numpy()  # one a reader
    lie = replace(test, fit=np.random.default_rng(seed).permutation(test.fit))
    return {"auc": each.mean(), "each": each, "validation": max(model.result.metrics), "epoch": model.result.best_epoch,
            "weight auc": weight_auc(weights, data, test), "weight auc, permuted truth": weight_auc(weights, data, lie),
            "truth": np.nanmean(slate_auc(test.utilities(data.users, data.shown - 1), data))}


def long_slates(world, config):
    data = slates(world.log, config["impressions"])
    return data.select((data.history > 0).sum(axis=1) >= config["least history"])


def weight_auc(weights, data, truth):
    """AUC of the clicked candidate's weights against "read for the same planted interest"; NaN at one interest."""
    clicked, rows = data.clicked.argmax(axis=1), np.arange(len(data))
    reason = truth.reasons(data.users, data.shown - 1)[rows, clicked]
    same = truth.reasons(data.users, np.maximum(data.history - 1, 0)) == reason[:, None]
    real = data.history > 0
    each = auc_per_user(np.nonzero(real)[0], same[real], weights[rows, clicked][real])
    return float(np.nanmean(each)) if np.isfinite(each).any() else float("nan")


def summary(table, config):
    """By number of interests: means over seeds, and differences to the mean network with intervals over readers."""
    result = {}
    for n_interests, part in table.groupby("interests"):
        by_kind = {kind: rows.sort_values("seed") for kind, rows in part.groupby("kind")}
        result[str(n_interests)] = {
            "truth": rounded(part.truth.mean()), "auc": {kind: rounded(rows.auc.mean()) for kind, rows in by_kind.items()},
            "weight auc": {kind: rounded(rows["weight auc"].mean()) for kind, rows in by_kind.items() if kind != "mean"},
            "weight auc, permuted truth": rounded(by_kind["target"]["weight auc, permuted truth"].mean())}
        for kind in ("target", "self"):
            difference = np.concatenate([a - b for a, b in zip(by_kind[kind].each, by_kind["mean"].each)])
            result[str(n_interests)][f"{kind} minus mean"] = [rounded(number) for number in bootstrap_interval(difference)]
            result[str(n_interests)][f"{kind} minus mean, each seed"] = [
                rounded(a - b) for a, b in zip(by_kind[kind].auc, by_kind["mean"].auc)]
    return result


def rounded(number):
    """Four digits; whole numbers and names as they are; None where undefined."""
    if isinstance(number, (int, str)):
        return number
    return None if np.isnan(number) else round(float(number), 4)
