"""Reasons by leaving out, against models of which one knows what each event is worth."""

import numpy as np
import pytest

from recsys.baselines import ItemKNN, Markov, Popularity
from recsys.data import Interactions
from recsys.evaluation import recommend
from recsys.trust import losses_without, reasons


def test_of_a_sum_over_events_each_loses_its_own_term(small):
    """The score of item-kNN is a sum over items, so that of a distinct history the losses are its terms."""
    model = ItemKNN(neighbours=12).fit(small)
    history = Interactions.from_sequences([[3, 1, 7]], small.item_ids)
    losses = losses_without(model, -1, history)
    terms = model.similarity.toarray()[[3, 1, 7]]  # (3, n_items)
    np.testing.assert_allclose(losses, terms - terms.mean(axis=1, keepdims=True), atol=1e-12)


def test_the_last_item_is_the_only_reason_of_a_model_that_reads_no_other(walks):
    model = Markov().fit(walks)
    [items] = recommend(model, [7], 3)
    told = reasons(model, walks, 7, items)
    newest = walks.item_ids[walks.items[walks.users == 7][-1]]
    assert told["item"].tolist() == walks.item_ids[items].tolist()
    assert told["because of"][0] == newest and told["loses"][0] > 0
    own = walks.of_users([7])
    losses = losses_without(model, 7, own)
    assert (losses[:-1] == 0).all() and told["loses"].tolist() == pytest.approx(losses[-1, items].clip(min=0))


def test_where_no_event_speaks_for_an_item_no_reason_is_given(walks):
    popular = Popularity().fit(walks)
    told = reasons(popular, walks, 7, np.array([3, 4]))
    assert told["because of"].isna().all() and told["loses"].tolist() == [0, 0]
    empty = walks.select(walks.users != 7)
    told = reasons(Markov().fit(walks), empty, 7, np.array([3]))
    assert told["because of"].isna().all() and told["loses"].tolist() == [0]
