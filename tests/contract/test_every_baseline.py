"""What every recommender without a network promises.

One table, `EVERY`: to add a baseline is to add an entry. Closed forms and what each has to find
stand with its own tests.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from recsys.baselines import (
    EASE, TIFUKNN, UPCF, BasketRanker, ImplicitALS, ItemKNN, Markov, PersonalFrequency, Popularity, TransitionCounter, UserKNN,
)
from recsys.baselines.blend import Blend
from recsys.baselines.content import ContentAttention
from recsys.data import DataError, Interactions

CLOSE = {"rtol": 0, "atol": 1e-10}
N_USERS, N_ITEMS = 30, 12
SOME = np.array([7, 0, 11, 3])
LISTS = [[3, 4, 5, 6, 7], [8], [], [10, 11], list(range(N_ITEMS))]


@cache
def shop() -> Interactions:
    """Baskets of up to three products on up to five days a customer; a third are from a shelf of the customer's own."""
    rng = np.random.default_rng(5)
    users, days = np.repeat(np.arange(N_USERS), 12), 3 * rng.integers(5, size=12 * N_USERS)
    shelf = 3 * (users % 4) + rng.integers(3, size=len(users))
    items = np.where(rng.random(len(users)) < 0.5, shelf, rng.integers(N_ITEMS, size=len(users)))
    return Interactions.from_ids(1000 + users, 100 + items, np.ones(len(users)), days, time_unit="day")


def some_skipped(log):
    return replace(log, values=np.where(np.arange(len(log)) < 40, 0.0, 1.0))


def one_item_more(log):
    return replace(log, item_ids=np.append(log.item_ids, 999))


class Entry(NamedTuple):
    """How to make a baseline, which log it refuses, and whether it reads histories at all."""

    make: Callable[[], Any]
    spoilt: Callable[[Interactions], Interactions] = some_skipped
    reads: bool = True


VECTORS = np.random.default_rng(0).normal(size=(N_ITEMS, 4))

EVERY = {
    "popularity": Entry(Popularity, reads=False),
    "frequency": Entry(lambda: PersonalFrequency(0.9, 0.1)),
    "item-kNN": Entry(lambda: ItemKNN(4, 2.0, 0.9)),
    "user-kNN": Entry(lambda: UserKNN(4, 2.0)),
    "EASE": Entry(lambda: EASE(3.0, 0.9)),
    "ALS": Entry(lambda: ImplicitALS(4, 5.0, 1.0, 3)),
    "Markov": Entry(lambda: Markov(2.0)),
    "counter": Entry(lambda: TransitionCounter(3, 0.7, 0.8, 20.0, 0.3)),
    "TIFU-KNN": Entry(lambda: TIFUKNN(4, 0.9, 0.7, 3, 0.6)),
    "UP-CF": Entry(lambda: UPCF(3, 0.75, 2.0)),
    "trees": Entry(lambda: BasketRanker(usual_gap=3, per_source=6, trees=5)),
    "blend": Entry(lambda: Blend([EASE(3.0), Markov(), Popularity()], [0.5, 0.3, 0.2])),
    "content": Entry(lambda: ContentAttention(VECTORS, 3.0), one_item_more),
}


@pytest.fixture(params=list(EVERY))
def name(request) -> str:
    return request.param


@cache
def fitted_once(name):
    return EVERY[name].make().fit(shop())


@pytest.fixture
def entry(name) -> Entry:
    return EVERY[name]


@pytest.fixture
def fitted(name):
    return fitted_once(name)


def histories_of(lists):
    return Interactions.from_sequences(lists, shop().item_ids)


# What may never change a score


def test_the_order_of_users_and_who_is_asked_beside_them_never_change_a_score(fitted):
    together = fitted.score(SOME)
    assert together.shape == (len(SOME), N_ITEMS) and np.isfinite(together).all()
    np.testing.assert_allclose(fitted.score(SOME[::-1]), together[::-1], **CLOSE)
    for row, user in enumerate(SOME):
        np.testing.assert_allclose(fitted.score([user])[0], together[row], **CLOSE)


def test_histories_given_are_scored_together_as_alone(fitted):
    strangers = np.full(len(LISTS), -1)
    together = fitted.score(strangers, history=histories_of(LISTS))
    assert np.isfinite(together).all()
    for row, items in enumerate(LISTS):
        alone = fitted.score([-1], history=histories_of([items]))
        np.testing.assert_allclose(alone[0], together[row], **CLOSE)


def test_a_user_asked_for_twice_has_the_same_scores_twice(fitted):
    twice = fitted.score([3, 5, 3])
    np.testing.assert_allclose(twice, fitted.score([3, 5])[[0, 1, 0]], **CLOSE)
    given = fitted.score([3, 5, 3], history=shop().of_users([3, 5, 3]))
    np.testing.assert_allclose(given, twice, **CLOSE)


def test_nobody_asked_for_is_no_row(fitted):
    assert fitted.score(np.zeros(0, dtype=int)).shape == (0, N_ITEMS)
    assert fitted.score([], history=histories_of([])).shape == (0, N_ITEMS)


def test_a_history_given_is_read_as_the_history_fitted(entry, fitted):
    everybody = np.arange(N_USERS)
    scores = fitted.score(everybody)
    np.testing.assert_allclose(fitted.score(everybody, history=shop().of_users(everybody)), scores, **CLOSE)
    assert (np.ptp(scores, axis=0).max() > 1e-3) == entry.reads


def test_strangers_are_served_by_their_history_alone(entry, fitted):
    """A stranger is -1; whoever has an index is one's own neighbour no more, so that may matter to kNN."""
    two = histories_of([[3, 4, 5], [10, 11]])
    scores = fitted.score([-1, -1], history=two)
    for row in (0, 1):
        np.testing.assert_allclose(fitted.score([-1], history=two.of_users([row]))[0], scores[row], **CLOSE)
    assert np.allclose(scores[0], scores[1], **CLOSE) != entry.reads


def test_scoring_changes_nothing(fitted):
    before = fitted.score(SOME)
    fitted.score([-1, -1], history=histories_of([[3, 4, 5], []]))
    assert (fitted.score(SOME) == before).all()


# Fitting


def test_the_same_log_gives_the_same_bits_and_another_one_leaves_no_trace(entry, fitted):
    other = shop().select(shop().users % 2 == 0)
    again, refitted = entry.make().fit(shop()), entry.make().fit(shop()).fit(other)
    assert (again.score(SOME) == fitted.score(SOME)).all()
    assert (refitted.score(SOME) == entry.make().fit(other).score(SOME)).all()
    assert not np.allclose(refitted.score(SOME), fitted.score(SOME))


def test_a_fit_that_is_refused_leaves_the_old_one(entry, fitted):
    model = entry.make().fit(shop())
    spoilt = entry.spoilt(shop().select(shop().users % 2 == 0))
    with pytest.raises(ValueError, match="interactions: expected"):
        model.fit(spoilt)
    assert (model.score(SOME) == fitted.score(SOME)).all()
    fresh = entry.make()
    with pytest.raises(ValueError, match="interactions: expected"):
        fresh.fit(spoilt)
    with pytest.raises(ValueError, match="is not fitted"):
        fresh.score([0])


# What is refused


def test_unknown_users_and_foreign_histories_are_refused(fitted):
    with pytest.raises(DataError, match=f"expected a user index from 0 to {N_USERS - 1}, got {N_USERS}"):
        fitted.score([3, N_USERS])
    with pytest.raises(ValueError, match=f"expected the {N_ITEMS} items the model was fitted on, got 3"):
        fitted.score([0], history=Interactions.from_sequences([[1]], np.arange(3)))
    with pytest.raises(ValueError, match="history: expected the item ids that the model was fitted on, got 0 for 100"):
        fitted.score([0], history=Interactions.from_sequences([[1]], np.arange(N_ITEMS)))
    with pytest.raises(ValueError, match="one user for each of the 2 rows asked for, got 1"):
        fitted.score([0, 1], history=histories_of([[1]]))


def test_an_unfitted_recommender_says_so(entry):
    for history in (None, histories_of([[1]])):
        with pytest.raises(ValueError, match="is not fitted: call fit"):
            entry.make().score([0], history=history)


@pytest.mark.parametrize("users", [[True, False], [0.5], ["a"]])
def test_users_that_are_no_indices_are_refused(fitted, users):
    with pytest.raises(ValueError, match="users: expected a list of indices"):
        fitted.score(users)
