"""Each baseline against a brute-force dense version on small data."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.baselines import (
    EASE, TIFUKNN, UPCF, ImplicitALS, ItemKNN, Markov, PersonalFrequency, Popularity, TransitionCounter, UserKNN, recency_matrix,
)
from recsys.baselines.fitting import own_rows
from recsys.data import Interactions

MODELS = {"popularity": Popularity, "frequency": lambda: PersonalFrequency(0.8, 0.1), "item-kNN": lambda: ItemKNN(4, 2.0, 0.9),
          "user-kNN": lambda: UserKNN(4, 2.0), "EASE": lambda: EASE(3.0, 0.9), "ALS": lambda: ImplicitALS(4, 5.0, 1.0, 3)}


def dense_cosine(x, shrinkage):
    both, counts = x @ x.T, x.sum(axis=1)
    similarity = both / (np.sqrt(np.outer(counts, counts)) + shrinkage)
    np.fill_diagonal(similarity, 0)
    return similarity


def keep_largest(similarity, neighbours):
    kept = np.zeros_like(similarity)
    for row, values in enumerate(similarity):
        best = sorted(range(len(values)), key=lambda column: (-values[column], column))[:neighbours]
        kept[row, best] = values[best]
    return kept


def dense_history(log, recency):
    weights = np.zeros((log.n_users, log.n_items))
    for user in range(log.n_users):
        rows = sorted(np.flatnonzero(log.users == user), key=lambda row: (log.times[row], row))
        for age, row in enumerate(reversed(rows)):
            weights[user, log.items[row]] += recency**age
    return weights


@pytest.mark.parametrize("recency", [1.0, 0.7])
def test_recency_matrix_agrees_with_a_loop(small, recency):
    assert np.allclose(recency_matrix(small, recency).toarray(), dense_history(small, recency))


def test_popularity_counts_rows(small):
    expected = [(small.items == item).sum() for item in range(small.n_items)]
    assert Popularity().fit(small).score([0, 5]).tolist() == [expected, expected]


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_personal_frequency_agrees_with_a_loop(small, decay):
    scores = PersonalFrequency(decay, 0.01).fit(small).score(np.arange(small.n_users))
    most = np.bincount(small.items).max()
    for user in range(small.n_users):
        mine = small.users == user
        for item in range(small.n_items):
            ages = small.times[mine].max() - small.times[mine & (small.items == item)]
            expected = sum(decay**age for age in ages) + 0.01 * (small.items == item).sum() / most
            assert np.isclose(scores[user, item], expected)


@pytest.mark.parametrize("neighbours, shrinkage, recency", [(12, 0.0, 1.0), (3, 5.0, 1.0), (3, 5.0, 0.8)])
def test_item_knn_agrees_with_the_dense_form(small, neighbours, shrinkage, recency):
    similarity = keep_largest(dense_cosine(small.seen().toarray().T, shrinkage), neighbours)
    expected = dense_history(small, recency) @ similarity.T
    model = ItemKNN(neighbours, shrinkage, recency).fit(small)
    assert np.allclose(model.score(np.arange(small.n_users)), expected)


@pytest.mark.parametrize("neighbours, shrinkage", [(20, 0.0), (3, 5.0)])
def test_user_knn_agrees_with_the_dense_form(small, neighbours, shrinkage):
    x = small.seen().toarray()
    expected = keep_largest(dense_cosine(x, shrinkage), neighbours) @ x
    assert np.allclose(UserKNN(neighbours, shrinkage).fit(small).score(np.arange(small.n_users)), expected)


def test_ease_minimises_its_loss_under_its_constraint(small):
    """At the optimum the loss has zero gradient in every free entry, and the diagonal is zero."""
    x, l2 = small.seen().toarray(), 3.0
    weights = EASE(l2).fit(small).weights
    gradient = -2 * x.T @ (x - x @ weights) + 2 * l2 * weights
    off = ~np.eye(len(weights), dtype=bool)
    assert np.abs(gradient[off]).max() < 1e-10 and (np.diag(weights) == 0).all()


def test_ease_is_the_published_formula(small):
    x = small.seen().toarray()
    inverse = np.linalg.inv(x.T @ x + 3.0 * np.eye(x.shape[1]))
    expected = inverse / -np.diag(inverse)
    np.fill_diagonal(expected, 0)
    assert np.allclose(EASE(3.0).fit(small).weights, expected, atol=1e-12)


def test_ease_weighs_a_history_by_its_recency(small):
    model = EASE(3.0, 0.8).fit(small)
    assert np.allclose(model.score(np.arange(small.n_users)), dense_history(small, 0.8) @ model.weights)


def test_als_solves_each_side_of_the_dense_problem(small):
    model = ImplicitALS(4, 5.0, 1.5, iterations=4).fit(small)
    x, items = small.seen().toarray(), model.item_factors
    for user in range(small.n_users):
        weight = 1 + 5.0 * x[user]
        factors = np.linalg.solve(items.T @ (weight[:, None] * items) + 1.5 * np.eye(4), items.T @ (weight * x[user]))
        assert np.allclose(model.score([user])[0], items @ factors)


def test_als_lowers_its_loss_with_every_iteration(small):
    x = small.seen().toarray()

    def loss(iterations):
        model = ImplicitALS(4, 5.0, 1.5, iterations).fit(small)
        users = model._solve(small.seen(), model.item_factors)
        error = (1 + 5.0 * x) * (x - users @ model.item_factors.T) ** 2
        return error.sum() + 1.5 * ((users**2).sum() + (model.item_factors**2).sum())

    losses = [loss(iterations) for iterations in range(1, 7)]
    assert (np.diff(losses) <= 1e-9).all() and losses[0] > losses[-1]


def test_a_stranger_has_the_fitted_user_of_the_same_history_as_nearest_neighbour(small):
    """User-kNN leaves a fitted user out of their own neighbours; a stranger with that history finds them."""
    model = UserKNN(1, 0.0).fit(small)
    known = small.of_users([3])
    for users in ([-1], [4]):
        given = model.score(users, history=known)
        assert (given[0] == small.seen().toarray()[3]).all() and not np.allclose(given, model.score([3]))


@pytest.mark.parametrize("name", MODELS)
def test_a_history_belongs_to_the_user_asked_for_whatever_ids_it_holds(small, name):
    """Nobody becomes their own neighbour by a history that numbers its rows 0, 1, ..."""
    model, users = MODELS[name]().fit(small), np.array([3, 0, 11])
    by_hand = replace(small.of_users(users), user_ids=np.arange(3))
    assert np.allclose(model.score(users, history=by_hand), model.score(users))


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="l2: expected a number above 0"):
        EASE(0)
    with pytest.raises(ValueError, match="decay: expected above 0 and at most 1, got 1.5"):
        PersonalFrequency(1.5)


@pytest.mark.parametrize("make", [*MODELS.values(), TIFUKNN, UPCF, Markov, TransitionCounter])
def test_a_log_of_what_was_skipped_and_an_empty_catalogue_are_refused(make, small):
    skips = replace(small, values=np.where(np.arange(160) < 40, 0.0, 1.0))
    with pytest.raises(ValueError, match="expected values above 0, got 40 of 160"):
        make().fit(skips)
    nothing = Interactions([], [], [], [], [1, 2], [], "day")
    with pytest.raises(ValueError, match="expected at least one item in item_ids, got none"):
        make().fit(nothing)


def test_own_rows_are_those_of_the_same_person(small):
    """By the index asked for; nobody else has a fitted row."""
    assert own_rows(small, [3, 0, 11, 3]).tolist() == [3, 0, 11, 3]
    assert own_rows(small, [-1, 19, 20, 99]).tolist() == [-1, 19, -1, -1]
    assert own_rows(small, []).shape == (0,)


def test_planted_neighbours_are_found():
    """Two groups of users and items: every model of co-occurrence ranks the group's other items first."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(40), 6)
    items = rng.integers(0, 10, 240) + 10 * (users % 2)
    log = Interactions.from_ids(users, items, np.ones(240), np.arange(240))
    for name in ("item-kNN", "user-kNN", "EASE", "ALS"):
        scores = MODELS[name]().fit(log).score(np.arange(40))
        own = scores.reshape(40, 2, 10).mean(axis=2)
        assert (own.argmax(axis=1) == np.arange(40) % 2).all(), name


def test_known_numbers_on_movielens(movielens):
    """Public reference points of this protocol, for EASE 400 and with history weighted .9 ** age."""
    from recsys.evaluation import evaluate, leave_last_out

    split = leave_last_out(movielens.interactions)
    assert abs(evaluate(EASE(400), split).mean("nDCG@10") - 0.0735) < 0.001
    assert abs(evaluate(EASE(400, 0.9), split).mean("nDCG@10") - 0.1031) < 0.001
    assert abs(evaluate(Popularity(), split, ties="reverse-item-index").mean("nDCG@10") - 0.0439) < 0.0002
