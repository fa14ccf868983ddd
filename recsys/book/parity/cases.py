"""The networks that climb the ladder of parity, each with a log small enough to learn.

To add a network to the ladder is to add an entry to `CASES`. The logs are planted, so
that nothing has to be fetched.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from recsys.data import ImpressionLog, Interactions
from recsys.simulate.readers import planted_readers, planted_topics

N_ITEMS = 24
N_WORDS = 30

Arrays = tuple[np.ndarray, ...]


class Case(NamedTuple):
    """A network with its log and its settings.

    Args:
        file: of both twins.
        name: of the recommender's class, or of the function that trains.
        world: makes the log, and after it what the class takes before its settings.
        settings: all but the training.
        inputs: from a batch to what the network reads of it.
        smooth: whether float32 keeps two trainings together. A kink (DIN), a tie (max)
            or a gradient of the size of its rounding (a constant query) does not.
    """

    file: str
    name: str
    world: Callable[[], tuple]
    settings: dict[str, Any]
    inputs: Callable[[Arrays], Arrays]
    smooth: bool = True


def first(count: int) -> Callable[[Arrays], Arrays]:
    """The first arrays of a batch."""
    return lambda batch: batch[:count]


def flat(batch: Arrays) -> Arrays:
    """A history, and all candidates of its positions side by side."""
    history, candidates, visible = batch
    return history, candidates.reshape(len(history), -1), visible.reshape(
        len(history), -1
    )


def words_of(batch: Arrays) -> Arrays:
    """Centres, and beside each its neighbour and the strangers."""
    centres, neighbours, strangers = batch
    return centres, np.concatenate([neighbours[:, None], strangers], axis=1)


@cache
def walks() -> Interactions:
    """40 users walk 24 items in steps of one, from 3 to 9 events each."""
    rng = np.random.default_rng(3)
    starts = rng.integers(N_ITEMS, size=40)
    lengths = rng.integers(3, 10, size=40)
    walked = [
        (start + np.arange(length)) % N_ITEMS
        for start, length in zip(starts, lengths, strict=True)
    ]
    return Interactions.from_sequences(walked, np.arange(100, 100 + N_ITEMS))


@cache
def ratings() -> Interactions:
    """160 ratings from 1 to 5."""
    rng = np.random.default_rng(4)
    users = np.repeat(np.arange(20), 8)
    items = np.arange(160) % N_ITEMS
    values = 1.0 + rng.integers(5, size=160)
    return Interactions.from_ids(users, items, values, np.arange(160))


@cache
def baskets() -> Interactions:
    """40 customers, 12 purchases each on up to five days."""
    rng = np.random.default_rng(5)
    users = np.repeat(np.arange(40), 12)
    days = 3 * rng.integers(5, size=480)
    items = rng.integers(N_ITEMS, size=480)
    return Interactions.from_ids(users, items, np.ones(480), days, time_unit="day")


def shop() -> tuple[Interactions, np.ndarray]:
    """The baskets, and a group for each three items."""
    return baskets(), np.arange(N_ITEMS) // 3


@cache
def newsroom() -> tuple[ImpressionLog, np.ndarray]:
    """Readers of planted topics, and articles as vectors."""
    vectors = np.random.default_rng(0).normal(size=(N_ITEMS, 6))
    planted = planted_readers(planted_topics(vectors, 3), 30, 2, 8, 4)
    return planted.log, vectors


@cache
def skipping() -> tuple[ImpressionLog, np.ndarray]:
    """The readers, of whose past every third event was skipped."""
    log, vectors = newsroom()
    past = log.histories
    values = (np.arange(len(past)) % 3 > 0).astype(float)
    return replace(log, histories=replace(past, values=values)), vectors


@cache
def headlines() -> tuple[ImpressionLog, np.ndarray]:
    """The readers, and articles as up to five words."""
    rng = np.random.default_rng(1)
    words = rng.integers(1, N_WORDS + 1, size=(N_ITEMS, 5))
    lengths = rng.integers(1, 6, size=N_ITEMS)
    words[np.arange(5) >= lengths[:, None]] = 0
    return newsroom()[0], words


@cache
def texts() -> list[np.ndarray]:
    """60 texts that count upwards from a word of their own."""
    rng = np.random.default_rng(2)
    starts = rng.integers(N_WORDS, size=60)
    return [(start + np.arange(8)) % N_WORDS + 1 for start in starts]


SASREC = {
    "dim": 8,
    "n_blocks": 2,
    "n_heads": 2,
    "dropout": 0.1,
    "max_length": 6,
    "tokens": 60,
}
PAIRS = {"dim": 4, "batch_size": 200}
TOWER = {**PAIRS, "hidden": (8, 4)}
HISTORY = {"dim": 4, "max_length": 6, "tokens": 60}
RANKER = {"dim": 4, "hidden_dim": 6, "max_length": 6, "batch_size": 40}
BASKET = {"dim": 4, "max_length": 6, "batch_size": 20, "per_source": 8}
NEWS = {"dim": 8, "n_heads": 2, "hidden_dim": 4, "max_history": 4, "batch_size": 30}


def alone(log: Callable[[], Any]) -> Callable[[], tuple]:
    """A world of a log and nothing beside it."""
    return lambda: (log(),)


def sasrec(**changes: Any) -> Case:
    """SASRec with some settings changed."""
    settings = {**SASREC, **changes}
    return Case("sasrec", "SASRecRecommender", alone(walks), settings, first(1))


def pairs(name: str, settings: dict[str, Any]) -> Case:
    """A network over pairs."""
    return Case("ncf", f"{name}Recommender", alone(walks), settings, first(2))


def history(pooling: str) -> Case:
    """History attention, or one of its controls."""
    settings = {**HISTORY, "pooling": pooling}
    name = "HistoryAttentionRecommender"
    return Case("history_attention", name, alone(walks), settings, flat)


def ranker(pooling: str, repeats: bool = False) -> Case:
    """The target ranker with one pooling."""
    settings = {**RANKER, "pooling": pooling, "repeats": repeats}
    smooth = pooling not in ("din", "max")
    name = "TargetRankerRecommender"
    return Case("target_ranker", name, shop, settings, first(3), smooth)


def basket(pooling: str) -> Case:
    """The next basket with one pooling."""
    settings = {**BASKET, "pooling": pooling}
    return Case("next_basket", "NextBasket", alone(baskets), settings, first(4))


def news(reader: str, world: Callable[[], tuple] = newsroom, **changes: Any) -> Case:
    """NRMS with one reader."""
    settings = {**NEWS, "reader": reader, **changes}
    smooth = reader != "self" and world is not headlines
    return Case("nrms", "NewsRecommender", world, settings, first(4), smooth)


CASES = {
    "SASRec, attention": sasrec(),
    "SASRec, decay": sasrec(mixer="decay"),
    "SASRec, mean": sasrec(mixer="mean"),
    "SASRec, last": sasrec(mixer="last"),
    "SASRec, content": sasrec(mixer="content"),
    "SASRec, linear": sasrec(mixer="linear"),
    "SASRec, gate": sasrec(mixer="gate"),
    "SASRec, recurrent": sasrec(mixer="recurrent"),
    "SASRec, sampled": sasrec(negatives=6),
    "dot product": pairs("DotProduct", PAIRS),
    "GMF": pairs("GMF", PAIRS),
    "MLP": pairs("MLP", TOWER),
    "NeuMF": pairs("NeuMF", TOWER),
    "factorisation": Case(
        "factorisation",
        "FactorisationRecommender",
        alone(ratings),
        {"dim": 4, "batch_size": 40},
        first(2),
    ),
    "history attention, attention": history("attention"),
    "history attention, content": history("content"),
    "history attention, decay": history("decay"),
    "history attention, mean": history("mean"),
    "target ranker, none": ranker("none"),
    "target ranker, mean": ranker("mean"),
    "target ranker, max": ranker("max"),
    "target ranker, last": ranker("last"),
    "target ranker, decay": ranker("decay"),
    "target ranker, sum": ranker("sum"),
    "target ranker, sum over root n": ranker("sum over root n"),
    "target ranker, dot": ranker("dot"),
    "target ranker, dot and log n": ranker("dot and log n"),
    "target ranker, sigmoid sum": ranker("sigmoid sum"),
    "target ranker, din": ranker("din"),
    "target ranker, din over root n": ranker("din over root n"),
    "target ranker, dot and repeats": ranker("dot", repeats=True),
    "next basket, mean": basket("mean"),
    "next basket, newest": basket("newest"),
    "next basket, decay": basket("decay"),
    "next basket, content": basket("content"),
    "next basket, softmax": basket("softmax"),
    "next basket, sum": basket("sum"),
    "NRMS, self": news("self"),
    "NRMS, target": news("target"),
    "NRMS, mean": news("mean"),
    "NRMS, decay": news("decay"),
    "NRMS, target and skips": news("target", skipping, skips=True),
    "NRMS, self, words": news("self", headlines),
    "NRMS, target, words": news("target", headlines),
    "NRMS, mean, words": news("mean", headlines),
    "skip-gram": Case(
        "skip_gram",
        "train_skip_gram",
        alone(texts),
        {"dim": 6, "window": 3, "batch_size": 200},
        words_of,
    ),
    "masked language": Case(
        "masked_language",
        "train_masked_language",
        alone(texts),
        {"dim": 8, "n_heads": 2, "max_length": 8, "batch_size": 20},
        first(1),
    ),
}
"""By the name in the table of the chapter."""

DTYPES = ("float64", "float32")
MARKS = (1, 10, 50, 200)
"""Steps after which the weights are kept."""
