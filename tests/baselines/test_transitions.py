"""Counters of transitions against loops over the events."""

import numpy as np
import pytest

from recsys.baselines.transitions import Markov, TransitionCounter, transition_counts
from recsys.data import Interactions

MODELS = {"Markov": lambda: Markov(2.0), "counter": lambda: TransitionCounter(3, 0.7, 0.8, 20.0, 0.3)}


def histories_of(log):
    """Each user's items, oldest first, by a loop."""
    rows = [sorted(np.flatnonzero(log.users == user), key=lambda row: (log.times[row], row))
            for user in range(log.n_users)]  # fmt: skip
    return [[int(log.items[row]) for row in mine] for mine in rows]


def counts_of(log, weights):
    counts = np.zeros((log.n_items, log.n_items))
    for history in histories_of(log):
        for place, first in enumerate(history):
            for distance, weight in enumerate(weights, start=1):
                if place + distance < len(history):
                    counts[first, history[place + distance]] += weight
    return counts


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.5, 0.25], list(np.arange(12.0))])
def test_transition_counts_agree_with_a_loop(small, weights):
    assert np.allclose(transition_counts(small, np.array(weights)).toarray(), counts_of(small, weights))


def test_markov_agrees_with_a_loop_and_is_a_distribution(small):
    scores = Markov(2.0).fit(small).score(np.arange(small.n_users))
    counts, popularity = counts_of(small, [1.0]), np.bincount(small.items, minlength=small.n_items) / len(small)
    for user, history in enumerate(histories_of(small)):
        after = counts[history[-1]]
        assert np.allclose(scores[user], (after + 2 * popularity) / (after.sum() + 2))
    assert np.allclose(scores.sum(axis=1), 1)


def test_the_counter_agrees_with_a_loop(small):
    scores = TransitionCounter(3, 0.7, 0.8, 20.0, 0.3).fit(small).score(np.arange(small.n_users))
    counts = counts_of(small, [1, 2**-0.7, 3**-0.7])
    popularity = np.bincount(small.items, minlength=small.n_items) + 1
    for user, history in enumerate(histories_of(small)):
        total = sum(0.8**age for age in range(len(history)))
        for item in range(small.n_items):
            expected = sum(0.8**age / total * np.log(1 + counts[past, item] * small.n_items / 20)
                           for age, past in enumerate(reversed(history)))  # fmt: skip
            expected += 0.3 * np.log(popularity[item] / popularity.sum())
            assert np.isclose(scores[user, item], expected)


@pytest.mark.parametrize("name", MODELS)
def test_a_stranger_without_history_gets_the_order_of_popularity(small, name):
    scores = MODELS[name]().fit(small).score([0], history=Interactions.from_sequences([[]], small.item_ids))[0]
    counts = np.bincount(small.items, minlength=small.n_items)
    assert (np.diff(scores[np.argsort(counts, kind="stable")]) >= -1e-12).all()


def test_planted_steps_are_found(walks):
    """The item after the newest one comes first, whatever is popular."""
    for model in (Markov(), TransitionCounter(1, 0.5, 0.5, 100.0, 0.1)):
        best = model.fit(walks).score(np.arange(30), Interactions.from_sequences(
            [[item] for item in range(30)], walks.item_ids)).argmax(axis=1)  # fmt: skip
        assert (best == (np.arange(30) + 1) % 30).mean() > 0.9


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="recency: expected above 0 and at most 1, got 0"):
        TransitionCounter(recency=0)
    with pytest.raises(ValueError, match="smoothing: expected above 0, got 0"):
        Markov(0)


def test_the_head_of_a_history_gets_its_share_and_the_rest_is_weighed_alike():
    model, lengths = TransitionCounter(recency=0.5, head=2, head_share=0.9), np.array([4, 2, 1])
    users, ages = np.repeat([0, 1, 2], lengths), np.array([3, 2, 1, 0, 1, 0, 0])
    kernel = model._kernel(users, ages, lengths)
    assert np.allclose(kernel, [0.05, 0.05, 0.3, 0.6, 1 / 3, 2 / 3, 1])


def test_a_score_is_the_logarithm_of_smoothed_probabilities_up_to_a_constant(small):
    """The form of the paper: sum of k log P(a | h), without popularity."""
    model = TransitionCounter(3, 0.7, 0.8, 20.0, 0.0).fit(small)
    scores, counts = model.score(np.arange(small.n_users)), counts_of(small, [1, 2**-0.7, 3**-0.7])
    smoothed = (counts + 20 / small.n_items) / (counts.sum(1, keepdims=True) + 20)
    for user, history in enumerate(histories_of(small)):
        kernel = 0.8 ** np.arange(len(history))[::-1]
        direct = (kernel / kernel.sum()) @ np.log(smoothed[history])
        assert np.allclose(direct - direct[0], scores[user] - scores[user, 0])
