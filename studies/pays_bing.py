"""When does attention pay? The Bing News sample of DKN, and who learns anything of a reader.

10,401 rows of the published training file; rows of one user and one headline are settled first
(clicked where any of them was), then headlines are dealt into three folds, so that a candidate
never stands in a history. A score of a reader's headlines of one fold is made from the headlines
of the other two: of this reader, and once more of another one. Training-free scores and trained
networks are told the same, clicks alone or clicks minus skips; neither time nor order is known.
Metric: AUC within a reader and fold, mean over a reader's folds; readers that have one in every
deal. Every setting is chosen inside the two training folds. Seeds are deals of the headlines, and
first weights.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from recsys.attention.weights import softmax
from recsys.batches.sequences import pad
from recsys.batches.slates import Slates, refuse_leaks
from recsys.book.pays import registered
from recsys.book.pays.report import compared
from recsys.data import Impressions, Interactions, load, load_static_embeddings
from recsys.data.errors import DataError
from recsys.data.impressions import ImpressionLog
from recsys.evaluation import draws, rounded, two_way_interval, verdict
from recsys.evaluation.metrics import auc_per_user
from recsys.evaluation.verdicts import holm
from recsys.torch.nrms import NewsRecommender, NRMSConfig
from recsys.training.loop import FitConfig

DATA = ["dkn-news", "wordllama"]
CONFIG = registered(Path(__file__).parent, "pays_bing")

NONE, MEAN, SOFTMAX = CONFIG["arms"]
FREE, TRAINED = CONFIG["ways"]
CLICKS, SKIPS = CONFIG["told"]
READERS = {MEAN: "mean", SOFTMAX: "target"}
"""What the network calls an arm."""


def pieces(config):
    return {
        f"deal {seed}": partial(one_deal, config, seed) for seed in config["seeds"]
    }


def run(config, done):
    tables = as_tables(list(done.values()))
    own, other = tables["own"], tables["other"]
    names = [name for name in own if name != NONE]
    margin = config["margin"]
    ways = [f"{way}, {told}" for way in config["ways"] for told in config["told"]]
    attending = {way: (own[f"{SOFTMAX}, {way}"], own[f"{MEAN}, {way}"]) for way in ways}
    skipping = {
        f"{arm}, {way}": (own[f"{arm}, {way}, {SKIPS}"], own[f"{arm}, {way}, {CLICKS}"])
        for arm in READERS
        for way in config["ways"]
    }
    found = family(attending, margin)
    return {
        "data": counts(),
        "readers": own[NONE].shape[1],
        "dkn-news, slates": found[config["primary"]],
        "levels": {name: rounded(two_way_interval(own[name])) for name in own},
        "levels, another reader's history": {
            name: rounded(two_way_interval(other[name])) for name in names
        },
        "seeds": {name: rounded(own[name].mean(1)) for name in own},
        "softmax minus mean": found,
        "own minus another reader's history": family(
            {name: (own[name], other[name]) for name in names}, margin
        ),
        "clicks minus skips, minus clicks": family(skipping, margin),
        "minus none": family({name: (own[name], own[NONE]) for name in names}, margin),
        "chosen": [row for piece in done.values() for row in piece["chosen"]],
        "leak": leak(max(config["sharpness"])),
        "protocol": " ".join(__doc__.split("\n", 2)[2].split()),
    }


def as_tables(deals):
    """AUC (deals, readers) by history and name, of the readers that every deal has."""
    readers = sorted(set.intersection(*(set(deal["readers"]) for deal in deals)))
    places = [np.searchsorted(deal["readers"], readers) for deal in deals]
    return {
        history: {
            name: np.array(
                [
                    np.array(deal[history][name])[place]
                    for deal, place in zip(deals, places)
                ]
            )
            for name in deals[0][history]
        }
        for history in ("own", "other")
    }


def family(pairs, margin):
    """Each comparison, its p-value among all of them by Holm, and what it says then.

    The margin is a share of the level of what is taken off.
    """
    bands = {name: margin * theirs.mean() for name, (_, theirs) in pairs.items()}
    found = {name: compared(*pairs[name], bands[name]) for name in pairs}
    adjusted = holm(np.array([row["p_value"] for row in found.values()]))
    for name, p in zip(pairs, adjusted):
        found[name] |= {
            "margin": round(float(bands[name]), 5),
            "holm": round(float(p), 6),
            "says": verdict(*pairs[name], bands[name]).says(p),
        }
    return found


class Pairs:
    """Pairs of a user and a headline, settled: clicked where any row of the pair was."""

    def __init__(self):
        data = load("dkn-news")
        log = data.interactions.select((data.rows.file == "train").to_numpy())
        key, row = np.unique(log.users * log.n_items + log.items, return_inverse=True)
        self.labels = np.zeros(len(key), dtype=bool)
        np.logical_or.at(self.labels, row, log.values > 0)
        self.users, self.titles = key // log.n_items, key % log.n_items
        self.rows = {
            user: np.flatnonzero(self.users == user) for user in self.readers()
        }
        vectors = load_static_embeddings("wordllama").vectors(list(data.items.headline))
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def readers(self, rows=slice(None)):
        """Of some pairs, each once."""
        return np.unique(self.users[rows])

    def dealt(self, n_folds, rng):
        """A fold for each pair, that of its headline."""
        return rng.integers(n_folds, size=len(self.vectors))[self.titles]

    def auc(self, rows, scores):
        """Of each reader of some pairs, NaN without a click or a skip among them."""
        values = auc_per_user(self.users[rows], self.labels[rows], scores[rows])
        return pd.Series(values, index=self.readers(rows))

    def among(self, rows, most=None):
        """Those of some pairs that each reader has, the last `most` of them."""
        inside = np.zeros(len(self.users), dtype=bool)
        inside[rows] = True
        return {
            user: own[inside[own]][-most if most else None :]
            for user, own in self.rows.items()
        }


def one_deal(config, seed):
    """One deal of the headlines into folds: AUC of each reader by each score."""
    pairs = Pairs()
    fold_of = pairs.dealt(config["folds"], np.random.default_rng(seed))
    tables, chosen = {"own": [], "other": []}, []
    for fold in range(config["folds"]):
        world = Fold(pairs, fold_of == fold, [seed, fold], config)
        scores, settings = all_scores(world)
        for history, by_name in scores.items():
            auc = {name: pairs.auc(world.test, row) for name, row in by_name.items()}
            tables[history].append(pd.DataFrame(auc))
        chosen.append({"seed": seed, "fold": fold, **settings})
    means = {
        history: pd.concat(parts).groupby(level=0).mean().dropna()
        for history, parts in tables.items()
    }
    return {
        "readers": means["own"].index.tolist(),
        **{history: table.round(5).to_dict("list") for history, table in means.items()},
        "chosen": chosen,
    }


class Fold:
    """One fold as the test, two to read and to choose in, and whose history each one is given.

    Args:
        pairs: of the data.
        test: boolean, pairs of the fold.
        place: seed of the deal and number of the fold; all that is drawn here hangs on it.
        config: of the study.
    """

    def __init__(self, pairs, test, place, config):
        self.pairs, self.place, self.config = pairs, place, config
        self.test, self.train = np.flatnonzero(test), np.flatnonzero(~test)
        readers = self.rng(0).permutation(pairs.readers(self.test))
        self.whose = {
            "own": {reader: reader for reader in readers},
            "other": dict(zip(readers, np.roll(readers, 1))),
        }

    def rng(self, purpose):
        """A generator for one purpose, the same for every arm."""
        return np.random.default_rng([*self.place, purpose])


def all_scores(world):
    """Scores (n_pairs,) by history and name, filled in on the test; and what was chosen."""
    nobody, penalty = user_ignored(world)
    scores = {history: {NONE: nobody} for history in world.whose}
    chosen = {NONE: penalty}
    for told in world.config["told"]:
        sharpness, tried = choose_sharpness(world, told)
        chosen[f"{SOFTMAX}, {FREE}, {told}"] = {"sharpness": sharpness, "tried": tried}
        for history, whose in world.whose.items():
            mean, attention = training_free(
                world, world.test, world.train, whose, [0, sharpness], told
            )
            scores[history][f"{MEAN}, {FREE}, {told}"] = mean
            scores[history][f"{SOFTMAX}, {FREE}, {told}"] = attention
    halves = Halves(world)
    for told in world.config["told"]:
        for arm in READERS:
            name = f"{arm}, {TRAINED}, {told}"
            found, chosen[name] = trained(world, halves, arm, told)
            for history, row in found.items():
                scores[history][name] = row
    return scores, chosen


def training_free(world, candidates, history, whose, grid, told):
    """Scores (len(grid), n_pairs) of the candidates by the history of whoever is named."""
    pairs, most = world.pairs, world.config["most events"]
    asked, past = pairs.among(candidates), pairs.among(history, most)
    scores = np.zeros((len(grid), len(pairs.users)))
    for reader, author in whose.items():
        mine, theirs = asked[reader], past[author]
        vectors = pairs.vectors[pairs.titles[mine]]
        likeness = vectors @ pairs.vectors[pairs.titles[theirs]].T
        liked = pairs.labels[theirs]
        scores[:, mine] = attended(likeness[:, liked], grid)
        if told == SKIPS:
            scores[:, mine] -= attended(likeness[:, ~liked], grid)
    return scores


def attended(likeness, grid):
    """Likeness (candidates, events) averaged by the softmax of itself: (len(grid), candidates)."""
    if not likeness.shape[1]:
        return np.zeros((len(grid), len(likeness)))
    sharp = np.array(grid, dtype=float)[:, None, None] * likeness
    return (softmax(sharp) * likeness).sum(2)


def choose_sharpness(world, told):
    """The best by inner folds of headlines, dealt several times; and the AUC of each."""
    pairs, train, grid = world.pairs, world.train, world.config["sharpness"]
    rng, tables = world.rng(1), []
    for _ in range(world.config["inner deals"]):
        fold_of = pairs.dealt(world.config["folds"], rng)[train]
        for fold in range(world.config["folds"]):
            inside, outside = train[fold_of == fold], train[fold_of != fold]
            own = {reader: reader for reader in pairs.readers(inside)}
            scores = training_free(world, inside, outside, own, grid, told)
            auc = {value: pairs.auc(inside, row) for value, row in zip(grid, scores)}
            tables.append(pd.DataFrame(auc))
    means = pd.concat(tables).groupby(level=0).mean().mean()
    return means.idxmax(), rounded(means)


def user_ignored(world):
    """Logistic regression on the headline's vector alone: what everybody clicks."""
    pairs, train = world.pairs, world.train
    n_folds = world.config["folds"]
    fold_of = pairs.dealt(n_folds, world.rng(2))[train]

    def scored(rows, penalty):
        model = LogisticRegression(C=penalty, max_iter=500)
        model.fit(pairs.vectors[pairs.titles[rows]], pairs.labels[rows])
        return model.decision_function(pairs.vectors[pairs.titles])

    def value(penalty):
        parts = [
            pairs.auc(train[fold_of == fold], scored(train[fold_of != fold], penalty))
            for fold in range(n_folds)
        ]
        return pd.concat(parts).groupby(level=0).mean().mean()

    best = max(world.config["penalties"], key=value)
    return scored(train, best), best


class Halves:
    """What networks are trained on and chosen by, inside the training folds.

    A fifth of the headlines is held out. A reader's other pairs are cut in two at random, one
    half read before the other, which is shown in slates of at most `width`.
    """

    def __init__(self, world):
        pairs, config, rng = world.pairs, world.config, world.rng(3)
        held = (pairs.dealt(5, rng) == 0)[world.train]
        inside, outside = world.train[held], world.train[~held]
        own = {reader: reader for reader in pairs.readers(inside)}
        self.validation = one_slate_a_reader(world, inside, outside, own)[0]
        users, shown, past = [], [], []
        for user, rows in pairs.among(outside).items():
            for _ in range(config["halvings"]):
                first = rng.random(len(rows)) < 0.5
                for before, after in ((first, ~first), (~first, first)):
                    for slate in cut(rng.permutation(rows[after]), config["width"]):
                        users.append(user)
                        shown.append(slate)
                        past.append(rows[before])
        self.log = as_log(pairs, users, shown, past)


def cut(rows, width):
    """Rows in parts of at most `width`, none empty."""
    return np.array_split(rows, -(-len(rows) // width)) if len(rows) else []


def as_log(pairs, users, shown, past):
    """Rows of pairs that are shown, and that were read before, as impressions."""
    flat, items = np.concatenate(shown), np.arange(len(pairs.vectors))
    starts = np.cumsum([0, *map(len, shown)])
    impressions = Impressions(
        users,
        np.arange(len(users)),
        starts,
        pairs.titles[flat],
        pairs.labels[flat],
        np.arange(pairs.users.max() + 1),
        items,
    )
    events = Interactions.from_sequences([pairs.titles[row] for row in past], items)
    liked = pairs.labels[np.concatenate(past)]
    histories = Interactions(
        events.users,
        events.items,
        liked.astype(float),
        events.times,
        events.user_ids,
        items,
        time_unit="step",
    )
    return ImpressionLog(impressions, histories, pd.DataFrame(index=items))


def trained(world, halves, arm, told):
    """The best of the settings drawn, and the scores it gives with each history."""
    config, seed = world.config, world.place[0]
    settings = draws(config["space"], config["settings"], config["draw seed"])
    models = [network(world, arm, told, drawn, seed) for drawn in settings]
    tried = [max(m.fit(halves.log, halves.validation).result.metrics) for m in models]
    best = int(np.argmax(tried))
    scores = {}
    for history, whose in world.whose.items():
        slates, rows = one_slate_a_reader(world, world.test, world.train, whose)
        found, _ = models[best].score_slates(slates)
        scores[history] = np.zeros(len(world.pairs.users))
        scores[history][np.concatenate(rows)] = found[slates.shown > 0]
    return scores, {"settings": settings[best], "tried": rounded(tried)}


def network(world, arm, told, drawn, seed):
    """A recommender of one arm with settings drawn, not fitted."""
    training = FitConfig(
        epochs=drawn["epochs"], learning_rate=drawn["learning_rate"], seed=seed
    )
    settings = NRMSConfig(
        reader=READERS[arm],
        skips=told == SKIPS,
        dim=drawn["dim"],
        dropout=drawn["dropout"],
        max_history=world.config["most events"],
        batch_size=64,
        training=training,
    )
    return NewsRecommender(world.pairs.vectors, settings)


def one_slate_a_reader(world, candidates, history, whose):
    """All of a reader's candidates, with the history of whoever is named; and their rows."""
    pairs, most = world.pairs, world.config["most events"]
    asked, past = pairs.among(candidates), pairs.among(history, most)
    rows = [asked[reader] for reader in whose]
    read = [past[author] for author in whose.values()]
    slates = Slates(
        np.array(list(whose)),
        pad([pairs.titles[row] + 1 for row in read]),
        pad([pairs.titles[row] + 1 for row in rows]),
        pad([pairs.labels[row] for row in rows]).astype(bool),
        pad([pairs.labels[row] for row in read]).astype(bool),
    )
    return slates, rows


def counts():
    """Of the published files, and of the pairs that are left."""
    data, pairs = load("dkn-news"), Pairs()
    train = (data.rows.file == "train").to_numpy()
    log, test = data.interactions.select(train), data.interactions.select(~train)
    table = pd.DataFrame(
        {"pair": log.users * log.n_items + log.items, "label": log.values}
    )
    usable = auc_per_user(test.users, test.values > 0, np.zeros(len(test)))
    return {
        "rows": len(log),
        "pairs": len(pairs.users),
        "pairs with both labels": int(
            (table.groupby("pair").label.nunique() == 2).sum()
        ),
        "users": len(pairs.rows),
        "headlines": len(np.unique(pairs.titles)),
        "share clicked": round(float(pairs.labels.mean()), 4),
        "usable users of the published test file": int(np.isfinite(usable).sum()),
    }


def leak(sharpness):
    """Every headline scored with a history that still holds it."""
    pairs = Pairs()
    result = {}
    for name, value in (("mean", 0), ("attention", sharpness)):
        scores = np.zeros(len(pairs.users))
        for rows in pairs.rows.values():
            vectors, liked = pairs.vectors[pairs.titles[rows]], pairs.labels[rows]
            likeness = vectors @ vectors.T
            for_it = attended(likeness[:, liked], [value])[0]
            scores[rows] = for_it - attended(likeness[:, ~liked], [value])[0]
        everything = np.arange(len(pairs.users))
        result[name] = round(float(pairs.auc(everything, scores).mean()), 4)
    row = [pairs.titles[:1] + 1]
    try:
        refuse_leaks(
            Slates(pairs.users[:1], pad(row), pad(row), pad([[True]]).astype(bool))
        )
    except DataError as error:
        result["guard"] = str(error).split(";")[0]
    return result
