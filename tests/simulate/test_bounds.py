"""The Bayes bound of planted histories: second implementations, and what is exact about it."""

from itertools import permutations, product

import numpy as np
import pytest

from recsys.data import Interactions
from recsys.simulate.bounds import counts_and_newest
from recsys.simulate.interests import planted_interests


def history(planted, rows):
    return Interactions.from_sequences(rows, planted.interactions.item_ids)


def logs(planted):
    """The viewers' events, (n_users, length)."""
    return planted.interactions.items.reshape(planted.interactions.n_users, -1)


def likelihood(planted, topics, styles, events):
    """P(events in their order | a viewer's topics and styles), read off how viewers are drawn; one item a style."""
    m, n_styles = len(topics), planted.item_styles.max() + 1
    chance, before = 1.0, None
    for item in events:
        topic, style = planted.item_topics[item], planted.item_styles[item]
        if topic not in topics:
            return 0.0
        move = 1 / m if before is None else (1 - planted.stay) / m + planted.stay * (topic == before)
        own = style == styles[topics.index(topic)]
        chance *= move * ((1 - planted.noise) * own + planted.noise / n_styles)
        before = topic
    return chance


def bayes(planted, events):
    """The next item given the *ordered* events, by going through every viewer there could be."""
    n_topics, n_styles = planted.item_topics.max() + 1, planted.item_styles.max() + 1
    m, n_items = planted.topics.shape[1], len(planted.item_topics)
    viewers = list(product(permutations(range(n_topics), m), product(range(n_styles), repeat=m)))
    joint = [sum(likelihood(planted, *viewer, [*events, item]) for viewer in viewers) for item in range(n_items)]
    return np.array(joint) / np.sum(joint)


@pytest.mark.parametrize("n_topics, n_interests, stay, noise", [
    (2, 1, 0.7, 0.5), (2, 2, 0.7, 0.5), (2, 2, 0.3, 0.0), (2, 2, 0.0, 1.0), (3, 2, 0.7, 0.2),
])  # fmt: skip
def test_it_is_bayes_rule_of_the_whole_ordered_history(n_topics, n_interests, stay, noise):
    """Every history of up to three events that can happen; so the order of the older ones tells nothing."""
    planted = planted_interests(2, n_interests, 2, n_topics=n_topics, n_styles=2, items_per_style=1, stay=stay, noise=noise)
    everything = [row for length in range(4) for row in product(range(2 * n_topics), repeat=length)]
    possible = [row for row in everything if len({item // 2 for item in row}) <= n_interests]
    possible = [row for row in possible if noise or all(len({i for i in row if i // 2 == t}) <= 1 for t in range(n_topics))]
    expected = np.array([bayes(planted, row) for row in possible])
    assert len(possible) > 12
    assert np.allclose(counts_and_newest(planted, history(planted, possible)), expected, atol=1e-12)


@pytest.mark.parametrize("n_interests, stay, noise", [(1, 0.7, 0.5), (4, 0.0, 0.2), (6, 0.7, 0.5), (8, 0.9, 1.0)])
def test_rows_sum_to_one(n_interests, stay, noise):
    planted = planted_interests(50, n_interests, 12, stay=stay, noise=noise)
    rows = counts_and_newest(planted, planted.interactions)
    assert np.allclose(rows.sum(1), 1) and (rows >= 0).all()


def test_without_noise_who_has_shown_every_topic_is_known_in_full():
    planted = planted_interests(200, 3, 60, stay=0.5, noise=0.0, seed=3)
    shown = [len(np.unique(planted.item_topics[row])) for row in logs(planted)]
    users = np.flatnonzero(np.array(shown) == 3)
    bound = counts_and_newest(planted, planted.interactions.of_users(users))
    assert len(users) > 150
    assert np.allclose(bound, planted.probabilities(users, logs(planted)[users, -1]))


def test_the_order_of_the_older_items_never_matters():
    planted = planted_interests(100, 4, 20, seed=1)
    older, newest = logs(planted)[:, :-1], logs(planted)[:, -1:]
    mixed = np.hstack([np.random.default_rng(0).permuted(older, axis=1), newest])
    assert (mixed != logs(planted)).any()
    assert np.array_equal(counts_and_newest(planted, history(planted, mixed)), counts_and_newest(planted, planted.interactions))


@pytest.mark.parametrize("n_interests, stay, same", [(4, 0.0, True), (1, 0.7, True), (4, 0.7, False)])
def test_the_newest_item_counts_like_any_other_without_sessions_or_with_one_interest(n_interests, stay, same):
    """Sign claims that are exact: there, nobody can gain by looking at what the newest item is."""
    planted = planted_interests(100, n_interests, 20, stay=stay, seed=2)
    turned = np.roll(logs(planted), 1, axis=1)  # another item is the newest
    assert np.allclose(counts_and_newest(planted, history(planted, turned)),
                       counts_and_newest(planted, planted.interactions)) == same  # fmt: skip


@pytest.mark.parametrize("stay", [0.0, 0.7])
def test_items_come_as_often_as_the_bound_says(stay):
    """Of events given probability p, a share of p happens: the reader is calibrated, and the truth is sharper."""
    planted = planted_interests(4000, 3, 9, n_topics=4, n_styles=3, items_per_style=1, stay=stay, seed=4)
    past, following = logs(planted)[:, :-1], logs(planted)[:, -1]
    given = counts_and_newest(planted, history(planted, past))
    happened = np.zeros_like(given)
    happened[np.arange(4000), following] = 1
    groups = np.array_split(np.argsort(given.ravel()), 20)
    for group in groups:
        expected, spread = given.ravel()[group], given.ravel()[group] * (1 - given.ravel()[group])
        assert abs(happened.ravel()[group].sum() - expected.sum()) <= 4 * np.sqrt(spread.sum())
    truth = planted.probabilities(np.arange(4000), past[:, -1])
    told, known = (np.log(rows[np.arange(4000), following]).mean() for rows in (given, truth))
    assert told < known


def test_of_a_stranger_every_item_is_as_likely():
    planted = planted_interests(3, 2, 5)
    assert np.allclose(counts_and_newest(planted, history(planted, [[], [7]]))[0], 1 / 320)


def test_a_history_of_another_world_is_refused():
    planted = planted_interests(3, 1, 5)
    with pytest.raises(ValueError, match="at most 1 topics a viewer, .* got 2 in row 1; it is of another world"):
        counts_and_newest(planted, history(planted, [[0], [0, 319]]))
    with pytest.raises(ValueError, match="expected the 320 items of the world, got 12; make it"):
        counts_and_newest(planted, Interactions.from_sequences([[0]], np.arange(12)))
