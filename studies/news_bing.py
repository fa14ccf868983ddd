"""The Bing News sample of DKN: does knowing the reader help, and does attention?

10,401 rows of the published training file; rows of one user and one headline are settled first
(clicked where any of them was), then headlines are dealt into three folds, so that a candidate
never stands in a history. A score of a user's headlines of one fold is made from the user's
headlines of the other two. Metric: AUC within a user and fold, mean over a user's folds and fold
seeds, then over users; intervals over users. Every setting is chosen inside the two training
folds. Trained networks are run on the first two deals of the folds only.
"""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from recsys.baselines.content import softmax_mean
from recsys.batches.sequences import pad
from recsys.batches.slates import Slates, refuse_leaks
from recsys.data import Impressions, Interactions, load, load_static_embeddings
from recsys.data.errors import DataError
from recsys.data.impressions import ImpressionLog
from recsys.data.words import Vocabulary
from recsys.evaluation.compare import bootstrap_interval, paired_test, rounded
from recsys.evaluation.metrics import auc_per_user
from recsys.neural.news import fit_best
from recsys.training.loop import FitConfig
from recsys.torch.nrms import NewsRecommender, NRMSConfig

DATA = ["dkn-news", "wordllama"]
MEAN, ATTENTION, ALONE = (
    "mean of clicked minus skipped",
    "attention over clicked minus skipped",
    "headline alone, no user",
)
CONFIG = {
    "fold seeds": [0, 1, 2, 3, 4],
    "folds": 3,
    "inner deals": [1, 3, 10, 30],
    "sharpness": [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32],
    "C": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
    "trained": {
        "NRMS, words": "self",
        "target attention, static vectors": "target",
        "mean, static vectors": "mean",
    },
    "trained fold seeds": [0, 1],
    "learning rates": [0.003, 0.01, 0.03, 0.1],
    "epochs": 6,
    "dim": 32,
    "n_heads": 2,
    "dropout": 0.2,
    "max_history": 50,
    "halvings": 2,
    "words of a headline": 12,
    "min_count": 2,
}


def run(config):
    return summary([one_seed(seed, config) for seed in config["fold seeds"]], config)


def prepared():
    """The data set, its headlines, and its pairs."""
    data = load("dkn-news")
    headlines = list(data.items.headline)
    vectors = load_static_embeddings("wordllama").vectors(headlines)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return data, headlines, Pairs(*settled(data), vectors)


def one_seed(seed, config):
    """One deal of the headlines into folds: AUC of each user, model and fold, and the choices."""
    _, headlines, pairs = prepared()
    rng = np.random.default_rng(seed)
    fold_of = rng.integers(config["folds"], size=len(headlines))[pairs.titles]
    tables, chosen = [], []
    for fold in range(config["folds"]):
        train, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        scores, settings = all_scores(
            pairs, train, test, headlines, config, rng, [seed, fold]
        )
        tables.append(
            pd.DataFrame(
                {name: per_user(pairs, test, values) for name, values in scores.items()}
            )
        )
        chosen.append({"seed": seed, "fold": fold, **settings})
    return tables, chosen


def summary(parts, config):
    data, _, pairs = prepared()
    tables = [table for tables, _ in parts for table in tables]
    return {
        "data": counts(data, pairs),
        "chosen": [row for _, rows in parts for row in rows],
        **verdicts(tables, config),
        "leak": leak(pairs, max(config["sharpness"])),
        "protocol": " ".join(__doc__.split("\n", 2)[2].split()),
    }


class Pairs:
    """User-headline pairs, and for each user the likeness of all their headlines to each other."""

    def __init__(self, users, titles, labels, vectors):
        self.users, self.titles, self.labels, self.vectors = (
            users,
            titles,
            labels,
            vectors,
        )
        self.rows = {user: np.flatnonzero(users == user) for user in np.unique(users)}
        self.likeness = {
            user: vectors[titles[rows]] @ vectors[titles[rows]].T
            for user, rows in self.rows.items()
        }


def settled(data):
    """Pairs of user and headline from the training file; clicked where any row of the pair was."""
    log = data.interactions.select((data.rows.file == "train").to_numpy())
    key, row = np.unique(log.users * log.n_items + log.items, return_inverse=True)
    labels = np.zeros(len(key), dtype=bool)
    np.logical_or.at(labels, row, log.values > 0)
    return key // log.n_items, key % log.n_items, labels


def counts(data, pairs):
    train = (data.rows.file == "train").to_numpy()
    log = data.interactions.select(train)
    table = pd.DataFrame(
        {"pair": log.users * log.n_items + log.items, "label": log.values}
    )
    test = data.interactions.select(~train)
    usable = np.isfinite(
        auc_per_user(test.users, test.values > 0, np.zeros(len(test)))
    ).sum()
    return {
        "rows": len(log),
        "pairs": len(pairs.users),
        "pairs with both labels": int(
            (table.groupby("pair").label.nunique() == 2).sum()
        ),
        "users": len(pairs.rows),
        "headlines": len(np.unique(pairs.titles)),
        "share clicked": round(float(pairs.labels.mean()), 4),
        "usable users of the published test file": int(usable),
    }


def per_user(pairs, rows, scores):
    return pd.Series(
        auc_per_user(pairs.users[rows], pairs.labels[rows], scores[rows]),
        index=np.unique(pairs.users[rows]),
    )


def all_scores(pairs, train, test, headlines, config, rng, place):
    """Scores (n_pairs,) by model, filled in on test, and what was chosen inside train."""
    grid = config["sharpness"]
    free = dict(zip(grid, training_free(pairs, test, train, grid), strict=True))
    chosen = choose_sharpness(pairs, train, grid, config, np.random.default_rng(place))
    nobody, strength = user_ignored(pairs, train, test, config["C"], rng)
    scores = {
        **{f"sharpness {value}": row for value, row in free.items()},
        **{
            f"{ATTENTION}, {deals} inner deals": free[value]
            for deals, value in chosen.items()
        },
        MEAN: free[0],
        ATTENTION: free[chosen[config["inner deals"][-1]]],
        ALONE: nobody,
    }
    settings = {"sharpness": chosen[config["inner deals"][-1]], "C": strength}
    for name, reader in (
        config["trained"].items() if place[0] in config["trained fold seeds"] else ()
    ):
        scores[name], settings[name] = trained(
            pairs, train, test, headlines, reader, config, rng, place[0]
        )
    return scores, settings


def training_free(pairs, candidates, history, grid):
    """Softmax attention over the clicked minus the skipped of `history`: (len(grid), n_pairs)."""
    out, in_history = (
        np.zeros((len(grid), len(pairs.users))),
        np.zeros(len(pairs.users), dtype=bool),
    )
    in_history[history] = True
    for user in np.unique(pairs.users[candidates]):
        rows = pairs.rows[user]
        mine, past = np.isin(rows, candidates), in_history[rows]
        likeness = pairs.likeness[user][np.ix_(mine, past)].astype(float)
        liked = np.broadcast_to(pairs.labels[rows[past]], likeness.shape)
        for place, sharpness in enumerate(grid):
            out[place, rows[mine]] = (
                softmax_mean(likeness, sharpness, liked)[0]
                - softmax_mean(likeness, sharpness, ~liked)[0]
            )
    return out


def choose_sharpness(pairs, train, grid, config, rng):
    """The sharpness by three inner folds of headlines, for each number of deals.

    The mean over users is taken as in the result.
    """
    tables, chosen = [], {}
    for deals in range(1, config["inner deals"][-1] + 1):
        fold_of = rng.integers(config["folds"], size=len(pairs.vectors))[
            pairs.titles[train]
        ]
        for fold in range(config["folds"]):
            inside = train[fold_of == fold]
            scores = training_free(pairs, inside, train[fold_of != fold], grid)
            tables.append(
                pd.DataFrame(
                    {
                        sharpness: per_user(pairs, inside, row)
                        for sharpness, row in zip(grid, scores)
                    }
                )
            )
        if deals in config["inner deals"]:
            chosen[deals] = int(
                pd.concat(tables).groupby(level=0).mean().mean().idxmax()
            )
    return chosen


def user_ignored(pairs, train, test, grid, rng):
    """Logistic regression on the headline's vector alone: what everybody clicks."""
    fold_of = rng.integers(3, size=len(pairs.vectors))[pairs.titles[train]]

    def fitted(rows, strength):
        return LogisticRegression(C=strength, max_iter=500).fit(
            pairs.vectors[pairs.titles[rows]], pairs.labels[rows]
        )

    def value(strength):
        return np.mean(
            [
                per_user(
                    pairs,
                    train[fold_of == fold],
                    scored(fitted(train[fold_of != fold], strength)),
                ).mean()
                for fold in range(3)
            ]
        )

    def scored(model):
        return model.decision_function(pairs.vectors[pairs.titles])

    best = max(grid, key=value)
    return scored(fitted(train, best)), best


def trained(pairs, train, test, headlines, reader, config, rng, seed):
    """A network trained on the training folds; learning rate and epoch chosen inside them."""
    if reader == "self":
        known = Vocabulary.from_texts(
            [headlines[title] for title in np.unique(pairs.titles[train])],
            config["min_count"],
        )
        articles = known.encode(headlines, config["words of a headline"])
    else:
        articles = pairs.vectors
    inner = (
        rng.integers(5, size=len(headlines))[pairs.titles[train]] == 0
    )  # a fifth of the headlines
    validation = one_slate_a_user(pairs, train[inner], train[~inner], config)[0]
    log = halved_log(pairs, train[~inner], len(headlines), config, rng)

    def network(rate):
        settings = NRMSConfig(
            reader=reader,
            dim=config["dim"],
            n_heads=config["n_heads"],
            dropout=config["dropout"],
            max_history=config["max_history"],
            batch_size=64,
            training=FitConfig(epochs=config["epochs"], learning_rate=rate, seed=seed),
        )
        return NewsRecommender(articles, settings)

    model = fit_best(map(network, config["learning rates"]), log, validation)
    slates, rows = one_slate_a_user(pairs, test, train, config)
    refuse_leaks(slates)
    scores = np.zeros(len(pairs.users))
    scores[np.concatenate(rows)] = model.score_slates(slates)[0][slates.shown > 0]
    return scores, model.config.training.learning_rate


def one_slate_a_user(pairs, candidates, history, config):
    """All of a user's candidates, scored with the user's clicks in `history`."""
    rows, past = [], []
    clicks = history[pairs.labels[history]]
    for user in np.unique(pairs.users[candidates]):
        rows.append(candidates[pairs.users[candidates] == user])
        past.append(
            pairs.titles[clicks[pairs.users[clicks] == user]][-config["max_history"] :]
            + 1
        )
    slates = Slates(
        np.unique(pairs.users[candidates]),
        pad(past),
        pad([pairs.titles[row] + 1 for row in rows]),
        pad([pairs.labels[row] for row in rows]).astype(bool),
    )
    return slates, rows


def halved_log(pairs, rows, n_items, config, rng):
    """Impressions to train on: users' pairs cut in two, one half read before the other."""
    users, shown, clicked, past = [], [], [], []
    for user in np.unique(pairs.users[rows]):
        own = rows[pairs.users[rows] == user]
        for _ in range(config["halvings"]):
            first = rng.random(len(own)) < 0.5
            for before, after in ((own[first], own[~first]), (own[~first], own[first])):
                if len(after):
                    users.append(user)
                    shown.append(pairs.titles[after])
                    clicked.append(pairs.labels[after])
                    past.append(pairs.titles[before[pairs.labels[before]]])
    starts = np.concatenate([[0], np.cumsum([len(row) for row in shown])])
    items = np.arange(n_items)
    impressions = Impressions(
        users,
        np.arange(len(users)),
        starts,
        np.concatenate(shown),
        np.concatenate(clicked),
        np.arange(pairs.users.max() + 1),
        items,
    )
    return ImpressionLog(
        impressions, Interactions.from_sequences(past, items), pd.DataFrame(index=items)
    )


def verdicts(tables, config):
    """Means and paired differences over users, each from the folds where both models were run."""
    free, trained = (
        over_users(tables, [MEAN, ATTENTION, ALONE]),
        over_users(tables, [ALONE, *config["trained"]]),
    )
    names = {
        **{name: free for name in free},
        **{name: trained for name in config["trained"]},
    }
    dealt = {
        deals: over_users(
            tables, [f"{ATTENTION}, {deals} inner deals", MEAN]
        ).T.to_numpy()
        for deals in config["inner deals"]
    }
    return {
        "users": len(free),
        "users of the trained": len(trained),
        "per-user AUC": {
            name: rounded(bootstrap_interval(table[name].to_numpy()))
            for name, table in names.items()
        },
        "attention minus mean": rounded(
            paired_test(free[ATTENTION].to_numpy(), free[MEAN].to_numpy())
        ),
        "attention minus mean, by inner deals": {
            deals: rounded(paired_test(*both)) for deals, both in dealt.items()
        },
        "each sharpness read on the test folds": {
            value: rounded(over_users(tables, [f"sharpness {value}"]).mean())[0]
            for value in config["sharpness"]
        },
        "minus the headline alone": {
            name: rounded(paired_test(table[name].to_numpy(), table[ALONE].to_numpy()))
            for name, table in names.items()
            if name != ALONE
        },
        "headline alone, folds of the trained": rounded(
            bootstrap_interval(trained[ALONE].to_numpy())
        ),
    }


def over_users(tables, names):
    """Per-user AUC (users by names), the mean over the folds that have all the names."""
    return (
        pd.concat([table[names] for table in tables if set(names) <= set(table)])
        .groupby(level=0)
        .mean()
        .dropna()
    )


def leak(pairs, sharpness):
    """Every headline scored with a history that still holds it."""
    everything = np.arange(len(pairs.users))
    result = {}
    for name, value in (("mean", 0), ("attention", sharpness)):
        scores = training_free(pairs, everything, everything, [value])[0]
        result[name] = round(float(per_user(pairs, everything, scores).mean()), 4)
    row = [pairs.titles[:1] + 1]
    try:
        refuse_leaks(
            Slates(pairs.users[:1], pad(row), pad(row), pad([[True]]).astype(bool))
        )
    except DataError as error:
        result["guard"] = str(error).split(";")[0]
    return result
