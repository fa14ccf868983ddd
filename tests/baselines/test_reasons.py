"""A reason: what links a product to a history, by a loop over the history."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recsys.baselines.reasons import link

ITEMS = st.integers(0, 5)


@given(st.lists(ITEMS, max_size=8), ITEMS, st.integers(0, 2**31))
def test_a_link_is_what_a_loop_over_the_history_finds(taken, item, seed):
    similarity = np.random.default_rng(seed).integers(0, 3, (6, 6)) / 2
    np.fill_diagonal(similarity, 0)
    found = link(sparse.csr_matrix(similarity), np.array(taken, dtype=int), item)
    assert found.times == taken.count(item)
    if item in taken or not any(similarity[other, item] for other in taken):
        assert found.goes_with == -1
    else:
        best = max(similarity[other, item] for other in taken)
        assert found.goes_with == min(o for o in taken if similarity[o, item] == best)
