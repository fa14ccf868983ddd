"""Sequences, windows and batches: every event is a target once, and padding is only padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.batches.sequences import NextItemBatches, buckets, pad, user_sequences, windows

rows = st.lists(st.lists(st.integers(1, 50), max_size=30).map(np.array), min_size=1, max_size=12)


def test_sequences_are_each_users_items_in_order_shifted_by_one(small):
    for user, sequence in enumerate(user_sequences(small)):
        mine = sorted(np.flatnonzero(small.users == user), key=lambda row: (small.times[row], row))
        assert sequence.tolist() == [small.items[row] + 1 for row in mine]


@given(rows, st.integers(1, 9))
def test_every_event_but_the_first_is_a_target_exactly_once(sequences, length):
    targets = [window[1:].tolist() for window in windows(sequences, length)]
    assert sum(targets, []) == sum([sequence[1:].tolist() for sequence in sequences], [])
    assert all(1 <= len(target) <= length for target in targets)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40).map(np.array), st.integers(1, 100), st.integers(0, 9))
def test_buckets_hold_each_row_once_and_no_more_than_their_tokens(lengths, tokens, seed):
    groups = buckets(lengths, tokens, np.random.default_rng(seed).permutation(len(lengths)))
    assert sorted(np.concatenate(groups)) == list(range(len(lengths)))
    assert all(len(group) == 1 or len(group) * lengths[group].max() <= tokens for group in groups)


def test_padding_keeps_the_newest_ids():
    assert pad([np.array([1, 2, 3]), np.array([4])], 2).tolist() == [[2, 3], [4, 0]]
    assert pad([np.array([1, 2, 3]), np.array([], dtype=int)]).tolist() == [[1, 2, 3], [0, 0, 0]]


def test_targets_are_inputs_one_step_later_and_padded_alike():
    batches = NextItemBatches([np.array([1, 2, 3]), np.array([4, 5])], tokens=10)(0)
    found = {tuple(i): tuple(t) for inputs, targets in batches for i, t in zip(inputs.tolist(), targets.tolist())}
    assert found == {(1, 2): (2, 3), (4, 0): (5, 0)}


def test_an_epoch_is_the_same_whenever_it_is_made_and_differs_from_the_next():
    made = NextItemBatches([np.arange(1, n % 5 + 4) for n in range(40)], tokens=30, seed=7)
    first, again, second = ([inputs.tolist() for inputs, _ in made(epoch)] for epoch in (0, 0, 1))
    assert first == again and first != second


def test_nothing_to_learn_from_is_named():
    with pytest.raises(ValueError, match="a user needs two events"):
        NextItemBatches(windows([np.array([3])], 5), tokens=10)
    with pytest.raises(ValueError, match="length: expected at least 1, got 0"):
        windows([np.array([3])], 0)


def test_who_shares_a_batch_differs_between_epochs_and_seeds():
    rows = [np.array([n, n]) for n in range(1, 41)]
    groups = [{frozenset(inputs[:, 0].tolist()) for inputs, _ in NextItemBatches(rows, tokens=4, seed=seed)(epoch)}
              for seed, epoch in [(0, 0), (0, 1), (1, 0)]]  # fmt: skip
    assert groups[0] != groups[1] and groups[0] != groups[2]


def test_negatives_are_the_same_whenever_an_epoch_is_made_and_are_not_shared_by_its_batches():
    rows = [np.array([n, n + 1]) for n in range(1, 41)]
    made = NextItemBatches(rows, tokens=10, seed=3, counts=np.ones(60, dtype=int), negatives=7)
    first, again, second = (made(epoch) for epoch in (0, 0, 1))
    for one, other in zip(first, again, strict=True):
        assert all((left == right).all() for left, right in zip(one, other, strict=True))
    drawn = {tuple(batch[2].tolist()) for batch in [*first, *second]}
    assert len(drawn) == len(first) + len(second)
    for _, _, ids, log_q in first:
        assert ids.shape == log_q.shape == (7,) and ids.min() >= 1 and ids.max() <= 60
        assert np.allclose(log_q, -np.log(60))


def test_draws_leave_the_batches_as_they_are():
    rows = [np.arange(1, n % 5 + 4) for n in range(40)]
    plain = NextItemBatches(rows, tokens=30, seed=7)(1)
    drawn = NextItemBatches(rows, tokens=30, seed=7, counts=np.ones(9, dtype=int), negatives=2)(1)
    for one, other in zip(plain, drawn, strict=True):
        assert (one[0] == other[0]).all() and (one[1] == other[1]).all()


def test_fewer_tokens_than_one_are_refused():
    with pytest.raises(ValueError, match="tokens: expected at least 1, got 0"):
        NextItemBatches([np.array([1, 2])], tokens=0)
