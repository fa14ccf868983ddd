"""Peers of the speed table, each called the way its own documentation does.

``python bench/speed_peers.py PEER INPUT.npz`` runs with the Python of the peer's own
environment, prepares its input outside the clock, prints one line of JSON when it is
ready, and then, for each line that comes in, makes one call and prints its seconds and
its value. So two processes can take turns: one waits, blocked on a read, while the other
is timed.
"""

import importlib.metadata
import json
import os
import sys
import time

import numpy as np
from speed_input import ALPHA, FACTORS, ITERATIONS, L2, NEIGHBOURS, K, als_loss


def ranx_parts(data):
    """One (document, grade) table a user: relevance as a typed list, the run as one array."""
    from numba.typed import List

    n_users, length = data["ranked"].shape
    qrels = List()
    for ranked, relevant in zip(data["ranked"], data["relevant"]):
        wanted = ranked[relevant].astype(float)
        qrels.append(np.column_stack([wanted, np.ones(len(wanted))]))
    grades = np.broadcast_to(np.arange(length, 0.0, -1), (n_users, length))
    return qrels, np.stack([data["ranked"].astype(float), grades], axis=2)


def ranx_arrays(data):
    """ranx on arrays: what it runs once its dictionaries are converted."""
    from ranx import evaluate

    qrels, run = ranx_parts(data)
    return lambda: evaluate(qrels, run, f"ndcg@{K}"), float


def ranx_objects(data):
    """ranx on its Qrels and Run, built beforehand; the call converts them, as it always does."""
    from ranx import Qrels, Run, evaluate

    length = data["ranked"].shape[1]
    qrels, run = {}, {}
    for user, (ranked, relevant) in enumerate(zip(data["ranked"].tolist(), data["relevant"])):
        name = f"{user:05d}"
        qrels[name] = {str(ranked[place]): 1 for place in np.flatnonzero(relevant)}
        run[name] = {str(item): float(length - place) for place, item in enumerate(ranked)}
    qrels, run = Qrels(qrels), Run(run)
    return lambda: evaluate(qrels, run, f"ndcg@{K}"), float


def sklearn_ndcg(data):
    """scikit-learn, told that scores do not tie, which is its faster road."""
    from sklearn.metrics import ndcg_score

    relevant, scores = data["relevant_of_scores"], data["scores"]
    return lambda: ndcg_score(relevant, scores, k=K, ignore_ties=True), float


def torchmetrics_ndcg(data):
    """torchmetrics: flat tensors and a group index; float32."""
    import torch
    from torchmetrics.retrieval import RetrievalNormalizedDCG

    preds = torch.tensor(data["scores"], dtype=torch.float32)
    target = torch.tensor(data["relevant_of_scores"])
    users = torch.arange(len(preds))[:, None].expand_as(preds).flatten()
    preds, target = preds.flatten(), target.flatten()
    return lambda: RetrievalNormalizedDCG(top_k=K)(preds, target, indexes=users), float


def implicit_als(data, use_cg):
    """implicit's ALS on one thread; its confidence of a seen pair is alpha itself."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    seen = csr_matrix(data["seen"], dtype=np.float32)

    def fit():
        model = AlternatingLeastSquares(
            factors=FACTORS,
            regularization=L2,
            alpha=1 + ALPHA,
            iterations=ITERATIONS,
            use_cg=use_cg,
            num_threads=1,
            random_state=0,
        )
        model.fit(seen, show_progress=False)
        return model

    return fit, lambda model: als_loss(data["seen"], model.item_factors)


def implicit_cosine(data):
    """implicit's cosine neighbours; an item counts among its own, so one more is asked for."""
    from implicit.nearest_neighbours import CosineRecommender
    from scipy.sparse import csr_matrix

    seen = csr_matrix(data["seen"], dtype=float)

    def fit():
        model = CosineRecommender(K=NEIGHBOURS + 1, num_threads=1)
        model.fit(seen, show_progress=False)
        return model

    return fit, lambda model: float(model.similarity.sum() - seen.shape[1])


def sklearn_neighbours(data):
    """scikit-learn's exact neighbours by cosine; an item counts among its own here too."""
    from scipy.sparse import csr_matrix
    from sklearn.neighbors import NearestNeighbors

    items = csr_matrix(data["seen"].T, dtype=float)

    def search():
        model = NearestNeighbors(n_neighbors=NEIGHBOURS + 1, metric="cosine", algorithm="brute")
        return model.fit(items).kneighbors(items)[0]

    return search, lambda distances: float((1 - distances).sum() - len(distances))


def recsim_rounds(data):
    """RecSim's interest evolution, one user after another; its users leave when their time is spent."""
    import warnings

    warnings.simplefilter("ignore")  # gym says on every import that it is no longer kept
    from recsim.environments import interest_evolution

    n_candidates, slates = int(data["n_candidates"]), data["slates"]
    config = {"num_candidates": n_candidates, "slate_size": slates.shape[1], "seed": 0}
    environment = interest_evolution.create_environment(config | {"resample_documents": False})
    environment.reset()

    def play():
        for slate in slates:
            *_, done, _ = environment.step(slate)
            if done:
                environment.reset()
        return len(slates)

    return play, float


# peer: (what prepares it, its environment, distributions whose versions count)
PEERS = {
    "ranx-arrays": (ranx_arrays, "ranx", ["ranx", "numba"]),
    "ranx-objects": (ranx_objects, "ranx", ["ranx", "numba"]),
    "sklearn-ndcg": (sklearn_ndcg, "project", ["scikit-learn"]),
    "torchmetrics-ndcg": (torchmetrics_ndcg, "project", ["torchmetrics", "torch"]),
    "implicit-cholesky": (lambda data: implicit_als(data, False), "implicit", ["implicit"]),
    "implicit-cg": (lambda data: implicit_als(data, True), "implicit", ["implicit"]),
    "implicit-cosine": (implicit_cosine, "implicit", ["implicit"]),
    "sklearn-neighbours": (sklearn_neighbours, "project", ["scikit-learn"]),
    "recsim": (recsim_rounds, "recsim", ["recsim-no-tf", "gym"]),
}


def main(peer, source):
    """Serve one peer until the other side closes the line."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    prepare, _, distributions = PEERS[peer]
    with np.load(source) as arrays:
        call, value_of = prepare(dict(arrays))
    versions = {name: importlib.metadata.version(name) for name in [*distributions, "numpy"]}
    print(json.dumps(versions), file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - start
        print(json.dumps([seconds, float(value_of(result))]), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
