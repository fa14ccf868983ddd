"""What every recommender with a network promises, in either framework.

One table, `EVERY`: to add a recommender is to add an entry. Closed forms and what each has to
learn stand with its own tests.
"""

import sys
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from recsys.book.parity import cases
from recsys.data import DataError, ImpressionLog, Interactions
from recsys.evaluation import recommend
from recsys.neural.recommender import settings_of
from recsys.neural.sasrec import MIXER_NAMES
from recsys.simulate.readers import planted_readers, planted_topics
from recsys.training.loop import FitConfig
from tests.framework import FRAMEWORK

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
SOLVED = {"rtol": 0, "atol": 1e-9}  # in double precision
TRAINING = FitConfig(epochs=2, learning_rate=0.01, save_every=2)
LONG = {"epochs": 100, "learning_rate": 0.03, "clip_norm": 10.0, "save_every": 1000}
N_ITEMS = 24


class World(NamedTuple):
    """What a recommender is made of before its config, and what it is fitted on.

    `renamed` is `data` over other item ids, `other` holds other events over the same items.
    """

    inputs: tuple
    data: Any
    renamed: Any
    other: Any


def world_of(log: Interactions, *inputs: np.ndarray) -> World:
    """Of a log; its other events are those of every second user."""
    return World(inputs, log, replace(log, item_ids=log.item_ids + 1), log.select(log.users % 2 == 0))


@cache
def walks() -> World:
    """Users walk items in steps of one, from 3 to 9 events each, some more than the networks read."""
    return world_of(cases.walks())


@cache
def ratings() -> World:
    """The walks, each event with a rating from 1 to 5."""
    log = walks().data
    return world_of(replace(log, values=1.0 + np.random.default_rng(4).integers(5, size=len(log))))


@cache
def shop() -> World:
    """Baskets of up to three products on up to five days a customer; products come in groups of three."""
    return world_of(*cases.shop())


@cache
def shop_without_groups() -> World:
    return shop()._replace(inputs=())


@cache
def newsroom() -> World:
    """Readers of planted topics, and articles as vectors."""
    vectors = np.random.default_rng(0).normal(size=(N_ITEMS, 6))
    log, later = (planted_readers(planted_topics(vectors, 3), 30, 2, 8, 4, seed=seed).log for seed in (0, 1))
    other = log.impressions.item_ids + 1
    impressions, histories = (replace(part, item_ids=other) for part in (log.impressions, log.histories))
    items = log.items.set_axis(other)
    return World((vectors,), log, ImpressionLog(impressions, histories, items), later)


@cache
def skipping() -> World:
    """Those readers, of whose past every third event was skipped."""

    def skipped(log):
        values = (np.arange(len(log.histories)) % 3 > 0).astype(float)
        return replace(log, histories=replace(log.histories, values=values))

    world = newsroom()
    return World(world.inputs, *map(skipped, world[1:]))


class Entry(NamedTuple):
    """A recommender: class `name` of the file, its world and settings.

    `exact` says that a history given is read as one that was fitted, so that scores are equal;
    others keep a row for each user, and solve for the row of whoever brings a history, in double
    precision.
    """

    file: str
    name: str
    world: Callable[[], World]
    settings: dict[str, Any]
    exact: bool = True


SASREC = {"dim": 8, "n_blocks": 2, "n_heads": 2, "dropout": 0.1, "max_length": 6, "tokens": 30}
PAIRS = {"dim": 4, "batch_size": 200}
HISTORY = {"dim": 4, "max_length": 6, "tokens": 60}
NEWS = {"dim": 8, "n_heads": 2, "hidden_dim": 4, "max_history": 4, "batch_size": 10}
RANKER = {"dim": 4, "max_length": 6, "batch_size": 20}
BASKET = {"dim": 4, "max_length": 6, "batch_size": 20, "per_source": 8}

EVERY = {
    **{f"SASRec, {mixer}": Entry("sasrec", "SASRecRecommender", walks, {**SASREC, "mixer": mixer})
       for mixer in MIXER_NAMES},
    "SASRec, sampled": Entry("sasrec", "SASRecRecommender", walks, {**SASREC, "negatives": 6}),
    "dot product": Entry("ncf", "DotProductRecommender", walks, PAIRS, exact=False),
    "GMF": Entry("ncf", "GMFRecommender", walks, PAIRS, exact=False),
    "MLP": Entry("ncf", "MLPRecommender", walks, {**PAIRS, "hidden": (8, 4)}, exact=False),
    "NeuMF": Entry("ncf", "NeuMFRecommender", walks, {**PAIRS, "hidden": (8, 4)}, exact=False),
    "factorisation": Entry("factorisation", "FactorisationRecommender", ratings, {"dim": 4, "batch_size": 40}, exact=False),
    **{f"history attention, {pooling}": Entry("history_attention", "HistoryAttentionRecommender", walks,
                                              {**HISTORY, "pooling": pooling}) for pooling in ("attention", "content", "decay", "mean")},
    **{f"news, {reader}": Entry("nrms", "NewsRecommender", newsroom, {**NEWS, "reader": reader})
       for reader in ("self", "target", "mean", "decay")},
    "news, target and skips": Entry("nrms", "NewsRecommender", skipping, {**NEWS, "reader": "target", "skips": True}),
    **{f"target ranker, {pooling}": Entry("target_ranker", "TargetRankerRecommender", shop, {**RANKER, "pooling": pooling})
       for pooling in ("mean", "max", "last", "decay", "dot", "sigmoid sum", "din")},
    **{f"next basket, {pooling}": Entry("next_basket", "NextBasket", shop_without_groups, {**BASKET, "pooling": pooling})
       for pooling in ("mean", "newest", "decay", "content", "softmax", "sum")},
}  # fmt: skip


@pytest.fixture(scope="module")
def framework() -> str:
    return FRAMEWORK


class Subject(NamedTuple):
    """A recommender under test: how to make one, what it is fitted on, and one that is fitted."""

    make: Callable[..., Any]
    world: World
    fitted: Any


@pytest.fixture(scope="module", params=list(EVERY))
def subject(framework, request) -> Subject:
    entry = EVERY[request.param]
    kind = getattr(import_module(f"recsys.{framework}.{entry.file}"), entry.name)
    world = entry.world()

    def make(checkpoint=None, **changes):
        config = kind.config_class(**entry.settings, training=replace(TRAINING, **changes))
        return kind(*world.inputs, config, checkpoint=checkpoint)

    return Subject(make, world, make().fit(world.data))


@pytest.fixture
def exact(request) -> bool:
    return EVERY[request.node.callspec.params["subject"]].exact


@pytest.fixture
def at_step(framework, monkeypatch):
    """Let something happen in place of a gradient: at_step(5, act), with what is told in its place if any.

    It returns the list that grows by one with each gradient asked for.
    """
    engine = import_module(f"recsys.{framework}.engine").Engine
    gradient = engine.gradient

    def at(step=None, act=None):
        taken = []

        def acting(self, batch, rng):
            taken.append(1)
            return act() if len(taken) == step else gradient(self, batch, rng)

        monkeypatch.setattr(engine, "gradient", acting)
        return taken

    return at


def histories_of(fitted, lists):
    return Interactions.from_sequences(lists, fitted.interactions.item_ids)


LISTS = [[3, 4, 5, 6, 7], [8], [], [20, 21], list(range(N_ITEMS))]
SOME = np.array([7, 0, 11, 3])


# What may never change a score


def test_padding_length_never_changes_a_score(subject, exact):
    """Histories of several lengths are padded to the longest beside them."""
    fitted = subject.fitted
    together = fitted.score(np.arange(len(LISTS)), history=histories_of(fitted, LISTS))
    for row, items in enumerate(LISTS):
        alone = fitted.score([0], history=histories_of(fitted, [items]))
        np.testing.assert_allclose(alone[0], together[row], **CLOSE if exact else SOLVED)


def test_batch_composition_never_changes_a_score(subject):
    together = subject.fitted.score(SOME)
    assert together.shape == (len(SOME), N_ITEMS)
    for row, user in enumerate(SOME):
        np.testing.assert_allclose(subject.fitted.score([user])[0], together[row], **CLOSE)


def test_the_order_of_users_never_changes_a_score(subject):
    scores = subject.fitted.score(SOME)
    np.testing.assert_allclose(subject.fitted.score(SOME[::-1]), scores[::-1], **CLOSE)


def test_a_user_asked_for_twice_has_the_same_scores_twice(subject):
    once, twice = subject.fitted.score([3, 5]), subject.fitted.score([3, 5, 3])
    np.testing.assert_allclose(twice, once[[0, 1, 0]], **CLOSE)


def test_nobody_asked_for_is_no_row(subject):
    fitted = subject.fitted
    assert fitted.score(np.zeros(0, dtype=int)).shape == (0, N_ITEMS)
    assert fitted.score([], history=histories_of(fitted, [])).shape == (0, N_ITEMS)


def test_a_history_given_is_read_as_the_history_fitted(subject, exact):
    """Where a row is solved for, it comes near the row of a long training, and that of nothing else does.

    In the same place another user's history is 0.3 like it, one read an item off 0.9 at the most.
    """
    fitted = subject.fitted if exact else subject.make(**LONG).fit(subject.world.data)
    everybody = np.arange(fitted.interactions.n_users)
    trained, given = fitted.score(everybody), fitted.score(everybody, history=fitted.interactions.of_users(everybody))
    if exact:
        np.testing.assert_allclose(given, trained, **CLOSE)
    else:
        assert likeness(trained, given) > 0.95
    assert np.ptp(given, axis=0).max() > 1e-3  # and it is read


def likeness(first, second):
    """The mean over users of the correlation of their scores, each less the item's mean over users."""
    rows = zip(first - first.mean(axis=0), second - second.mean(axis=0), strict=True)
    return np.mean([np.corrcoef(*both)[0, 1] for both in rows])


def test_strangers_are_served_by_their_history_alone(subject):
    fitted, two = subject.fitted, [[3, 4, 5], [20, 21]]
    scores = fitted.score([0, 1], history=histories_of(fitted, two))
    np.testing.assert_allclose(fitted.score([9, 4], history=histories_of(fitted, two)), scores, **CLOSE)
    assert not np.isnan(scores).any() and not np.allclose(scores[0], scores[1], **CLOSE)


def test_scoring_changes_nothing(subject):
    fitted = subject.fitted
    before = fitted.score(SOME)
    fitted.score([0, 1], history=histories_of(fitted, [[3, 4, 5], []]))
    assert (fitted.score(SOME) == before).all()


# What is refused


def test_unknown_users_and_foreign_histories_are_refused(subject):
    fitted = subject.fitted
    n_users = fitted.interactions.n_users
    with pytest.raises(DataError, match=f"expected a user index from 0 to {n_users - 1}, got {n_users}"):
        fitted.score([3, n_users])
    with pytest.raises(ValueError, match=f"{N_ITEMS} items"):
        fitted.score([0], history=Interactions.from_sequences([[1]], np.arange(3)))
    with pytest.raises(ValueError, match="one user"):
        fitted.score([0], history=histories_of(fitted, [[1], [2]]))


def test_an_unfitted_recommender_says_so(subject, tmp_path):
    model = subject.make()
    history = histories_of(subject.fitted, [[1]])
    for ask in (lambda: model.score([0]), lambda: model.score([0], history=history), lambda: model.save(tmp_path / "a")):
        with pytest.raises(ValueError, match=f"{type(model).__name__} is not fitted: call fit"):
            ask()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("table", [pd.DataFrame({"user": [1], "item": [2]}), "log"], ids=["a table", "text"])
def test_what_is_no_log_is_refused_by_name_and_nothing_changes(subject, tmp_path, table):
    model = copy(subject.fitted)
    model.save(tmp_path / "weights")
    kind = "ImpressionLog" if isinstance(subject.world.data, ImpressionLog) else "Interactions"
    said = f"(interactions|log): expected (an )?{kind}, got {type(table).__name__};"
    for ask in (model.fit, lambda table: model.load(tmp_path / "weights", table)):
        with pytest.raises(ValueError, match=said):
            ask(table)
    for ask in (model.score, partial(recommend, model, k=3)):
        with pytest.raises(ValueError, match=f"history: expected Interactions, got {type(table).__name__};"):
            ask([0], history=table)
    if "validation" in signature(model.fit).parameters and kind == "Interactions":
        with pytest.raises(ValueError, match="validation: expected Interactions, got"):
            model.fit(subject.world.data, validation=table)
    assert vars(model) == vars(subject.fitted)


# Weights in a file


def test_scores_are_equal_to_the_bit_after_save_and_load(subject, tmp_path):
    fitted = subject.fitted
    fitted.save(tmp_path / "weights")
    loaded = subject.make().load(tmp_path / "weights", subject.world.data)
    history = histories_of(fitted, LISTS)
    assert (loaded.score(SOME) == fitted.score(SOME)).all()
    assert (loaded.score(np.arange(5), history=history) == fitted.score(np.arange(5), history=history)).all()


def test_weights_of_another_vocabulary_or_of_other_settings_are_refused_and_nothing_changes(subject, tmp_path):
    subject.fitted.save(tmp_path / "weights")
    for model, data, message in (
        (subject.make(), subject.world.renamed, "vocabulary expected"),
        (subject.make(epochs=3), subject.world.data, "config expected {'training': {'epochs': 3}}"),
    ):
        with pytest.raises(ValueError, match=f"belongs to something else: .*{message}"):
            model.load(tmp_path / "weights", data)
        with pytest.raises(ValueError, match="is not fitted"):
            model.score([0])
    loaded = subject.make().load(tmp_path / "weights", subject.world.data)
    with pytest.raises(ValueError, match="vocabulary expected"):
        loaded.load(tmp_path / "weights", subject.world.renamed)
    assert (loaded.score(SOME) == subject.fitted.score(SOME)).all()


def test_the_settings_are_in_the_file_of_the_weights(subject, tmp_path):
    subject.fitted.save(tmp_path / "weights")
    assert settings_of(tmp_path / "weights", type(subject.fitted.config)) == subject.fitted.config


# Training


def test_the_same_seed_gives_the_same_bits_and_another_does_not(subject, framework):
    import_module(framework).rand([9])
    np.random.rand(9)
    before = np.random.get_state()[1].copy()
    again = subject.make().fit(subject.world.data)
    assert (again.score(SOME) == subject.fitted.score(SOME)).all() and again.result == subject.fitted.result
    assert (np.random.get_state()[1] == before).all()
    other = subject.make(seed=1).fit(subject.world.data)
    assert not np.allclose(other.score(SOME), again.score(SOME))


def test_a_fit_that_was_stopped_goes_on_to_the_same_bits(subject, at_step, monkeypatch, tmp_path):
    """Stopped in the middle of the second epoch, it goes on from there."""
    steps = subject.fitted.result.steps
    assert steps >= 8

    def stop():
        raise InterruptedError

    at_step(steps // 2 + 3, stop)
    with pytest.raises(InterruptedError):
        subject.make(tmp_path / "state").fit(subject.world.data)
    monkeypatch.undo()
    taken = at_step()
    resumed = subject.make(tmp_path / "state").fit(subject.world.data)
    assert 0 < len(taken) < steps // 2
    assert (resumed.score(SOME) == subject.fitted.score(SOME)).all() and resumed.result == subject.fitted.result


def test_a_checkpoint_of_another_vocabulary_of_other_events_or_settings_is_refused(subject, tmp_path):
    state, world = tmp_path / "state", subject.world
    subject.make(state).fit(world.data)
    for model, data, message in (
        (subject.make(state), world.renamed, ".*vocabulary expected"),
        (subject.make(state), world.other, "data expected"),
        (subject.make(state, save_every=3), world.data, "config expected {'training': {'save_every': 3}}"),
    ):
        with pytest.raises(ValueError, match=f"belongs to something else: {message}"):
            model.fit(data)


def test_what_goes_wrong_before_the_first_step_leaves_the_recommender_as_it_was(subject):
    """Patience without a metric is refused before any step on other events is taken."""
    impatient = replace(subject.make().config, training=replace(TRAINING, patience=1, seed=9))
    fresh, model = subject.make(), subject.make().fit(subject.world.data)
    good, result = model.config, model.result
    fresh.config = model.config = impatient
    for one in (fresh, model):
        with pytest.raises(ValueError, match="patience"):
            one.fit(subject.world.other)
    assert not hasattr(fresh, "network") and not hasattr(fresh, "interactions")
    model.config = good
    assert (model.score(SOME) == subject.fitted.score(SOME)).all() and model.result is result


def test_a_loss_turned_nan_leaves_the_weights_of_the_last_good_step(subject, at_step):
    at_step(3, lambda: (float("nan"), 1.0))
    model = subject.make()
    with pytest.raises(ValueError, match="the loss is nan at step 3 .*no checkpoint was given"):
        model.fit(subject.world.data)
    scores = model.score(SOME)
    assert not np.isnan(scores).any() and model.result is None
    assert (scores == model.score(SOME)).all()  # no dropout any more
    assert not np.allclose(scores, subject.fitted.score(SOME))


@pytest.mark.parametrize("users", [[True, False], [0.5], ["a"]])
def test_users_that_are_no_indices_are_refused(subject, users):
    with pytest.raises(ValueError, match="users: expected a list of indices"):
        subject.fitted.score(users)


def test_one_framework_alone_is_loaded(subject, framework):
    assert {"torch", "paddle"} & set(sys.modules) == {framework}
