"""What a log tells before training: planted worlds where reading must pay or can't, closed forms, refusals."""

import numpy as np
import pytest

from recsys.data import Interactions
from recsys.evaluation import moderators
from recsys.evaluation.conditional_logit import fit_weights, log_probabilities
from recsys.evaluation.topic_readings import DECAYS, TopicLog, count, in_another_order, read
from recsys.simulate.interests import planted_interests


def log_of(sequences, n_items=None):
    n_items = n_items or 1 + max(max(items) for items in sequences)
    return Interactions.from_sequences(sequences, np.arange(n_items))


def without_order(log, seed=0):
    """The same events of each user, in another order."""
    times = np.random.default_rng(seed).permutation(len(log))
    return Interactions(log.users, log.items, log.values, times, log.user_ids, log.item_ids, "step")


@pytest.fixture(scope="module")
def sessions():
    return planted_interests(1000, 4, 40, seed=400).interactions


def sums():
    """The next item is the sum of the last two, modulo 5: each of them alone tells nothing."""
    rng = np.random.default_rng(0)
    rows = rng.integers(5, size=(200, 30))
    for place in range(2, 30):
        both = (rows[:, place - 1] + rows[:, place - 2]) % 5
        rows[:, place] = np.where(rng.random(200) < 0.3, rows[:, place], both)
    return log_of(rows)


def test_several_interests_in_sessions_are_told_by_the_newest_item(sessions):
    found = moderators(sessions)
    assert found.newest_bits > 0.03
    assert found.newest_bits > 6 * found.newest_bits_error


def test_the_same_events_in_another_order_tell_nothing_by_the_newest(sessions):
    shuffled = moderators(without_order(sessions))
    assert abs(shuffled.newest_bits) < 3 * shuffled.newest_bits_error


def test_one_interest_needs_no_question():
    found = moderators(planted_interests(300, 1, 30, seed=3).interactions)
    assert abs(found.newest_bits) < 3 * found.newest_bits_error


def test_a_pair_that_no_event_tells_alone_is_found():
    found = moderators(sums())
    assert found.newest_bits > 0.5


def test_other_numbers_of_users_and_items_change_nothing_but_the_draws():
    log, rng = sums(), np.random.default_rng(1)
    users, items = rng.permutation(log.n_users), rng.permutation(log.n_items)
    renumbered = Interactions(users[log.users], items[log.items], log.values, log.times, log.user_ids, log.item_ids, "step")
    before, after = moderators(log), moderators(renumbered)
    error = np.hypot(before.newest_bits_error, after.newest_bits_error)
    assert before.newest_bits != after.newest_bits
    assert abs(before.newest_bits - after.newest_bits) < 3 * error
    for name in ("repeat_share", "median_length", "events_per_item"):
        assert getattr(before, name) == getattr(after, name)


def test_the_order_of_the_rows_changes_nothing_where_no_times_tie():
    log = sums()
    rows = np.random.default_rng(2).permutation(len(log))
    assert moderators(log.select(rows)) == moderators(log)


def test_counts_are_those_of_the_log():
    found = moderators(log_of([[0, 1, 0, 2], [1, 1, 1, 1, 1], [0, 1, 2, 3], [3, 2, 1, 0], [2]], n_items=7))
    assert found.repeat_share == 5 / 13  # of the 18 events 5 are first ones
    assert found.median_length == 4
    assert found.events_per_item == 18 / 4  # three items nobody took


def test_a_log_that_is_too_short_is_refused():
    message = "expected at least 4 users with 4 events or more, got 3 of 4; hand in a longer log"
    with pytest.raises(ValueError, match=message):
        moderators(log_of([[0, 1, 2, 3]] * 3 + [[0, 1, 2]]))
    with pytest.raises(ValueError, match="got 0 of 0"):
        moderators(log_of([[0, 1]]).select(np.zeros(2, dtype=bool)).of_users(np.array([], dtype=int)))


def test_four_users_of_four_events_are_enough():
    found = moderators(log_of([[0, 1, 2, 3]] * 4))
    assert np.isfinite([found.newest_bits, found.newest_bits_error]).all()


def test_what_was_skipped_is_refused():
    log = log_of([[0, 1, 2, 3]] * 4)
    values = np.ones(len(log))
    values[3] = 0
    skipped = Interactions(log.users, log.items, values, log.times, log.user_ids, log.item_ids, "step")
    with pytest.raises(ValueError, match="expected values above 0, got 1 of 16"):
        moderators(skipped)


def test_a_conditional_logit_finds_the_weights_that_chose():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20_000, 6, 3))
    weights = np.array([1.0, -0.5, 0.0])
    noise = rng.gumbel(size=(20_000, 6))
    chosen = (features @ weights + noise).argmax(1)
    np.testing.assert_allclose(fit_weights(features, chosen), weights, atol=0.04)
    np.testing.assert_allclose(np.exp(log_probabilities(features, weights)).sum(1), 1)


def test_the_newest_event_is_no_part_of_what_it_reads():
    """Topics 0, 1, 2 and then 3: the table knows 3 beside 0 and 1, and nothing of 2 beside itself."""
    n = 4
    log = TopicLog(np.zeros(n, dtype=int), np.arange(n), np.arange(n), np.zeros(n, dtype=int), np.full(n, 1 / n), np.eye(n))
    tables = count(log, np.array([3]))
    for decay, beside in zip(DECAYS, tables.beside, strict=True):
        np.testing.assert_allclose(beside[2, 2], tables.after[2], rtol=1e-6)
        weights = np.array([decay**2, decay])  # ages 2 and 1
        wanted = (weights + 5 * tables.after[2, 3]) / (weights + 5)
        np.testing.assert_allclose(beside[2, :2, 3], wanted, rtol=1e-6)
    near = read(log, tables, np.array([3]))[0]
    assert near[0, 2] == near[0, 3] < near[0, 0] == near[0, 1]


def test_another_order_keeps_each_users_events():
    log = TopicLog(np.repeat([0, 1], 50), np.arange(100), np.tile(np.arange(50), 2), np.zeros(100, dtype=int), np.ones(1), np.eye(1))
    other = in_another_order(log, np.random.default_rng(0))
    assert sorted(other.topics[:50]) == list(range(50)) and sorted(other.topics[50:]) == list(range(50, 100))
    assert (other.topics != log.topics).sum() > 80
