"""Metrics: by hand, by another library, and where libraries differ."""

import json
import runpy

import numpy as np
import pytest
import sklearn.metrics
import torchmetrics.functional.retrieval as retrieval
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import pdist

from recsys import evaluation as ev

HITS = np.array([[1, 0, 1, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=bool)
RELEVANT = np.array([4, 1, 3])


@pytest.mark.parametrize("metric, expected", [
    (lambda: ev.precision(HITS), [3 / 5, 1 / 5, 0]),
    (lambda: ev.recall(HITS, RELEVANT), [3 / 4, 1, 0]),
    (lambda: ev.hit_rate(HITS), [1, 1, 0]),
    (lambda: ev.reciprocal_rank(HITS), [1, 1 / 5, 0]),
    (lambda: ev.average_precision(HITS, RELEVANT), [(1 + 2 / 3 + 3 / 5) / 4, 1 / 5, 0]),
    (lambda: ev.ndcg(HITS, RELEVANT), [(1 + 1 / 2 + 1 / np.log2(6)) / (1 + 1 / np.log2(3) + 1 / 2 + 1 / np.log2(5)),
                                       1 / np.log2(6), 0]),
])
def test_list_metrics_by_hand(metric, expected):
    assert np.allclose(metric(), expected, atol=1e-15)


def test_recall_is_not_precision():
    """Ten recommended, four relevant, three hits: .75, which a published definition prints as .30."""
    hits = np.zeros((1, 10), dtype=bool)
    hits[0, [0, 4, 7]] = True
    assert ev.recall(hits, np.array([4]))[0] == 0.75 and np.isclose(ev.precision(hits)[0], 0.3)


@st.composite
def rankings(draw):
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    n_items = draw(st.integers(3, 30))
    k = draw(st.integers(1, n_items))
    relevant = rng.random((4, n_items)) < draw(st.sampled_from([0.1, 0.4, 0.9]))
    relevant[np.arange(4), rng.integers(0, n_items, 4)] = True
    scores = rng.permuted(np.tile(np.arange(1.0, n_items + 1), (4, 1)), axis=1) / n_items
    return scores, relevant, k


@given(rankings())
@settings(deadline=None, derandomize=True, max_examples=80)
def test_list_metrics_agree_with_torchmetrics_and_scikit_learn(case):
    import torch

    scores, relevant, k = case
    hits = ev.hits_of(ev.top_k(scores, k), sparse.csr_matrix(relevant))
    count = relevant.sum(axis=1)
    for user in range(4):
        s, r = torch.tensor(scores[user]), torch.tensor(relevant[user])
        pairs = [(ev.precision(hits), retrieval.retrieval_precision(s, r, top_k=k)),
                 (ev.recall(hits, count), retrieval.retrieval_recall(s, r, top_k=k)),
                 (ev.hit_rate(hits), retrieval.retrieval_hit_rate(s, r, top_k=k)),
                 (ev.reciprocal_rank(hits), retrieval.retrieval_reciprocal_rank(s, r, top_k=k)),
                 (ev.ndcg(hits, count), retrieval.retrieval_normalized_dcg(s, r.long(), top_k=k)),
                 (ev.average_precision(hits, count) * np.minimum(count, k) / np.maximum(hits.sum(1), 1),
                  retrieval.retrieval_average_precision(s, r, top_k=k))]
        for ours, theirs in pairs:
            assert abs(ours[user] - float(theirs)) < 2e-6  # torchmetrics computes in float32
    if scores.shape[1] > 1:
        assert np.isclose(ev.ndcg(hits, count).mean(), sklearn.metrics.ndcg_score(relevant, scores, k=k), atol=1e-12)
    full = ev.hits_of(ev.top_k(scores, scores.shape[1]), sparse.csr_matrix(relevant))
    theirs = [sklearn.metrics.average_precision_score(r, s) for r, s in zip(relevant, scores)]
    assert np.allclose(ev.average_precision(full, count), theirs, atol=1e-12)


@pytest.fixture(scope="module")
def recorded(root):
    return json.loads((root / "bench/results/metric_libraries.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def bench_input(root):
    return runpy.run_path(str(root / "bench/metric_input.py"))["build"]()


def test_libraries_print_different_values_of_one_name_and_each_variant_is_ours(recorded, bench_input):
    """Four libraries as usually called print four values of nDCG@10; each user's value is one of our variants."""
    data = bench_input
    hits = ev.hits_of(ev.top_k(data.scores, 10), sparse.csr_matrix(data.relevant))
    count = data.relevant.sum(axis=1)
    checked = set()
    for row in recorded["entries"]:
        if row["metric"] == "ndcg":
            ours = ev.ndcg(hits, count, row["variant"])
            assert np.allclose(ours, row["per_user"], atol=row["tolerance"]), row["library"]
            checked.add((row["library"], row["variant"]))
    usual = {"LensKit": "clipped-discount", "ranx": "capped", "RecTools": "full-k", "torchmetrics": "retrieved"}
    assert set(usual.items()) <= checked
    assert len({round(ev.ndcg(hits, count, variant).mean(), 3) for variant in usual.values()}) == 4
    assert {variant for _, variant in checked} == set(ev.NDCG_VARIANTS)


@pytest.mark.parametrize("metric, variant, ours", [
    ("precision", "full-k", lambda h, c: ev.precision(h)),
    ("recall", "all-relevant", lambda h, c: ev.recall(h, c)),
    ("hit_rate", "any-in-k", lambda h, c: ev.hit_rate(h)),
    ("reciprocal_rank", "cut-at-k", lambda h, c: ev.reciprocal_rank(h)),
    ("average_precision", "capped", lambda h, c: ev.average_precision(h, c)),
])
def test_list_metrics_are_those_of_public_libraries(recorded, bench_input, metric, variant, ours):
    hits = ev.hits_of(ev.top_k(bench_input.scores, 10), sparse.csr_matrix(bench_input.relevant))
    rows = [row for row in recorded["entries"] if (row["metric"], row["variant"]) == (metric, variant) and row["per_user"]]
    assert len({row["library"] for row in rows}) >= 1
    for row in rows:
        assert np.allclose(ours(hits, bench_input.relevant.sum(axis=1)), row["per_user"], atol=row["tolerance"]), row["library"]


def test_beyond_accuracy_metrics_are_those_of_public_libraries(recorded, bench_input):
    ranked = ev.top_k(bench_input.scores, 10)
    shown = np.bincount(ranked.ravel(), minlength=300)
    ours = {("coverage", "share-of-catalogue"): ev.coverage(ranked, 300), ("gini", "list-counts"): ev.gini(shown),
            ("novelty", "share-of-users"): ev.novelty(ranked, bench_input.popularity, 500).mean(),
            ("intra_list_diversity", "cosine"): ev.intra_list_diversity(ranked, bench_input.features).mean()}
    found = {(row["metric"], row["variant"]): row for row in recorded["entries"]}
    for key, value in ours.items():
        assert abs(value - found[key]["value"]) < 1e-6, key


@given(st.integers(0, 10**6))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_auc_agrees_with_scikit_learn_with_ties_and_within_users(seed):
    rng = np.random.default_rng(seed)
    users, labels = rng.integers(0, 4, 60), rng.integers(0, 2, 60)
    scores = rng.integers(0, 6, 60) / 5
    if 0 < labels.sum() < 60:
        assert np.isclose(ev.auc(labels, scores), sklearn.metrics.roc_auc_score(labels, scores))
    for user, value in zip(np.unique(users), ev.auc_per_user(users, labels, scores)):
        mine = users == user
        if len(set(labels[mine])) == 2:
            assert np.isclose(value, sklearn.metrics.roc_auc_score(labels[mine], scores[mine]))
        else:
            assert np.isnan(value)


def test_auc_is_the_share_of_pairs_in_order():
    assert ev.auc(np.array([1, 0, 1, 0]), np.array([0.9, 0.5, 0.5, 0.1])) == (1 + 1 + 0.5 + 1) / 4


def test_rating_errors_by_hand_by_scikit_learn_and_not_by_batch():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(1, 6, 33), rng.normal(3, 1, 33)
    assert np.isclose(ev.rmse(np.array([1, 2]), np.array([4, 2])), np.sqrt(4.5))
    assert np.isclose(ev.rmse(truth, predicted), sklearn.metrics.root_mean_squared_error(truth, predicted))
    of_batches = np.mean([np.mean((predicted[:32] - truth[:32]) ** 2), (predicted[32] - truth[32]) ** 2])
    assert not np.isclose(of_batches, ev.rmse(truth, predicted) ** 2, rtol=0.01)


def test_a_column_against_a_vector_is_refused():
    with pytest.raises(ValueError, match="would broadcast to a square"):
        ev.rmse(np.ones(4), np.ones((4, 1)))


def test_gini_by_hand_at_its_ends_and_by_all_pairs():
    assert ev.gini(np.ones(7)) == 0 and np.isclose(ev.gini([0, 0, 0, 5]), 3 / 4)
    counts = np.random.default_rng(1).integers(0, 50, 40).astype(float)
    mean_difference = 2 * pdist(counts[:, None], "cityblock").sum() / 40**2
    assert np.isclose(ev.gini(counts), mean_difference / (2 * counts.mean()))
    with pytest.raises(ValueError, match="positive sum"):
        ev.gini([0, 0])


def test_coverage_novelty_and_diversity_by_hand():
    ranked = np.array([[0, 1], [1, -1]])
    assert ev.coverage(ranked, 4) == 0.5
    assert np.allclose(ev.novelty(np.array([[0, 1]]), np.array([8, 2]), 8), [(0 + 2) / 2])
    assert np.allclose(ev.novelty(np.array([[0]]), np.array([0]), 8), [3.0])
    features = np.array([[1.0, 0], [0, 2], [1, 1], [0, 0]])
    expected = [1.0, 1 - np.sqrt(0.5), 1.0]
    assert np.allclose(ev.intra_list_diversity(np.array([[0, 1], [0, 2], [2, 3]]), features), expected)
    full = np.random.default_rng(0).random((9, 4))
    assert np.isclose(ev.intra_list_diversity(np.arange(9)[None], full)[0], pdist(full, "cosine").mean())


def test_empty_places_are_left_out_of_novelty_and_diversity():
    """A list with empty places is worth what its filled places are; the last item is not read for them."""
    counts, features = np.array([8, 4, 1]), np.array([[1.0, 0], [0, 1], [1, 1]])
    assert np.allclose(ev.novelty([[0, -1], [1, 2]], counts, 8), [0, 2])
    assert np.allclose(ev.novelty([[2, 1, -1, -1]], counts, 8), ev.novelty([[2, 1]], counts, 8))
    short, whole = ([[0, 2, -1]], [[0, 2]])
    assert np.allclose(ev.intra_list_diversity(short, features), ev.intra_list_diversity(whole, features))
    assert np.isnan(ev.novelty([[-1, -1]], counts, 8)).all()
    assert np.isnan(ev.intra_list_diversity([[1, -1], [-1, -1]], features)).all()


@pytest.mark.parametrize("metric", [
    lambda ranked: ev.coverage(ranked, 3),
    lambda ranked: ev.novelty(ranked, np.ones(3), 4),
    lambda ranked: ev.intra_list_diversity(ranked, np.eye(3)),
    lambda ranked: ev.hits_of(ranked, sparse.csr_matrix(np.ones((1, 3)))),
])
@pytest.mark.parametrize("ranked, words", [
    ([[0, 3]], "item indices from 0 to 2"), ([[0, -2]], "item indices from 0 to 2"), ([[1, 1]], "got 1 twice in row 0"),
    ([0, 1], r"shape \(n_lists, k\)"), ([[0.0, 1.0]], "whole numbers"),
])
def test_lists_that_are_none_are_refused_by_every_metric_of_lists(metric, ranked, words):
    with pytest.raises(ValueError, match=words):
        metric(np.array(ranked))


def test_features_and_counts_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="features: expected finite"):
        ev.intra_list_diversity(np.array([[0, 1]]), np.array([[1.0], [np.nan]]))
    with pytest.raises(ValueError, match="n_users_of_item: expected finite"):
        ev.novelty(np.array([[0, 1]]), np.array([1.0, np.nan]), 3)
    with pytest.raises(ValueError, match="counts: expected a vector of finite counts"):
        ev.gini([1, np.nan])


@pytest.mark.parametrize("labels", [[-1, 1], ["0", "1"], [np.nan, 1], [1, 5], [None, True], [0.5, 1]])
def test_auc_refuses_labels_that_are_neither_nought_nor_one(labels):
    for make in (lambda: ev.auc(np.array(labels), np.array([0.1, 0.2])),
                 lambda: ev.auc_per_user([1, 1], np.array(labels), [0.1, 0.2])):
        with pytest.raises(ValueError, match="labels: expected 0 and 1 or booleans"):
            make()


def test_auc_takes_every_kind_of_nought_and_one_and_refuses_other_lengths():
    scores = np.array([0.3, 0.2, 0.9])
    assert ev.auc([1, 0, 0], scores) == ev.auc([1.0, 0.0, 0.0], scores) == ev.auc([True, False, False], scores) == 0.5
    for users, labels in (([0, 0], [1, 0, 0]), ([0, 0, 0], [1, 0]), ([[0], [0], [0]], [1, 0, 0])):
        with pytest.raises(ValueError, match="three vectors of one length"):
            ev.auc_per_user(users, labels, scores)
    with pytest.raises(ValueError, match="three vectors of one length"):
        ev.auc([1, 0], scores)
    with pytest.raises(ValueError, match="labels: expected at least one"):
        ev.auc([], [])


@pytest.mark.parametrize("variant", ev.NDCG_VARIANTS)
def test_counts_of_relevant_items_may_be_whole_floats_and_nothing_between(variant):
    for kind in (float, np.float32, np.uint8):
        assert (ev.ndcg(HITS, RELEVANT.astype(kind), variant) == ev.ndcg(HITS, RELEVANT, variant)).all()
    for wrong in (4.5, np.inf, np.nan):
        with pytest.raises(ValueError, match=f"n_relevant: expected whole numbers.*got {wrong} for user 1"):
            ev.ndcg(HITS, np.where([False, True, False], wrong, RELEVANT), variant)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="hits: expected a boolean array"):
        ev.precision(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"shape \(3,\), got shape \(2,\)"):
        ev.recall(HITS, np.array([1, 2]))
    with pytest.raises(ValueError, match="got 0 for user 2 with 0 hits"):
        ev.recall(HITS, np.array([3, 1, 0]))
    with pytest.raises(ValueError, match="variant: expected one of capped, .* got 'exp'"):
        ev.ndcg(HITS, RELEVANT, "exp")
    with pytest.raises(ValueError, match="n_relevant: expected whole numbers, at least 1"):
        ev.recall(HITS, np.array([4, np.nan, 3]))
    with pytest.raises(ValueError, match="hits: expected a boolean array"):
        ev.precision(np.ones((2, 0), dtype=bool))
    with pytest.raises(ValueError, match="of no row there is no mean"):
        ev.rmse([], [])
    with pytest.raises(ValueError, match="scores: expected numbers that can be ordered, got NaN in row 1"):
        ev.auc(np.array([0, 1]), np.array([0.1, np.nan]))
