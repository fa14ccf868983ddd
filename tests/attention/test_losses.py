"""Losses against closed forms and second implementations."""

import numpy as np
import pytest
from scipy import special
from sklearn.metrics import log_loss, mean_squared_error

from recsys import attention as A

rng = np.random.default_rng(2)
P, C = rng.normal(size=(4, 6)), rng.normal(size=(4, 6))
OBSERVED = rng.random((4, 6)) > 0.5
CLASSES = np.array([0, 5, 3, 3])
SHARES = rng.dirichlet(np.ones(6), size=4)


def test_squared_error_per_pair_is_the_mean_squared_error():
    expected = mean_squared_error(C.ravel(), P.ravel())
    assert A.squared_error(P, C, normalise="pair") == pytest.approx(expected, rel=1e-13)
    assert A.squared_error(P, C) == pytest.approx(expected, rel=1e-13)


def test_squared_error_divides_by_what_it_says():
    total = sum((a - c) ** 2 for a, c, o in zip(P.flat, C.flat, OBSERVED.flat) if o)
    for normalise, divisor in {"user": 4, "pair": 24, "observed": OBSERVED.sum()}.items():
        loss = A.squared_error(P, C, OBSERVED, normalise)
        assert loss == pytest.approx(total / divisor, rel=1e-13)


def test_a_larger_catalogue_changes_the_step_per_user_and_not_per_pair():
    twice_p, twice_c = np.tile(P, 2), np.tile(C, 2)
    assert A.squared_error(twice_p, twice_c, normalise="pair") == pytest.approx(
        A.squared_error(P, C, normalise="pair")
    )
    assert A.squared_error(twice_p, twice_c, normalise="user") == pytest.approx(
        2 * A.squared_error(P, C, normalise="user")
    )
    ratio = A.squared_error_gradient(P, C, normalise="user") / A.squared_error_gradient(
        P, C, normalise="pair"
    )
    np.testing.assert_allclose(ratio, 6)


def test_what_was_not_observed_never_changes_loss_or_gradient():
    hidden = np.where(OBSERVED, C, np.nan)
    assert A.squared_error(P, hidden, OBSERVED) == A.squared_error(P, C, OBSERVED)
    assert (A.squared_error_gradient(P, hidden, OBSERVED)[~OBSERVED] == 0).all()


@pytest.mark.parametrize("normalise", ["user", "pair", "observed"])
def test_a_step_against_the_gradient_lowers_the_squared_error(normalise):
    gradient = A.squared_error_gradient(P, C, OBSERVED, normalise)
    assert A.squared_error(P - 0.1 * gradient, C, OBSERVED, normalise) < A.squared_error(
        P, C, OBSERVED, normalise
    )


def test_every_loss_depends_on_its_labels():
    assert A.squared_error(P, C) != A.squared_error(P, C + 1)
    assert A.cross_entropy(P, CLASSES) != A.cross_entropy(P, (CLASSES + 1) % 6)
    assert A.cross_entropy(P, SHARES) != A.cross_entropy(P, SHARES[:, ::-1])
    assert A.binary_cross_entropy(P, SHARES) != A.binary_cross_entropy(P, 1 - SHARES)


def test_perfect_predictions_cost_nothing():
    assert A.squared_error(C, C) == 0
    sure = 1000.0 * np.eye(6)[CLASSES]
    assert A.cross_entropy(sure, CLASSES) == 0
    assert A.binary_cross_entropy(1000.0 * np.array([1, -1]), np.array([1.0, 0.0])) == 0


def test_cross_entropy_equals_scikit_learn_and_uniform_scores_cost_log_n():
    expected = log_loss(CLASSES, special.softmax(P, axis=1), labels=range(6))
    assert A.cross_entropy(P, CLASSES) == pytest.approx(expected, rel=1e-12)
    assert A.cross_entropy(np.zeros((4, 6)), CLASSES) == pytest.approx(np.log(6), rel=1e-14)


def test_classes_are_one_hot_shares():
    one_hot = np.eye(6)[CLASSES]
    assert A.cross_entropy(P, CLASSES) == A.cross_entropy(P, one_hot)
    np.testing.assert_array_equal(
        A.cross_entropy_gradient(P, CLASSES), A.cross_entropy_gradient(P, one_hot)
    )


def test_cross_entropy_is_least_at_its_target_where_the_gradient_vanishes():
    np.testing.assert_allclose(A.cross_entropy_gradient(np.log(SHARES), SHARES), 0, atol=1e-16)
    assert A.cross_entropy(np.log(SHARES), SHARES) == pytest.approx(A.entropy(SHARES).mean())


def test_binary_cross_entropy_equals_scikit_learn_and_never_overflows():
    labels = (P > C).astype(float)
    expected = log_loss(labels.ravel(), special.expit(P).ravel())
    assert A.binary_cross_entropy(P, labels) == pytest.approx(expected, rel=1e-12)
    assert A.binary_cross_entropy(np.array([-1e4, 1e4]), np.array([1.0, 1.0])) == 5000


def test_mean_over_batches_is_the_mean_over_rows_with_a_short_last_batch():
    errors = rng.random(33)
    batches = np.split(errors, [16, 32])
    means, sizes = [b.mean() for b in batches], [len(b) for b in batches]
    assert A.mean_over_batches(means, sizes) == pytest.approx(errors.mean(), rel=1e-14)
    assert A.mean_over_batches([2.0], [32]) == 2.0


def test_a_column_against_a_vector_is_refused():
    column, vector = np.zeros((4, 1)), np.zeros(4)
    for loss in (A.squared_error, A.squared_error_gradient, A.binary_cross_entropy,
                 A.binary_cross_entropy_gradient, A.bpr, A.bpr_gradient):
        with pytest.raises(ValueError, match=r"expected equal shapes, got \(4, 1\) and \(4,\)"):
            loss(column, vector)


def test_bad_losses_are_refused():
    nothing = np.zeros((4, 6), dtype=bool)
    with pytest.raises(ValueError, match="at least one observed to divide by"):
        A.squared_error(P, C, nothing)
    with pytest.raises(ValueError, match="normalise: expected one of"):
        A.squared_error(P, C, normalise="batch")
    with pytest.raises(ValueError, match="observed: expected dtype bool"):
        A.squared_error(P, C, OBSERVED.astype(int))
    with pytest.raises(ValueError, match="expected finite numbers"):
        A.squared_error(P, np.where(OBSERVED, C, np.nan))
    with pytest.raises(ValueError, match="batch_sizes: expected at least one row"):
        A.mean_over_batches([], [])


def test_bad_targets_are_refused():
    with pytest.raises(ValueError, match="expected classes from 0 to 5, got 6 in row 1"):
        A.cross_entropy(P, np.array([0, 6, 7, 0]))
    with pytest.raises(ValueError, match="expected classes from 0 to 5, got -1 in row 2"):
        A.cross_entropy(P, np.array([0, 1, -1, 0]))
    with pytest.raises(ValueError, match="sum to one in each row"):
        A.cross_entropy(P, 2 * SHARES)
    with pytest.raises(ValueError, match="labels: expected numbers from 0 to 1"):
        A.binary_cross_entropy(P, C)
    with pytest.raises(ValueError, match="scores: expected finite numbers"):
        A.binary_cross_entropy(P * np.nan, SHARES)
