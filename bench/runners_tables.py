"""Recommender libraries that take tables or matrices: one function a library, its own calls and no arithmetic of ours."""

import numpy as np
from metric_input import past_interactions
from runner_result import K, ranked_items, result


def rectools_tables(data):
    """Recommendations, truth and past as the tables that RecTools takes."""
    import pandas as pd

    n_users = len(data.scores)
    reco = pd.DataFrame({"user_id": np.repeat(np.arange(n_users), K), "item_id": ranked_items(data)[:, :K].ravel(),
                         "rank": np.tile(np.arange(1, K + 1), n_users)})  # fmt: skip
    truth = pd.DataFrame(np.argwhere(data.relevant), columns=["user_id", "item_id"])
    past = pd.DataFrame(dict(zip(["user_id", "item_id"], past_interactions(data.popularity))))
    return reco, truth, past


def rectools(data):
    """RecTools: recommendation and interaction tables."""
    import pandas as pd
    from rectools import metrics as own

    n_users, n_items = data.scores.shape
    reco, truth, past = rectools_tables(data)
    distance = own.PairwiseHammingDistanceCalculator(pd.DataFrame(data.features))
    diversity = own.IntraListDiversity(k=K, distance_calculator=distance)

    def against(other, metric, variant, call, measure):
        values = measure.calc_per_user(reco, other).reindex(range(n_users))
        return result(metric, variant, call, values, measure.calc(reco, other))

    return [
        against(truth, "ndcg", "full-k", "NDCG(k=10)", own.NDCG(k=K)),
        against(truth, "ndcg", "capped", "NDCG(k=10, divide_by_achievable=True)", own.NDCG(k=K, divide_by_achievable=True)),
        against(truth, "precision", "full-k", "Precision(k=10)", own.Precision(k=K)),
        against(truth, "precision", "capped", "Precision(k=10, r_precision=True)", own.Precision(k=K, r_precision=True)),
        against(truth, "recall", "all-relevant", "Recall(k=10)", own.Recall(k=K)),
        against(truth, "hit_rate", "any-in-k", "HitRate(k=10)", own.HitRate(k=K)),
        against(truth, "reciprocal_rank", "cut-at-k", "MRR(k=10)", own.MRR(k=K)),
        against(truth, "average_precision", "all-relevant", "MAP(k=10)", own.MAP(k=K)),
        against(truth, "average_precision", "full-k", "MAP(k=10, divide_by_k=True)", own.MAP(k=K, divide_by_k=True)),
        against(past, "novelty", "share-of-users", "MeanInvUserFreq(k=10)", own.MeanInvUserFreq(k=K)),
        against(
            past,
            "popularity",
            "share-of-interactions",
            "AvgRecPopularity(k=10, normalize=True)",
            own.AvgRecPopularity(k=K, normalize=True),
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
            value=own.CatalogCoverage(k=K, normalize=True).calc(reco, range(n_items)),
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
        return result(metric, variant, f"ranking_metrics_at_k(K=10)['{key}']", values, together[key])

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
    truth = pd.DataFrame(np.argwhere(data.relevant), columns=["userID", "itemID"]).assign(rating=1.0)
    predicted = pd.DataFrame(
        {
            "userID": np.repeat(np.arange(n_users), n_items),
            "itemID": np.tile(np.arange(n_items), n_users),
            "prediction": data.scores.ravel(),
        }
    )
    reco = pd.DataFrame({"userID": np.repeat(np.arange(n_users), K), "itemID": ranked_items(data)[:, :K].ravel()})
    users, items = past_interactions(data.popularity)
    past = pd.DataFrame({"userID": users + n_users, "itemID": items})  # past users are other people
    features = pd.DataFrame({"itemID": range(n_items), "features": list(data.features)})

    def scored(metric, variant, name):
        measure = getattr(evaluation, name)
        alone = [
            measure(truth[truth.userID == user], predicted[predicted.userID == user], k=K) for user in range(n_users)
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
        result("coverage", "share-of-catalogue", "catalog_coverage", value=evaluation.catalog_coverage(past, reco)),
        result("coverage", "entropy", "distributional_coverage", value=evaluation.distributional_coverage(past, reco)),
    ]
