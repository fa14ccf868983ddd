"""What goes wrong before the first step leaves every recommender as it was, and its first fit unfitted."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.data import Interactions
from recsys.simulate.readers import planted_readers, planted_topics
from recsys.torch.factorisation import FactorisationConfig, FactorisationRecommender
from recsys.torch.fit import FitConfig
from recsys.torch.history_attention import HistoryAttentionConfig, HistoryAttentionRecommender
from recsys.torch.ncf import (
    DotProductConfig, DotProductRecommender, GMFConfig, GMFRecommender, MLPConfig, MLPRecommender, NeuMFConfig,
    NeuMFRecommender,
)
from recsys.torch.news import NewsRecommender
from recsys.torch.nrms import NRMSConfig
from recsys.torch.purchase import TargetRankerRecommender
from recsys.torch.sasrec import SASRecConfig, SASRecRecommender
from recsys.torch.target_ranker import TargetRankerConfig

TRAINING = FitConfig(epochs=1, learning_rate=0.01)


def on_the_walks(kind, config):
    return lambda walks: (kind(replace(config, training=TRAINING)), walks)


def shop(walks):
    """The walks as a shop: a basket of one product a day."""
    log = Interactions(walks.users, walks.items, walks.values, walks.times, walks.user_ids, walks.item_ids, "day")
    return TargetRankerRecommender(np.arange(30) // 3, TargetRankerConfig(dim=8, training=TRAINING)), log


def newsroom(walks):
    vectors = np.random.default_rng(0).normal(size=(30, 6))
    readers = planted_readers(planted_topics(vectors, 3), 20, 1, 8, 4, seed=0)
    return NewsRecommender(vectors, NRMSConfig(reader="mean", dim=8, n_heads=2, training=TRAINING)), readers.log


EVERY = {
    "factorisation": on_the_walks(FactorisationRecommender, FactorisationConfig(dim=4)),
    "dot product": on_the_walks(DotProductRecommender, DotProductConfig(dim=4)),
    "GMF": on_the_walks(GMFRecommender, GMFConfig(dim=4)),
    "MLP": on_the_walks(MLPRecommender, MLPConfig(dim=4)),
    "NeuMF": on_the_walks(NeuMFRecommender, NeuMFConfig(dim=4)),
    "history attention": on_the_walks(HistoryAttentionRecommender, HistoryAttentionConfig(dim=4)),
    "SASRec": on_the_walks(SASRecRecommender, SASRecConfig(dim=8, n_heads=2)),
    "target ranker": shop,
    "news": newsroom,
}


@pytest.mark.parametrize("name", EVERY)
def test_an_error_before_the_first_step_leaves_a_recommender_as_it_was(name, walks):
    """Patience without a metric is refused before any step is taken."""
    model, data = EVERY[name](walks)
    good = model.config
    model.config = replace(good, training=replace(TRAINING, patience=1))
    with pytest.raises(ValueError, match="patience"):
        model.fit(data)
    assert not hasattr(model, "network") and not hasattr(model, "interactions")
    model.config = good
    before = model.fit(data).score(np.arange(5))
    model.config = replace(good, training=replace(TRAINING, patience=1, seed=9))
    with pytest.raises(ValueError, match="patience"):
        model.fit(data)
    assert (model.score(np.arange(5)) == before).all()
