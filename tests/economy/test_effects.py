"""Effects of exposure with planted truth, and the noise behind one user's choice."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import softmax

from recsys.economy import cell_means, effect_scores, gumbel_given_choice, mean_difference, mean_effect

BUYS, EFFECT, CHANCE = np.array([0.05, 0.2, 0.6]), np.array([0.05, 0.2, -0.1]), np.array([0.2, 0.4, 0.8])
CAUSED = EFFECT.mean()


@pytest.fixture(scope="module")
def logs():
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=(1000, 600))
    exposed = rng.random(kind.shape) < CHANCE[kind]
    return kind, exposed, 1.0 * (rng.random(kind.shape) < BUYS[kind] + exposed * EFFECT[kind])


def scores(kind, exposed, bought, chances):
    both = [cell_means(kind, exposed * 1, bought, np.tile(act, (3, 1)), folds=2).target for act in ([1.0, 0], [0, 1.0])]
    return effect_scores(exposed, bought, chances, np.stack(both))


def z(values, truth):
    return (values.mean() - truth) / values.std(ddof=1) * np.sqrt(len(values))


def test_the_naive_difference_is_biased_and_the_doubly_robust_is_not(logs):
    kind, exposed, bought = logs
    naive = [b[e].mean() - b[~e].mean() for b, e in zip(bought, exposed, strict=True)]
    assert z(np.array(naive), CAUSED) > 50
    found = mean_effect(scores(kind, exposed, bought, CHANCE[kind]))
    assert abs(z(found.difference, CAUSED)) < 3
    assert 0.925 < ((found.low <= CAUSED) & (CAUSED <= found.high)).mean() < 0.975


def test_right_chances_need_no_predictions(logs):
    kind, exposed, bought = logs
    for guess in (0.0, 0.3):
        constant = np.full((2, *bought.shape), guess)
        assert abs(z(effect_scores(exposed, bought, CHANCE[kind], constant).mean(axis=1), CAUSED)) < 3


def test_scores_by_kind_are_the_effects_of_the_kinds(logs):
    kind, exposed, bought = logs
    given = scores(kind, exposed, bought, CHANCE[kind])
    for one in range(3):
        assert abs(z(np.array([s[k == one].mean() for s, k in zip(given, kind, strict=True)]), EFFECT[one])) < 3.5


def test_right_predictions_make_up_for_wrong_chances(logs):
    kind, exposed, bought = logs
    right = np.stack([BUYS[kind], (BUYS + EFFECT)[kind]])
    wrong = np.full(kind.shape, 0.5)
    assert abs(z(effect_scores(exposed, bought, wrong, right).mean(axis=1), CAUSED)) < 3.5
    assert abs(z(effect_scores(exposed, bought, wrong, 0 * right).mean(axis=1), CAUSED)) > 5


def test_a_score_by_hand():
    without, with_ = [0.5, 0.5], [0.75, 0.25]
    found = effect_scores(np.array([True, False]), np.array([1.0, 2.0]), np.array([0.25, 0.5]), np.array([without, with_]))
    assert found.tolist() == [0.75 + 0.25 / 0.25 - 0.5, 0.25 - (0.5 + 1.5 / 0.5)]


def test_an_even_experiment_with_arm_means_is_their_difference():
    rng = np.random.default_rng(1)
    exposed, outcomes = np.arange(40) % 2 == 0, rng.normal(size=40)
    arms = np.stack([np.full(40, outcomes[~exposed].mean()), np.full(40, outcomes[exposed].mean())])
    found = mean_effect(effect_scores(exposed, outcomes, np.full(40, 0.5), arms))
    assert found.difference == pytest.approx(mean_difference(outcomes[exposed], outcomes[~exposed]).difference)


def test_noise_given_the_choice_chooses_it_and_is_gumbel_over_all_choices():
    utilities, rng = np.array([1.0, 0.3, -0.5]), np.random.default_rng(2)
    shares = softmax(utilities)
    drawn = []
    for chosen, share in enumerate(shares):
        noise = gumbel_given_choice(utilities, chosen, round(20_000 * share), rng)
        assert ((utilities + noise).argmax(axis=1) == chosen).all()
        drawn.append(noise)
    for of_one in np.concatenate(drawn).T:
        assert stats.kstest(of_one, "gumbel_r").pvalue > 0.001


def test_after_a_change_all_choices_together_have_the_new_shares_and_old_offers_swap_nobody():
    before, after = np.array([1.0, 0.5, 0.2]), np.array([1.0, 0.5, 1.4])
    rng, total = np.random.default_rng(3), np.zeros(3)
    for chosen, share in enumerate(softmax(before)):
        noise = gumbel_given_choice(before, chosen, 50_000, rng)
        moved = np.bincount((after + noise).argmax(axis=1), minlength=3) / 50_000
        assert moved[[i for i in (0, 1) if i != chosen]].sum() == 0
        if chosen != 2:
            assert moved[chosen] == pytest.approx(np.exp(before).sum() / np.exp(after).sum(), abs=0.01)
        total += share * moved
    assert np.allclose(total, softmax(after), atol=0.01)


@pytest.mark.parametrize("chances, predicted, said", [
    (np.array([0.5, 1.0]), np.zeros((2, 2)), "got 1.0 at place 1; leave out"),
    (np.array([0.5, 0.5]), np.zeros((2, 3)), "predicted and outcomes"),
    (np.array([0.5]), np.zeros((2, 2)), "outcomes and chances"),
])  # fmt: skip
def test_rows_without_a_choice_are_refused(chances, predicted, said):
    with pytest.raises(ValueError, match=said):
        effect_scores(np.array([True, False]), np.ones(2), chances, predicted)


def test_the_interval_is_that_of_a_mean():
    scores = np.array([1.0, 2.0, 4.0, 9.0])
    found = mean_effect(scores)
    half = stats.norm.ppf(0.975) * np.sqrt(((scores - 4) ** 2).sum() / 3 / 4)
    assert (found.difference, found.low, found.high) == pytest.approx((4, 4 - half, 4 + half))


def test_one_score_has_no_error():
    with pytest.raises(ValueError, match="at least two, got 1"):
        mean_effect(np.ones(1))
