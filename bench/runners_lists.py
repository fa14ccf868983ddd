"""Libraries that take lists, runs or arrays: one function a library, its own calls and no arithmetic of ours."""

import numpy as np
from metric_input import past_interactions
from runner_result import SHIFT, K, ranked_items, result


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
        result("ndcg", "capped", "NDCG(n=10, weight=LogRankWeight(offset=1))", listwise(NDCG(n=K, weight=usual))),
        result("precision", "full-k", "Precision(n=10)", listwise(Precision(n=K))),
        result("recall", "capped", "Recall(n=10)", listwise(Recall(n=K))),
        result("hit_rate", "any-in-k", "Hit(n=10)", listwise(Hit(n=K))),
        result("reciprocal_rank", "cut-at-k", "RecipRank(n=10)", listwise(RecipRank(n=K))),
        result("average_precision", "capped", "AveragePrecision(n=10)", listwise(AveragePrecision(n=K))),
        result("gini", "list-counts", "ListGini(n=10, items=300)", value=over_all(ListGini(n=K, items=n_items))),
        result(
            "gini",
            "geometric-exposure",
            "ExposureGini(n=10, items=300)",
            value=over_all(ExposureGini(n=K, items=n_items)),
            arithmetic="float32",
        ),
        result("popularity", "rank-quantile", "MeanPopRank(past, n=10)", listwise(MeanPopRank(past, n=K))),
    ]


def ranx(data):
    """ranx: query relevance and runs, here full ones and ones cut to 10."""
    from ranx import Qrels, Run, evaluate

    full, cut, qrels = trec_style(data)

    def scored(metric, run):
        return evaluate(Qrels(qrels), Run(run), metric, return_mean=False)

    return [
        result("ndcg", "capped", "evaluate(qrels, run, 'ndcg@10')", scored("ndcg@10", full)),
        result("ndcg", "all-relevant", "evaluate(qrels, run cut to 10, 'ndcg')", scored("ndcg", cut)),
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
        result("reciprocal_rank", "cut-at-k", "recip_rank, of a run cut to 10", measure("recip_rank")),
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
            return metric_object(preds[chosen].flatten(), target[chosen].flatten(), users[chosen].flatten()).item()

        alone = [measure([user]) for user in range(len(preds))]
        together = measure(list(range(len(preds))))
        return result(metric, variant, f"{name}(top_k=10), fed the {fed}", alone, together, "float32")

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
        result("ndcg", "capped", "ndcg_score(k=10), full rows", each(ndcg, full), ndcg_score(*full, k=K)),
        result("ndcg", "retrieved", "ndcg_score(k=10), retrieved 10 only", each(ndcg, cut), ndcg_score(*cut, k=K)),
        result("average_precision", "uncut", "average_precision_score", each(average_precision_score, full)),
        result("auc", "full", "roc_auc_score", each(roc_auc_score, full)),
    ]
