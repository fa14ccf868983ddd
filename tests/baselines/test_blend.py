"""A blend of recommenders: scales do not matter, weights do."""

import numpy as np
import pytest

from recsys.baselines import EASE, Popularity
from recsys.baselines.blend import Blend, standardised
from recsys.baselines.transitions import Markov


def test_scale_and_shift_of_a_model_change_nothing():
    scores = np.random.default_rng(0).random((5, 9))
    assert np.allclose(standardised(scores), standardised(7 * scores - 3))
    assert np.allclose(standardised(scores).mean(1), 0) and np.allclose(standardised(scores).std(1), 1)


def test_a_user_whose_scores_are_all_alike_gets_zeros():
    assert (standardised(np.full((2, 4), 3.5)) == 0).all()


def test_a_blend_is_the_weighted_sum_of_its_models(small):
    users, parts = np.array([3, 0, 11]), (EASE(5.0), Markov(), Popularity())
    blend = Blend(parts, (0.5, 0.3, 0.2)).fit(small)
    with pytest.raises(ValueError, match="is not fitted"):
        parts[0].score(users)  # copies were
    fitted = [part.fit(small) for part in parts]
    for history in (None, small.of_users(np.array([5, 6, 7]))):
        expected = sum(w * standardised(part.score(users, history)) for w, part in zip((0.5, 0.3, 0.2), fitted))
        assert np.allclose(blend.score(users, history), expected)


def test_a_blend_leaves_the_models_that_it_is_given_as_they_were(small):
    """As an ensemble of scikit-learn: one that fails halfway would leave some on the new log."""
    fitted, unfitted = EASE(5.0).fit(small), Markov()
    blend = Blend([fitted, unfitted], [1.0, 1.0]).fit(small.select(small.users < 10))
    assert fitted.interactions is small and not hasattr(unfitted, "interactions")
    assert all(model.interactions is blend.interactions for model in blend.models)


def test_one_model_alone_keeps_its_order(small):
    users = np.arange(small.n_users)
    alone = EASE(5.0).fit(small).score(users)
    blended = Blend([EASE(5.0), Markov()], [2.0, 0.0]).fit(small).score(users)
    assert (blended.argmax(1) == alone.argmax(1)).all()


def test_a_weight_for_each_model():
    with pytest.raises(ValueError, match="one weight for each of 2 models, at least one, got 1"):
        Blend([Markov(), EASE()], [1.0])
