"""One function a library: calls its metrics the way its own documentation does.

``python bench/runners.py LIBRARY INPUT.npz OUTPUT.json``, run by metric_libraries.py
with the Python of that library's environment. Nothing is computed here: each result
is what the library returned, with the call and the variant that reading its source
(and the check in metric_libraries.py) showed it to be.
"""

import importlib.metadata
import json
import platform
import sys

import numpy as np
from metric_input import MetricInput, past_interactions

K = 10
SHIFT = 0.985  # scores less SHIFT: all but the best few of a user fall to zero or below


def result(metric, variant, call, per_user=None, value=None, arithmetic="float64"):
    """One result. ``value`` is the library's own aggregate, or else the mean of ``per_user``."""
    if per_user is not None:
        per_user = np.asarray(per_user, dtype=float)
    return {
        "metric": metric,
        "variant": variant,
        "call": call,
        "value": float(per_user.mean() if value is None else value),
        "per_user": None if per_user is None else per_user.tolist(),
        "arithmetic": arithmetic,
    }


def ranked_items(data):
    """All items of each user, best first: (n_users, n_items)."""
    return np.argsort(-data.scores, axis=1)


def lenskit(data):
    """LensKit: item lists in, one number a list out."""
    import pandas as pd
    from lenskit.data import ItemList, from_interactions_df
    from lenskit.metrics import NDCG, Hit, LogRankWeight, MeanPopRank, Precision, Recall, RecipRank
    from lenskit.metrics.ranking import AveragePrecision, ExposureGini, ListGini

    users, items = past_interactions(data.popularity)
    past = from_interactions_df(pd.DataFrame({"user_id": users, "item_id": items}))
    lists = [ItemList(item_ids=row, ordered=True) for row in ranked_items(data)[:, :K]]
    truth = [ItemList(item_ids=np.flatnonzero(row)) for row in data.relevant]

    def listwise(metric):
        return [metric.measure_list(found, wanted) for found, wanted in zip(lists, truth)]

    def over_all(metric):
        return metric.summarize(listwise(metric))["value"]

    n_items = len(data.popularity)
    usual = LogRankWeight(offset=1)
    return [
        result("ndcg", "clipped-discount", "NDCG(n=10)", listwise(NDCG(n=K))),
        result("ndcg", "clipped-discount-all-relevant", "NDCG() on lists of 10", listwise(NDCG())),
        result(
            "ndcg",
            "capped",
            "NDCG(n=10, weight=LogRankWeight(offset=1))",
            listwise(NDCG(n=K, weight=usual)),
        ),
        result("precision", "full-k", "Precision(n=10)", listwise(Precision(n=K))),
        result("recall", "capped", "Recall(n=10)", listwise(Recall(n=K))),
        result("hit_rate", "any-in-k", "Hit(n=10)", listwise(Hit(n=K))),
        result("reciprocal_rank", "cut-at-k", "RecipRank(n=10)", listwise(RecipRank(n=K))),
        result(
            "average_precision",
            "capped",
            "AveragePrecision(n=10)",
            listwise(AveragePrecision(n=K)),
        ),
        result(
            "gini",
            "list-counts",
            "ListGini(n=10, items=300)",
            value=over_all(ListGini(n=K, items=n_items)),
        ),
        result(
            "gini",
            "geometric-exposure",
            "ExposureGini(n=10, items=300)",
            value=over_all(ExposureGini(n=K, items=n_items)),
            arithmetic="float32",
        ),
        result(
            "popularity",
            "rank-quantile",
            "MeanPopRank(past, n=10)",
            listwise(MeanPopRank(past, n=K)),
        ),
    ]


def ranx(data):
    """ranx: query relevance and runs, here full ones and ones cut to 10."""
    from ranx import Qrels, Run, evaluate

    full, cut, qrels = trec_style(data)

    def scored(metric, run):
        return evaluate(Qrels(qrels), Run(run), metric, return_mean=False)

    return [
        result("ndcg", "capped", "evaluate(qrels, run, 'ndcg@10')", scored("ndcg@10", full)),
        result(
            "ndcg", "all-relevant", "evaluate(qrels, run cut to 10, 'ndcg')", scored("ndcg", cut)
        ),
        result("precision", "full-k", "'precision@10'", scored("precision@10", full)),
        result("recall", "all-relevant", "'recall@10'", scored("recall@10", full)),
        result("hit_rate", "any-in-k", "'hit_rate@10'", scored("hit_rate@10", full)),
        result("reciprocal_rank", "cut-at-k", "'mrr@10'", scored("mrr@10", full)),
        result("average_precision", "all-relevant", "'map@10'", scored("map@10", full)),
        result("average_precision", "uncut", "'map'", scored("map", full)),
    ]


def trec_style(data):
    """Full run, run cut to 10, and relevance, as {query: {document: number}}."""
    name = "{:04d}".format
    full, cut, qrels = {}, {}, {}
    for user, order in enumerate(ranked_items(data)):
        row = {name(item): float(data.scores[user, item]) for item in order}
        full[name(user)] = row
        cut[name(user)] = dict(list(row.items())[:K])
        qrels[name(user)] = {name(item): 1 for item in np.flatnonzero(data.relevant[user])}
    return full, cut, qrels


def pytrec_eval(data):
    """trec_eval's own C code, given runs cut to 10."""
    from pytrec_eval import RelevanceEvaluator

    _, cut, qrels = trec_style(data)
    wanted = {"ndcg", "ndcg_cut.10", "P.10", "recall.10", "success.10", "recip_rank", "map_cut.10"}
    scored = RelevanceEvaluator(qrels, wanted).evaluate(cut)

    def measure(key):
        return [scored[query][key] for query in sorted(scored)]

    return [
        result("ndcg", "capped", "ndcg_cut.10", measure("ndcg_cut_10")),
        result("ndcg", "all-relevant", "ndcg, of a run cut to 10", measure("ndcg")),
        result("precision", "full-k", "P.10", measure("P_10")),
        result("recall", "all-relevant", "recall.10", measure("recall_10")),
        result("hit_rate", "any-in-k", "success.10", measure("success_10")),
        result(
            "reciprocal_rank", "cut-at-k", "recip_rank, of a run cut to 10", measure("recip_rank")
        ),
        result("average_precision", "all-relevant", "map_cut.10", measure("map_cut_10")),
    ]


def ir_measures(data):
    """ir-measures: one interface; it picks the provider of each measure."""
    from ir_measures import AP, RR, P, R, Success, calc, nDCG

    full, _, qrels = trec_style(data)

    def scored(metric, variant, measure):
        answer = calc([measure], qrels, full)
        ordered = sorted(answer.per_query, key=lambda row: row.query_id)
        values = [row.value for row in ordered]
        return result(metric, variant, str(measure), values, answer.aggregated[measure])

    return [
        scored("ndcg", "capped", nDCG @ K),
        scored("precision", "full-k", P @ K),
        scored("recall", "all-relevant", R @ K),
        scored("hit_rate", "any-in-k", Success @ K),
        scored("reciprocal_rank", "cut-at-k", RR @ K),
        scored("average_precision", "all-relevant", AP @ K),
    ]


def rectools(data):
    """RecTools: recommendation and interaction tables."""
    import pandas as pd
    from rectools.metrics import (
        MAP,
        MRR,
        NDCG,
        AvgRecPopularity,
        CatalogCoverage,
        HitRate,
        IntraListDiversity,
        MeanInvUserFreq,
        PairwiseHammingDistanceCalculator,
        Precision,
        Recall,
    )

    n_users, n_items = data.scores.shape
    reco = pd.DataFrame(
        {
            "user_id": np.repeat(np.arange(n_users), K),
            "item_id": ranked_items(data)[:, :K].ravel(),
            "rank": np.tile(np.arange(1, K + 1), n_users),
        }
    )
    truth = pd.DataFrame(np.argwhere(data.relevant), columns=["user_id", "item_id"])
    past = pd.DataFrame(dict(zip(["user_id", "item_id"], past_interactions(data.popularity))))
    distance = PairwiseHammingDistanceCalculator(pd.DataFrame(data.features))
    diversity = IntraListDiversity(k=K, distance_calculator=distance)

    def against(other, metric, variant, call, measure):
        values = measure.calc_per_user(reco, other).reindex(range(n_users))
        return result(metric, variant, call, values, measure.calc(reco, other))

    return [
        against(truth, "ndcg", "full-k", "NDCG(k=10)", NDCG(k=K)),
        against(
            truth,
            "ndcg",
            "capped",
            "NDCG(k=10, divide_by_achievable=True)",
            NDCG(k=K, divide_by_achievable=True),
        ),
        against(truth, "precision", "full-k", "Precision(k=10)", Precision(k=K)),
        against(
            truth,
            "precision",
            "capped",
            "Precision(k=10, r_precision=True)",
            Precision(k=K, r_precision=True),
        ),
        against(truth, "recall", "all-relevant", "Recall(k=10)", Recall(k=K)),
        against(truth, "hit_rate", "any-in-k", "HitRate(k=10)", HitRate(k=K)),
        against(truth, "reciprocal_rank", "cut-at-k", "MRR(k=10)", MRR(k=K)),
        against(truth, "average_precision", "all-relevant", "MAP(k=10)", MAP(k=K)),
        against(
            truth,
            "average_precision",
            "full-k",
            "MAP(k=10, divide_by_k=True)",
            MAP(k=K, divide_by_k=True),
        ),
        against(past, "novelty", "share-of-users", "MeanInvUserFreq(k=10)", MeanInvUserFreq(k=K)),
        against(
            past,
            "popularity",
            "share-of-interactions",
            "AvgRecPopularity(k=10, normalize=True)",
            AvgRecPopularity(k=K, normalize=True),
        ),
        result(
            "intra_list_diversity",
            "hamming",
            "IntraListDiversity(k=10, PairwiseHammingDistanceCalculator)",
            diversity.calc_per_user(reco).reindex(range(n_users)),
            diversity.calc(reco),
        ),
        result(
            "coverage",
            "share-of-catalogue",
            "CatalogCoverage(k=10, normalize=True)",
            value=CatalogCoverage(k=K, normalize=True).calc(reco, range(n_items)),
        ),
    ]


def cornac(data):
    """cornac: each metric's ``compute`` with the arguments that its experiment passes."""
    from cornac.metrics import AUC, MAP, MRR, NDCG, HitRatio, Precision, Recall

    items = np.arange(data.scores.shape[1])

    def computed(measure):
        return [
            measure.compute(
                gt_pos=np.flatnonzero(relevant),
                gt_neg=np.flatnonzero(~relevant),
                pd_rank=order,
                pd_scores=scores,
                item_indices=items,
            )
            for relevant, order, scores in zip(data.relevant, ranked_items(data), data.scores)
        ]

    return [
        result("ndcg", "capped", "NDCG(k=10)", computed(NDCG(k=K))),
        result("precision", "full-k", "Precision(k=10)", computed(Precision(k=K))),
        result("recall", "all-relevant", "Recall(k=10)", computed(Recall(k=K))),
        result("hit_rate", "any-in-k", "HitRatio(k=10)", computed(HitRatio(k=K))),
        result("reciprocal_rank", "uncut", "MRR()", computed(MRR())),
        result("average_precision", "uncut", "MAP()", computed(MAP())),
        result("auc", "full", "AUC()", computed(AUC())),
    ]


def implicit(data):
    """implicit: its evaluation asks a model; this one answers with the given ranking."""
    from implicit.evaluation import ranking_metrics_at_k
    from scipy.sparse import csr_matrix

    order = ranked_items(data)

    class Given:
        def __init__(self, rows):
            self.rows = rows

        def recommend(self, users, user_items, N):
            found = self.rows[users][:, :N]
            return found.astype(np.int32), np.zeros(found.shape, dtype=np.float32)

    def measured(rows, relevant):
        empty = csr_matrix(relevant.shape)
        truth = csr_matrix(relevant.astype(float))
        return ranking_metrics_at_k(Given(rows), empty, truth, K=K, show_progress=False)

    together = measured(order, data.relevant)
    alone = [measured(order[[u]], data.relevant[[u]]) for u in range(len(order))]

    def scored(metric, variant, key):
        values = [user[key] for user in alone]
        return result(
            metric, variant, f"ranking_metrics_at_k(K=10)['{key}']", values, together[key]
        )

    return [
        scored("ndcg", "capped", "ndcg"),
        scored("precision", "pooled-capped", "precision"),
        scored("average_precision", "capped", "map"),
        scored("auc", "limited-at-k", "auc"),
    ]


def recommenders(data):
    """Microsoft's recommenders: tables in, a mean out; a user's value is a call on that user."""
    import pandas as pd
    from recommenders.evaluation import python_evaluation as evaluation

    n_users, n_items = data.scores.shape
    truth = pd.DataFrame(np.argwhere(data.relevant), columns=["userID", "itemID"]).assign(
        rating=1.0
    )
    predicted = pd.DataFrame(
        {
            "userID": np.repeat(np.arange(n_users), n_items),
            "itemID": np.tile(np.arange(n_items), n_users),
            "prediction": data.scores.ravel(),
        }
    )
    reco = pd.DataFrame(
        {
            "userID": np.repeat(np.arange(n_users), K),
            "itemID": ranked_items(data)[:, :K].ravel(),
        }
    )
    users, items = past_interactions(data.popularity)
    past = pd.DataFrame({"userID": users + n_users, "itemID": items})  # past users are other people
    features = pd.DataFrame({"itemID": range(n_items), "features": list(data.features)})

    def scored(metric, variant, name):
        measure = getattr(evaluation, name)
        alone = [
            measure(truth[truth.userID == user], predicted[predicted.userID == user], k=K)
            for user in range(n_users)
        ]
        return result(metric, variant, f"{name}(k=10)", alone, measure(truth, predicted, k=K))

    by_features = {"item_feature_df": features, "item_sim_measure": "item_feature_vector"}
    diversity = evaluation.user_diversity(past, reco, **by_features)
    return [
        scored("ndcg", "capped", "ndcg_at_k"),
        scored("precision", "full-k", "precision_at_k"),
        scored("recall", "all-relevant", "recall_at_k"),
        scored("average_precision", "capped", "map_at_k"),
        scored("average_precision", "all-relevant", "map"),
        result("novelty", "share-of-interactions", "novelty", value=evaluation.novelty(past, reco)),
        result(
            "intra_list_diversity",
            "cosine",
            "user_diversity(item_sim_measure='item_feature_vector')",
            diversity.set_index("userID").user_diversity.reindex(range(n_users)),
        ),
        result(
            "coverage",
            "share-of-catalogue",
            "catalog_coverage",
            value=evaluation.catalog_coverage(past, reco),
        ),
        result(
            "coverage",
            "entropy",
            "distributional_coverage",
            value=evaluation.distributional_coverage(past, reco),
        ),
    ]


def torchmetrics(data):
    """torchmetrics: fed the retrieved ten only, the full row, and a row with scores below zero."""
    import torch
    from torchmetrics import retrieval

    order = ranked_items(data)[:, :K]
    scores, relevant = torch.tensor(data.scores), torch.tensor(data.relevant)
    found = torch.tensor(order)
    rows = {
        "retrieved 10 only": (scores.gather(1, found), relevant.gather(1, found)),
        "full row": (scores, relevant),
        "full row less 0.985": (scores - SHIFT, relevant),
    }

    def scored(metric, variant, name, fed):
        preds, target = rows[fed]
        users = torch.arange(len(preds))[:, None].expand_as(preds)

        def measure(chosen):
            metric_object = getattr(retrieval, name)(top_k=K)
            return metric_object(
                preds[chosen].flatten(), target[chosen].flatten(), users[chosen].flatten()
            ).item()

        alone = [measure([user]) for user in range(len(preds))]
        together = measure(list(range(len(preds))))
        return result(
            metric, variant, f"{name}(top_k=10), fed the {fed}", alone, together, "float32"
        )

    return [
        scored("ndcg", "retrieved", "RetrievalNormalizedDCG", "retrieved 10 only"),
        scored("ndcg", "capped", "RetrievalNormalizedDCG", "full row"),
        scored("precision", "full-k", "RetrievalPrecision", "retrieved 10 only"),
        scored("precision", "full-k", "RetrievalPrecision", "full row"),
        scored("precision", "positive-scores", "RetrievalPrecision", "full row less 0.985"),
        scored("recall", "retrieved", "RetrievalRecall", "retrieved 10 only"),
        scored("recall", "all-relevant", "RetrievalRecall", "full row"),
        scored("hit_rate", "any-in-k", "RetrievalHitRate", "full row"),
        scored("reciprocal_rank", "cut-at-k", "RetrievalMRR", "full row"),
        scored("average_precision", "hits", "RetrievalMAP", "full row"),
    ]


def sklearn(data):
    """scikit-learn: rows of scores; ``ndcg_score`` averages over ties, of which there are none."""
    from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

    order = ranked_items(data)[:, :K]
    full = data.relevant, data.scores
    cut = np.take_along_axis(data.relevant, order, 1), np.take_along_axis(data.scores, order, 1)

    def each(measure, rows):
        return [measure(relevant, scores) for relevant, scores in zip(*rows)]

    def ndcg(relevant, scores):
        return ndcg_score([relevant], [scores], k=K)

    return [
        result(
            "ndcg",
            "capped",
            "ndcg_score(k=10), full rows",
            each(ndcg, full),
            ndcg_score(*full, k=K),
        ),
        result(
            "ndcg",
            "retrieved",
            "ndcg_score(k=10), retrieved 10 only",
            each(ndcg, cut),
            ndcg_score(*cut, k=K),
        ),
        result(
            "average_precision",
            "uncut",
            "average_precision_score",
            each(average_precision_score, full),
        ),
        result("auc", "full", "roc_auc_score", each(roc_auc_score, full)),
    ]


# library: (function, distribution whose version counts, environment)
LIBRARIES = {
    "cornac": (cornac, "cornac", "cornac"),
    "implicit": (implicit, "implicit", "implicit"),
    "ir-measures": (ir_measures, "ir-measures", "trec"),
    "LensKit": (lenskit, "lenskit", "lenskit"),
    "pytrec_eval": (pytrec_eval, "pytrec-eval-terrier", "trec"),
    "ranx": (ranx, "ranx", "ranx"),
    "recommenders": (recommenders, "recommenders", "recommenders"),
    "RecTools": (rectools, "rectools", "rectools"),
    "scikit-learn": (sklearn, "scikit-learn", "project"),
    "torchmetrics": (torchmetrics, "torchmetrics", "project"),
}


def main(library, source, target):
    """Run one library on the input in ``source`` and write its results to ``target``."""
    run, distribution, _ = LIBRARIES[library]
    with np.load(source) as arrays:
        data = MetricInput(**arrays)
    versions = {name: importlib.metadata.version(name) for name in sorted({distribution, "numpy"})}
    written = {"versions": {"python": platform.python_version(), **versions}, "results": run(data)}
    with open(target, "w", encoding="utf-8") as file:
        json.dump(written, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
