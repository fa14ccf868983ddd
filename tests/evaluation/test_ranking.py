"""Top-k, recommend and evaluate against brute force."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys import evaluation as ev
from recsys.baselines import PersonalFrequency, Popularity, UserKNN
from recsys.data import Interactions
from recsys.evaluation import evaluate as evaluate_function
from recsys.evaluation import lists
from recsys.evaluation.splits import leave_last_out, random_ratio


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
    with pytest.raises(ValueError, match="got NaN in row 1"):
        ev.top_k(np.array([[1, 2], [np.nan, 1]]), 1)
    with pytest.raises(ValueError, match="got NaN in row 1"):  # also where the item may not be returned
        ev.top_k(np.array([[1, 2, 3], [np.nan, 1, 2]]), 1, sparse.csr_matrix([[0, 0, 0], [1, 0, 0]]))
    with pytest.raises(ValueError, match="k: expected 1 to 2, the number of items, got k=3"):
        ev.top_k(np.ones((1, 2)), 3)
    with pytest.raises(ValueError, match="ties: expected one of item-index, .* got 'best'"):
        ev.top_k(np.ones((1, 2)), 1, ties="best")


@pytest.mark.parametrize("kind", ["u1", "u8", "i1", "i8", "?", "f2", "f4"])
def test_top_k_orders_scores_of_every_type_of_number_alike(kind):
    scores = np.random.default_rng(0).integers(0, 2 if kind == "?" else 100, (6, 30))
    hidden = sparse.csr_matrix(np.random.default_rng(1).random((6, 30)) < 0.2)
    for ties in ev.TIE_RULES:
        for exclude in (None, hidden):
            assert (ev.top_k(scores.astype(kind), 7, exclude, ties) == ev.top_k(scores.astype(float), 7, exclude, ties)).all()


@pytest.mark.parametrize("kind", ["u1", "u8", "i1", "i8"])
def test_the_least_whole_number_of_its_type_comes_last(kind):
    ends = np.iinfo(kind)
    assert ev.top_k(np.array([[ends.min, ends.max, ends.min + 1]], kind), 3).tolist() == [[1, 2, 0]]


def test_top_k_refuses_what_is_no_number():
    for scores in ([["a", "b"]], np.array([[1, None]]), [[1j, 2]]):
        with pytest.raises(ValueError, match="scores: expected numbers of shape"):
            ev.top_k(scores, 1)


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
    assert ev.recommend(model, [-1], 1, history=stranger)[0, 0] != top


def test_recommend_names_a_user_with_too_little_left(small):
    everything = sparse.csr_matrix(np.ones((small.n_users, small.n_items)))
    with pytest.raises(ValueError, match="got k=2 for user 4 who has only 0 left"):
        ev.recommend(Popularity().fit(small), np.array([4]), 2, exclude=everything)


def test_recommend_asks_for_what_was_seen_where_a_model_does_not_keep_it(small):
    class Bare:
        def score(self, users, history=None):
            return np.zeros((len(users), small.n_items))

    with pytest.raises(ValueError, match="pass exclude="):
        ev.recommend(Bare(), [0], 2)
    assert ev.recommend(Bare(), [0], 2, exclude=small).shape == (1, 2)


def orders(n_users):
    """Everybody in another order, a few, one, nobody, and one named twice."""
    everybody = np.random.default_rng(2).permutation(n_users)
    return [everybody, everybody[:3], everybody[:1], everybody[:0], everybody[[0, 1, 0]]]


@pytest.mark.parametrize("users", orders(20), ids=["all", "three", "one", "none", "twice"])
def test_a_log_and_its_matrix_hide_the_same_items_from_the_same_users(small, users):
    """Rows of what is excluded are looked up by user, be it a log, or a matrix of any format."""
    model, seen = Popularity().fit(small), small.seen()
    expected = ev.recommend(model, users, 3)
    hidden = small.seen().toarray() > 0
    assert not hidden[users[:, None], expected].any()
    for exclude in (small, seen, seen.tocsc(), seen.tocoo(), sparse.csr_array(seen)):
        assert (ev.recommend(model, users, 3, exclude=exclude) == expected).all()


@pytest.mark.parametrize("users", [[1, 0], [4, 1], [0, 0], [-1, -1]])
def test_with_a_history_rows_of_what_is_excluded_are_rows_of_the_request(small, users):
    model = Popularity().fit(small)
    history = Interactions.from_sequences([[0, 1, 2, 3], [8, 9, 10, 11]], small.item_ids)
    lists = ev.recommend(model, users, 8, history=history)
    assert (np.sort(lists) == [np.arange(4, 12), np.arange(8)]).all()
    for exclude in (history, history.seen(), history.seen().tocsc()):
        assert (ev.recommend(model, users, 8, exclude=exclude, history=history) == lists).all()


def test_a_square_matrix_of_columns_is_not_read_as_its_transpose():
    entries = np.triu(np.ones((4, 4)))
    columns = sparse.csc_matrix(entries)
    scores = np.tile([4.0, 3, 2, 1], (4, 1))
    assert (ev.top_k(scores, 1, columns) == ev.top_k(scores, 1, sparse.csr_matrix(entries))).all()
    ranked = np.array([[0, 3], [0, 3], [0, 3], [0, 3]])
    assert ev.hits_of(ranked, columns).tolist() == [[True, True], [False, True], [False, True], [False, True]]
    one_each = [ev.sampled_hits(scores, np.array([0, 0, 0, 0]), 3, 1, make(np.tril(np.ones((4, 4)), -1)), 0)
                for make in (sparse.csc_matrix, sparse.csr_matrix)]
    assert (one_each[0] == one_each[1]).all()


def with_a_stored_nought(entries):
    """All of ``entries`` stored, those that are 0 too."""
    n_rows, n_columns = np.shape(entries)
    starts = np.arange(n_rows + 1) * n_columns
    return sparse.csr_matrix((np.ravel(entries), np.tile(np.arange(n_columns), n_rows), starts), shape=np.shape(entries))


def test_stored_noughts_are_neither_relevant_nor_excluded(small):
    entries = np.array([[1.0, 0, 0], [0, 0, 1]])
    stored = with_a_stored_nought(entries)
    assert stored.nnz == 6
    assert ev.hits_of(np.array([[0, 1], [0, 1]]), stored).tolist() == [[True, False], [False, False]]
    assert ev.top_k(np.tile([3.0, 2, 1], (2, 1)), 2, stored).tolist() == [[1, 2], [0, 1]]
    assert ev.sampled_hits(np.tile([3.0, 2, 1], (2, 1)), [1, 1], 4, 1, stored).shape == (2, 1)
    assert stored.nnz == 6, "the caller's matrix is left as it is"
    model, hidden = Popularity().fit(small), with_a_stored_nought(small.seen().toarray())
    assert (ev.recommend(model, [3, 5], 2, exclude=hidden) == ev.recommend(model, [3, 5], 2)).all()


def test_recommend_refuses_what_belongs_to_other_users_or_items(small):
    model, seen = Popularity().fit(small), small.seen()
    history = Interactions.from_sequences([[1], [2]], small.item_ids)
    for exclude in (seen[:1], seen[:, :-1], seen.T, seen[[3, 4]]):
        with pytest.raises(ValueError, match="exclude: expected one row a user and one column an item"):
            ev.recommend(model, [3, 4], 2, exclude=exclude)
    with pytest.raises(ValueError, match=r"\(2, 12\), got \(20, 12\)"):
        ev.recommend(model, [3, 4], 2, exclude=small, history=history)
    with pytest.raises(ValueError, match="got other user ids, 2 of them"):
        ev.recommend(model, [0, 1], 2, exclude=small.of_users([3, 4]))
    with pytest.raises(ValueError, match="got other item ids, 3 of them"):
        ev.recommend(model, [0], 2, exclude=Interactions.from_sequences([[1]], np.arange(3)))
    with pytest.raises(ValueError, match="history: expected one user for each of the 1 rows asked for, got 2"):
        ev.recommend(model, [0], 2, history=history)
    with pytest.raises(ValueError, match="users: expected indices from 0 to 19, got -1"):
        ev.recommend(model, [-1], 2)
    for users in (["u1"], [0.5], [[0, 1]], np.ones(20, dtype=bool)):
        with pytest.raises(ValueError, match="users: expected a list of indices"):
            ev.recommend(model, users, 2)


def test_recommendations_do_not_depend_on_how_many_are_made_at_a_time(small, monkeypatch):
    model, users = UserKNN(4, 2.0).fit(small), np.arange(20)
    history = small.of_users(np.roll(users, 3))
    whole = ev.recommend(model, users, 3), ev.recommend(model, users, 3, history=history)
    monkeypatch.setattr(lists, "CHUNK_BYTES", 8 * small.n_items * 3)  # three users at a time
    assert (ev.recommend(model, users, 3) == whole[0]).all()
    assert (ev.recommend(model, users, 3, history=history) == whole[1]).all()


def test_memory_of_recommending_does_not_grow_with_users(monkeypatch):
    monkeypatch.setattr(lists, "CHUNK_BYTES", 2**20)
    log = Interactions.from_ids(np.arange(4000), np.arange(4000) % 1000, np.ones(4000), np.zeros(4000, int))
    model = Popularity().fit(log)
    tracemalloc.start()
    ev.recommend(model, np.arange(4000))
    _, high = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert high < 8 * 4000 * 1000 / 4  # all scores at a time would be 32 MB


def test_evaluate_takes_a_fitted_model_as_it_is(small):
    split = leave_last_out(small)

    class Once(Popularity):
        def fit(self, interactions):
            assert not hasattr(self, "interactions"), "fitted twice"
            return super().fit(interactions)

    fitted = Once().fit(split.train_and_validation)
    told, usual = ev.evaluate(fitted, split, 3, fit=False), ev.evaluate(Popularity(), split, 3)
    assert (told.ranked == usual.ranked).all() and told.protocol == usual.protocol
    with pytest.raises(ValueError, match="model: expected one fitted on the 120 rows of the part, got one fitted on 140"):
        ev.evaluate(fitted, split, 3, on="validation", fit=False)


def test_evaluate_reads_the_histories_given_and_says_so(small):
    """A model fitted on train alone: its own histories, longer ones, and the seen items of the part all the same."""
    split = leave_last_out(small)
    early, long = PersonalFrequency().fit(split.train), split.train_and_validation
    with pytest.raises(ValueError, match="model: expected one fitted on the 140 rows"):
        ev.evaluate(early, split, 3, fit=False)
    for past in (split.train, long):
        told = ev.evaluate(early, split, 3, fit=False, history=past)
        scores = early.score(told.users, past.of_users(told.users))
        assert (told.ranked == ev.top_k(scores, 3, long.seen()[told.users])).all()
        assert f"; fitted before, with histories of {len(past)} rows; read on test" in told.protocol
    refitted = ev.evaluate(PersonalFrequency(), split, 3, history=split.train, repeats=True)
    assert "; fitted on train and validation, with histories of 120 rows" in refitted.protocol
    assert (refitted.ranked != ev.evaluate(PersonalFrequency(), split, 3, repeats=True).ranked).any()
@pytest.mark.parametrize("name", ["users", "items", "times", "user_ids", "item_ids"])
def test_evaluate_refuses_a_model_of_as_many_other_rows(small, name):
    split = leave_last_out(small)
    part = split.train_and_validation
    other = {"users": part.users[::-1], "items": part.items[::-1], "times": part.times + 1,
             "user_ids": part.user_ids + 1, "item_ids": part.item_ids + 1}
    model = Popularity().fit(replace(part, **{name: other[name]}))
    with pytest.raises(ValueError, match=f"model: expected one fitted .* as many rows with other {name}; fit it on"):
        ev.evaluate(model, split, 3, fit=False)


def test_evaluate_refuses_what_it_cannot_rank_before_it_fits(small):
    class Never(Popularity):
        def fit(self, interactions):
            raise AssertionError("fitted")

    split = leave_last_out(small)
    with pytest.raises(ValueError, match="k: expected 1 to 12, the number of items, got k=13"):
        ev.evaluate(Never(), split, 13)
    with pytest.raises(ValueError, match="split: expected rows in validation, got none"):
        ev.evaluate(Never(), random_ratio(small, validation=0, test=0.2), 3, on="validation")


def test_the_protocol_counts_the_items_asked_for_that_are_masked():
    """Users who take an old item again: no list without seen items can hold it."""
    log = Interactions.from_sequences([[0, 1, 2, 0], [1, 2, 3, 4], [2, 1, 3, 2]], np.arange(5))
    split = leave_last_out(log)
    assert "seen items masked, 2 of the 3 items asked for among them; " in ev.evaluate(Popularity(), split, 2).protocol
    assert "seen items allowed; " in ev.evaluate(Popularity(), split, 2, repeats=True).protocol
    new = leave_last_out(Interactions.from_sequences([[0, 1, 2], [1, 2, 3]], np.arange(5)))
    assert "seen items masked; " in ev.evaluate(Popularity(), new, 2).protocol


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
    monkeypatch.setattr(lists, "CHUNK_BYTES", 1)  # one user at a time
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
    with pytest.raises(ValueError, match="got 'train'"):
        ev.evaluate(Spy(), split, on="train")


def test_evaluate_names_a_model_that_returns_another_shape(small):
    class Wrong(Popularity):
        def score(self, users, history=None):
            return super().score(users).T

    with pytest.raises(ValueError, match=r"\(20, 12\), got \(12, 20\) from Wrong"):
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


def test_sampled_hits_refuse_what_would_count_as_a_hit_in_silence():
    scores, nothing = np.ones((2, 5)), sparse.csr_matrix((2, 5))
    broken = scores.copy()
    broken[1, 2] = np.nan
    with pytest.raises(ValueError, match="got NaN in row 1"):
        ev.sampled_hits(broken, [0, 0], 3, 2, nothing)
    for target, words in (([0, -1], "got -1 in row 1"), ([0, 5], "item indices from 0 to 4"), ([0], "for each of 2 rows"),
                          ([0.0, 1.0], "target: expected one item index")):
        with pytest.raises(ValueError, match=words):
            ev.sampled_hits(scores, np.array(target), 3, 2, nothing)
    with pytest.raises(ValueError, match=r"exclude: .* \(2, 5\), got \(1, 5\)"):
        ev.sampled_hits(scores, [0, 0], 3, 2, nothing[:1])
    with pytest.raises(ValueError, match="got all of them in row 1"):
        ev.sampled_hits(scores, [0, 0], 3, 2, sparse.csr_matrix([[0, 0, 0, 0, 0], [0, 1, 1, 1, 1]]))


def test_hits_of_refuses_other_users():
    with pytest.raises(ValueError, match=r"relevant: .* \(2, 3\), got \(1, 3\)"):
        ev.hits_of(np.array([[0], [1]]), sparse.csr_matrix([[1, 0, 0]]))


def test_rounded_gives_plain_floats_of_four_decimals_and_none_for_what_is_undefined():
    assert ev.rounded([np.nan, 0.5]) == [None, 0.5]
    assert ev.rounded(np.array([1 / 3, 2], dtype=np.float32)) == [0.3333, 2.0]
    assert ev.rounded(value for value in (0.12345,)) == [round(0.12345, 4)] and type(ev.rounded([np.float64(1)])[0]) is float


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
