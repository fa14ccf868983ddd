"""Top-k, recommend and evaluate against brute force."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys import evaluation as ev
from recsys.baselines import Popularity
from recsys.data import Interactions
from recsys.evaluation import evaluate as evaluate_function
from recsys.evaluation import full_ranking
from recsys.evaluation.splits import leave_last_out


@given(st.integers(0, 10**6), st.integers(1, 9), st.sampled_from(ev.TIE_RULES), st.booleans())
@settings(deadline=None, derandomize=True, max_examples=300)
def test_top_k_is_a_full_sort_with_the_stated_ties(seed, k, ties, with_exclude):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (5, 12)) / 3.0  # many ties
    exclude = sparse.csr_matrix(rng.random((5, 12)) < 0.2) if with_exclude else None
    key = {"item-index": np.arange(12), "reverse-item-index": -np.arange(12),
           "random": np.argsort(np.random.default_rng(3).permutation(12))}[ties]
    got = ev.top_k(scores, k, exclude, ties, seed=3)
    for row in range(5):
        allowed = [i for i in range(12) if exclude is None or not exclude[row, i]]
        best = sorted(allowed, key=lambda i: (-scores[row, i], key[i]))[:k]
        assert got[row].tolist() == best + [-1] * (k - len(best))


def test_top_k_names_what_is_wrong():
    with pytest.raises(ValueError, match="Row 1 has a NaN score"):
        ev.top_k(np.array([[1, 2], [np.nan, 1]]), 1)
    with pytest.raises(ValueError, match="Row 1 has a NaN score"):  # also where the item may not be returned
        ev.top_k(np.array([[1, 2, 3], [np.nan, 1, 2]]), 1, sparse.csr_matrix([[0, 0, 0], [1, 0, 0]]))
    with pytest.raises(ValueError, match="k must be from 1 to the number of items, 2; k=3 came"):
        ev.top_k(np.ones((1, 2)), 3)
    with pytest.raises(ValueError, match="Unknown tie rule 'best'"):
        ev.top_k(np.ones((1, 2)), 1, ties="best")


def test_top_k_leaves_its_input_alone():
    scores = np.arange(6.0).reshape(2, 3)
    ev.top_k(scores, 2, sparse.csr_matrix(np.eye(2, 3)))
    assert (scores == np.arange(6.0).reshape(2, 3)).all()


def test_recommendations_are_distinct_unseen_and_deterministic(small):
    model = Popularity().fit(small)
    users = np.arange(small.n_users)
    first = ev.recommend(model, users, 3)
    assert all(len(set(row)) == 3 for row in first)
    seen = small.seen().toarray()
    assert not seen[users[:, None], first].any()
    assert (ev.recommend(model, users, 3) == first).all()


def test_seen_items_are_allowed_where_asked_and_history_replaces_what_is_seen(small):
    model = Popularity().fit(small)
    top = ev.recommend(model, [0], 1, exclude=None)[0, 0]
    assert top == np.argmax(model.counts)
    stranger = Interactions.from_sequences([[top]], small.item_ids)
    assert ev.recommend(model, [0], 1, history=stranger)[0, 0] != top


def test_recommend_names_a_user_with_too_little_left(small):
    everything = sparse.csr_matrix(np.ones((1, small.n_items)))
    with pytest.raises(ValueError, match="User 4 has only 0 items left of the k=2 asked for"):
        ev.recommend(Popularity().fit(small), np.array([4]), 2, exclude=everything)


def test_recommend_asks_for_what_was_seen_where_a_model_does_not_keep_it(small):
    class Bare:
        def score(self, users, history=None):
            return np.zeros((len(users), small.n_items))

    with pytest.raises(ValueError, match="pass exclude="):
        ev.recommend(Bare(), [0], 2)
    assert ev.recommend(Bare(), [0], 2, exclude=small).shape == (1, 2)


def test_evaluate_agrees_with_a_loop_over_users(small, monkeypatch):
    split = leave_last_out(small)
    whole = ev.evaluate(Popularity(), split, k=3)
    model = Popularity().fit(split.train_and_validation)
    for row, user in enumerate(whole.users):
        seen = set(split.train_and_validation.items[split.train_and_validation.users == user])
        order = [i for i in np.lexsort((np.arange(small.n_items), -model.counts)) if i not in seen][:3]
        order += [-1] * (3 - len(order))
        assert whole.ranked[row].tolist() == order
        target = split.test.items[split.test.users == user][0]
        assert whole["hit@3"][row] == (target in order)
    monkeypatch.setattr(full_ranking, "CHUNK_BYTES", 1)  # one user at a time
    one_by_one = ev.evaluate(Popularity(), split, k=3)
    assert (one_by_one.ranked == whole.ranked).all() and whole.protocol == one_by_one.protocol


def test_evaluate_fits_on_what_may_be_seen_and_says_so(small):
    split, fitted = leave_last_out(small), []

    class Spy(Popularity):
        def fit(self, interactions):
            fitted.append(len(interactions))
            return super().fit(interactions)

    validation, test = ev.evaluate(Spy(), split, 3, on="validation"), ev.evaluate(Spy(), split, 3)
    assert fitted == [len(split.train), len(split.train_and_validation)]
    for part in ("full ranking of 12 items", "fitted on train;", "read on validation", "seen items masked",
                 "ties by item-index", "capped at k", "20 users"):
        assert part in validation.protocol
    assert "fitted on train and validation" in test.protocol
    with pytest.raises(ValueError, match='"train" came|\'train\' came'):
        ev.evaluate(Spy(), split, on="train")


def test_evaluate_names_a_model_that_returns_another_shape(small):
    class Wrong(Popularity):
        def score(self, users, history=None):
            return super().score(users).T

    with pytest.raises(ValueError, match=r"must return \(users, items\) = \(20, 12\); Wrong returned \(12, 20\)"):
        ev.evaluate(Wrong(), leave_last_out(small), 3)


def test_memory_of_evaluation_does_not_grow_with_users():
    def peak(n_users):
        rng = np.random.default_rng(0)
        log = Interactions.from_ids(np.repeat(np.arange(n_users), 3), rng.integers(0, 4000, 3 * n_users),
                                    np.ones(3 * n_users), np.tile([0, 1, 2], n_users))
        split = leave_last_out(log)
        tracemalloc.start()
        evaluate_function(Popularity(), split)
        _, high = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return high

    assert peak(20_000) < 1.3 * peak(5_000)


def test_sampled_hits_rank_the_target_among_the_drawn():
    scores = np.array([[0.9, 0.5, 0.4, 0.3, 0.2]])
    nothing = sparse.csr_matrix((1, 5))
    assert ev.sampled_hits(scores, np.array([0]), 50, 3, nothing)[0].tolist() == [True, False, False]
    assert not ev.sampled_hits(scores, np.array([4]), 50, 3, nothing).any()
    one_better = sparse.csr_matrix(np.array([[0.0, 1, 1, 1, 1]]))  # the only item left is drawn three times
    assert not ev.sampled_hits(scores, np.array([1]), 3, 3, one_better).any()
    assert ev.sampled_hits(scores, np.array([1]), 2, 3, one_better)[0].tolist() == [False, False, True]
    only_worse = sparse.csr_matrix(np.array([[1.0, 1, 0, 0, 0]]))
    assert ev.sampled_hits(scores, np.array([2]), 50, 3, only_worse)[0, 0]


def test_intervals_cover_and_pairs_are_sharper_than_two_means():
    rng = np.random.default_rng(0)
    covered = [ev.bootstrap_interval(rng.normal(1, 1, 80), seed=i) for i in range(200)]
    assert 0.90 <= np.mean([row.low <= 1 <= row.high for row in covered]) <= 0.99
    hard = rng.normal(0, 5, 300)
    a, b = hard + rng.normal(0.3, 0.5, 300), hard
    pair = ev.paired_test(a, b)
    assert pair.low > 0 and pair.p_value < 0.01
    assert np.isclose(pair.difference, (a - b).mean()) and pair.low < pair.difference < pair.high
    assert pair.high - pair.low < 0.2, "the interval is that of the differences, not of one model"
    assert ev.bootstrap_interval(a).low < ev.bootstrap_interval(b).high  # two intervals alone would say nothing


def test_a_paired_test_of_nothing_finds_nothing_too_often():
    rng = np.random.default_rng(1)
    p_values = [ev.paired_test(rng.normal(size=40), rng.normal(size=40)).p_value for _ in range(150)]
    assert 0.005 <= np.mean(np.array(p_values) < 0.05) <= 0.11


def test_undefined_users_are_refused():
    with pytest.raises(ValueError, match="1 not finite"):
        ev.bootstrap_interval(np.array([1.0, np.nan, 2.0]))
    with pytest.raises(ValueError, match="same users"):
        ev.paired_test(np.ones(3), np.ones(4))
