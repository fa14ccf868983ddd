"""Readers of real articles with several planted interests, whose choices are known in full.

Topics are clusters of the articles' vectors; how well an article fits a topic is the cosine of
its vector with the centre. A reader has a few topics. Again and again they are shown a slate of
articles they have not read and click one, by softmax of utility: sharpness times the fit to that
one of their interests which the article fits best, or times the sum of the fits to all of them.
The clicked article is read *because of* the interest it fits best, which is what a model's
attention weights can be held against.

Source: McFadden (1974), for the choice by softmax of utility.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.checks import check_finite
from recsys.data import ImpressionLog, Impressions, Interactions


TASTES = {"max": np.max, "sum": np.sum}
"""How the fits to a reader's interests make one liking."""


@dataclass(frozen=True)
class PlantedReaders:
    """The log and the truth behind it.

    Args:
        log: impressions, each with the clicks before it, in the order of readers and then of steps
            (times).
        fit: float (n_articles, n_topics).
        interests: int (n_readers, n_interests), topics.
        sharpness: of the choice.
        taste: of `TASTES`.
    """

    log: ImpressionLog
    fit: np.ndarray
    interests: np.ndarray
    sharpness: float
    taste: str = "max"

    def utilities(self, readers: np.ndarray, articles: np.ndarray) -> np.ndarray:
        """What each article is worth to a reader: (n, k) for readers (n,) and articles (n, k)."""
        liking = TASTES[self.taste](self._fits(readers, articles), axis=2)  # (n, k)
        return self.sharpness * liking

    def reasons(self, readers: np.ndarray, articles: np.ndarray) -> np.ndarray:
        """Which interest (its topic) of a reader each article fits best: (n, k) int."""
        best = self._fits(readers, articles).argmax(axis=2)
        return np.take_along_axis(self.interests[readers], best, axis=1)

    def _fits(self, readers: np.ndarray, articles: np.ndarray) -> np.ndarray:
        return self.fit[
            articles[:, :, None], self.interests[readers][:, None, :]
        ]  # (n, k, n_interests)


def planted_topics(vectors: np.ndarray, n_topics: int, seed: int = 0) -> np.ndarray:
    """How well each article fits each of `n_topics` clusters of the vectors.

    Args:
        vectors: float (n_articles, dim). The mean of the rows that are not all zero is taken off
            and rows are scaled to length 1; a row of zeros, an article without text, stays one
            and fits no topic.
        n_topics: clusters.
        seed: of k-means.

    Returns:
        Float (n_articles, n_topics): cosines with the centres, at most 1.
    """
    from sklearn.cluster import KMeans

    told = (vectors != 0).any(axis=1, keepdims=True)
    unit = _unit((vectors - vectors.mean(axis=0, where=told)) * told)
    centres = KMeans(n_topics, n_init=10, random_state=seed).fit(unit).cluster_centers_
    return unit @ _unit(centres).T


def planted_readers(
    fit: np.ndarray,
    n_readers: int,
    n_interests: int,
    n_impressions: int = 30,
    n_shown: int = 5,
    sharpness: float = 10.0,
    seed: int = 0,
    interests: np.ndarray | None = None,
    taste: str = "max",
) -> PlantedReaders:
    """Draw readers, what they are shown and what they click.

    Args:
        fit: float (n_articles, n_topics), as from `planted_topics`.
        n_readers: how many.
        n_interests: topics of each reader.
        n_impressions: slates of each reader.
        n_shown: articles of a slate. No article is shown to a reader again once it was clicked.
        sharpness: of the choice, at least 0; 0 clicks evenly.
        seed: of everything drawn.
        interests: int (n_readers, n_interests), topics to plant in place of drawn ones.
        taste: "max", an article is worth its best fit to an interest, or "sum", its fits
            to all of them.

    Returns:
        The log, and what was planted.

    Raises:
        ValueError: a count or the sharpness out of range, a fit that is not finite, interests
            of another shape or no topics, or an unknown taste.
    """
    n_articles, n_topics = np.shape(fit)
    _check(fit, n_readers, n_interests, n_impressions, n_shown, sharpness)
    if taste not in TASTES:
        raise ValueError(
            f"taste: expected one of {', '.join(TASTES)}, got {taste!r}; it says how the fits to "
            "a reader's interests make one liking"
        )
    rng = np.random.default_rng(seed)
    drawn = rng.permuted(np.tile(np.arange(n_topics), (n_readers, 1)), axis=1)[
        :, :n_interests
    ]
    planted = drawn if interests is None else _planted(interests, drawn.shape, n_topics)
    liking = TASTES[taste](np.asarray(fit)[:, planted], axis=2).T  # (readers, articles)
    everyone, unread = (
        np.arange(n_readers),
        np.ones((n_readers, n_articles), dtype=bool),
    )
    shown = np.empty((n_readers, n_impressions, n_shown), dtype=np.int64)
    clicked = np.empty((n_readers, n_impressions), dtype=np.int64)
    for step in range(n_impressions):
        topic = planted[everyone, rng.integers(n_interests, size=n_readers)]
        slate = _slate(sharpness * np.asarray(fit)[:, topic].T, unread, n_shown, rng)
        worth = sharpness * np.take_along_axis(liking, slate, axis=1)
        shown[:, step], clicked[:, step] = slate, _draw(worth, rng)
        unread[everyone, slate[everyone, clicked[:, step]]] = False
    return PlantedReaders(
        _log(shown, clicked, n_articles), np.asarray(fit), planted, sharpness, taste
    )


def _draw(utilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A column of each row, drawn by softmax of the row: the largest after Gumbel noise."""
    return (utilities + rng.gumbel(size=utilities.shape)).argmax(axis=1)


def _slate(
    liking: np.ndarray, unread: np.ndarray, n_shown: int, rng: np.random.Generator
) -> np.ndarray:
    """One unread article by softmax of liking (n_readers, n_articles), others evenly; shuffled."""
    picked = _draw(np.where(unread, liking, -np.inf), rng)[:, None]
    lottery = np.where(unread, rng.random(unread.shape), 2.0)
    np.put_along_axis(lottery, picked, 2.0, axis=1)
    others = np.argpartition(lottery, n_shown - 1, axis=1)[:, : n_shown - 1]
    return rng.permuted(np.hstack([picked, others]), axis=1)


def _log(shown: np.ndarray, clicked: np.ndarray, n_articles: int) -> ImpressionLog:
    """Shown (readers, steps, width) and the column that was clicked (readers, steps) as a log."""
    n_readers, n_steps, width = shown.shape
    items, n_rows = np.arange(n_articles), n_readers * n_steps
    readers, steps = np.indices((n_readers, n_steps))
    flags = np.arange(width) == clicked[:, :, None]
    impressions = Impressions(
        readers.ravel(),
        steps.ravel(),
        np.arange(n_rows + 1) * width,
        shown.ravel(),
        flags.ravel(),
        np.arange(n_readers),
        items,
    )
    earlier = np.tile(
        np.tri(n_steps, k=-1, dtype=bool), (n_readers, 1)
    )  # (rows, steps)
    rows, places = np.nonzero(earlier)
    past = np.repeat(shown[flags].reshape(n_readers, n_steps), n_steps, axis=0)[earlier]
    histories = Interactions(
        rows,
        past,
        np.ones(len(past)),
        places,
        np.arange(n_rows),
        items,
        time_unit="step",
    )
    return ImpressionLog(
        impressions, histories, pd.DataFrame(index=pd.Index(items, name="article"))
    )


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def _planted(
    interests: np.ndarray, shape: tuple[int, int], n_topics: int
) -> np.ndarray:
    interests = np.asarray(interests)
    if interests.shape != shape:
        raise ValueError(
            f"interests: expected one row a reader, {shape}, got {interests.shape}; mend the "
            "counts or the array"
        )
    if interests.min() < 0 or interests.max() >= n_topics:
        raise ValueError(
            f"interests: expected topics from 0 to {n_topics - 1}, got {interests.min()} to "
            f"{interests.max()}; they are columns of fit"
        )
    return interests


def _check(fit, n_readers, n_interests, n_impressions, n_shown, sharpness) -> None:
    n_articles, n_topics = np.shape(fit)
    if not 0 <= sharpness < np.inf:
        raise ValueError(
            f"sharpness: expected a finite number of at least 0, got {sharpness}; 0 clicks evenly"
        )
    check_finite("fit", np.asarray(fit))
    for name, count in {
        "n_readers": n_readers,
        "n_interests": n_interests,
        "n_impressions": n_impressions,
    }.items():
        if count < 1:
            raise ValueError(
                f"{name}: expected at least 1, got {count}; there is nothing to draw"
            )
    if n_interests > n_topics:
        raise ValueError(
            f"n_interests: expected at most the {n_topics} topics of fit, got {n_interests}; "
            "a reader has no topic twice"
        )
    if not 2 <= n_shown <= n_articles - n_impressions:
        raise ValueError(
            f"n_shown: expected from 2 to {n_articles - n_impressions}, got {n_shown}; "
            f"{n_impressions} slates are drawn from {n_articles} articles without what was clicked"
        )
