"""Text as a log: an article is a user, its letters or words are the items, in order."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from recsys.baselines.ngram import NGram
from recsys.batches.sequences import PADDING, pad, windows
from recsys.book.pays.report import told
from recsys.book.pays.search import piece
from recsys.data import Interactions, load_texts
from recsys.data.words import words


class Articles:
    """Articles held out whole; every token of theirs is asked for.

    Args:
        data: name of the texts.
        unit: "characters" or "words".
        articles: how many are for "validation" and "test", and the "seed" of which.
        rare: a token seen less often in the articles that are trained on first is told
            as one token for all such.
    """

    def __init__(self, data: str, unit: str, articles: Mapping[str, int], rare: int):
        texts = load_texts(data).table["text"]
        tokens = [list(text) if unit == "characters" else words(text) for text in texts]
        order = np.random.default_rng(articles["seed"]).permutation(len(tokens))
        n_held = articles["validation"] + articles["test"]
        train = order[n_held:]
        counts: dict[str, int] = {}
        for article in train:
            for token in tokens[article]:
                counts[token] = counts.get(token, 0) + 1
        known = sorted(token for token, count in counts.items() if count >= rare)
        index = {token: place for place, token in enumerate(known)}
        self.n_tokens = len(known) + 1  # the last is what is rare
        coded = [[index.get(token, len(known)) for token in row] for row in tokens]
        parts = {
            "validation": order[: articles["validation"]],
            "test": order[articles["validation"] : n_held],
            "train": train,
        }
        self.parts = {
            part: [np.array(coded[article]) for article in sorted(places)]
            for part, places in parts.items()
        }

    def fitted(self, on: str) -> Interactions:
        """What a model is fitted on before the part `on` is read."""
        rows = self.parts["train"]
        if on == "test":
            rows = rows + self.parts["validation"]
        return Interactions.from_sequences(rows, np.arange(self.n_tokens))

    def new(self, on: str) -> np.ndarray:
        """Which articles are no copy, token by token, of one fitted before they are read.

        Returns:
            bool, one an article of the part `on`.
        """
        fitted = {row.tobytes() for row in self.parts["train"]}
        if on == "test":
            fitted |= {row.tobytes() for row in self.parts["validation"]}
        return np.array([row.tobytes() not in fitted for row in self.parts[on]])

    def read(self, model: Any, on: str) -> np.ndarray:
        """Minus the bits a token of each article, its first token left out."""
        told = model.bits if isinstance(model, NGram) else partial(bits, model)
        return -np.array([told(article).mean() for article in self.parts[on]])


def bits(model: Any, article: np.ndarray) -> np.ndarray:
    """What each token but the first costs a network, in windows of its own length.

    Args:
        model: a fitted SASRec.
        article: int (length,), item indices.

    Returns:
        Minus the logarithm to base 2 of its probability, float (length - 1,).
    """
    rows = windows([article + 1], model.config.max_length)
    inputs = pad([row[:-1] for row in rows])  # (rows, window)
    targets = pad([row[1:] for row in rows])  # (rows, window)
    scores, _ = model.run(model.network.forward, inputs)  # (rows, window, tokens)
    largest = scores.max(2, keepdims=True)
    normal = np.log(np.exp(scores - largest).sum(2)) + largest[..., 0]
    real = targets != PADDING
    wanted = np.maximum(targets - 1, 0)[..., None]
    chosen = np.take_along_axis(scores, wanted, 2)[..., 0]
    return ((normal - chosen) / np.log(2))[real]


def world(config: Mapping[str, Any], name: str) -> Articles:
    """The world of a name as "lee-news, words"."""
    data, _, unit = name.partition(", ")
    return Articles(data, unit, config["articles"], config["rare"][unit])


def pieces(config: Mapping[str, Any]) -> dict[str, Any]:
    """One piece for each world and each arm."""
    return {
        f"{name}: {arm}": partial(of_arm, config, name, arm)
        for name in config["worlds"]
        for arm in config["arms"]
    }


def of_arm(config: Mapping[str, Any], name: str, arm: str) -> dict[str, Any]:
    """One arm in one world, with the world's own space of the network."""
    own = {**config, "spaces": {**config["spaces"], "network": config["of a world"][name]}}
    return piece(own, arm, {name: world(config, name)})


def results(config: Mapping[str, Any], done: Mapping[str, dict]) -> dict[str, Any]:
    """What each world's tests say: of all articles, and without copies of fitted ones."""
    found = {}
    for name in config["worlds"]:
        asked = world(config, name)
        without = {
            key: only(piece, name, asked.new("test"))
            for key, piece in done.items()
            if key.startswith(f"{name}: ")
        }
        found[name] = told(config, done, name, name) | {
            "tokens": asked.n_tokens,
            "without copies": told(config, without, name, name),
        }
    return found


def only(piece: Mapping[str, Any], name: str, kept: np.ndarray) -> dict[str, Any]:
    """A piece with some of the articles of its test.

    Args:
        piece: of one arm.
        name: of the world.
        kept: bool, one an article.
    """
    test = piece["tests"][name]
    units = np.array(test["units"])[:, kept].tolist()
    return {**piece, "tests": {name: {**test, "units": units}}}
