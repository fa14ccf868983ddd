"""Whole trainings in one framework, beside those of the other: what studies/parity.py runs.

`in_torch` and `in_paddle` are each called in a process of their own, which loads one
framework. The first process keeps the first weights of each network, and the others
start from them; batches, negatives and dropout's masks come from the settings' seed and
are the same anyway. Lists, the metric of each list and the last weights end in files.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recsys.batches.candidates import Candidates, draw
from recsys.batches.questions import asked
from recsys.batches.slates import slates
from recsys.data import Interactions, load, load_static_embeddings, load_texts
from recsys.data.taiw import taiw_filter
from recsys.evaluation import (
    auc_per_user,
    evaluate,
    hits_of,
    last_basket,
    leave_last_out,
    ndcg,
    top_k,
)
from recsys.neural.news import slate_auc
from recsys.neural.next_basket import NextBasketConfig, prepare
from recsys.neural.recommender import config_from
from recsys.simulate.readers import planted_readers, planted_topics

K = 10
"""Length of the lists."""


class World(NamedTuple):
    """A log, and how its lists are read.

    Args:
        metric: what `read` gives for each list.
        inputs: what a recommender's class takes before its settings.
        fit: from a recommender to itself, trained.
        read: from a recommender to its lists (n, k) and their metric (n,).
    """

    metric: str
    inputs: tuple
    fit: Callable[[Any], Any]
    read: Callable[[Any], tuple[np.ndarray, np.ndarray]]


def in_torch(config: dict, directory: Path, place: str, capability: str = "") -> None:
    """Train in PyTorch.

    Args:
        config: of the study.
        directory: where the starts are.
        place: directory inside it for what is found.
        capability: of the processor, that PyTorch's kernels are held to; "" = its own.
    """
    if capability:
        os.environ["ATEN_CPU_CAPABILITY"] = capability  # read while PyTorch is loaded
    from recsys.torch.factorisation import FactorisationRecommender
    from recsys.torch.history_attention import HistoryAttentionRecommender
    from recsys.torch.ncf import (
        DotProductRecommender,
        GMFRecommender,
        MLPRecommender,
        NeuMFRecommender,
    )
    from recsys.torch.next_basket import NextBasket
    from recsys.torch.nrms import NewsRecommender
    from recsys.torch.sasrec import SASRecRecommender
    from recsys.torch.target_ranker import TargetRankerRecommender

    kinds = {
        "SASRec": SASRecRecommender,
        "dot product": DotProductRecommender,
        "GMF": GMFRecommender,
        "MLP": MLPRecommender,
        "NeuMF": NeuMFRecommender,
        "factorisation": FactorisationRecommender,
        "history attention": HistoryAttentionRecommender,
        "target ranker": TargetRankerRecommender,
        "next basket": NextBasket,
        "NRMS": NewsRecommender,
    }
    train_all(config, kinds, Path(directory), place)


def in_paddle(config: dict, directory: Path, place: str) -> None:
    """Train in PaddlePaddle; arguments as `in_torch`."""
    from recsys.paddle.factorisation import FactorisationRecommender
    from recsys.paddle.history_attention import HistoryAttentionRecommender
    from recsys.paddle.ncf import (
        DotProductRecommender,
        GMFRecommender,
        MLPRecommender,
        NeuMFRecommender,
    )
    from recsys.paddle.next_basket import NextBasket
    from recsys.paddle.nrms import NewsRecommender
    from recsys.paddle.sasrec import SASRecRecommender
    from recsys.paddle.target_ranker import TargetRankerRecommender

    kinds = {
        "SASRec": SASRecRecommender,
        "dot product": DotProductRecommender,
        "GMF": GMFRecommender,
        "MLP": MLPRecommender,
        "NeuMF": NeuMFRecommender,
        "factorisation": FactorisationRecommender,
        "history attention": HistoryAttentionRecommender,
        "target ranker": TargetRankerRecommender,
        "next basket": NextBasket,
        "NRMS": NewsRecommender,
    }
    train_all(config, kinds, Path(directory), place)


def train_all(
    config: dict, kinds: Mapping[str, type], directory: Path, place: str
) -> None:
    """Train every network of the settings, in each of its dtypes, and keep what it does.

    Args:
        config: of the study.
        kinds: recommenders of one framework by the name of their class in the settings.
        directory, place: as `in_torch`.
    """
    makers = {"films": films, "shop": shop, "baskets": baskets, "newsroom": newsroom}
    worlds = {name: make(config[name]) for name, make in makers.items()}
    (directory / place).mkdir()
    for name, (kind, world_name, settings) in config["networks"].items():
        world = worlds[world_name]
        for dtype in dtypes(config, name):
            start = directory / f"{name}.npz"
            recommender = started(kinds[kind], start, dtype)
            all_settings = {**config["of all"][kind], **settings}
            sizes = config_from(recommender.config_class, all_settings)
            model = world.fit(recommender(*world.inputs, sizes))
            lists, each = world.read(model)
            weights = model.engine.to_arrays(model.network)
            found = {f"weights/{key}": array for key, array in weights.items()}
            found |= {"lists": lists, "each": each, "steps": model.result.steps}
            np.savez(kept(directory, place, name, dtype), metric=world.metric, **found)


def dtypes(config: dict, name: str) -> list[str]:
    """What a network is trained in."""
    too = name in config["in float64 too"]
    return ["float32", "float64"] if too else ["float32"]


def kept(directory: Path, place: str, name: str, dtype: str) -> Path:
    """Where a training is kept."""
    return Path(directory) / place / f"{name}, {dtype}.npz"


def started(kind: type, start: Path, dtype: str) -> type:
    """Let a recommender begin where the first one did, and compute in a dtype.

    Args:
        kind: of recommender.
        start: file of the first weights; made by the first that comes.
        dtype: "float32" or "float64".

    Returns:
        A class as `kind`.
    """

    class Started(kind):
        def _new(self, interactions):
            network = super()._new(interactions)
            if not start.exists():
                np.savez(start, **self.engine.to_arrays(network))
            if dtype == "float64":
                network = self.engine.in_float64(network)
            with np.load(start) as first:
                self.engine.load_arrays(network, dict(first))
            return network

        def train(self, interactions, batches, *rest):
            def in_dtype(epoch):
                return [cast(batch, dtype) for batch in batches(epoch)]

            return super().train(interactions, in_dtype, *rest)

        def run(self, function, *arrays):
            return super().run(function, *cast(arrays, dtype))

    return Started


def cast(arrays: tuple[np.ndarray, ...], dtype: str) -> tuple[np.ndarray, ...]:
    """Arrays with their floats in the dtype."""
    return tuple(
        array.astype(dtype) if array.dtype.kind == "f" else array for array in arrays
    )


def films(settings: dict) -> World:
    """MovieLens 100K: the last film of each viewer, all films ranked."""
    split = leave_last_out(load("movielens-100k").interactions)

    def fit(model):
        return model.fit(split.train_and_validation)

    def read(model):
        result = evaluate(model, split, K, fit=False)
        return result.ranked, result[f"nDCG@{K}"]

    return World(f"nDCG@{K}", (), fit, read)


def shop(settings: dict) -> World:
    """Ta-Feng: what stands in the last basket, among products drawn by popularity."""
    data = load("ta-feng")
    groups = np.unique(data.items["subclass"].to_numpy(), return_inverse=True)[1]
    split = last_basket(data.interactions)
    chosen = np.unique(split.test.users)[: settings["customers"]]
    train = of_some(split.train, chosen)
    past = of_some(split.train_and_validation, chosen)
    questions = asked(past, of_some(split.test, chosen))
    drawn = draw(
        questions, train.item_counts(), settings["negatives"], settings["seed"]
    )

    def fit(model):
        return model.fit(train)

    def read(model):
        scores = model.predict(drawn)
        lists = best_of_each(drawn, scores)
        return lists, auc_per_user(drawn.question, drawn.labels, scores)

    return World("AUC", (groups,), fit, read)


def best_of_each(drawn: Candidates, scores: np.ndarray) -> np.ndarray:
    """The k best items of each question, (n_questions, k), -1 where there are fewer."""
    order = np.lexsort((drawn.items, -scores, drawn.question))
    counts = np.bincount(drawn.question, minlength=len(drawn.questions))
    ends = np.cumsum(counts)[:-1]
    lists = np.full((len(counts), K), -1)
    for row, ranked in enumerate(np.split(drawn.items[order], ends)):
        best = ranked[:K]
        lists[row, : len(best)] = best
    return lists


def baskets(settings: dict) -> World:
    """Ta-Feng after the TAIW filter: the last basket, all products ranked."""
    split = last_basket(taiw_filter(load("ta-feng").interactions))
    users = np.unique(split.test.users)[: settings["customers"]]
    fitted = of_some(split.train_and_validation, users)
    truth = of_some(split.test, users)
    _, first = np.unique(truth.users, return_index=True)
    days = truth.times[first]  # (users,)
    relevant = truth.of_users(users).seen()
    prepared = prepare(fitted, NextBasketConfig(per_source=settings["per source"]))

    def fit(model):
        return model.fit(fitted, prepared)

    def read(model):
        lists = top_k(model.score(users, days=days), K)
        n_relevant = np.diff(relevant.indptr)
        return lists, ndcg(hits_of(lists, relevant), n_relevant, "all-relevant")

    return World(f"nDCG@{K}", (), fit, read)


def of_some(log: Interactions, users: np.ndarray) -> Interactions:
    """The rows of some users, the vocabulary as it is."""
    return log.select(np.isin(log.users, users))


def newsroom(settings: dict) -> World:
    """Planted readers of the Lee articles: strangers' slates of one click among five."""
    texts = list(load_texts("lee-news").table.text)
    vectors = load_static_embeddings("wordllama").vectors(texts)
    vectors -= vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    topics = planted_topics(vectors, settings["topics"])
    interests, impressions = settings["interests"], settings["impressions"]
    shown, sharpness = settings["shown"], settings["sharpness"]
    train, test = (
        planted_readers(
            topics, count, interests, impressions, shown, sharpness, seed=place
        )
        for place, count in enumerate(settings["readers"])
    )
    data = slates(test.log, impressions)

    def fit(model):
        return model.fit(train.log)

    def read(model):
        scores, _ = model.score_slates(data)
        order = np.argsort(-scores, axis=1, kind="stable")
        return np.take_along_axis(data.shown, order, axis=1), slate_auc(scores, data)

    return World("AUC of slates", (vectors,), fit, read)
