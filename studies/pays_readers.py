"""When does attention pay? Readers of the Lee articles with planted likings.

350 articles; topics are 24 clusters of their WordLlama vectors (mean of tokens, centred, length 1).
A reader has some topics as interests; again and again they are shown five articles, one drawn for
an interest, and click one by the softmax of ten times its liking: the best fit to an interest
(max) or the sum of all (sum). Models read the vectors that the world was made of (same), or others:
TF-IDF of the words, its first 256 singular directions, centred, length 1 (other). Of a history all
clicks can be read, 15 to 19, or the newest five. Networks differ in the reader only: target
attention, a learned decay, a mean, NRMS. Without training: the mean of the vectors, and attention
by softmax of their likeness. Settings, the same draws for each network, as many for the sharpness,
are chosen on validation readers with the first seed, in each world. A seed draws the readers that
are trained on, and the first weights; 500 readers of the test are strangers, the same for every
seed. AUC within a slate whose history has at least fifteen clicks, mean over slates of a reader.
Weight AUC: do the clicked candidate's weights put the articles read for the same planted interest
above the others; with topics dealt to articles at random it has nothing to find.
"""

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from recsys.attention.weights import softmax
from recsys.batches.slates import slates
from recsys.book.pays import registered
from recsys.book.pays.report import compared
from recsys.data import load_static_embeddings, load_texts
from recsys.data.words import words
from recsys.evaluation import draws, rounded, two_way_interval, verdict
from recsys.evaluation.metrics import auc_per_user
from recsys.evaluation.verdicts import holm
from recsys.neural.news import slate_auc
from recsys.simulate.readers import planted_readers, planted_topics
from recsys.torch.nrms import NewsRecommender, NRMSConfig
from recsys.training.loop import FitConfig

DATA = ["lee-news", "wordllama"]
CONFIG = registered(Path(__file__).parent, "pays_readers")

VALIDATED, TESTED = 101, 102
"""Seeds of the readers that all seeds share; those trained on have the seed itself."""

CONTRASTS = [
    ("target", "decay"),
    ("target", "mean"),
    ("target", "mean, untrained"),
    ("self", "mean"),
    ("decay", "mean"),
    ("target", "target, untrained"),
    ("target, untrained", "mean, untrained"),
]


def worlds(config):
    """Settings of each world by its name."""
    found = {}
    for factors in (config["factors"], config["beside"]):
        for values in itertools.product(*factors.values()):
            of = dict(zip(factors, values))
            liking = f"{of['taste']} of {of['interests']}"
            name = f"{liking}, {of['clicks']} clicks, {of['vectors']} vectors"
            found[name] = of
    return found


def pieces(config):
    return {name: partial(one_world, config, of) for name, of in worlds(config).items()}


def run(config, done):
    margin, found = config["margin"], {}
    for name, piece in done.items():
        tables = {arm: np.array(units) for arm, units in piece["units"].items()}
        found[name] = {
            **piece["of"],
            "readers": tables["target"].shape[1],
            "truth": piece["truth"],
            "levels": {
                arm: rounded(two_way_interval(table)) for arm, table in tables.items()
            },
            "seeds": {arm: rounded(table.mean(1)) for arm, table in tables.items()},
            **{
                f"{one} minus {other}": compared(
                    tables[one], tables[other], margin * tables[other].mean()
                )
                for one, other in CONTRASTS
            },
            "weight auc": piece["weight auc"],
            "chosen": piece["chosen"],
        }
    for one, other in CONTRASTS:
        name_verdicts(found, done, one, other, margin)
    return {"worlds": found, "protocol": " ".join(__doc__.split("\n", 2)[2].split())}


def name_verdicts(found, done, one, other, margin):
    """Say of one contrast in each world what it says among all worlds, by Holm."""
    rows = {name: world[f"{one} minus {other}"] for name, world in found.items()}
    adjusted = holm(np.array([row["p_value"] for row in rows.values()]))
    for (name, row), p in zip(rows.items(), adjusted):
        units = done[name]["units"]
        ours, theirs = np.array(units[one]), np.array(units[other])
        band = margin * theirs.mean()
        row |= {
            "margin": round(float(band), 5),
            "holm": round(float(p), 6),
            "says": verdict(ours, theirs, band).says(p),
        }


def one_world(config, of):
    """Each arm in one world: settings chosen with the first seed, the test read with each."""
    vectors = article_vectors(of["vectors"], config)
    fit = planted_topics(article_vectors("same", config), config["topics"])
    made = [World(fit, of, seed, config) for seed in config["seeds"]]
    units, weights, chosen = {}, {}, {}
    for arm in config["arms"]:
        settings, chosen[arm] = best_settings(made[0], vectors, arm, config)
        fitted = [
            network(world, vectors, arm, settings, config).fit(
                world.train.log, world.validation
            )
            for world in made
        ]
        answers = [model.score_slates(made[0].test) for model in fitted]
        units[arm] = [made[0].auc(scores) for scores, _ in answers]
        weights[arm] = [world_weights for _, world_weights in answers]
    for arm in config["free"]:
        sharpness, chosen[arm] = best_sharpness(made[0], vectors, arm, config)
        scores, given = likeness(vectors, made[0].test, sharpness)
        units[arm] = [made[0].auc(scores)] * len(made)
        weights[arm] = [given]
    return {
        "of": of,
        "units": {arm: np.round(rows, 5).tolist() for arm, rows in units.items()},
        "truth": rounded([made[0].auc(made[0].utilities()).mean()])[0],
        "weight auc": found_interests(made[0], weights),
        "chosen": chosen,
    }


def article_vectors(kind, config):
    """Vectors of the 350 articles, of length 1 around their mean."""
    texts = list(load_texts("lee-news").table.text)
    if kind == "same":
        vectors = load_static_embeddings("wordllama").vectors(texts)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    else:
        counts = TfidfVectorizer(analyzer=words, sublinear_tf=True)
        directions = TruncatedSVD(config["other dim"], random_state=0)
        vectors = directions.fit_transform(counts.fit_transform(texts))
    vectors -= vectors.mean(axis=0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class World:
    """Readers of one seed to learn from; readers to choose by and to test on, with their truth."""

    def __init__(self, fit, of, seed, config):
        seeds = {"train": seed, "validation": VALIDATED, "test": TESTED}
        parts = {
            part: planted_readers(
                fit,
                n_readers,
                of["interests"],
                config["impressions"],
                config["shown"],
                config["sharpness"],
                seeds[part],
                taste=of["taste"],
            )
            for part, n_readers in config["readers"].items()
        }
        self.seed, self.clicks = seed, of["clicks"]
        self.train, self.truth = parts["train"], parts["test"]
        self.validation = self.long_slates(parts["validation"], config)
        self.test = self.long_slates(parts["test"], config)

    def long_slates(self, readers, config):
        """Slates after at least so many clicks, of which the newest are read."""
        data = slates(readers.log, config["impressions"])
        data = data.select((data.history > 0).sum(axis=1) >= config["least history"])
        return newest(data, self.clicks)

    def auc(self, scores):
        """Within the slates of the test, the mean of each reader."""
        values = pd.Series(slate_auc(scores, self.test))
        return values.groupby(self.test.users).mean().to_numpy()

    def utilities(self):
        """What was planted for each article of the test."""
        return self.truth.utilities(self.test.users, self.test.shown - 1)


def newest(data, clicks):
    """Slates with the newest clicks only; histories are padded on the right."""
    length = (data.history > 0).sum(axis=1)
    first = np.maximum(length - clicks, 0)
    places = first[:, None] + np.arange(min(clicks, data.history.shape[1]))
    inside = places < length[:, None]
    history = np.take_along_axis(data.history, np.where(inside, places, 0), axis=1)
    return replace(data, history=history * inside, liked=inside)


def best_settings(world, vectors, arm, config):
    """Of the settings drawn those with the best epoch on validation readers, and all tried."""
    drawn = draws(config["space"], config["settings"], config["draw seed"])
    tried = []
    for settings in drawn:
        model = network(world, vectors, arm, settings, config)
        model.fit(world.train.log, world.validation)
        tried.append(max(model.result.metrics))
    best = drawn[int(np.argmax(tried))]
    return best, {"settings": best, "tried": rounded(tried)}


def network(world, vectors, arm, settings, config):
    """A recommender of one arm, not fitted."""
    sizes = {name: settings[name] for name in ("dim", "n_heads", "dropout")}
    training = FitConfig(
        epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        seed=world.seed,
    )
    return NewsRecommender(
        vectors,
        NRMSConfig(reader=arm, max_history=world.clicks, training=training, **sizes),
    )


def best_sharpness(world, vectors, arm, config):
    """The sharpness that is best on validation readers, and all tried; the mean has none."""
    grid = config["free sharpness"] if arm.startswith("target") else [0]
    data = world.validation
    tried = [
        np.nanmean(slate_auc(likeness(vectors, data, sharpness)[0], data))
        for sharpness in grid
    ]
    best = grid[int(np.argmax(tried))]
    return best, {"settings": {"sharpness": best}, "tried": rounded(tried)}


def likeness(vectors, data, sharpness):
    """Scores (n, width) and weights (n, width, length) of softmax attention over unit vectors."""
    past = vectors[np.maximum(data.history - 1, 0)]
    shown = vectors[np.maximum(data.shown - 1, 0)]
    like = shown @ past.swapaxes(1, 2)
    mask = np.broadcast_to((data.history > 0)[:, None], like.shape)
    weights = softmax(sharpness * like, mask=mask)
    return (weights * like).sum(axis=2), weights


def found_interests(world, weights):
    """Weight AUC of target attention, trained (mean over seeds) and not; and against a lie.

    Only where an article is clicked for one interest, its best.
    """
    if world.truth.taste != "max" or world.truth.interests.shape[1] == 1:
        return None

    def mean(arm, truth):
        each = [weight_auc(given, world.test, truth) for given in weights[arm]]
        return rounded([np.mean(each)])[0]

    dealt = np.random.default_rng(0).permutation(world.truth.fit)
    lie = replace(world.truth, fit=dealt)
    return {
        "target": mean("target", world.truth),
        "target, untrained": mean("target, untrained", world.truth),
        "target, permuted truth": mean("target", lie),
    }


def weight_auc(weights, data, truth):
    """AUC of the clicked candidate's weights against "read for the same planted interest"."""
    clicked, rows = data.clicked.argmax(axis=1), np.arange(len(data))
    reason = truth.reasons(data.users, data.shown - 1)[rows, clicked]
    same = truth.reasons(data.users, np.maximum(data.history - 1, 0)) == reason[:, None]
    real = data.history > 0
    each = auc_per_user(np.nonzero(real)[0], same[real], weights[rows, clicked][real])
    return float(np.nanmean(each))
