"""A fit that fails, wherever it does, leaves the fit before it whole."""

from dataclasses import fields

import numpy as np
import pytest

from recsys.baselines import (
    EASE, TIFUKNN, UPCF, BasketRanker, ImplicitALS, ItemKNN, Markov, PersonalFrequency, Popularity, TransitionCounter,
    UserKNN,
)
from recsys.baselines.blend import Blend
from recsys.baselines.content import ContentAttention
from recsys.data import Interactions

N_ITEMS = 12
MODELS = {
    "popularity": Popularity, "frequency": PersonalFrequency, "item-kNN": lambda: ItemKNN(4),
    "user-kNN": lambda: UserKNN(4), "EASE": EASE, "ALS": lambda: ImplicitALS(4, iterations=2), "TIFU-KNN": TIFUKNN, "UP-CF": UPCF, "Markov": Markov,
    "transitions": TransitionCounter, "content": lambda: ContentAttention(np.eye(N_ITEMS)),
    "blend": lambda: Blend([Popularity(), Markov()], [0.5, 0.5]), "trees": lambda: BasketRanker(per_source=4, trees=2),
}  # fmt: skip


class Broken(Interactions):
    """A log of which nothing can be read any more after it was asked so many times."""

    left = np.inf

    def __getattribute__(self, name):
        if not name.startswith("_"):
            Broken.left -= 1
            if Broken.left < 0:
                raise MemoryError("no memory left")
        return super().__getattribute__(name)


def broken(log, left):
    """The same log, which fails after `left` reads."""
    Broken.left = np.inf
    copy = object.__new__(Broken)
    for field in fields(Interactions):
        object.__setattr__(copy, field.name, getattr(log, field.name))
    Broken.left = left
    return copy


def shop(seed):
    rng = np.random.default_rng(seed)
    users, items = np.repeat(np.arange(30), 12), rng.integers(N_ITEMS, size=360)
    days = rng.integers(6, size=360)
    return Interactions(users, items, np.ones(360), days, np.arange(30), np.arange(N_ITEMS), "day")


@pytest.mark.parametrize("name", MODELS)
def test_a_fit_that_fails_at_any_read_of_the_log_leaves_the_old_fit_in_place(name):
    old, new, users = shop(1), shop(2), np.arange(30)
    model = MODELS[name]().fit(old)
    kept, scores = dict(vars(model)), model.score(users)
    reads = 0
    while True:
        log = broken(new, reads)
        try:
            model.fit(log)
            break
        except MemoryError:
            Broken.left = np.inf
        assert vars(model).keys() == kept.keys()
        assert all(vars(model)[key] is kept[key] for key in kept), f"failed at read {reads}"
        reads += 1
    Broken.left = np.inf
    assert reads > 1 and model.interactions is log
    if name != "content":  # nothing is fitted but the log
        assert np.array_equal(model.score(users), MODELS[name]().fit(new).score(users))
    assert np.array_equal(MODELS[name]().fit(old).score(users), scores)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_no_log_is_refused_by_name_and_leaves_the_old_fit_in_place(name):
    model = MODELS[name]().fit(shop(1))
    kept = dict(vars(model))
    with pytest.raises(ValueError, match="interactions: expected Interactions, got list; build them with"):
        model.fit([(0, 1)])
    assert vars(model) == kept
